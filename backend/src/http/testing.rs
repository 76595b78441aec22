//! The routes without a network, for tests.

use metrics_exporter_prometheus::PrometheusBuilder;
use tallyboard_shared::{Timestamp, message::Status};

use super::*;
use crate::election;

/// More than any test needs.
const LIMITS: Limits =
    Limits { connections: 8, connections_per_address: 8, message_bytes: 1, messages_per_second: 1 };

/// An application whose feed nobody fills.
pub(super) fn app(ingest: Option<Ingest>) -> App {
    let status = Status {
        state: FeedState::Live,
        now: Timestamp::UNIX_EPOCH,
        version: None,
        lag: Some(0),
        stale_since: None,
    };
    let feed = Arc::new(Feed::new(Arc::new(election::demo()), status));
    app_of(feed, ingest, PrometheusBuilder::new().build_recorder().handle())
}

/// An application that shows this feed and these metrics.
pub(super) fn app_of(feed: Arc<Feed>, ingest: Option<Ingest>, metrics: PrometheusHandle) -> App {
    let settings = Settings {
        allowed_origins: Vec::new(),
        trusted_proxies: Vec::new(),
        is_encrypted: false,
        limits: LIMITS,
    };
    App::new(feed, None, ingest, settings, metrics, Stop::default())
}
