//! How one place stood through the night: its figures at some of the versions that are kept.
//!
//! The count keeps no timeline by place, since the fold would pay for it. What is shown here is read back from versions
//! that the archive keeps for everyone who asks, the same ones each time.

use std::time::{Duration, Instant};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::Response,
};
use serde::Serialize;
use tallyboard_shared::{
    ids::LocationId,
    results::Results,
    versions::{PlaceHistory, PlacePoint, VersionPoint},
};

use super::{
    App,
    conditional::{Lasts, Tag, answer},
    problem::{Code, Problem},
    results::problem,
};
use crate::roles::{disclosure::Disclosed, viewer::ArchiveError};

/// At least half as many points are shown, once there are that many versions.
const POINTS_MAX: usize = 24;

/// What wasn't read by then is left out, and read for the next who asks.
const TIME_MAX: Duration = Duration::from_secs(4);

#[derive(Serialize)]
struct History {
    location: LocationId,
    points: Vec<Disclosed<PlacePoint>>,
}

/// A place through the night
///
/// The figures of a place or region at some versions, at most 24 and evenly thinned, and at the newest. An earlier version is
/// disclosed by the rules of now. The first answer after a start takes some seconds on a long night, and may have fewer
/// points: each is read back from the journal, and what was read is kept for whoever asks next.
#[utoipa::path(
    get,
    path = "/api/v1/locations/{id}/history",
    tag = "results",
    params(("id" = String, Path, description = "The id of a place or region; names aren't taken")),
    responses(
        (status = OK, body = PlaceHistory, description = "Some versions, oldest first"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn history(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|error| Problem::new(Code::BadPath, error.body_text()))?;
    let newest = app.version(None).await?;
    let location = LocationId::new(id);
    let unknown =
        || Problem::new(Code::UnknownLocation, format!("there is no place with the id `{location}`"));
    let last = at(newest.results(), &location).ok_or_else(unknown)?;
    let mut points = earlier(&app, &location, last.version).await?;
    let version = last.version;
    points.push(last);
    let body = serde_json::to_vec(&History { location, points }).expect("a history has only text keys");
    let tag = Tag::of(version, &body);
    Ok(answer(&app, &headers, tag, Lasts::Briefly, "application/json", body.into()).await)
}

async fn earlier(
    app: &App,
    location: &LocationId,
    newest: u64,
) -> Result<Vec<Disclosed<PlacePoint>>, Problem> {
    // A process that doesn't follow the results knows no earlier ones.
    let Some(archive) = &app.0.archive else { return Ok(Vec::new()) };
    let listed = archive.versions().await.map_err(|error| problem(error, newest))?;
    let deadline = Instant::now() + TIME_MAX;
    let mut points = Vec::new();
    for version in thinned(&listed.versions).filter(|version| *version < newest) {
        match archive.version(version).await {
            Ok(earlier) => points.extend(at(&earlier.results, location)),
            // It is gone since it was listed.
            Err(ArchiveError::NoSuchVersion) => {}
            Err(error) => return Err(problem(error, version)),
        }
        if Instant::now() > deadline {
            break;
        }
    }
    Ok(points)
}

/// Every so many versions, so that a longer list has the ones again that were read for a shorter.
fn thinned(versions: &[VersionPoint]) -> impl Iterator<Item = u64> {
    let step = versions.len().div_ceil(POINTS_MAX).max(1).next_power_of_two();
    versions.iter().step_by(step).map(|point| point.version)
}

/// A place in results; `None` where they don't know it.
fn at(results: &Disclosed<Results>, location: &LocationId) -> Option<Disclosed<PlacePoint>> {
    let point = results.part(location, |results, location| {
        let places = results.regions.iter().chain(&results.locations);
        let place = places.into_iter().find(|place| place.id == *location).ok_or(())?;
        Ok::<_, ()>(PlacePoint {
            version: results.version,
            as_of: results.as_of,
            votes: place.votes,
            turnout: place.turnout,
            contests: place.contests.clone(),
        })
    });
    point.ok()
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::Timestamp;

    use super::*;

    fn thinned_of(count: u64) -> Vec<u64> {
        let point = |version| VersionPoint { version, as_of: Timestamp::UNIX_EPOCH, votes: 0 };
        thinned(&(1..=count).map(point).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn points_are_few_and_stay_as_the_list_grows() {
        for count in [0, 1, 23, 24, 25, 120, 500] {
            let points = thinned_of(count);
            assert!(
                points.len() <= POINTS_MAX && points.len() as u64 >= count.min(12),
                "{count}: {points:?}"
            );
        }
        let (shorter, longer) = (thinned_of(90), thinned_of(120));
        assert!(longer.iter().all(|version| *version > 90 || shorter.contains(version)));
    }
}
