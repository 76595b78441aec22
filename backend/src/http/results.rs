//! Results by version: the newest, an earlier one, a part of either, and the list of versions.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tallyboard_shared::{election::Election, results::Results, versions::Versions};
use utoipa::IntoParams;

use super::{
    App,
    conditional::{Lasts, Tag, answer},
    problem::{Code, Problem},
    query::{Asked, Selection},
    state,
};
use crate::roles::{
    disclosure::Disclosed,
    viewer::{ArchiveError, EarlierVersion, Shown},
};

/// So many seconds later something may have been published, or an earlier version read for whoever asked before.
pub(super) const RETRY_AFTER_S: u32 = 2;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResultsQuery {
    /// An earlier version; the newest by default.
    #[param(minimum = 1)]
    pub(super) version: Option<u64>,
    /// Ids or names of places or regions, at most 1,000, with commas in between; a name that has a comma in it can only be
    /// asked for alone. The answer has each once, in its own order. One that isn't known is a problem.
    locations: Option<String>,
    /// The id of a contest.
    contest: Option<String>,
}

impl ResultsQuery {
    pub(super) fn selection(&self) -> Selection<'_> {
        Selection { locations: self.locations.as_deref(), contest: self.contest.as_deref() }
    }
}

/// The results of a version, the newest or an earlier one, as anyone may see them.
pub(super) enum Version {
    Newest(Arc<Shown>),
    Earlier(Arc<EarlierVersion>),
}

impl Version {
    pub(super) fn results(&self) -> &Disclosed<Results> {
        match self {
            Self::Newest(shown) => shown.results.as_ref().expect("a version that was found has results"),
            Self::Earlier(earlier) => &earlier.results,
        }
    }

    pub(super) fn election(&self) -> &Election {
        match self {
            Self::Newest(shown) => &shown.election,
            Self::Earlier(earlier) => &earlier.election,
        }
    }

    /// How long an answer lasts that names the version.
    pub(super) fn lasts(&self) -> Lasts {
        match self {
            Self::Earlier(earlier) if earlier.is_settled => Lasts::ForGood,
            Self::Newest(_) | Self::Earlier(_) => Lasts::Briefly,
        }
    }

    fn body(&self) -> Bytes {
        match self {
            Self::Newest(shown) => shown.body().expect("a version that was found has results"),
            Self::Earlier(earlier) => earlier.body(),
        }
    }
}

impl App {
    /// The results of a version, by default the newest.
    pub(super) async fn version(&self, version: Option<u64>) -> Result<Version, Problem> {
        let shown = self.0.feed.shown();
        if shown.results.is_none() {
            return Err(nothing_yet());
        }
        // The newest is soon an earlier one; its number alone doesn't say how it was asked for.
        match version.filter(|version| *version != shown.version()) {
            None => Ok(Version::Newest(shown)),
            Some(version) => {
                let archive = self.0.archive.as_ref().ok_or_else(|| not_found(version))?;
                let earlier = archive.version(version).await.map_err(|error| problem(error, version))?;
                Ok(Version::Earlier(earlier))
            }
        }
    }
}

/// Results
///
/// The newest version, or the one that is asked for; with `locations` or `contest` a part of it, whose sums stay those of
/// the whole election. A part by `contest` has no `parties`. An earlier version is disclosed by the rules of now; one that
/// is asked for first is read back from the journal, which takes from some milliseconds to some seconds. Where no version
/// is asked for, the headers say whether the newest follows the votes at this moment, also where the answer is that nothing
/// has changed.
#[utoipa::path(
    get,
    path = "/api/v1/results",
    tag = "results",
    params(ResultsQuery),
    responses(
        (status = OK, body = Results, description = "The version"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn results(
    State(app): State<App>,
    Asked(asked): Asked<ResultsQuery>,
    headers: HeaderMap,
) -> Response {
    let mut response = version(&app, &asked, &headers).await.into_response();
    // An answer that names its version may be kept for good.
    if asked.version.is_none() {
        state::tell(&app, &mut response);
    }
    response
}

async fn version(app: &App, asked: &ResultsQuery, headers: &HeaderMap) -> Result<Response, Problem> {
    let version = app.version(asked.version).await?;
    let number = version.results().version;
    let selection = asked.selection();
    let is_whole = selection.is_all();
    let body = if is_whole {
        version.body()
    } else {
        encode(&version.results().part(&selection, |results, wanted| wanted.of(results))?)
    };
    let tag = match &version {
        Version::Newest(_) if is_whole => Tag::newest(number),
        Version::Newest(_) | Version::Earlier(_) => Tag::of(number, &body),
    };
    Ok(answer(app, headers, tag, version.lasts(), "application/json", body).await)
}

fn encode(results: &Disclosed<Results>) -> Bytes {
    serde_json::to_vec(results).expect("results have only text keys").into()
}

/// Versions
///
/// Versions through the night, at most 121 and evenly thinned: to find one's way. Others can be asked for too: every number
/// from the oldest that the journal still holds to the newest. The first answer after a start takes up to five seconds on a
/// long night, since the journal is looked at in some hundred places; what was seen is kept for the next.
#[utoipa::path(
    get,
    path = "/api/v1/versions",
    tag = "results",
    responses((status = OK, body = Versions, description = "Some versions, oldest first")),
)]
pub(super) async fn versions(State(app): State<App>) -> Result<Response, Problem> {
    let archive = app.0.archive.as_ref().ok_or_else(nothing_yet)?;
    let versions = archive.versions().await.map_err(|error| problem(error, 0))?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=5")], Json(versions)).into_response())
}

fn nothing_yet() -> Problem {
    Problem::new(Code::NoResultsYet, "nothing has been published yet; try again in a moment")
        .retry_after(RETRY_AFTER_S)
}

fn not_found(version: u64) -> Problem {
    Problem::new(Code::VersionNotFound, format!("there is no version {version}"))
}

pub(super) fn problem(error: ArchiveError, version: u64) -> Problem {
    match error {
        ArchiveError::NothingYet => nothing_yet(),
        ArchiveError::NoSuchVersion => not_found(version),
        ArchiveError::Busy => {
            let detail = "many are asking for earlier versions; try again in a moment";
            Problem::new(Code::Busy, detail).retry_after(RETRY_AFTER_S)
        }
        ArchiveError::Journal(error) => {
            tracing::error!(%error, version, "an earlier version can't be read");
            let detail = "earlier versions can't be read at the moment; the newest can";
            Problem::new(Code::JournalUnavailable, detail).retry_after(RETRY_AFTER_S)
        }
    }
}
