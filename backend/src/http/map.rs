//! Where the places lie, as the definition's map says it.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    App,
    conditional::{Lasts, Tag, answer},
};

/// The map
///
/// A `GeoJSON` `FeatureCollection` (RFC 7946) with a `Polygon` or `MultiPolygon` for each place that has a shape; a
/// feature's `id`, or `location_id` among its properties, is the place's.
#[utoipa::path(
    get,
    path = "/api/v1/map",
    tag = "results",
    responses(
        (
            status = OK,
            body = Object,
            content_type = "application/geo+json",
            description = "The file that the definition names"
        ),
        (status = NO_CONTENT, description = "The definition names no map"),
        (status = NOT_MODIFIED, description = "`If-None-Match` names what would be answered"),
    ),
)]
pub(super) async fn map(State(app): State<App>, headers: HeaderMap) -> Response {
    match &app.0.map {
        Some(map) => {
            let body = map.geojson();
            let tag = Tag::of(0, &body);
            answer(&app, &headers, tag, Lasts::Briefly, "application/geo+json", body).await
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}
