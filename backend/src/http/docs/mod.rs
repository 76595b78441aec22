//! What the API says of itself: OpenAPI of the routes, AsyncAPI of topics and messages, and a page that shows both.
//!
//! Both documents are made from the code: the routes that are served are those that are documented, and the schemas are
//! those of the types that are written. `docs/openapi.json` and `docs/asyncapi.yaml` are copies that a test compares.

mod asyncapi;
mod examples;
mod headers;
mod openapi;
mod refusals;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{
    App,
    conditional::{Lasts, Tag, answer},
};

/// The OpenAPI document
///
/// This document: every route of this server, as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "operations",
    responses(
        (status = OK, body = serde_json::Map<String, serde_json::Value>, description = "The document", content_type = "application/json"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn openapi_json(State(app): State<App>, headers: HeaderMap) -> Response {
    static BODY: OnceLock<Bytes> = OnceLock::new();
    let body = BODY.get_or_init(|| openapi::text().into());
    conditional(&app, &headers, "application/json", body).await
}

/// The AsyncAPI document
///
/// The topics and the messages of the WebSocket, as AsyncAPI 3.0.
#[utoipa::path(
    get,
    path = "/api/asyncapi.yaml",
    tag = "operations",
    responses(
        (status = OK, body = String, description = "The document", content_type = "application/yaml"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn asyncapi_yaml(State(app): State<App>, headers: HeaderMap) -> Response {
    static BODY: OnceLock<Bytes> = OnceLock::new();
    let body = BODY.get_or_init(|| asyncapi::text().into());
    conditional(&app, &headers, "application/yaml", body).await
}

/// The API's page
///
/// What you may be reading: the OpenAPI document for people.
#[utoipa::path(get, path = "/api", tag = "operations", responses((status = OK, body = String, description = "The page", content_type = "text/html")))]
pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("page.html"))
}

/// The script of the API's page
#[utoipa::path(get, path = "/api/page.js", tag = "operations", responses((status = OK, body = String, description = "The script", content_type = "text/javascript")))]
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page.js"))
}

/// The style of the API's page
#[utoipa::path(get, path = "/api/page.css", tag = "operations", responses((status = OK, body = String, description = "The style", content_type = "text/css")))]
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page.css"))
}

fn file(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], content).into_response()
}

/// A document of this build; another build may serve another.
async fn conditional(app: &App, headers: &HeaderMap, kind: &'static str, body: &Bytes) -> Response {
    answer(app, headers, Tag::of(0, body), Lasts::Briefly, kind, body.clone()).await
}
