//! Results in the common data format for election results: NIST SP 1500-100 version 2, as JSON.
//!
//! The report is "unofficial": Tallyboard certifies nothing. What the format wants and Tallyboard doesn't know is said to
//! be unknown: the kind of election and of its places is `other`. The rules that the report keeps are those of the
//! published schema; `tests/data/nist-1500-100-v2.schema.json` has those of the classes that are used.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};
use tallyboard_shared::{
    election::{Election, Mode},
    ids::{CandidateId, LocationId},
    results::{ContestResult, CountStatus, LocationResult, Results},
};

use super::mode;

/// Names the unit that is the whole election.
const WHOLE: &str = "gpunit-election";

/// Writes disclosed results that were counted by `election`: all of them, or a part of the whole.
pub(super) fn write(election: &Election, whole: &Results, results: &Results) -> Vec<u8> {
    let parties = Parties::of(results);
    let units = Units::of(election, whole);
    let status = match results.status {
        CountStatus::BeforeOpen => "pre-election",
        // Votes that were cast in time may still arrive after the close.
        CountStatus::Counting | CountStatus::Closed => "unofficial-partial",
    };
    let mode = mode(results.election.mode);
    let mut report = object(json!({
        "@type": "ElectionResults.ElectionReport",
        "ExternalIdentifier": [
            identifier("tallyboard-results-version", &results.version.to_string()),
            identifier("tallyboard-definition-hash", &results.election.definition_hash),
            identifier("tallyboard-mode", mode),
        ],
        "Format": "precinct-level",
        "GeneratedDate": results.as_of.to_string(),
        "IsTest": results.election.mode != Mode::Live,
        "Issuer": "Tallyboard",
        "IssuerAbbreviation": "Tallyboard",
        "Notes": format!(
            "Version {} of the results, mode {mode}. Unofficial: Tallyboard shows a count and certifies nothing. \
             Counts that are withheld are left out and marked as suppressed.",
            results.version
        ),
        "SequenceStart": 1,
        "SequenceEnd": 1,
        "Status": status,
        "VendorApplicationId": concat!("Tallyboard ", env!("CARGO_PKG_VERSION")),
        "Election": [election_of(election, results, &parties, &units)],
        "GpUnit": units.written(election, whole, results),
        "Party": parties.written(),
    }));
    if results.election.mode != Mode::Live {
        report.insert("TestType".into(), mode.into());
    }
    serde_json::to_vec(&report).expect("a report has only text keys")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => unreachable!("an object was written, not {other}"),
    }
}

fn identifier(kind: &str, value: &str) -> Value {
    json!({
        "@type": "ElectionResults.ExternalIdentifier",
        "Type": "other",
        "OtherType": kind,
        "Value": value,
    })
}

/// Text in the definition's language, whichever that is.
fn text(text: &str) -> Value {
    json!({
        "@type": "ElectionResults.InternationalizedText",
        "Text": [{ "@type": "ElectionResults.LanguageString", "Content": text, "Language": "und" }],
    })
}

/// Parties by name, in the order in which they are first named.
struct Parties<'a>(Vec<&'a str>);

impl<'a> Parties<'a> {
    fn of(results: &'a Results) -> Self {
        Self(results.parties.iter().map(|party| party.party.as_str()).collect())
    }

    fn id(&self, party: &str) -> Option<String> {
        let position = self.0.iter().position(|known| *known == party)?;
        Some(format!("party-{position}"))
    }

    fn written(&self) -> Vec<Value> {
        let party = |(number, name): (usize, &&str)| json!({ "@type": "ElectionResults.Party", "@id": format!("party-{number}"), "Name": text(name) });
        self.0.iter().enumerate().map(party).collect()
    }
}

/// The units by place: a place that others are a part of is two, itself and the region.
struct Units<'a> {
    places: HashMap<&'a LocationId, String>,
    regions: HashMap<&'a LocationId, String>,
    parents: HashMap<&'a LocationId, &'a LocationId>,
}

