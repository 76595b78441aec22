//! What every answer tells browsers about itself: what the page may load and run, and who may show it inside another.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tower_http::set_header::SetResponseHeaderLayer;

/// A browser that came by HTTPS once comes no other way for a year.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Adds the headers to all answers that don't have them.
///
/// `page` is the dashboard's `index.html`; pages of the origins in `framing` may show it inside themselves.
pub(super) fn secured(router: Router, page: &str, framing: &[String], is_encrypted: bool) -> Router {
    let mut headers = vec![
        (header::CONTENT_SECURITY_POLICY, policy(page, framing)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin".to_owned()),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()".to_owned(),
        ),
    ];
    if is_encrypted {
        headers.push((header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY.to_owned()));
    }
    headers.into_iter().fold(router, |router, (name, value)| {
        // An origin that can't stand in a header is no browser's.
        let Ok(value) = HeaderValue::try_from(value) else { return router };
        router.layer(SetResponseHeaderLayer::if_not_present(name, value))
    })
}

/// Only our own files, WebAssembly, and the scripts and styles that stand in the page itself, which are named by their
/// hashes. Charts set styles on elements; photos of candidates may come from anywhere.
fn policy(page: &str, framing: &[String]) -> String {
    let (scripts, styles) = (hashes(page, "script"), hashes(page, "style"));
    let framing: String = framing.iter().map(|origin| format!(" {origin}")).collect();
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{scripts}; style-src 'self' 'unsafe-inline'; \
         style-src-elem 'self'{styles}; img-src 'self' data: https:; object-src 'none'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'self'{framing}"
    )
}

/// The hashes of what stands in elements of this name, as a policy lists them.
fn hashes(page: &str, element: &str) -> String {
    inline(page, element).map(|text| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text)))).collect()
}

/// What stands in elements of this name in a page of our own making, as it stands there.
fn inline<'a>(page: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    let end = format!("</{element}>");
    page.split(&format!("<{element}")).skip(1).collect::<Vec<_>>().into_iter().filter_map(move |begun| {
        let (tag, rest) = begun.split_once('>')?;
        let (text, _) = rest.split_once(&end)?;
        (!tag.contains("src=")).then_some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_the_page_itself_is_named() {
        let page = "<script src=\"a.js\"></script><style type=\"text/css\">p{}</style>\
                    <script type=\"module\">\nrun()\n</script><script defer src='b.js'></script>";
        assert_eq!(inline(page, "script").collect::<Vec<_>>(), ["\nrun()\n"]);
        assert_eq!(inline(page, "style").collect::<Vec<_>>(), ["p{}"]);
        let policy = policy(page, &["https://news.example".into()]);
        let hash = STANDARD.encode(Sha256::digest("\nrun()\n"));
        assert!(
            policy.contains(&format!("script-src 'self' 'wasm-unsafe-eval' 'sha256-{hash}';")),
            "{policy}"
        );
        let hash = STANDARD.encode(Sha256::digest("p{}"));
        assert!(policy.contains(&format!("style-src-elem 'self' 'sha256-{hash}';")), "{policy}");
        assert!(policy.ends_with("frame-ancestors 'self' https://news.example"), "{policy}");
        assert!(!policy.contains("'unsafe-eval'"));
    }
}
