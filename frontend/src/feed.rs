//! The connection to the server: connects, decodes, watches for silence, reconnects, and says how it stands.
//!
//! Messages are folded into the board as they come; what is shown is a copy of it, made at the reader's pace, and none
//! while the reader holds the page. Knows nothing of how it is shown.

use std::cell::Cell;

use futures_util::{
    SinkExt, StreamExt,
    future::{Either, select},
};
use gloo_net::websocket::{Message, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use serde::{Deserialize, de::DeserializeOwned};
use tallyboard_shared::{
    Timestamp,
    message::{ClientMessage, PROTOCOL_JSON, ServerMessage},
};

use crate::{
    board::{Board, Step},
    freshness::Link,
};

/// Opens the connection; every build but that of `trunk serve` names the protocol.
///
/// Trunk's proxy doesn't pass the server's choice of protocol back, and browsers then refuse the connection. Whoever
/// names none is spoken to in the same one.
fn open(url: &str) -> Option<WebSocket> {
    let opened = if cfg!(debug_assertions) {
        WebSocket::open(url)
    } else {
        WebSocket::open_with_protocol(url, PROTOCOL_JSON)
    };
    opened.ok()
}

/// The shortest time between two drawings of the page.
pub const RENDER_INTERVAL_MS: u32 = 400;

/// The server says something at least every two seconds; three times that is silence.
const SILENCE_MS: u32 = 6_000;

/// The first wait before a new attempt; doubled after every failure.
const BACKOFF_FIRST_MS: f64 = 500.0;

/// The longest wait before a new attempt.
const BACKOFF_MAX_MS: f64 = 10_000.0;

/// How long an incompatible server is left alone, in case the old one comes back.
const INCOMPATIBLE_WAIT_MS: u32 = 30_000;

/// What the page follows. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Feed {
    /// What is shown; changes a few times a second at most.
    pub board: RwSignal<Board>,
    /// What is known.
    pub live: StoredValue<Board>,
    /// Since when the reader holds the page, by our clock; `None` while it moves.
    pub held_since_ms: RwSignal<Option<f64>>,
    /// The time between two drawings that the reader chose.
    pub pace_ms: RwSignal<u32>,
    /// The state of the connection.
    pub link: RwSignal<Link>,
    /// Our clock, in milliseconds since 1970; moves every second.
    pub now_ms: RwSignal<f64>,
}

impl Feed {
    /// Connects, and stays connected for as long as the page is open.
    #[must_use]
    pub fn start() -> Self {
        let feed = Self {
            board: RwSignal::new(Board::default()),
            live: StoredValue::new(Board::default()),
            held_since_ms: RwSignal::new(None),
            pace_ms: RwSignal::new(RENDER_INTERVAL_MS),
            link: RwSignal::new(Link::Connecting),
            now_ms: RwSignal::new(js_sys::Date::now()),
        };
        spawn_local(feed.keep_connected());
        spawn_local(async move {
            loop {
                TimeoutFuture::new(1_000).await;
                feed.now_ms.set(js_sys::Date::now());
            }
        });
        feed
    }

    /// Whether the reader holds the page.
    #[must_use]
    pub fn is_held(self) -> bool {
        self.held_since_ms.with_untracked(Option::is_some)
    }

    /// Holds the page, or lets it move again with the newest figures at once.
    pub fn hold_or_go_on(self) {
        let now_ms = js_sys::Date::now();
        if self.is_held() {
            self.held_since_ms.set(None);
            self.draw(now_ms);
        } else {
            self.held_since_ms.set(Some(now_ms));
        }
    }

    async fn keep_connected(self) {
        let pace = Pace::default();
        let mut failures = 0;
        loop {
            self.link.set(Link::Connecting);
            match self.follow(&pace).await {
                End::Incompatible => {
                    self.link.set(Link::Incompatible);
                    TimeoutFuture::new(INCOMPATIBLE_WAIT_MS).await;
                    continue;
                }
                End::Closed { welcomed: true } => failures = 0,
                End::Closed { welcomed: false } => failures += 1,
            }
            let wait_ms = backoff_ms(failures, js_sys::Math::random());
            let now_ms = js_sys::Date::now();
            self.now_ms.set(now_ms);
            self.link.set(Link::Waiting { retry_at_ms: now_ms + f64::from(wait_ms) });
            TimeoutFuture::new(wait_ms).await;
        }
    }

