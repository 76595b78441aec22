//! The dashboard's files, embedded in the binary.
//!
//! Trunk gives every file but `index.html` a name with a hash of its content: those are cached for good, the page
//! never. The build puts a Brotli and a gzip of a file beside it where that makes it smaller; they are sent as they are.

use axum::{
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

use super::{
    conditional::knows,
    encoding::Encoding,
    problem::{Code, Problem},
};

/// Built by `cargo xtask build`. A debug build reads the folder when asked, a release carries it inside.
#[derive(Embed)]
#[folder = "../frontend/dist"]
#[allow_missing = true]
struct Dashboard;

const INDEX: &str = "index.html";

pub(super) async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let is_compressed = Encoding::ALL.iter().any(|encoding| has_extension(path, encoding.extension()));
    if let Some(file) = Dashboard::get(path).filter(|_| path != INDEX && !is_compressed) {
        let caching = if is_hashed(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
        return answer(path, &file, caching, &headers);
    }
    // Pages are addresses of the dashboard's own making; a file that isn't there is an error.
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) && path != INDEX {
        return Problem::new(Code::NotFound, "there is no such file").into_response();
    }
    // All pages lie in one folder; from another the page would look for its own files in vain.
    if path.contains('/') {
        return Problem::new(Code::NotFound, "there is no such page").into_response();
    }
    match Dashboard::get(INDEX) {
        Some(page) => answer(INDEX, &page, "no-cache", &headers),
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

/// The file as the client takes it best, or that it has it already.
fn answer(path: &str, file: &EmbeddedFile, caching: &'static str, asked: &HeaderMap) -> Response {
    let hash: String = file.metadata.sha256_hash()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    // Weak: the same for every encoding.
    let tag = format!("W/\"{hash}\"");
    let is_known = knows(asked, &tag);
    let headers = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::VARY, header::ACCEPT_ENCODING.to_string()),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.metadata.mimetype().to_owned())];
    let compressed = Encoding::accepted(asked)
        .into_iter()
        .find_map(|encoding| Some((encoding, Dashboard::get(&format!("{path}.{}", encoding.extension()))?)));
    match compressed {
        Some((encoding, compressed)) => {
            let encoded = [(header::CONTENT_ENCODING, encoding.name())];
            (headers, kind, encoded, compressed.data).into_response()
        }
        None => (headers, kind, file.data.clone()).into_response(),
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
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
