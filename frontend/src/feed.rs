//! The connection to the server: connects, watches for silence, reconnects, takes another way where one is blocked, and
//! says how it stands.
//!
//! Messages are folded into the board as they come; what is shown is a copy of it, made at the reader's pace, and none
//! while the reader holds the page. Knows nothing of how it is shown.

mod polling;
mod source;
mod ways;

use std::{
    cell::Cell,
    rc::{Rc, Weak},
};

use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use tallyboard_shared::message::ServerMessage;

pub(crate) use self::polling::INTERVAL_S as POLL_INTERVAL_S;
pub use self::ways::Way;
use self::{
    source::{Incoming, Source},
    ways::{Ways, next_trial_ms},
};
use crate::{
    board::{Board, Step},
    freshness::Link,
};

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
        let mut ways = Ways::default();
        let mut failures = 0;
        loop {
            self.link.set(Link::Connecting);
            match self.follow(&pace, &mut ways).await {
                End::Incompatible => {
                    self.link.set(Link::Incompatible);
                    TimeoutFuture::new(INCOMPATIBLE_WAIT_MS).await;
                    continue;
                }
                End::OtherWay => {
                    failures = 0;
                    continue;
                }
                End::Closed { welcomed: true } => failures = 0,
                End::Closed { welcomed: false } => {
                    failures += 1;
                    ways.failed();
                }
            }
            let wait_ms = backoff_ms(failures, js_sys::Math::random());
            let now_ms = js_sys::Date::now();
            self.now_ms.set(now_ms);
            self.link.set(Link::Waiting { retry_at_ms: now_ms + f64::from(wait_ms) });
            TimeoutFuture::new(wait_ms).await;
        }
    }

    /// One connection, from its first message to its end.
    async fn follow(self, pace: &Pace, ways: &mut Ways) -> End {
        let mut welcomed = false;
        let way = ways.way();
        let known = self.live.with_value(|live| live.version().zip(live.as_of()));
        let Some(mut source) = Source::open(way, ways.is_binary(), known) else {
            return End::Closed { welcomed };
        };
        let socket_works = Rc::new(Cell::new(false));
        if way != Way::Socket {
            spawn_local(self.try_sockets(ways.is_binary(), Rc::downgrade(&socket_works)));
        }
        loop {
            let message = match next(&mut source).await {
                Some(Incoming::Message(message)) => message,
                Some(Incoming::OtherFormat) if ways.is_binary() => {
                    ways.is_of_another_build();
                    return End::OtherWay;
                }
                Some(Incoming::Unknown | Incoming::OtherFormat) => continue,
                None => return End::Closed { welcomed },
            };
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
            if welcomed && self.link.get_untracked() != Link::Open(way) {
                ways.opened();
                self.link.set(Link::Open(way));
            }
            if is_first {
                // Whatever the pace, the first figures don't wait; but reading them was one task, and showing is another.
                TimeoutFuture::new(0).await;
                self.draw(now_ms);
            }
            self.tell(pace, now_ms);
            match step {
                Step::Continue => {}
                Step::Incompatible => return End::Incompatible,
                Step::Resume { version } => {
                    if !source.resume(version).await {
                        return End::Closed { welcomed };
                    }
                }
            }
            if socket_works.get() {
                ways.socket_works();
                return End::OtherWay;
            }
        }
    }

    /// Tries from time to time whether a WebSocket works, for as long as somebody wants to know.
    async fn try_sockets(self, is_binary: bool, works: Weak<Cell<bool>>) {
        let mut wait_ms = None;
        loop {
            let next_ms = next_trial_ms(wait_ms);
            wait_ms = Some(next_ms);
            TimeoutFuture::new(next_ms).await;
            if works.strong_count() == 0 {
                return;
            }
            let known = self.live.with_value(|live| live.version().zip(live.as_of()));
            let Some(mut source) = Source::open(Way::Socket, is_binary, known) else { continue };
            if next(&mut source).await.is_some()
                && let Some(works) = works.upgrade()
            {
                works.set(true);
                return;
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

/// What comes next; `None` where the connection is closed, broken or silent.
async fn next(source: &mut Source) -> Option<Incoming> {
    let next = std::pin::pin!(source.next());
    match select(next, TimeoutFuture::new(SILENCE_MS)).await {
        Either::Left((incoming, _)) => incoming,
        Either::Right(_) => None,
    }
}

/// How a connection ended.
enum End {
    /// Closed, broken or silent; `welcomed` where it had worked.
    Closed { welcomed: bool },
    /// The server speaks another protocol.
    Incompatible,
    /// Another way, or another protocol, is known to work.
    OtherWay,
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

#[cfg(test)]
mod tests {
    use super::*;

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
