//! The versions that there were: what `GET /api/v1/versions` answers, to find one's way through the night.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Versions through the night. Every number from the first to the newest can be asked for, not only these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Versions {
    /// The newest version.
    pub newest: u64,
    /// Some versions, oldest first and evenly thinned; the last is the newest.
    pub versions: Vec<VersionPoint>,
}

/// One version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionPoint {
    /// The version.
    pub version: u64,
    /// When the publisher made it.
    pub as_of: Timestamp,
    /// Votes counted, in all contests.
    pub votes: u64,
}