impl<'a> Units<'a> {
    fn of(election: &'a Election, whole: &'a Results) -> Self {
        let named = |kind: &str, places: &'a [LocationResult]| {
            let names = places.iter().enumerate();
            names.map(|(number, place)| (&place.id, format!("gpunit-{kind}-{number}"))).collect()
        };
        let parents = election.locations.iter().filter_map(|place| Some((&place.id, place.parent.as_ref()?)));
        Self {
            places: named("place", &whole.locations),
            regions: named("region", &whole.regions),
            parents: parents.collect(),
        }
    }

    /// The units that make up a region, or the whole election where none is named.
    fn parts(&self, region: Option<&LocationId>, whole: &Results) -> Vec<&str> {
        let own = region.and_then(|region| self.places.get(region));
        let is_part = |place: &&LocationResult| self.parents.get(&place.id).copied() == region;
        let regions = whole.regions.iter().filter(is_part).map(|part| &self.regions[&part.id]);
        let is_place = |place: &&LocationResult| !self.regions.contains_key(&place.id);
        let places = whole.locations.iter().filter(is_part).filter(is_place);
        own.into_iter()
            .chain(regions)
            .chain(places.map(|part| &self.places[&part.id]))
            .map(String::as_str)
            .collect()
    }

    fn written(&self, election: &Election, whole: &Results, results: &Results) -> Vec<Value> {
        let regions = results.regions.iter().map(|region| self.regions[&region.id].as_str());
        let places = results.locations.iter().map(|place| self.places[&place.id].as_str());
        let reported: HashSet<_> = regions.chain(places).collect();
        // Some of the parts would look like all of them, and no others may be named: they aren't in the report.
        let compose = |unit: &mut Map<String, Value>, region: Option<&LocationId>| {
            let parts = self.parts(region, whole);
            if parts.iter().all(|part| reported.contains(part)) {
                unit.insert("ComposingGpUnitIds".into(), parts.into());
            }
        };
        let ballots = whole.locations.iter().map(|place| place.votes).sum();
        let mut sum = unit(WHOLE, "election", &election.title, whole.totals.registered_voters, ballots);
        compose(&mut sum, None);
        let mut units = vec![sum];
        for region in &results.regions {
            let id = &self.regions[&region.id];
            let mut unit = unit(id, "region", &region.name, region.registered_voters, region.votes);
            compose(&mut unit, Some(&region.id));
            unit.insert(
                "ExternalIdentifier".into(),
                json!([identifier("tallyboard-location", region.id.as_str())]),
            );
            units.push(unit);
        }
        for place in &results.locations {
            let id = &self.places[&place.id];
            let mut unit = unit(id, "place", &place.name, place.registered_voters, place.votes);
            unit.insert(
                "ExternalIdentifier".into(),
                json!([identifier("tallyboard-location", place.id.as_str())]),
            );
            units.push(unit);
        }
        units.into_iter().map(Value::Object).collect()
    }
}

fn unit(id: &str, kind: &str, name: &str, registered: Option<u64>, ballots: u64) -> Map<String, Value> {
    let mut unit = object(json!({
        "@type": "ElectionResults.ReportingUnit",
        "@id": id,
        "Type": "other",
        "OtherType": kind,
        "Name": name,
        "VotersParticipated": ballots,
    }));
    if let Some(registered) = registered {
        unit.insert("VotersRegistered".into(), registered.into());
    }
    unit
}

