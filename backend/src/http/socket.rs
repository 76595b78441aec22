//! From a request for `/ws` to a session: who may have a WebSocket, in which protocol, and the handshake.

use std::time::Duration;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use sha1::{Digest, Sha1};
use tallyboard_shared::{
    Timestamp,
    message::{PROTOCOL_BINARY, PROTOCOL_JSON},
};
use tokio::{
    io::{AsyncReadExt, copy, sink},
    time::timeout,
};
use tokio_websockets::{Limits, ServerBuilder};
use utoipa::IntoParams;

use super::{
    App,
    peer::{Peer, client_address},
    places::{Full, Place},
    problem::{Code, Problem},
    query::Asked,
    session::{Resume, Rules, Session},
};
use crate::roles::viewer::Protocol;

/// CONTRACT, "WebSocket".
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long the connection may take to become a WebSocket once that was answered.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(20);

/// A client that is told that it sent too much may be sending still. So much of it is read, for so long: closing a
/// connection on which something lies unread would take the answer along.
const UNREAD_BYTES_MAX: u64 = 256 * 1024;
const UNREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// A client that is turned away may come back after so many seconds.
const RETRY_AFTER_S: u32 = 10;

/// RFC 6455, section 1.3.
const HANDSHAKE_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a client that comes back has already.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SocketQuery {
    /// The version that the client has. One that the server doesn't keep, such as 0, is answered by a `welcome`.
    #[param(minimum = 0)]
    resume: Option<u64>,
    /// When that version was made: its `as_of`.
    as_of: Option<Timestamp>,
}

