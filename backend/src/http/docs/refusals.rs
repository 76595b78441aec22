//! With what each route may refuse a request: the statuses, their codes and their headers.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder, Schema, path::Operation};

use super::headers::{number, text};
use crate::http::problem::{Code, Problem};

/// What a route may refuse a request with, besides what any route may.
fn of(path: &str) -> &'static [Code] {
    match path {
        "/api/v1/results" | "/api/v1/results.csv" | "/api/v1/results.nist.json" => &[
            Code::BadQuery,
            Code::VersionNotFound,
            Code::UnknownLocation,
            Code::UnknownContest,
            Code::NoResultsYet,
            Code::Busy,
            Code::JournalUnavailable,
        ],
        "/api/v1/versions" => &[Code::NoResultsYet, Code::Busy, Code::JournalUnavailable],
        "/api/v1/timeline" => &[Code::BadQuery, Code::UnknownContest, Code::NoTimelineYet],
        "/api/v1/locations/{id}/history" => {
            &[Code::BadPath, Code::UnknownLocation, Code::NoResultsYet, Code::Busy, Code::JournalUnavailable]
        }
        "/ws" => &[
            Code::UpgradeNeeded,
            Code::BadQuery,
            Code::UnknownSubprotocol,
            Code::OriginNotAllowed,
            Code::TooManyConnections,
            Code::Busy,
        ],
        "/api/v1/stream" => &[Code::OriginNotAllowed, Code::TooManyConnections, Code::Busy],
        "/api/v1/votes" => &[
            Code::Empty,
            Code::UnreadableBody,
            Code::Unauthorized,
            Code::IngestOff,
            Code::TimedOut,
            Code::BodyTooLarge,
            Code::TooManyLines,
            Code::UnsupportedMediaType,
            Code::JournalBehind,
            Code::RateLimited,
            Code::JournalUnavailable,
        ],
        _ => &[],
    }
}

/// What any route may refuse a request with.
const ANYWHERE: [Code; 4] = [Code::MethodNotAllowed, Code::TimedOut, Code::BodyTooLarge, Code::Internal];

/// Says with what a route refuses.
pub(super) fn add(path: &str, operation: &mut Operation) {
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    for code in of(path) {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    let responses = &mut operation.responses.responses;
    for (status, codes) in by_status {
        responses.insert(status.to_string(), response(&codes).into());
    }
    let mut other = response(&ANYWHERE);
    other.headers.insert("Allow".into(), text("With 405: the methods that the route has").into());
    responses.insert("default".into(), other.into());
}

/// A problem of the route with this status.
pub(super) fn example(path: &str, status: Option<&str>) -> Problem {
    let code = of(path).iter().find(|code| status == Some(code.status().as_str()));
    let code = code.copied().unwrap_or(Code::Internal);
    Problem::new(code, code.meaning())
}

fn response(codes: &[Code]) -> Response {
    let problem = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name("Problem"))));
    let lines: Vec<_> =
        codes.iter().map(|code| format!("- `{}`: {}", code.as_str(), code.meaning())).collect();
    let mut response = ResponseBuilder::new()
        .description(format!("A problem (RFC 9457); `code` says which:\n\n{}", lines.join("\n")))
        .content("application/problem+json", problem)
        .build();
    let headers = match codes[0].status().as_u16() {
        401 => vec![("WWW-Authenticate", text("`Bearer`"))],
        426 => vec![("Upgrade", text("`websocket`")), ("Sec-WebSocket-Version", text("`13`"))],
        429 | 503 => vec![("Retry-After", number("Seconds after which to try again"))],
        _ => Vec::new(),
    };
    response.headers.extend(headers.into_iter().map(|(name, header)| (name.to_owned(), header.into())));
    response
}
