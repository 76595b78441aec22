//! The messages of the WebSocket. In the subprotocol [`PROTOCOL_JSON`] they are JSON objects tagged by `type`; how they are
//! written in [`PROTOCOL_BINARY`] is the business of [`crate::binary`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    election::Election,
    ids::{CandidateId, ContestId},
    moment,
    results::Results,
    update::Update,
};

/// The subprotocol for everyone.
pub const PROTOCOL_JSON: &str = "tallyboard.v1.json";

/// The subprotocol for pages of the very same build.
pub const PROTOCOL_BINARY: &str = "tallyboard.v1.bin";

/// The number in the subprotocols' names, repeated in [`Welcome`].
pub const PROTOCOL_VERSION: u32 = 1;

/// From the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first message, and again whenever the updates in between can't be had, or would be more, and when the definition
    /// changes: start from here, and forget what was before.
    Welcome(Box<Welcome>),
    /// A step to a later version: a client that has the version in `previous` takes it, one whose version isn't older than
    /// `version` passes over it, every other one asks with `resume`.
    Update(Box<Update>),
    /// How the count is doing; at least every two seconds, so that silence means a broken connection.
    Status(Status),
    /// The last message before the server closes, except where it closes with 1009 or 1002.
    Goodbye(Goodbye),
}

/// Everything that a page needs to show the results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Welcome {
    /// The number of the protocol: 1, as in the subprotocols' names.
    pub protocol: u32,
    /// What is being counted.
    pub election: Election,
    /// The newest results; `None` before the first publication.
    pub results: Option<Results>,
    /// How the count moved, oldest first, as far as this viewer has followed it; bounded, evenly thinned.
    pub history: Vec<HistoryPoint>,
}

/// The votes by candidate at one version, for charts over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryPoint {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
    /// When it was made.
    #[serde(deserialize_with = "moment::read")]
    pub as_of: Timestamp,
    /// Votes counted; candidates whose figures are withheld are left out.
    pub contests: BTreeMap<ContestId, BTreeMap<CandidateId, u64>>,
}

impl HistoryPoint {
    /// The point of these results.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        let contests = results.contests.iter().map(|contest| {
            let votes = contest
                .candidates
                .iter()
                .filter_map(|candidate| Some((candidate.id.clone(), candidate.votes?)));
            (contest.id.clone(), votes.collect())
        });
        Self { version: results.version, as_of: results.as_of, contests: contests.collect() }
    }
}

/// How the count is doing, as of the server's last look, which is at most two seconds old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// In one word.
    pub state: FeedState,
    /// The server's clock at that look.
    #[serde(deserialize_with = "moment::read")]
    pub now: Timestamp,
    /// The newest version at that look; `None` before the first publication. Updates since then have led further.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: Option<u64>,
    /// Records of the votes topic that weren't in that version yet; `None`: unknown.
    pub lag: Option<u64>,
    /// Since when the figures may be out of date; `None` while they aren't.
    #[serde(default, deserialize_with = "moment::read_if_known")]
    pub stale_since: Option<Timestamp>,
}

/// How the figures relate to the votes, by two looks of the server, which are about two seconds apart.
///
/// - `live`: all votes that were there at the look before are in the results
/// - `catching_up`: some of them aren't yet, and versions keep coming
/// - `stale`: the figures may be out of date. The server can't ask the journal how many votes there are, or votes have lain
///   uncounted for ten seconds without a new version; `stale_since` says since when
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// The figures follow the votes.
    Live,
    /// Votes that are there already are still being counted.
    CatchingUp,
    /// The figures may be out of date.
    Stale,
}

/// Why the server closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Goodbye {
    /// In one word.
    pub reason: GoodbyeReason,
    /// For people.
    pub message: String,
}

/// Why the server closes the connection, in one word.
///
/// - `restart`: the server stops or restarts; come back (close code 1012)
/// - `policy`: the client did something that isn't allowed (1008)
/// - `unresponsive`: the client left two pings unanswered (1008)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// The server stops or restarts; come back.
    Restart,
    /// The client did something that isn't allowed.
    Policy,
    /// The client no longer answers.
    Unresponsive,
}

/// From the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// "This is the last version that I have": answered by the updates behind it, or by a welcome where those are no
    /// longer kept or would be more than it. For a step that went missing on this connection; who comes back by a new one
    /// has `?resume=` for that. Updates that were under way already come before the answer, and again as a part of it: see
    /// `update`.
    Resume {
        /// The client's version.
        version: u64,
    },
    /// Answered by a status.
    Ping,
}
