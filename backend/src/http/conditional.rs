//! Answers that a client or a cache may keep: the tag by which it asks again, and for how long it needn't.

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::App;

/// The newest version lasts until the next: a cache in front of the server asks once a second for everyone.
const NEWEST: &str = "public, max-age=1";

/// What can't change any more.
const SETTLED: &str = "public, max-age=31536000, immutable";

/// Names one answer of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(String);

impl Tag {
    /// The newest version in full.
    pub(super) fn newest(version: u64) -> Self {
        // Weak, since the same version may be answered compressed or not.
        Self(format!("W/\"{version}\""))
    }

    /// A part of a version, or one whose disclosure may differ from what was answered before.
    pub(super) fn of(version: u64, body: &[u8]) -> Self {
        Self(format!("W/\"{version}-{:08x}\"", crc32fast::hash(body)))
    }
}

/// How long an answer lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Until the next version, or until more may be shown.
    Briefly,
    /// For good.
    ForGood,
}

/// The body, or that the client has it already.
pub(super) async fn answer(
    app: &App,
    asked: &HeaderMap,
    tag: Tag,
    lasts: Lasts,
    kind: &'static str,
    body: Bytes,
) -> Response {
    let control = match lasts {
        Lasts::Briefly => NEWEST,
        Lasts::ForGood => SETTLED,
    };
    let is_known = knows(asked, &tag.0);
    let caching = [(header::ETAG, tag.0), (header::CACHE_CONTROL, control.to_owned())];
    if is_known {
        let vary = [(header::VARY, header::ACCEPT_ENCODING.as_str())];
        return (StatusCode::NOT_MODIFIED, caching, vary).into_response();
    }
    let body = app.0.compressed.answer(asked, body).await;
    let kind = [(header::CONTENT_TYPE, kind)];
    (caching, kind, body).into_response()
}

/// Whether the client says that it has what the tag names.
pub(super) fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let mut known = known.flat_map(|tags| tags.split(',')).map(str::trim);
    known.any(|known| known == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(if_none_match: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, if_none_match.parse().unwrap());
        assert_eq!(knows(&headers, "W/\"7\""), expected, "{if_none_match}");
    }

    #[test]
    fn a_tag_is_known_however_it_is_written() {
        check("W/\"7\"", true);
        check("\"7\"", true);
        check("\"5\", W/\"7\"", true);
        check("*", true);
        check("\"77\"", false);
        check("7", false);
    }

    #[test]
    fn parts_of_one_version_have_tags_of_their_own() {
        assert_ne!(Tag::of(7, b"a"), Tag::of(7, b"b"));
        assert_ne!(Tag::of(7, b"a"), Tag::newest(7));
    }
}
