//! Why a vote was not counted: a closed list that is part of the public contract.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason for a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not a JSON object, not UTF-8, a field of the wrong type, a field twice, or an unreadable time.
    Malformed,
    /// A required field is absent, `null` or empty.
    MissingField,
    /// The record is larger than 64 KiB, or the voter id longer than 256 bytes.
    TooLarge,
    /// `vote` is there and isn't 1.
    InvalidWeight,
    /// The contest isn't part of the election.
    UnknownContest,
    /// The candidate doesn't stand in the contest.
    UnknownCandidate,
    /// The place isn't part of the election.
    UnknownLocation,
    /// The contest isn't on the ballot of that place.
    NotOnBallot,
    /// The voter has a counted vote in this contest already.
    DuplicateVoter,
    /// Cast before the polls opened.
    BeforeOpen,
    /// Cast at or after the closing of the polls.
    AfterClose,
    /// Cast later than the record's own timestamp allows.
    FutureTime,
    /// Behind the watermark, where the election rejects late votes.
    Late,
    /// A simulated vote in a live election.
    SimulatedInLive,
}

impl Reason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::MissingField,
        Self::TooLarge,
        Self::InvalidWeight,
        Self::UnknownContest,
        Self::UnknownCandidate,
        Self::UnknownLocation,
        Self::NotOnBallot,
        Self::DuplicateVoter,
        Self::BeforeOpen,
        Self::AfterClose,
        Self::FutureTime,
        Self::Late,
        Self::SimulatedInLive,
    ];

    /// The code, as on every wire.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::TooLarge => "too_large",
            Self::InvalidWeight => "invalid_weight",
            Self::UnknownContest => "unknown_contest",
            Self::UnknownCandidate => "unknown_candidate",
            Self::UnknownLocation => "unknown_location",
            Self::NotOnBallot => "not_on_ballot",
            Self::DuplicateVoter => "duplicate_voter",
            Self::BeforeOpen => "before_open",
            Self::AfterClose => "after_close",
            Self::FutureTime => "future_time",
            Self::Late => "late",
            Self::SimulatedInLive => "simulated_in_live",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn codes_are_what_serde_writes_and_the_list_is_complete() {
        for (position, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
            assert_eq!(reason as usize, position);
        }
    }
}
