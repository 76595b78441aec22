//! One client's session on a WebSocket: a welcome or what was missed, then every step, until either side goes.
//!
//! Nothing is queued per client: steps wait in the feed's one bounded channel, and a client that falls behind gets
//! the newest results in a welcome instead. What is sent was encoded once for everyone, and its bytes are shared. Knows
//! no HTTP and no network: a socket is whatever takes and gives messages.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tallyboard_shared::{
    Timestamp,
    message::{ClientMessage, Goodbye, GoodbyeReason},
};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{MissedTickBehavior, timeout},
};
use tokio_websockets::{CloseCode, Error, Message};

use crate::{
    roles::{
        disclosure::Disclosed,
        viewer::{Feed, Frame, Protocol, Subscription},
    },
    shutdown::Stop,
};

/// A client that doesn't take a frame for so long is cut off.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the other side gets to close once we have.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A client that answered none of so many pings is gone.
const PINGS_MISSED_MAX: u32 = 2;

/// What takes and gives messages.
pub(super) trait Socket:
    Sink<Message, Error = Error> + Stream<Item = Result<Message, Error>> + Unpin
{
}

impl<S: Sink<Message, Error = Error> + Stream<Item = Result<Message, Error>> + Unpin> Socket for S {}

/// By which rules a session goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How often the client is asked whether it is there.
    pub(super) ping_interval: Duration,
    /// More messages than so many within a second are a flood.
    pub(super) messages_per_second: u32,
}

/// What a client comes back with: the last version that it has, and when that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resume {
    pub(super) version: u64,
    pub(super) as_of: Timestamp,
}

/// One client.
pub(super) struct Session<S> {
    pub(super) socket: S,
    pub(super) protocol: Protocol,
    feed: Arc<Feed>,
    subscription: Subscription,
    rules: Rules,
    /// The version that the client has; `None` before it was sent any.
    sent: Option<u64>,
    pings_unanswered: u32,
    flood: Flood,
}

/// How a session ends.
#[derive(Debug)]
enum End {
    /// The client is gone, or doesn't take anything any more.
    Gone,
    /// A close frame is under way: the answer to the client's, or one about a frame that breaks WebSocket's rules.
    Closing,
    /// With a frame, or several, that are longer than may be.
    TooBig,
    /// With a goodbye.
    Goodbye(CloseCode, Goodbye),
}

impl<S: Socket> Session<S> {
    pub(super) fn new(socket: S, protocol: Protocol, feed: &Arc<Feed>, rules: Rules) -> Self {
        let (feed, subscription) = (Arc::clone(feed), feed.subscribe());
        let flood = Flood { since: Instant::now(), messages: 0 };
        Self { socket, protocol, feed, subscription, rules, sent: None, pings_unanswered: 0, flood }
    }

    /// Runs the session to its end, and gives the socket back.
    pub(super) async fn run(mut self, resume: Option<Resume>, stop: &Stop) -> S {
        let end = self.follow(resume, stop).await.err().unwrap_or(End::Gone);
        let closing = async {
            match end {
                End::Gone => return,
                End::Closing => {}
                // One frame that is too long was answered so already.
                End::TooBig => {
                    drop(self.send_message(Message::close(Some(CloseCode::MESSAGE_TOO_BIG), "")).await);
                }
                End::Goodbye(code, goodbye) => {
                    let goodbye = self.protocol.encode(&Disclosed::goodbye(goodbye));
                    let close = Message::close(Some(code), "");
                    if self.send(goodbye).await.is_err() || self.send_message(close).await.is_err() {
                        return;
                    }
                }
            }
            // Where the other side doesn't close there is nobody to tell.
            drop(self.socket.close().await);
        };
        drop(timeout(CLOSE_TIMEOUT, closing).await);
        self.socket
    }

