//! The election as everyone may see it: the definition after checking, served and sent to every browser.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    ids::{CandidateId, ContestId, ElectionId, LocationId},
    moment,
};

/// What is being counted, and by which rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Election {
    /// The election's id.
    pub id: ElectionId,
    /// For people.
    pub title: String,
    /// Whether the votes are real.
    pub mode: Mode,
    /// SHA-256 of the definition in hexadecimal: two counts are comparable only where it is the same.
    pub definition_hash: String,
    /// False where candidates and places are taken from the votes as they come.
    pub defined: bool,
    /// Votes cast earlier are rejected. `None`: open from the beginning.
    #[serde(default, deserialize_with = "moment::read_if_known")]
    pub opens_at: Option<Timestamp>,
    /// Votes cast at this moment or later are rejected. `None`: open for good.
    #[serde(default, deserialize_with = "moment::read_if_known")]
    pub closes_at: Option<Timestamp>,
    /// Whether candidate figures are withheld until the polls close.
    pub embargo: Embargo,
    /// How far a vote may lie behind the newest one of its partition before it is late, in milliseconds.
    pub allowed_lateness_ms: i64,
    /// What becomes of a late vote.
    pub late_policy: LatePolicy,
    /// How far a vote's time may lie after its record's timestamp, in milliseconds.
    pub max_clock_skew_ms: i64,
    /// Below this many ballots the split by candidate of a place, region or group of voters is withheld.
    pub disclosure_threshold: u64,
    /// The width of the timeline's windows before they grow, in milliseconds.
    #[serde(default = "default_timeline_window_ms")]
    pub timeline_window_ms: i64,
    /// What votes are also counted by; absent where that is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<Breakdown>,
    /// The contests, in ballot order. Empty where `defined` is false.
    pub contests: Vec<Contest>,
    /// The places. Empty where `defined` is false.
    pub locations: Vec<Location>,
}

/// Whether an election's votes are real.
///
/// - `simulation`: made-up votes
/// - `test`: a trial, votes by real people that decide nothing
/// - `live`: the real thing; refuses simulated votes
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Made-up votes.
    Simulation,
    /// A trial: votes by real people that decide nothing.
    Test,
    /// The real thing; refuses simulated votes.
    Live,
}

/// When candidate figures may be seen.
///
/// - `none`: at once
/// - `until_close`: after the polls have closed
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Embargo {
    /// At once.
    #[default]
    None,
    /// After the polls have closed.
    UntilClose,
}

/// What becomes of a late vote.
///
/// - `count`: counted, and flagged late
/// - `reject`: rejected as `late`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LatePolicy {
    /// Counted, and flagged late.
    #[default]
    Count,
    /// Rejected as `late`.
    Reject,
}

/// One minute.
fn default_timeline_window_ms() -> i64 {
    60_000
}

/// What votes are also counted by: something about the voter, in a closed list of groups.
///
/// - `gender`: the vote's `gender`
/// - `age_band`: the vote's `registered_age`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Breakdown {
    /// The vote's `gender`.
    Gender,
    /// The vote's `registered_age`.
    AgeBand,
}

impl Breakdown {
    /// The codes of the groups, in their order. A vote that doesn't tell is in the last.
    #[must_use]
    pub fn groups(self) -> &'static [&'static str] {
        match self {
            Self::Gender => &["female", "male", "other", "unknown"],
            Self::AgeBand => &["under_18", "18_24", "25_34", "35_44", "45_54", "55_64", "65_plus", "unknown"],
        }
    }
}

/// One question on the ballot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contest {
    /// The contest's id.
    pub id: ContestId,
    /// For people.
    pub title: String,
    /// Who stands, in ballot order.
    pub candidates: Vec<Candidate>,
}

/// Someone or something to vote for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// The candidate's id.
    pub id: CandidateId,
    /// For people.
    pub name: String,
    /// The party, where there is one.
    pub party: Option<String>,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// An `https:` address or a path of a picture.
    pub photo_url: Option<String>,
}

/// A place where votes are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Location {
    /// The place's id.
    pub id: LocationId,
    /// For people; a vote may name the place by it.
    pub name: String,
    /// The electorate of the place. `None`: unknown.
    pub registered_voters: Option<u64>,
    /// Row and column on the tile map.
    pub tile: Option<[u16; 2]>,
    /// The contests on this place's ballot.
    pub contests: Vec<ContestId>,
    /// The place that this one is a part of; absent where it is part of none.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<LocationId>,
}
