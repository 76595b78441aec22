//! HTTP and WebSocket: the only place that knows axum.
//!
//! Everything that is shown comes from the viewer's feed, which has disclosed it; nothing here reads the journal's
//! results. Votes come in by `POST /api/v1/votes` and are answered once the journal has them.

mod assets;
mod ingest;
mod problem;
mod session;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;
use tallyboard_shared::message::FeedState;
use tokio_util::task::TaskTracker;
use tower_http::{compression::CompressionLayer, set_header::SetResponseHeaderLayer, trace::TraceLayer};

pub use ingest::Ingest;

use self::problem::Problem;
use crate::{roles::viewer::Feed, shutdown::Stop};

/// A batch of votes isn't larger: some ten thousand of the seeds' records.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the routes share.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    feed: Arc<Feed>,
    /// Whether this process follows the results at all.
    shows: bool,
    ingest: Option<Ingest>,
    allowed_origins: Vec<String>,
    metrics: PrometheusHandle,
    stop: Stop,
    /// Open WebSockets, which axum doesn't wait for.
    sessions: TaskTracker,
}

impl App {
    /// An application that shows a feed, which nobody fills where `shows` is false; without `ingest` it takes no votes.
    #[must_use]
    pub fn new(
        feed: Arc<Feed>,
        shows: bool,
        ingest: Option<Ingest>,
        allowed_origins: Vec<String>,
        metrics: PrometheusHandle,
        stop: Stop,
    ) -> Self {
        Self(Arc::new(Inner {
            feed,
            shows,
            ingest,
            allowed_origins,
            metrics,
            stop,
            sessions: TaskTracker::new(),
        }))
    }

    /// The routes.
    pub fn router(self) -> Router {
        let security = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ];
        let router = Router::new()
            .route("/ws", get(session::upgrade))
            .route("/api/v1/election", get(election))
            .route("/api/v1/results", get(results))
            .route("/api/v1/timeline", get(timeline))
            .route(
                "/api/v1/votes",
                post(ingest::votes)
                    .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
                    .layer(middleware::from_fn_with_state(self.clone(), ingest::admit)),
            )
            .route("/api/{*path}", get(unknown))
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(|State(app): State<App>| async move { app.0.metrics.render() }))
            .fallback(get(assets::serve))
            .method_not_allowed_fallback(wrong_method)
            .with_state(self)
            .layer(CompressionLayer::new())
            // Failures are logged where they are handled; "not ready" is an answer.
            .layer(TraceLayer::new_for_http().on_failure(()));
        security.into_iter().fold(router, |router, (name, value)| {
            router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
        })
    }
}

async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the route has no such method")
}

async fn election(State(app): State<App>) -> Response {
    axum::Json((*app.0.feed.shown().election).clone()).into_response()
}

#[derive(Deserialize)]
struct Version {
    version: Option<u64>,
}

async fn results(
    State(app): State<App>,
    asked: Result<Query<Version>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) =
        asked.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))?;
    let shown = app.0.feed.shown();
    let Some(body) = shown.body() else {
        let detail = "nothing has been published yet; try again in a moment";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_results_yet", detail));
    };
    if asked.version.is_some_and(|asked| asked != shown.version()) {
        let detail = format!("only the newest version, {}, can be had", shown.version());
        return Err(Problem::new(StatusCode::NOT_FOUND, "version_not_found", detail));
    }
    Ok(by_version(shown.version(), body, &headers))
}

async fn timeline(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let shown = app.0.feed.shown();
    let Some(body) = shown.timeline_body() else {
        let detail = "no timeline has been published yet; try again in a moment";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_timeline_yet", detail));
    };
    Ok(by_version(shown.version(), body, &headers))
}

/// The body, or that the client has it already; caches may keep it as long as a version lasts.
fn by_version(version: u64, body: Bytes, headers: &HeaderMap) -> Response {
    // Weak, since the same version may be answered compressed or not.
    let tag = format!("W/\"{version}\"");
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "public, max-age=1".into())];
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut known = known.flat_map(|tags| tags.split(',')).map(str::trim);
    if known.any(|known| known.trim_start_matches("W/") == tag.trim_start_matches("W/") || known == "*") {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Ready once results are there and follow the votes, or are on their way to. A process that shows none is ready.
async fn ready(State(app): State<App>) -> Response {
    let status = app.0.feed.status();
    if app.0.stop.is_raised() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if !app.0.shows {
        return "ready\n".into_response();
    }
    match (status.version.or(Some(app.0.feed.shown().version()).filter(|version| *version > 0)), status.state)
    {
        (None, _) => (StatusCode::SERVICE_UNAVAILABLE, "nothing published yet\n").into_response(),
        (_, FeedState::Stale) => (StatusCode::SERVICE_UNAVAILABLE, "stale\n").into_response(),
        (Some(_), FeedState::Live | FeedState::CatchingUp) => "ready\n".into_response(),
    }
}

/// How often samples of histograms are put into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How long connections get to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until stopped; open connections get a few seconds to end.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(listener: tokio::net::TcpListener, app: App, stop: Stop) -> std::io::Result<()> {
    let sessions = app.0.sessions.clone();
    let metrics = app.0.metrics.clone();
    let stopping = stop.clone();
    let server =
        axum::serve(listener, app.router()).with_graceful_shutdown(async move { stopping.raised().await });
    let drained = async {
        let outcome = server.await;
        sessions.close();
        sessions.wait().await;
        outcome
    };
    let patience = async {
        stop.raised().await;
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            metrics.run_upkeep();
        }
    };
    tokio::select! {
        outcome = drained => outcome,
        () = patience => {
            tracing::warn!("connections that didn't end are cut");
            Ok(())
        }
        () = upkeep => unreachable!("upkeep goes on as long as the server"),
    }
}
