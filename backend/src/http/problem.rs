//! Errors as RFC 9457 problem JSON with a stable `code`, of a list that is closed and part of the contract.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $code:literal, $status:ident;)+) => {
        /// What went wrong, in one word: everything that a client of the API can be told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code { $($(#[doc = $meaning])+ $name,)+ }

        impl Code {
            /// Every code.
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];

            /// The code as it is on the wire.
            pub(super) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The status that it always comes with.
            pub(super) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// When a client is told so.
            pub(super) fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+).trim_ascii_start(),)+ }
            }
        }
    };
}

codes! {
    /// There is no such route.
    NotFound = "not_found", NOT_FOUND;
    /// The route has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// A parameter of the query can't be read.
    BadQuery = "bad_query", BAD_REQUEST;
    /// A part of the path can't be read: it isn't UTF-8.
    BadPath = "bad_path", BAD_REQUEST;
    /// Nothing has been published yet; try again after `Retry-After` seconds.
    NoResultsYet = "no_results_yet", SERVICE_UNAVAILABLE;
    /// No timeline has been published yet; try again after `Retry-After` seconds.
    NoTimelineYet = "no_timeline_yet", SERVICE_UNAVAILABLE;
    /// The version isn't there: it is yet to come, or no longer kept.
    VersionNotFound = "version_not_found", NOT_FOUND;
    /// No place or region has the id, nor, where names are taken too, the name.
    UnknownLocation = "unknown_location", NOT_FOUND;
    /// No contest has the id.
    UnknownContest = "unknown_contest", NOT_FOUND;
    /// The server works on as many such requests as it can; try again after `Retry-After` seconds.
    Busy = "busy", SERVICE_UNAVAILABLE;
    /// The journal can't be reached; try again after `Retry-After` seconds.
    JournalUnavailable = "journal_unavailable", SERVICE_UNAVAILABLE;
    /// Pages of this origin may not connect.
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN;
    /// None of the offered subprotocols is spoken here.
    UnknownSubprotocol = "unknown_subprotocol", BAD_REQUEST;
    /// This is the address of a WebSocket.
    UpgradeNeeded = "upgrade_needed", UPGRADE_REQUIRED;
    /// Too many are connected from this address; try again after `Retry-After` seconds.
    TooManyConnections = "too_many_connections", TOO_MANY_REQUESTS;
    /// The request didn't arrive, or couldn't be answered, in time.
    TimedOut = "timed_out", REQUEST_TIMEOUT;
    /// Votes by HTTP are off.
    IngestOff = "ingest_off", NOT_FOUND;
    /// A bearer token is needed, and this is none.
    Unauthorized = "unauthorized", UNAUTHORIZED;
    /// There is no vote in the body.
    Empty = "empty", BAD_REQUEST;
    /// The body has more lines than a request may have.
    TooManyLines = "too_many_lines", PAYLOAD_TOO_LARGE;
    /// The body is larger than a request may be.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE;
    /// The body broke off.
    UnreadableBody = "unreadable_body", BAD_REQUEST;
    /// The body isn't JSON or NDJSON in plain UTF-8: another `Content-Type` or `charset`, or a `Content-Encoding`.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;
    /// The token has sent as many votes as it may; try again after `Retry-After` seconds.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS;
    /// Votes come faster than the journal stores them; try again after `Retry-After` seconds.
    JournalBehind = "journal_behind", TOO_MANY_REQUESTS;
    /// The server has a fault.
    Internal = "internal", INTERNAL_SERVER_ERROR;
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let line =
            |code: &Self| format!("- `{}` ({}): {}", code.as_str(), code.status().as_u16(), code.meaning());
        let lines: Vec<_> = Self::ALL.iter().map(line).collect();
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .description(Some(format!("What went wrong, in one word.\n\n{}", lines.join("\n"))))
            .into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "ProblemCode".into()
    }
}

/// What a client is told; what only the operator should know goes to the log instead.
#[derive(Debug)]
pub(super) struct Problem {
    code: Code,
    detail: String,
    retry_after_s: Option<u32>,
}

/// A refusal, as in RFC 9457.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What went wrong, in one word that stays.
    #[schema(value_type = Code)]
    code: &'static str,
    /// For people; may change.
    detail: &'a str,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_s: None }
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }

    /// What is sent.
    pub(super) fn body(&self) -> Body<'_> {
        let status = self.code.status();
        Body {
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
        }
    }

    /// The client may try again after so many seconds.
    pub(super) fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let body = serde_json::to_vec(&self.body()).expect("a problem has only text keys");
        let headers =
            [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.code == Code::UpgradeNeeded {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_that_stand_for_one_thing_each() {
        let words: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code:?}");
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(code.meaning().ends_with('.') && !code.meaning().starts_with(' '), "{code:?}");
        }
    }
}
