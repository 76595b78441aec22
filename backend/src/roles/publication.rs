//! A publication: one version of the results, as it lies on `election_results`, and the rows of the two topics that
//! the dashboards of the existing pipelines read.

use serde::{Deserialize, Serialize};
use tallyboard_shared::{
    election::Election,
    results::{CandidateResult, LocationResult, Results},
    timeline::{Timeline, TimelineUpdate},
    update::Update,
};
use utoipa::ToSchema;

use crate::{
    journal::{NewRecord, Topics},
    tally::IMPLICIT_CONTEST,
};

/// What a record of `election_results` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PublicationRecord {
    /// Everything: readers can start here.
    Snapshot {
        /// The definition.
        election: Box<Election>,
        /// The results.
        results: Box<Results>,
        /// The timeline; earlier versions of Tallyboard wrote none.
        #[schema(nullable = false)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeline: Option<Box<Timeline>>,
    },
    /// The step from the version before.
    Delta {
        /// Absolute values of what changed.
        update: Box<Update>,
        /// The windows that changed; absent where none did.
        #[schema(nullable = false)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeline: Option<Box<TimelineUpdate>>,
    },
}

/// A version that is ready to be appended.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The results of the version.
    pub results: Results,
    /// The timeline of the version.
    pub timeline: Timeline,
    /// How the version is written down.
    pub record: PublicationRecord,
    candidates: Vec<(String, Vec<u8>)>,
    turnout: Vec<(String, Vec<u8>)>,
}

/// What was published before, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// The results.
    pub results: Option<&'a Results>,
    /// The timeline.
    pub timeline: Option<&'a Timeline>,
    /// Whether the rows of the results lie on the topics.
    pub rows: bool,
}

/// A row of `aggregated_votes_per_candidate`: the seeds' fields, then ours.
#[derive(Serialize, ToSchema)]
pub(crate) struct CandidateRow<'a> {
    /// The candidate's id.
    candidate_id: &'a str,
    /// For people.
    candidate_name: &'a str,
    /// The party, where there is one.
    party_affiliation: Option<&'a str>,
    /// A picture, where there is one.
    photo_url: Option<&'a str>,
    /// Votes counted. Nothing is withheld on topics, so it is never `null`.
    total_votes: Option<u64>,
    /// The contest's id; `election` where there is no definition and votes name none.
    contest_id: &'a str,
    /// The version of the results that the row is of: figures that don't change aren't written again with every version.
    #[schema(minimum = 1)]
    version: u64,
}

/// A row of `aggregated_turnout_by_location`: the seeds' fields, then ours.
#[derive(Serialize, ToSchema)]
pub(crate) struct TurnoutRow<'a> {
    /// The place's name.
    state: &'a str,
    /// Ballots counted there.
    count: u64,
    /// The electorate; `null`: unknown.
    registered_voters: Option<u64>,
    /// Ballots over electorate, 0 to 1; `null` without an electorate.
    turnout: Option<f64>,
    /// The version of the results that the row is of: figures that don't change aren't written again with every version.
    #[schema(minimum = 1)]
    version: u64,
}

impl Publication {
    /// The publication of `results` and `timeline`, which follow what was there `before`.
    ///
    /// It is a snapshot where `as_snapshot` asks for it or no step leads from `before` to `results`. It has the rows that
    /// changed, or all of them where those from before don't lie on the topics.
    #[must_use]
    pub fn new(
        election: &Election,
        before: Before<'_>,
        results: Results,
        timeline: Timeline,
        as_snapshot: bool,
    ) -> Self {
        let update = before.results.and_then(|before| Update::between(before, &results));
        // Rows of another definition say nothing about these.
        let known = before.results.filter(|_| before.rows && update.is_some());
        let candidates = candidate_rows(election, known, &results);
        let turnout = turnout_rows(known, &results);
        let record = match update {
            Some(update) if !as_snapshot => PublicationRecord::Delta {
                update: Box::new(update),
                timeline: TimelineUpdate::between(before.timeline, &timeline).map(Box::new),
            },
            _ => PublicationRecord::Snapshot {
                election: Box::new(election.clone()),
                results: Box::new(results.clone()),
                timeline: Some(Box::new(timeline.clone())),
            },
        };
        Self { results, timeline, record, candidates, turnout }
    }

    /// The version itself, for `election_results`.
    #[must_use]
    pub fn version(&self) -> NewRecord {
        NewRecord::new(self.results.version.to_string(), json(&self.record))
    }

    /// The rows, with their topics.
    #[must_use]
    pub fn rows(&self, topics: &Topics) -> Vec<(String, NewRecord)> {
        let of_topic = |topic: &String, rows: &[(String, Vec<u8>)]| -> Vec<_> {
            let record = |(key, row): &(String, Vec<u8>)| NewRecord::new(key.as_str(), row.as_slice());
            rows.iter().map(|row| (topic.clone(), record(row))).collect()
        };
        [of_topic(&topics.candidates, &self.candidates), of_topic(&topics.turnout, &self.turnout)].concat()
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("results have only text keys")
}

fn candidate_rows(
    election: &Election,
    before: Option<&Results>,
    results: &Results,
) -> Vec<(String, Vec<u8>)> {
    let mut rows = Vec::new();
    for contest in &results.contests {
        let contest_before =
            before.and_then(|before| before.contests.iter().find(|before| before.id == contest.id));
        let known: std::collections::HashMap<_, _> = contest_before
            .iter()
            .flat_map(|before| &before.candidates)
            .map(|before| (&before.id, before))
            .collect();
        for candidate in &contest.candidates {
            let same = |before: &&CandidateResult| {
                before.votes == candidate.votes
                    && before.name == candidate.name
                    && before.party == candidate.party
            };
            if known.get(&candidate.id).is_some_and(same) {
                continue;
            }
            // A definition has every candidate's id once; votes without one may use an id in several contests.
            let key = if election.defined || contest.id.as_str() == IMPLICIT_CONTEST {
                candidate.id.to_string()
            } else {
                format!("{}/{}", contest.id, candidate.id)
            };
            let row = CandidateRow {
                candidate_id: candidate.id.as_str(),
                candidate_name: &candidate.name,
                party_affiliation: candidate.party.as_deref(),
                photo_url: candidate.photo_url.as_deref(),
                total_votes: candidate.votes,
                contest_id: contest.id.as_str(),
                version: results.version,
            };
            rows.push((key, json(&row)));
        }
    }
    rows
}

fn turnout_rows(before: Option<&Results>, results: &Results) -> Vec<(String, Vec<u8>)> {
    let known: std::collections::HashMap<_, _> =
        before.iter().flat_map(|before| &before.locations).map(|before| (&before.id, before)).collect();
    let changed = results.locations.iter().filter(|location| {
        known.get(&location.id).is_none_or(|before: &&LocationResult| before.votes != location.votes)
    });
    changed
        .map(|location| {
            let row = TurnoutRow {
                state: &location.name,
                count: location.votes,
                registered_voters: location.registered_voters,
                turnout: location.turnout,
                version: results.version,
            };
            (location.id.to_string(), json(&row))
        })
        .collect()
}
