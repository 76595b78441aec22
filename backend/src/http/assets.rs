//! The dashboard's files, embedded in the binary.
//!
//! Trunk gives every file but `index.html` a name with a hash of its content: those are cached for good, the page
//! never.

use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

/// Built by `cargo xtask build`. A debug build reads the folder when asked, a release carries it inside.
#[derive(Embed)]
#[folder = "../frontend/dist"]
#[allow_missing = true]
struct Dashboard;

const INDEX: &str = "index.html";

pub(super) async fn serve(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(file) = Dashboard::get(path).filter(|_| path != INDEX) {
        let caching = if is_hashed(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
        return answer(file, caching);
    }
    // Pages are addresses of the dashboard's own making; a file that isn't there is an error.
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) && path != INDEX {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    }
    match Dashboard::get(INDEX) {
        Some(page) => answer(page, "no-cache"),
        None => {
            let advice = "This server was built without its dashboard. Build it with `cargo xtask build`.\n\
                          The API is at /api/v1/results and /ws.\n";
            (StatusCode::SERVICE_UNAVAILABLE, advice).into_response()
        }
    }
}

/// The dashboard's page; empty where there is none.
pub(super) fn page() -> String {
    Dashboard::get(INDEX).map_or_else(String::new, |page| String::from_utf8_lossy(&page.data).into_owned())
}

fn answer(file: EmbeddedFile, caching: &'static str) -> Response {
    let kind = file.metadata.mimetype().to_owned();
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, caching.to_owned())], file.data).into_response()
}

/// Whether the name carries a hash: `name-0123456789abcdef.js`.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split(['-', '_', '.'])
        .any(|part| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_cached_for_good() {
        assert!(is_hashed("tallyboard-frontend-8c1d2e3f4a5b6c7d.js"));
        assert!(is_hashed("tallyboard-frontend-8c1d2e3f4a5b6c7d_bg.wasm"));
        assert!(!is_hashed("echarts.min.js"));
        assert!(!is_hashed("favicon.svg"));
    }
}
