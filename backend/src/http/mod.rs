//! HTTP and WebSocket: the only place that knows axum.
//!
//! Everything that is shown comes from the viewer's feed and archive, which have disclosed it; nothing here reads the
//! journal's results. Votes come in by `POST /api/v1/votes` and are answered once the journal has them.

mod assets;
mod compressed;
mod conditional;
mod cors;
mod docs;
mod encoding;
mod exports;
mod headers;
mod history;
mod ingest;
mod map;
mod peer;
mod places;
mod problem;
mod query;
mod results;
mod server;
mod session;
mod socket;
mod state;
mod stream;
mod timeline;
mod tls;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use tallyboard_shared::{election::Election, message::FeedState};
use tokio_util::task::TaskTracker;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, trace::TraceLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use ingest::{Ingest, Tokens, TokensError, votes_per_second};
pub use server::serve;
pub use tls::acceptor;

use self::{
    compressed::Compressed,
    conditional::{Lasts, Tag, answer},
    places::Places,
    problem::{Code, Problem},
};
use crate::{
    election::Map,
    roles::viewer::{Archive, Feed},
    shutdown::Stop,
};

/// A batch of votes isn't larger: some ten thousand of the seeds' records.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Who may connect, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pages of these origins may connect, besides our own.
    pub allowed_origins: Vec<String>,
    /// Proxies whose word is taken for who their clients are.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the server itself encrypts.
    pub is_encrypted: bool,
    /// How much.
    pub limits: Limits,
}

/// What clients may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many WebSockets and other streams at a time.
    pub connections: usize,
    /// So many of them from one address.
    pub connections_per_address: usize,
    /// A WebSocket's message isn't longer.
    pub message_bytes: usize,
    /// More of them within a second are a flood.
    pub messages_per_second: u32,
}

/// What the routes share.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    feed: Arc<Feed>,
    /// Earlier versions; `None` where this process doesn't follow the results at all.
    archive: Option<Arc<Archive>>,
    ingest: Option<Ingest>,
    /// Where places lie, where the definition says it by a map.
    map: Option<Map>,
    settings: Settings,
    /// Places for clients that stay connected.
    streams: Arc<Places>,
    compressed: Compressed,
    metrics: PrometheusHandle,
    stop: Stop,
    /// Open connections and WebSockets.
    connections: TaskTracker,
}

impl App {
    /// An application that shows a feed, which nobody fills where there is no `archive`; without `ingest` it takes no
    /// votes.
    #[must_use]
    pub fn new(
        feed: Arc<Feed>,
        archive: Option<Arc<Archive>>,
        ingest: Option<Ingest>,
        settings: Settings,
        metrics: PrometheusHandle,
        stop: Stop,
    ) -> Self {
        let streams = Places::new(settings.limits.connections, settings.limits.connections_per_address);
        Self(Arc::new(Inner {
            feed,
            archive,
            ingest,
            map: None,
            settings,
            streams,
            compressed: Compressed::new(),
            metrics,
            stop,
            connections: TaskTracker::new(),
        }))
    }

    /// The same with a map of the places. Before the first request: later it makes no difference.
    #[must_use]
    pub fn with_map(mut self, map: Option<Map>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.map = map;
        }
        self
    }

    /// The routes.
    pub fn router(self) -> Router {
        let settings = self.0.settings.clone();
        let cors = cors::layer(&settings.allowed_origins);
        let router = Router::from(routes())
            .route("/api/", any(unknown))
            .route("/api/{*path}", any(unknown))
            .fallback(get(assets::serve).fallback(wrong_method))
            .method_not_allowed_fallback(wrong_method)
            .with_state(self)
            .layer(middleware::from_fn(server::answer_in_time))
            .layer(CompressionLayer::new())
            .layer(middleware::map_request(encoding::settled))
            .layer(CatchPanicLayer::custom(panicked));
        let router = match cors {
            Some(cors) => router.layer(cors),
            None => router,
        };
        // Failures are logged where they are handled; "not ready" is an answer.
        let router = router.layer(TraceLayer::new_for_http().on_failure(()));
        headers::secured(router, &assets::page(), &settings.allowed_origins, settings.is_encrypted)
    }
}

/// The routes with their documents: what is served is what is documented.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(results::results))
        .routes(routes!(exports::csv))
        .routes(routes!(exports::nist))
        .routes(routes!(results::versions))
        .routes(routes!(timeline::timeline))
        .routes(routes!(history::history))
        .routes(routes!(election))
        .routes(routes!(map::map))
        .routes(routes!(socket::upgrade))
        .routes(routes!(stream::stream))
        .routes(routes!(ingest::votes))
        .routes(routes!(docs::page))
        .routes(routes!(docs::script))
        .routes(routes!(docs::style))
        .routes(routes!(docs::openapi_json))
        .routes(routes!(docs::asyncapi_yaml))
        .routes(routes!(alive))
        .routes(routes!(ready))
        .routes(routes!(rendered_metrics))
}

async fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such route")
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "the route has no such method")
}

/// The panic's words are in the log, by the panic hook.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::new(Code::Internal, "the server has a fault; its log has more").into_response()
}

/// The definition
///
/// What is being counted, and by which rules.
#[utoipa::path(
    get,
    path = "/api/v1/election",
    tag = "results",
    responses(
        (status = OK, body = Election, description = "The definition"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
async fn election(State(app): State<App>, headers: HeaderMap) -> Response {
    let shown = app.0.feed.shown();
    let body = serde_json::to_vec(&*shown.election).expect("a definition has only text keys");
    answer(&app, &headers, Tag::of(0, &body), Lasts::Briefly, "application/json", body.into()).await
}

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses((status = OK, body = String, content_type = "text/plain", description = "It does")),
)]
async fn alive() -> &'static str {
    "alive\n"
}

/// Metrics
///
/// For Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    responses((status = OK, body = String, content_type = "text/plain", description = "All metrics")),
)]
async fn rendered_metrics(State(app): State<App>) -> String {
    app.0.metrics.render()
}

/// Whether the results follow the votes
///
/// Ready once results are there and follow the votes, or are on their way to. A process that shows none is ready.
/// Readers of the results needn't ask: those say it in their headers.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = OK, body = String, content_type = "text/plain", description = "They do"),
        (status = SERVICE_UNAVAILABLE, body = String, content_type = "text/plain", description = "Not yet, or stale"),
    ),
)]
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

#[cfg(test)]
mod disclosure_tests;
#[cfg(test)]
mod testing;