    /// One connection, from its first message to its end.
    async fn follow(self, pace: &Pace) -> End {
        let mut welcomed = false;
        let known = self.live.with_value(|live| live.version().zip(live.as_of()));
        let socket = address().and_then(|url| open(&resuming(url, known)));
        let Some(socket) = socket else {
            return End::Closed { welcomed };
        };
        let (mut write, mut read) = socket.split();
        loop {
            let frame = match select(read.next(), TimeoutFuture::new(SILENCE_MS)).await {
                Either::Left((Some(Ok(Message::Text(frame))), _)) => frame,
                Either::Left((Some(Ok(Message::Bytes(_))), _)) => continue,
                Either::Left((Some(Err(_)) | None, _)) | Either::Right(_) => return End::Closed { welcomed },
            };
            // A message of a kind that this page doesn't know is none of its business.
            let Some(message) = read_frame(&frame) else { continue };
            // A server that goes on from what is known has no need to welcome.
            welcomed |= match message {
                ServerMessage::Welcome(_) => true,
                ServerMessage::Update(_) | ServerMessage::Status(_) => known.is_some(),
                ServerMessage::Goodbye(_) => false,
            };
            let now_ms = js_sys::Date::now();
            let mut step = Step::Continue;
            let is_first = self.live.with_value(|board| board.election.is_none());
            self.live.update_value(|board| step = board.apply(message, now_ms));
            if welcomed && self.link.get_untracked() != Link::Open {
                self.link.set(Link::Open);
            }
            if is_first {
                // Whatever the pace, the first figures don't wait.
                self.draw(now_ms);
            }
            self.tell(pace, now_ms);
            match step {
                Step::Continue => {}
                Step::Incompatible => return End::Incompatible,
                Step::Resume { version } => {
                    let request = serde_json::to_string(&ClientMessage::Resume { version });
                    if let Ok(request) = request
                        && write.send(Message::Text(request)).await.is_err()
                    {
                        return End::Closed { welcomed };
                    }
                }
            }
        }
    }

    /// Lets the page draw the board, now or when the interval is over.
    fn tell(self, pace: &Pace, now_ms: f64) {
        let interval_ms = f64::from(self.pace_ms.get_untracked());
        let Some(wait_ms) = pace.next(now_ms, interval_ms) else { return };
        if wait_ms == 0 {
            self.draw(now_ms);
        } else {
            spawn_local(async move {
                TimeoutFuture::new(wait_ms).await;
                self.draw(js_sys::Date::now());
            });
        }
    }

    fn draw(self, now_ms: f64) {
        self.now_ms.set(now_ms);
        if !self.is_held() {
            self.board.set(self.live.get_value());
        }
    }
}

/// Reads a message; `None` where it is of a kind that this page doesn't know.
///
/// The same as deserializing a [`ServerMessage`], which would first copy the whole message into a tree to find its tag.
fn read_frame(frame: &str) -> Option<ServerMessage> {
    #[derive(Deserialize)]
    struct Tag {
        r#type: String,
    }
    fn body<T: DeserializeOwned>(frame: &str) -> Option<T> {
        serde_json::from_str(frame).ok()
    }
    match body::<Tag>(frame)?.r#type.as_str() {
        "welcome" => body(frame).map(ServerMessage::Welcome),
        "update" => body(frame).map(ServerMessage::Update),
        "status" => body(frame).map(ServerMessage::Status),
        "goodbye" => body(frame).map(ServerMessage::Goodbye),
        _ => None,
    }
}

/// How a connection ended.
enum End {
    /// Closed, broken or silent; `welcomed` where it had worked.
    Closed { welcomed: bool },
    /// The server speaks another protocol.
    Incompatible,
}

/// Spaces drawings out.
#[derive(Default)]
struct Pace {
    next_ms: Cell<f64>,
}