/// The WebSocket
///
/// Upgrades to a WebSocket; its messages are in `/api/asyncapi.yaml`. Pages of other origins need `--allowed-origin`. A
/// client that comes back says what it has, by version and time (either alone counts for nothing), and is sent what it
/// missed, or a `welcome` where that is no longer kept or would be more.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "live",
    params(
        SocketQuery,
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`tallyboard.v1.json` or `tallyboard.v1.bin`; JSON by default"),
    ),
    responses((status = SWITCHING_PROTOCOLS, description = "The WebSocket begins")),
)]
pub(super) async fn upgrade(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    Asked(asked): Asked<SocketQuery>,
    mut request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers();
    let accept = handshake(headers)?;
    if !origin_is_allowed(headers, &app.0.settings.allowed_origins) {
        let detail = "pages of this origin may not connect; see --allowed-origin";
        return Err(Problem::new(Code::OriginNotAllowed, detail));
    }
    let (protocol, name) = protocol(headers)?;
    let place = app.place(headers, &peer)?;
    // A version alone could be of another count, which has the same numbers.
    let resume = asked.resume.zip(asked.as_of).map(|(version, as_of)| Resume { version, as_of });
    let upgraded = hyper::upgrade::on(&mut request);
    let connections = app.0.connections.clone();
    connections.spawn(serve(app, upgraded, protocol, resume, (peer, place)));
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(name) = name {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    Ok(response)
}

impl App {
    /// A place for a client that stays connected: a WebSocket, or another stream.
    pub(super) fn place(&self, headers: &HeaderMap, peer: &Peer) -> Result<Place, Problem> {
        let client = client_address(headers, peer.address, &self.0.settings.trusted_proxies);
        self.0.streams.take(Some(client)).map_err(|full| {
            metrics::counter!("tallyboard_connections_refused_total").increment(1);
            let (code, detail) = match full {
                Full::InAll => (Code::Busy, "too many are connected; try again in a moment"),
                Full::Network => (Code::TooManyConnections, "too many are connected from this address"),
            };
            Problem::new(code, detail).retry_after(RETRY_AFTER_S)
        })
    }
}

async fn serve(
    app: App,
    upgraded: OnUpgrade,
    protocol: Protocol,
    resume: Option<Resume>,
    _places: (Peer, Place),
) {
    let Ok(Ok(upgraded)) = timeout(UPGRADE_TIMEOUT, upgraded).await else { return };
    metrics::gauge!("tallyboard_websocket_clients").increment(1.0);
    session(&app, upgraded, protocol, resume).await;
    metrics::gauge!("tallyboard_websocket_clients").decrement(1.0);
}

async fn session(app: &App, upgraded: Upgraded, protocol: Protocol, resume: Option<Resume>) {
    let limits = &app.0.settings.limits;
    let socket = ServerBuilder::new()
        .limits(Limits::default().max_payload_len(Some(limits.message_bytes)))
        .serve(TokioIo::new(upgraded));
    let rules = Rules { ping_interval: PING_INTERVAL, messages_per_second: limits.messages_per_second };
    let session = Session::new(socket, protocol, &app.0.feed, rules);
    let stream = session.run(resume, &app.0.stop).await.into_inner();
    drop(timeout(UNREAD_TIMEOUT, copy(&mut stream.take(UNREAD_BYTES_MAX), &mut sink())).await);
}

/// What answers the request's key, where it is a request for a WebSocket.
fn handshake(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let has = |name: HeaderName, token: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let asks = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let Some(key) = key.filter(|_| asks) else {
        return Err(Problem::new(Code::UpgradeNeeded, "this is the address of a WebSocket, of version 13"));
    };
    let digest = Sha1::new().chain_update(key).chain_update(HANDSHAKE_GUID).finalize();
    Ok(HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is made of what headers may have"))
}

/// The protocol to speak, and its name where the client offered any: the first of its that we know. Whoever offers none
/// is spoken to in JSON.
fn protocol(headers: &HeaderMap) -> Result<(Protocol, Option<&'static str>), Problem> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers.filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|offers| offers.split(',')).map(str::trim).peekable();
    if offers.peek().is_none() {
        return Ok((Protocol::Json, None));
    }
    let known = |offer: &str| match offer {
        PROTOCOL_JSON => Some((Protocol::Json, Some(PROTOCOL_JSON))),
        PROTOCOL_BINARY => Some((Protocol::Binary, Some(PROTOCOL_BINARY))),
        _ => None,
    };
    offers.find_map(known).ok_or_else(|| {
        let detail = format!("the subprotocols are {PROTOCOL_JSON} and {PROTOCOL_BINARY}");
        Problem::new(Code::UnknownSubprotocol, detail)
    })
}

/// A page may connect to the server that it came from. Whoever sends no origin isn't a page of somebody else.
pub(super) fn origin_is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    own || allowed.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[track_caller]
    fn check(origin: Option<&str>, host: &str, expected: bool) {
        let mut headers = headers(&[("host", host)]);
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let allowed = ["https://news.example".to_owned()];
        assert_eq!(origin_is_allowed(&headers, &allowed), expected, "{origin:?} {host}");
    }

    #[test]
    fn only_our_own_and_named_origins_may_connect() {
        check(None, "localhost:8080", true);
        check(Some("http://localhost:8080"), "localhost:8080", true);
        check(Some("https://news.example"), "results.example", true);
        check(Some("https://news.example.evil"), "results.example", false);
        check(Some("http://localhost:8081"), "localhost:8080", false);
        check(Some("null"), "localhost:8080", false);
    }

    #[test]
    fn the_first_protocol_that_is_known_is_spoken() {
        let spoken = |offers: &[&str]| {
            let lines: Vec<_> = offers.iter().map(|offer| ("sec-websocket-protocol", *offer)).collect();
            protocol(&headers(&lines)).ok()
        };
        assert_eq!(spoken(&[]), Some((Protocol::Json, None)));
        assert_eq!(
            spoken(&["tallyboard.v9, tallyboard.v1.json"]),
            Some((Protocol::Json, Some(PROTOCOL_JSON)))
        );
        let binary = Some((Protocol::Binary, Some(PROTOCOL_BINARY)));
        assert_eq!(spoken(&["tallyboard.v1.bin, tallyboard.v1.json"]), binary);
        assert_eq!(spoken(&["chat", "tallyboard.v1.bin"]), binary);
        assert_eq!(spoken(&["chat"]), None);
    }

    #[test]
    fn the_handshake_is_that_of_the_standard() {
        let asked = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(handshake(&headers(&asked)).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for left_out in 0..asked.len() {
            let mut asked = asked.to_vec();
            asked.remove(left_out);
            assert!(handshake(&headers(&asked)).is_err(), "{asked:?}");
        }
    }
}
