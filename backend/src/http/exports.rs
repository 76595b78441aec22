//! Results as files: the routes of the exports, which take what `/api/v1/results` takes.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};

use super::{
    App,
    conditional::{Tag, answer},
    problem::Problem,
    query::Asked,
    results::ResultsQuery,
};
use crate::export::Format;

/// Results as a table
///
/// RFC 4180, a row a candidate: for the whole election, then for each region and place. A text that a spreadsheet would
/// take for a formula begins with `'`. In a place, candidates without votes have no row, and a split that is withheld is
/// one row without candidate and votes.
///
/// `level` says what a row is about: `election`, `region` or `location`. `votes` are those of its candidate there.
/// `registered_voters` and `ballots` stand beside each candidate and mustn't be added up: with `election` they are the
/// electorate and the votes of the contest, elsewhere those of the place or region over all contests, where `ballots` are
/// the votes of the contest with the most (in a region, the sum of that of its places).
#[utoipa::path(
    get,
    path = "/api/v1/results.csv",
    tag = "results",
    params(ResultsQuery),
    responses(
        (status = OK, body = String, content_type = "text/csv", description = "The table"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn csv(
    State(app): State<App>,
    Asked(asked): Asked<ResultsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    export(&app, &asked, &headers, Format::Csv).await
}

/// Results in the common data format
///
/// An unofficial report as in NIST SP 1500-100 version 2. With `locations` the other places and regions have no unit in it;
/// what is said of the whole election stays, but for the list of a unit's parts where some of these aren't in the report.
#[utoipa::path(
    get,
    path = "/api/v1/results.nist.json",
    tag = "results",
    params(ResultsQuery),
    responses(
        (status = OK, body = serde_json::Map<String, serde_json::Value>, description = "An `ElectionResults.ElectionReport`"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn nist(
    State(app): State<App>,
    Asked(asked): Asked<ResultsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    export(&app, &asked, &headers, Format::Nist).await
}

async fn export(
    app: &App,
    asked: &ResultsQuery,
    headers: &HeaderMap,
    format: Format,
) -> Result<Response, Problem> {
    let version = app.version(asked.version).await?;
    let selection = asked.selection();
    let part = || version.results().part(&selection, |results, wanted| wanted.of(results));
    let part = (!selection.is_all()).then(part).transpose()?;
    let body = format.write(version.election(), version.results(), part.as_ref());
    let results = part.as_ref().unwrap_or_else(|| version.results());
    let tag = Tag::of(results.version, &body);
    let mut response = answer(app, headers, tag, version.lasts(), format.media_type(), body.into()).await;
    let disposition = format!("attachment; filename=\"{}\"", format.file_name(results));
    let disposition = HeaderValue::try_from(disposition).expect("a file's name is plain ASCII");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}
