//! One browser's WebSocket: a welcome, then every step, until either side goes.
//!
//! Nothing is queued per client: steps wait in the feed's one bounded channel, and a client that falls behind gets
//! the newest results in a welcome instead. What is sent was encoded once for everyone.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use tallyboard_shared::message::{ClientMessage, Goodbye, GoodbyeReason, PROTOCOL_JSON, ServerMessage};
use tokio::sync::broadcast::error::RecvError;

use super::{
    App,
    problem::{Code, Problem},
};
use crate::roles::viewer::{Feed, Frame, Subscription, encode};

/// CONTRACT, "WebSocket".
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// A connection that was silent for two pings is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// A client that doesn't take a frame for so long is cut off, so that it can't hold the server's memory.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Clients say "resume" and "ping", nothing longer.
const CLIENT_BYTES_MAX: usize = 4 * 1024;

/// More messages within a ping interval are a flood.
const CLIENT_MESSAGES_MAX: u32 = 200;

pub(super) async fn upgrade(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    if !origin_is_allowed(&headers, &app.0.allowed_origins) {
        let detail = "pages of this origin may not connect; see --allowed-origin";
        return Err(Problem::new(Code::OriginNotAllowed, detail));
    }
    let offered =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut offered = offered.flat_map(|protocols| protocols.split(',')).map(str::trim).peekable();
    if offered.peek().is_some() && !offered.any(|protocol| protocol == PROTOCOL_JSON) {
        let detail = format!("the subprotocol is {PROTOCOL_JSON}");
        return Err(Problem::new(Code::UnknownSubprotocol, detail));
    }
    let upgrade = upgrade
        .protocols([PROTOCOL_JSON])
        .max_message_size(CLIENT_BYTES_MAX)
        .max_frame_size(CLIENT_BYTES_MAX)
        // A frame is handed on at once; up to one frame waits for a slow client.
        .write_buffer_size(0);
    let session = app.0.sessions.token();
    let serving = async |socket| {
        let _session = session;
        serve(socket, app).await;
    };
    Ok(upgrade.on_upgrade(serving).into_response())
}

/// A page may connect to the server that it came from. Whoever sends no origin isn't a page of somebody else.
fn origin_is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    own || allowed.iter().any(|allowed| allowed == origin)
}

/// How a session ends.
struct End {
    code: u16,
    goodbye: Option<Goodbye>,
}

/// The client is gone, or doesn't take anything any more.
struct Gone;

async fn serve(mut socket: WebSocket, app: App) {
    metrics::gauge!("tallyboard_websocket_clients").increment(1.0);
    let mut session =
        Session { feed: app.0.feed.subscribe(), sent: None, heard: Instant::now(), messages: 0 };
    let end = session.run(&mut socket, &app).await;
    metrics::gauge!("tallyboard_websocket_clients").decrement(1.0);
    let Ok(end) = end else { return };
    if let Some(goodbye) = end.goodbye {
        let frame = encode(&ServerMessage::Goodbye(goodbye));
        if send(&mut socket, frame).await.is_err() {
            return;
        }
    }
    let close = CloseFrame { code: end.code, reason: Utf8Bytes::from_static("") };
    // The client may have closed first.
    drop(tokio::time::timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(close)))).await);
}

fn text(json: Bytes) -> Message {
    Message::Text(Utf8Bytes::try_from(json).expect("JSON is UTF-8"))
}

async fn send(socket: &mut WebSocket, json: Bytes) -> Result<(), Gone> {
    send_message(socket, text(json)).await
}

