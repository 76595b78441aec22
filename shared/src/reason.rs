//! Why a vote was not counted: a closed list that is part of the public contract.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $name:ident = $code:literal;)+) => {
        /// The reason for a rejection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason { $($(#[doc = $meaning])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of the contract.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$name),+];

            /// The code, as on every wire.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// When a vote is rejected so.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii_start(),)+ }
            }
        }
    };
}

reasons! {
    /// Not one JSON object in UTF-8, a field of the wrong type, a field twice, or an unreadable time or number.
    Malformed = "malformed";
    /// A required field is absent, `null` or empty; `contest_id` is required where there are several contests.
    MissingField = "missing_field";
    /// The record is larger than 65,536 bytes, or the voter id longer than 256.
    TooLarge = "too_large";
    /// `vote` is a whole number other than 1, of 64 bits with its sign; a larger one is `malformed`.
    InvalidWeight = "invalid_weight";
    /// The contest isn't part of the election.
    UnknownContest = "unknown_contest";
    /// The candidate doesn't stand in the contest.
    UnknownCandidate = "unknown_candidate";
    /// The place isn't part of the election.
    UnknownLocation = "unknown_location";
    /// The contest isn't on the ballot of that place.
    NotOnBallot = "not_on_ballot";
    /// The voter has a counted vote in this contest already.
    DuplicateVoter = "duplicate_voter";
    /// Cast before the polls opened.
    BeforeOpen = "before_open";
    /// Cast at or after the closing of the polls.
    AfterClose = "after_close";
    /// Cast later than the record's own timestamp and the election's `max_clock_skew_ms` allow.
    FutureTime = "future_time";
    /// Behind the watermark, where the election rejects late votes.
    Late = "late";
    /// A simulated vote in a live election.
    SimulatedInLive = "simulated_in_live";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use std::borrow::Cow;

    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{ObjectBuilder, RefOr, Schema, Type},
    };

    use super::Reason;

    impl PartialSchema for Reason {
        fn schema() -> RefOr<Schema> {
            let lines = Self::ALL.map(|reason| format!("- `{}`: {}", reason.code(), reason.meaning()));
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(Self::ALL.map(Self::code)))
                .description(Some(format!("Why a vote isn't counted.\n\n{}", lines.join("\n"))))
                .into()
        }
    }

    impl ToSchema for Reason {
        fn name() -> Cow<'static, str> {
            "Reason".into()
        }
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
            assert!(reason.meaning().ends_with('.') && !reason.meaning().starts_with(' '), "{reason}");
        }
    }
}
