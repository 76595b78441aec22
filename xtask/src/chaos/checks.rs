//! What the generator sent against what the viewers show.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{fleet::Fleet, sender::Sender};
use crate::{http, process};

/// How long the count may take to come back after everything else did.
const QUIET_LIMIT: Duration = Duration::from_secs(240);

/// What an exact count of all that was sent gives.
#[derive(Default)]
pub(super) struct Expected {
    records: u64,
    /// By place and candidate.
    votes: BTreeMap<(String, String), u64>,
    /// By reason; records that were sent twice are rejected once more.
    rejected: BTreeMap<String, u64>,
}

impl Expected {
    /// Takes the records up to `sent`.
    pub(super) fn extend(&mut self, sender: &Sender, sent: u64) -> Result<()> {
        let more = sender.expected(self.records..sent)?;
        let object = |value: &Value| value.as_object().cloned().context("not an object");
        for (place, candidates) in object(&more["votes"])? {
            for (candidate, votes) in object(&candidates)? {
                let votes = votes.as_u64().context("not a count")?;
                *self.votes.entry((place.clone(), candidate)).or_default() += votes;
            }
        }
        for (reason, count) in object(&more["rejected"])? {
            *self.rejected.entry(reason).or_default() += count.as_u64().context("not a count")?;
        }
        self.records = sent;
        Ok(())
    }

    pub(super) fn votes(&self) -> u64 {
        self.votes.values().sum()
    }

    fn place(&self, place: &str) -> BTreeMap<&str, u64> {
        let here = self.votes.iter().filter(|((here, _), _)| here == place);
        here.map(|((_, candidate), votes)| (candidate.as_str(), *votes)).collect()
    }

    /// What isn't as it was sent.
    fn differences(&self, results: &Value) -> Vec<String> {
        let mut differences = Vec::new();
        for place in results["locations"].as_array().into_iter().flatten() {
            let id = place["id"].as_str().unwrap_or_default();
            let sent = self.place(id);
            let total = sent.values().sum::<u64>();
            if place["votes"] != total {
                differences.push(format!("{id}: {total} votes sent, {} shown", place["votes"]));
            }
            // The split of a place with few ballots isn't shown.
            let shown = place["contests"][0]["votes"].as_object();
            let shown = shown.map(|shown| {
                shown.iter().map(|(id, votes)| (id.as_str(), votes.as_u64().unwrap_or_default())).collect()
            });
            if shown.is_some_and(|shown: BTreeMap<_, _>| shown != sent) {
                differences.push(format!("{id}: {sent:?} sent, {} shown", place["contests"][0]["votes"]));
            }
        }
        for (reason, sent) in &self.rejected {
            let shown = results["totals"]["rejected"][reason].as_u64().unwrap_or_default();
            if shown < *sent {
                differences.push(format!("{sent} records with {reason} sent, {shown} shown"));
            }
        }
        differences
    }
}

/// Waits until every viewer shows all that was sent, and nothing is on its way any more; the version then, and what it
/// says was counted.
pub(super) fn wait_until_shown(fleet: &mut Fleet, expected: &Expected) -> Result<(u64, Value)> {
    let deadline = Instant::now() + QUIET_LIMIT;
    let mut last = Vec::new();
    loop {
        fleet.notice_ends()?;
        let viewers = fleet.viewers();
        let shown: Vec<_> =
            viewers.iter().map(|viewer| http::json(&format!("{}/api/v1/results", viewer.url)).ok()).collect();
        let is_ready = |url: &str| http::text(&format!("{url}/readyz")).is_ok_and(|text| text == "ready\n");
        let votes = |results: &Option<Value>| {
            results.as_ref().and_then(|results| results["totals"]["votes"].as_u64())
        };
        if let Some(more) = shown.iter().filter_map(votes).find(|votes| *votes > expected.votes()) {
            bail!("{more} votes are shown, {} were sent: votes were counted twice", expected.votes());
        }
        let versions: Vec<_> =
            shown.iter().map(|results| results.as_ref().map(|results| results["version"].clone())).collect();
        let is_complete = shown.iter().all(|results| votes(results) == Some(expected.votes()));
        if is_complete && versions == last && viewers.iter().all(|viewer| is_ready(&viewer.url)) {
            for (viewer, results) in viewers.iter().zip(shown.iter().flatten()) {
                let differences = expected.differences(results);
                if !differences.is_empty() {
                    bail!("{} shows something else than was sent:\n{}", viewer.name, differences.join("\n"));
                }
            }
            let version = versions.first().cloned().flatten();
            if versions.iter().all(|other| *other == version) {
                let version =
                    version.and_then(|version| version.as_u64()).context("results have no version")?;
                let inputs = shown.iter().flatten().next().map(|results| results["inputs"].clone());
                return Ok((version, inputs.unwrap_or_default()));
            }
        }
        if Instant::now() > deadline {
            let shown: Vec<_> = shown.iter().map(votes).collect();
            bail!(
                "{} votes were sent; after {} s the viewers show {shown:?}",
                expected.votes(),
                QUIET_LIMIT.as_secs()
            );
        }
        last = versions;
        // Long enough for several versions, were there any more.
        let pause_end = Instant::now() + Duration::from_millis(700);
        while Instant::now() < pause_end {
            process::pause()?;
        }
    }
}
