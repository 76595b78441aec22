//! Which pages of other origins may read the API: those that `--allowed-origin` names, as for WebSockets.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

use super::state;

/// A browser needn't ask again whether it may ask for so long.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// Lets pages of these origins read answers; `None` where no origin is named: browsers then keep all others away.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let named = origins.iter().filter(|origin| !origin.is_empty());
    let origins: Vec<_> = named.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::RETRY_AFTER,
            header::CONTENT_DISPOSITION,
            state::STATE,
            state::STATE_TIME,
            state::STALE_SINCE,
        ])
        .max_age(PREFLIGHT_MAX_AGE);
    (!origins.is_empty()).then(|| layer.allow_origin(origins))
}
