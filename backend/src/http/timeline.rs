//! The timeline: votes by window of event time.

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;
use tallyboard_shared::timeline::Timeline;
use utoipa::IntoParams;

use super::{
    App,
    conditional::{Lasts, Tag, answer},
    problem::{Code, Problem},
    query::{Asked, timeline_of},
    results::RETRY_AFTER_S,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineQuery {
    /// The id of a contest.
    contest: Option<String>,
}

/// The timeline
///
/// Votes by window of the time when they were cast. A window that is `final` is behind the watermark; late votes correct
/// it nevertheless.
#[utoipa::path(
    get,
    path = "/api/v1/timeline",
    tag = "results",
    params(TimelineQuery),
    responses(
        (status = OK, body = Timeline, description = "All windows with votes"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn timeline(
    State(app): State<App>,
    Asked(asked): Asked<TimelineQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = app.0.feed.shown();
    let (Some(timeline), Some(results), Some(body)) =
        (shown.timeline(), &shown.results, shown.timeline_body())
    else {
        let detail = "no timeline has been published yet; try again in a moment";
        return Err(Problem::new(Code::NoTimelineYet, detail).retry_after(RETRY_AFTER_S));
    };
    let version = shown.version();
    let (tag, body) = match asked.contest {
        None => (Tag::newest(version), body),
        Some(contest) => {
            let of = (results, contest.as_str());
            let part =
                timeline.part(&of, |timeline, (results, contest)| timeline_of(timeline, results, contest))?;
            let body: axum::body::Bytes =
                serde_json::to_vec(&part).expect("a timeline has only text keys").into();
            (Tag::of(version, &body), body)
        }
    };
    Ok(answer(&app, &headers, tag, Lasts::Briefly, "application/json", body).await)
}
