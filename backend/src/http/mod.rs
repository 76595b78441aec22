//! HTTP and WebSocket: the only place that knows axum.
//!
//! Everything that is shown comes from the viewer's feed and archive, which have disclosed it; nothing here reads the
//! journal's results. Votes come in by `POST /api/v1/votes` and are answered once the journal has them.

mod assets;
mod conditional;
mod ingest;
mod problem;
mod query;
mod results;
mod session;
mod timeline;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tallyboard_shared::message::FeedState;
use tokio_util::task::TaskTracker;
use tower_http::{compression::CompressionLayer, set_header::SetResponseHeaderLayer, trace::TraceLayer};

pub use ingest::Ingest;

use self::problem::{Code, Problem};
use crate::{
    roles::viewer::{Archive, Feed},
    shutdown::Stop,
};

/// A batch of votes isn't larger: some ten thousand of the seeds' records.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the routes share.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    feed: Arc<Feed>,
    /// Earlier versions; `None` where this process doesn't follow the results at all.
    archive: Option<Arc<Archive>>,
    ingest: Option<Ingest>,
    allowed_origins: Vec<String>,
    metrics: PrometheusHandle,
    stop: Stop,
    /// Open WebSockets, which axum doesn't wait for.
    sessions: TaskTracker,
}

impl App {
    /// An application that shows a feed, which nobody fills where there is no `archive`; without `ingest` it takes no
    /// votes.
    #[must_use]
    pub fn new(
        feed: Arc<Feed>,
        archive: Option<Arc<Archive>>,
        ingest: Option<Ingest>,
        allowed_origins: Vec<String>,
        metrics: PrometheusHandle,
        stop: Stop,
    ) -> Self {
        Self(Arc::new(Inner {
            feed,
            archive,
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
            .route("/api/v1/results", get(results::results))
            .route("/api/v1/versions", get(results::versions))
            .route("/api/v1/timeline", get(timeline::timeline))
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
    Problem::new(Code::NotFound, "there is no such route")
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the route has no such method")
}

async fn election(State(app): State<App>) -> Response {
    axum::Json((*app.0.feed.shown().election).clone()).into_response()
}

/// Ready once results are there and follow the votes, or are on their way to. A process that shows none is ready.
async fn ready(State(app): State<App>) -> Response {
    let status = app.0.feed.status();
    if app.0.stop.is_raised() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if app.0.archive.is_none() {
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
