//! The versions that there were: what `GET /api/v1/versions` answers, to find one's way through the night, and
//! `GET /api/v1/locations/{id}/history` for one place.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, ids::LocationId, moment, results::LocationContest};

/// Versions through the night. Others can be asked for too: every number from the oldest that `election_results` still holds to
/// the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Versions {
    /// The newest version.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub newest: u64,
    /// Some versions, oldest first and evenly thinned; the last is the newest.
    pub versions: Vec<VersionPoint>,
}

/// One version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionPoint {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
    /// When the publisher made it.
    #[serde(deserialize_with = "moment::read")]
    pub as_of: Timestamp,
    /// Votes counted, in all contests.
    pub votes: u64,
}

/// How one place stood at some versions through the night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlaceHistory {
    /// The place or region.
    pub location: LocationId,
    /// Oldest first and evenly thinned; the last is the newest version.
    pub points: Vec<PlacePoint>,
}

/// A place at one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlacePoint {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
    /// When the publisher made it.
    #[serde(deserialize_with = "moment::read")]
    pub as_of: Timestamp,
    /// Ballots counted there.
    pub votes: u64,
    /// Ballots over electorate, 0 to 1; `null` where the electorate is unknown.
    pub turnout: Option<f64>,
    /// The votes there by contest and candidate; `null` where they are withheld, as in the results.
    pub contests: Vec<LocationContest>,
}
