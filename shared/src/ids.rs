//! Ids as types of their own, so that a candidate can't stand where a place is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as it stands in the definition or the vote.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Names an election.
    ElectionId
);
id!(
    /// Names a contest: one question on the ballot.
    ContestId
);
id!(
    /// Names a candidate.
    CandidateId
);
id!(
    /// Names a place where votes are counted.
    LocationId
);

/// The number of a partition of the votes topic.
///
/// Written as text everywhere, because it is a key of JSON objects and serde can't read numbers back as keys inside
/// tagged messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, description = "The number of a partition of the votes topic, as text."))]
#[serde(into = "String", try_from = "String")]
pub struct Partition(pub u32);

impl From<Partition> for String {
    fn from(partition: Partition) -> Self {
        partition.0.to_string()
    }
}

impl TryFrom<String> for Partition {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