async fn send_message(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

struct Session {
    feed: Subscription,
    /// The version that the client has; `None` before the welcome.
    sent: Option<u64>,
    heard: Instant,
    /// From the client since the last ping.
    messages: u32,
}

impl Session {
    async fn run(&mut self, socket: &mut WebSocket, app: &App) -> Result<End, Gone> {
        self.welcome(socket).await?;
        let status = self.feed.status.borrow_and_update().clone();
        send(socket, encode(&ServerMessage::Status(status))).await?;
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_INTERVAL, PING_INTERVAL);
        loop {
            tokio::select! {
                () = app.0.stop.raised() => return Ok(End::restart()),
                frame = self.feed.frames.recv() => match frame {
                    Ok(frame) => self.frame(socket, frame).await?,
                    Err(RecvError::Lagged(missed)) => {
                        metrics::counter!("tallyboard_websocket_frames_skipped_total").increment(missed);
                        self.welcome(socket).await?;
                    }
                    Err(RecvError::Closed) => return Ok(End::restart()),
                },
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENCE_MAX {
                        return Ok(End::policy(GoodbyeReason::Unresponsive, "two pings went unanswered"));
                    }
                    self.messages = 0;
                    send_message(socket, Message::Ping(Bytes::new())).await?;
                }
                message = socket.recv() => match message {
                    Some(Ok(message)) => {
                        if let ControlFlow::Break(end) = self.message(socket, message, &app.0.feed).await? {
                            return Ok(end);
                        }
                    }
                    Some(Err(error)) => return End::after(&error),
                    None => return Err(Gone),
                },
            }
        }
    }

    async fn welcome(&mut self, socket: &mut WebSocket) -> Result<(), Gone> {
        let shown = self.feed.shown.borrow_and_update().clone();
        send(socket, shown.welcome()).await?;
        self.sent = Some(shown.version());
        Ok(())
    }

    async fn frame(&mut self, socket: &mut WebSocket, frame: Frame) -> Result<(), Gone> {
        match frame {
            Frame::Step { version, .. } if self.sent.is_some_and(|sent| version <= sent) => Ok(()),
            Frame::Step { previous, version, json } if self.sent == Some(previous) => {
                self.sent = Some(version);
                send(socket, json).await
            }
            Frame::Start | Frame::Step { .. } => self.welcome(socket).await,
            Frame::Status(json) => send(socket, json).await,
        }
    }

    async fn message(
        &mut self,
        socket: &mut WebSocket,
        message: Message,
        feed: &Feed,
    ) -> Result<ControlFlow<End>, Gone> {
        self.heard = Instant::now();
        self.messages += 1;
        if self.messages > CLIENT_MESSAGES_MAX {
            return Ok(ControlFlow::Break(End::policy(GoodbyeReason::Policy, "too many messages")));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(ControlFlow::Continue(())),
            Message::Close(_) => return Err(Gone),
            Message::Binary(_) => {
                return Ok(ControlFlow::Break(End::policy(GoodbyeReason::Policy, "messages are text")));
            }
        };
        match serde_json::from_str(&text) {
            Ok(ClientMessage::Resume { version }) if Some(version) == self.sent => {}
            Ok(ClientMessage::Resume { .. }) => self.welcome(socket).await?,
            Ok(ClientMessage::Ping) => send(socket, encode(&ServerMessage::Status(feed.status()))).await?,
            Err(_) => {
                return Ok(ControlFlow::Break(End::policy(
                    GoodbyeReason::Policy,
                    "not a message of this protocol",
                )));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl End {
    fn restart() -> Self {
        let goodbye =
            Goodbye { reason: GoodbyeReason::Restart, message: "the server is stopping; come back".into() };
        Self { code: 1012, goodbye: Some(goodbye) }
    }

    fn policy(reason: GoodbyeReason, message: &str) -> Self {
        Self { code: 1008, goodbye: Some(Goodbye { reason, message: message.into() }) }
    }

    /// After a frame that couldn't be read; most often the connection is broken.
    fn after(error: &axum::Error) -> Result<Self, Gone> {
        let too_big =
            std::error::Error::source(error).is_some_and(|source| source.to_string().contains("too long"));
        if too_big { Ok(Self { code: 1009, goodbye: None }) } else { Err(Gone) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: Option<&str>, host: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
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
}