impl Pace {
    /// How long to wait before drawing; `None` where a drawing is due already that will show this too.
    fn next(&self, now_ms: f64, interval_ms: f64) -> Option<u32> {
        let mut due_ms = self.next_ms.get();
        // Further off than two intervals only after the clock was set back, or a faster pace was chosen: neither may
        // freeze the page.
        if due_ms - now_ms > 2.0 * interval_ms {
            due_ms = now_ms;
        }
        if due_ms - now_ms > interval_ms {
            return None;
        }
        let at_ms = due_ms.max(now_ms);
        self.next_ms.set(at_ms + interval_ms);
        Some(whole(at_ms - now_ms))
    }
}

/// The wait after so many failures in a row; `random` in 0..1 keeps a thousand pages from coming back at once.
fn backoff_ms(failures: i32, random: f64) -> u32 {
    let full = (BACKOFF_FIRST_MS * 2_f64.powi(failures.min(10))).min(BACKOFF_MAX_MS);
    whole(full * (0.5 + random / 2.0))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a wait of some seconds at most, cut off at 0"
)]
fn whole(milliseconds: f64) -> u32 {
    milliseconds.max(0.0) as u32
}

/// The address that asks for what came after the version that is known, instead of everything.
fn resuming(url: String, known: Option<(u64, Timestamp)>) -> String {
    match known {
        Some((version, as_of)) => format!("{url}?resume={version}&as_of={as_of}"),
        None => url,
    }
}

/// Where the socket is: beside this page, encrypted where the page is.
fn address() -> Option<String> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    let path = location.pathname().ok()?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{scheme}://{}{folder}/ws", location.host().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_message_is_read() {
        use crate::board::samples::{results, time, welcome};
        use tallyboard_shared::{
            message::{FeedState, Goodbye, GoodbyeReason, Status},
            update::Update,
        };
        let counted = |version| results(version, Some(100), &[Some(version), None]);
        let messages = [
            welcome(Some(counted(1))),
            welcome(None),
            ServerMessage::Update(Box::new(Update::between(&counted(1), &counted(2)).unwrap())),
            ServerMessage::Status(Status {
                state: FeedState::CatchingUp,
                now: time(1),
                version: Some(2),
                lag: None,
                stale_since: None,
            }),
            ServerMessage::Goodbye(Goodbye { reason: GoodbyeReason::Restart, message: "soon".into() }),
        ];
        for message in messages {
            let frame = serde_json::to_string(&message).unwrap();
            assert_eq!(read_frame(&frame), Some(message));
        }
        assert_eq!(read_frame(r#"{"type":"weather"}"#), None);
        assert_eq!(read_frame("[]"), None);
    }

    #[test]
    fn a_page_that_comes_back_asks_for_what_it_missed() {
        let url = || "ws://host/ws".to_owned();
        assert_eq!(resuming(url(), None), url());
        let known = Some((7, crate::board::samples::time(0)));
        assert_eq!(resuming(url(), known), "ws://host/ws?resume=7&as_of=2026-11-03T20:15:00Z");
    }

    #[test]
    fn waits_grow_to_a_bound_and_differ() {
        assert_eq!(backoff_ms(0, 0.0), 250);
        assert_eq!(backoff_ms(0, 1.0), 500);
        assert_eq!(backoff_ms(3, 1.0), 4_000);
        assert_eq!(backoff_ms(40, 1.0), 10_000);
        assert_eq!(backoff_ms(i32::MAX, 0.0), 5_000);
    }

    #[test]
    fn drawings_are_spaced_and_none_is_lost() {
        let pace = Pace::default();
        let next = |now_ms| pace.next(now_ms, 400.0);
        assert_eq!(next(1_000.0), Some(0));
        assert_eq!(next(1_100.0), Some(300));
        assert_eq!(next(1_200.0), None, "the drawing at 1,400 shows it");
        assert_eq!(next(1_450.0), Some(350));
        assert_eq!(next(5_000.0), Some(0));
        assert_eq!(next(1_000.0), Some(0), "the clock was set back");
        let slow = Pace::default();
        assert_eq!(slow.next(1_000.0, 60_000.0), Some(0));
        assert_eq!(slow.next(1_400.0, 60_000.0), Some(59_600));
        assert_eq!(slow.next(1_500.0, 400.0), Some(0), "a faster pace holds at once");
    }
}