    async fn follow(&mut self, resume: Option<Resume>, stop: &Stop) -> Result<(), End> {
        match resume {
            Some(resume) => self.catch_up(resume.version, Some(resume.as_of)).await?,
            None => self.welcome().await?,
        }
        self.status().await?;
        let mut stopped = pin!(stop.raised());
        let start = tokio::time::Instant::now() + self.rules.ping_interval;
        let mut ping = tokio::time::interval_at(start, self.rules.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What the client said is heard before it is taken for silent.
                biased;
                () = &mut stopped => return Err(End::restart()),
                message = self.socket.next() => self.hear(message).await?,
                frame = self.subscription.frames.recv() => match frame {
                    Ok(frame) => self.frame(frame).await?,
                    Err(RecvError::Lagged(missed)) => {
                        metrics::counter!("tallyboard_websocket_frames_skipped_total").increment(missed);
                        self.welcome().await?;
                    }
                    Err(RecvError::Closed) => return Err(End::restart()),
                },
                _ = ping.tick() => {
                    if self.pings_unanswered == PINGS_MISSED_MAX {
                        return Err(End::policy(GoodbyeReason::Unresponsive, "two pings went unanswered"));
                    }
                    self.pings_unanswered += 1;
                    self.send_message(Message::ping(Bytes::new())).await?;
                }
            }
        }
    }

    /// The newest version in full.
    async fn welcome(&mut self) -> Result<(), End> {
        let shown = self.subscription.shown.borrow_and_update().clone();
        self.sent = Some(shown.version());
        self.send(shown.welcome(self.protocol)).await
    }

    /// The steps that a client of this version has missed; the newest version in full where they can't be had, or would
    /// be more.
    async fn catch_up(&mut self, version: u64, as_of: Option<Timestamp>) -> Result<(), End> {
        let missed = self.feed.missed(version, as_of, self.protocol);
        let Some(steps) = missed else { return self.welcome().await };
        self.sent = Some(version);
        for step in steps {
            self.sent = Some(step.version);
            self.send(step.message.bytes(self.protocol)).await?;
        }
        Ok(())
    }

    async fn status(&mut self) -> Result<(), End> {
        let status = self.feed.status();
        self.send(self.protocol.encode(&Disclosed::status(status))).await
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), End> {
        match frame {
            Frame::Step(step) if self.sent.is_some_and(|sent| step.version <= sent) => Ok(()),
            Frame::Step(step) if self.sent == Some(step.previous) => {
                self.sent = Some(step.version);
                self.send(step.message.bytes(self.protocol)).await
            }
            Frame::Start | Frame::Step(_) => self.welcome().await,
            Frame::Status(status) => self.send(status.bytes(self.protocol)).await,
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = match message {
            Some(Ok(message)) => message,
            None | Some(Err(Error::Io(_) | Error::AlreadyClosed)) => return Err(End::Gone),
            Some(Err(Error::PayloadTooLong { .. })) => return Err(End::TooBig),
            Some(Err(_)) => return Err(End::Closing),
        };
        self.pings_unanswered = 0;
        if self.flood.is_reached(self.rules.messages_per_second) {
            return Err(End::policy(GoodbyeReason::Policy, "too many messages"));
        }
        if message.is_close() {
            return Err(End::Closing);
        }
        if message.is_ping() || message.is_pong() {
            return Ok(());
        }
        let message = match self.protocol {
            Protocol::Json => message.as_text().and_then(|text| serde_json::from_str(text).ok()),
            Protocol::Binary => {
                message.is_binary().then(|| ClientMessage::from_binary(message.as_payload()).ok()).flatten()
            }
        };
        match message {
            Some(ClientMessage::Resume { version }) => self.catch_up(version, None).await,
            Some(ClientMessage::Ping) => self.status().await,
            None => Err(End::policy(GoodbyeReason::Policy, "not a message of this protocol")),
        }
    }

    async fn send(&mut self, message: Bytes) -> Result<(), End> {
        let message = match self.protocol {
            Protocol::Json => Message::text(message),
            Protocol::Binary => Message::binary(message),
        };
        self.send_message(message).await
    }

    async fn send_message(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// What a client sends within a second.
struct Flood {
    since: Instant,
    messages: u32,
}

impl Flood {
    /// Counts a message; whether it is one too many.
    fn is_reached(&mut self, messages_max: u32) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self { since: Instant::now(), messages: 0 };
        }
        self.messages += 1;
        self.messages > messages_max
    }
}

impl End {
    fn restart() -> Self {
        let goodbye =
            Goodbye { reason: GoodbyeReason::Restart, message: "the server is stopping; come back".into() };
        Self::Goodbye(CloseCode::SERVICE_RESTART, goodbye)
    }

    fn policy(reason: GoodbyeReason, message: &str) -> Self {
        Self::Goodbye(CloseCode::POLICY_VIOLATION, Goodbye { reason, message: message.into() })
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