fn election_of(election: &Election, results: &Results, parties: &Parties<'_>, units: &Units<'_>) -> Value {
    let day = |time: tallyboard_shared::Timestamp| time.strftime("%Y-%m-%d").to_string();
    // The format wants days: an election that is open for good has those of the report.
    let opens = election
        .opens_at
        .unwrap_or(election.closes_at.map_or(results.as_of, |closes| closes.min(results.as_of)));
    let closes = election.closes_at.unwrap_or(results.as_of.max(opens));
    let count = if results.status == CountStatus::BeforeOpen { "not-processed" } else { "in-process" };
    let contests = results.contests.iter().enumerate();
    json!({
        "@type": "ElectionResults.Election",
        "ElectionScopeId": WHOLE,
        "ExternalIdentifier": [identifier("tallyboard-election", results.election.id.as_str())],
        "Name": text(&results.election.title),
        "StartDate": day(opens),
        "EndDate": day(closes),
        "Type": "other",
        "OtherType": "not stated",
        "CountStatus": [{ "@type": "ElectionResults.CountStatus", "Type": "total", "Status": count }],
        "Candidate": results
            .contests
            .iter()
            .enumerate()
            .flat_map(|(number, contest)| candidates(number, contest, parties))
            .collect::<Vec<_>>(),
        "Contest": contests.map(|(number, contest)| contest_of(number, contest, results, units)).collect::<Vec<_>>(),
    })
}

fn candidates(number: usize, contest: &ContestResult, parties: &Parties<'_>) -> Vec<Value> {
    let candidates = contest.candidates.iter().enumerate();
    candidates
        .map(|(position, candidate)| {
            let mut written = object(json!({
                "@type": "ElectionResults.Candidate",
                "@id": format!("candidate-{number}-{position}"),
                "BallotName": text(&candidate.name),
                "ExternalIdentifier": [identifier("tallyboard-candidate", candidate.id.as_str())],
            }));
            if let Some(party) = candidate.party.as_deref().and_then(|party| parties.id(party)) {
                written.insert("PartyId".into(), party.into());
            }
            Value::Object(written)
        })
        .collect()
}

fn contest_of(number: usize, contest: &ContestResult, results: &Results, units: &Units<'_>) -> Value {
    let mut counts = BTreeMap::<&CandidateId, Vec<Value>>::new();
    let mut summaries = vec![json!({
        "@type": "ElectionResults.SummaryCounts",
        "GpUnitId": WHOLE,
        "Type": "total",
        "BallotsCast": contest.votes,
        "IsSuppressedForPrivacy": contest.candidates.iter().any(|candidate| candidate.votes.is_none()),
    })];
    for candidate in &contest.candidates {
        if let Some(votes) = candidate.votes {
            counts.entry(&candidate.id).or_default().push(count(WHOLE, votes));
        }
    }
    let regions = results.regions.iter().map(|region| (&units.regions[&region.id], region));
    let places = results.locations.iter().map(|place| (&units.places[&place.id], place));
    for (unit, place) in regions.chain(places) {
        for split in place.contests.iter().filter(|split| split.id == contest.id) {
            match &split.votes {
                Some(votes) => votes.iter().for_each(|(candidate, votes)| {
                    counts.entry(candidate).or_default().push(count(unit, *votes));
                }),
                None => summaries.push(json!({
                    "@type": "ElectionResults.SummaryCounts",
                    "GpUnitId": unit,
                    "Type": "total",
                    "IsSuppressedForPrivacy": true,
                })),
            }
        }
    }
    let selections = contest.candidates.iter().enumerate().map(|(position, candidate)| {
        json!({
            "@type": "ElectionResults.CandidateSelection",
            "@id": format!("selection-{number}-{position}"),
            "CandidateIds": [format!("candidate-{number}-{position}")],
            "SequenceOrder": position + 1,
            "VoteCounts": counts.remove(&candidate.id).unwrap_or_default(),
        })
    });
    json!({
        "@type": "ElectionResults.CandidateContest",
        "@id": format!("contest-{number}"),
        "ElectoralDistrictId": WHOLE,
        "ExternalIdentifier": [identifier("tallyboard-contest", contest.id.as_str())],
        "Name": contest.title,
        "SequenceOrder": number + 1,
        "VoteVariation": "1-of-m",
        "VotesAllowed": 1,
        "BallotSelection": selections.collect::<Vec<_>>(),
        "SummaryCounts": summaries,
    })
}

fn count(unit: &str, votes: u64) -> Value {
    json!({ "@type": "ElectionResults.VoteCounts", "GpUnitId": unit, "Type": "total", "Count": votes })
}

#[cfg(test)]
mod tests;
