//! Whether the figures on the page are the newest there are, and the words for it.
//!
//! A frozen page that looks live is the worst that can happen here, so there is one verdict, made from the state of
//! the connection and of the board, and everything that shows the state shows this one.

use tallyboard_shared::{Timestamp, message::FeedState};

use crate::{
    board::Board,
    feed::{POLL_INTERVAL_S, Way},
    format, say,
    texts::tr,
};

/// How long the server may have newer results than the page before the page calls itself behind.
const BEHIND_GRACE_MS: f64 = 3_000.0;

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// A connection is being made, or hasn't said anything yet.
    Connecting,
    /// Messages come, by this way.
    Open(Way),
    /// The connection failed; the next attempt is made at this moment of our clock, in milliseconds.
    Waiting {
        /// When.
        retry_at_ms: f64,
    },
    /// The server speaks another protocol: only a reload helps.
    Incompatible,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Freshness {
    /// Nothing has been received yet.
    Connecting,
    /// Nothing has been received, and the server can't be reached.
    Unreachable {
        /// Seconds to the next attempt; `None` while one is under way.
        retry_in_s: Option<u64>,
    },
    /// The figures follow the votes.
    Live,
    /// Votes that are there already are still being counted.
    CatchingUp {
        /// How many.
        lag: Option<u64>,
    },
    /// The server says that it can't read the votes.
    Stale {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// The server has other results than the page.
    Behind {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// There is no connection.
    Lost {
        /// When the last message came.
        since: Option<Timestamp>,
        /// Seconds to the next attempt; `None` while one is under way.
        retry_in_s: Option<u64>,
    },
    /// The page is older than the server.
    Incompatible,
    /// The reader holds the page.
    Held {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// The reader looks at an earlier version.
    Replayed,
}

impl Link {
    /// How the figures come, where it isn't as they should: whoever reads "live" is to know how live.
    #[must_use]
    pub fn detour(self) -> Option<String> {
        match self {
            Self::Open(Way::Events) => Some(tr("as an event stream").to_owned()),
            Self::Open(Way::Polling) => Some(say!("asked every {seconds} s", seconds = POLL_INTERVAL_S)),
            Self::Open(Way::Socket) | Self::Connecting | Self::Waiting { .. } | Self::Incompatible => None,
        }
    }

    /// The way, in one word for tests.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Open(way) => Some(way.code()),
            Self::Connecting | Self::Waiting { .. } | Self::Incompatible => None,
        }
    }
}

impl Freshness {
    /// The verdict where the reader holds the page since a moment of our clock: that it stands still, unless it would
    /// have to all the same.
    #[must_use]
    pub fn when_held(self, since_ms: Option<f64>) -> Self {
        match since_ms {
            Some(since_ms) if self.is_current() => Self::Held { since: moment(since_ms) },
            _ => self,
        }
    }

    /// The verdict at `now_ms` of our clock.
    #[must_use]
    pub fn assess(link: Link, board: &Board, now_ms: f64) -> Self {
        let retry_in_s = match link {
            Link::Open(_) => return Self::assess_open(board, now_ms),
            Link::Incompatible => return Self::Incompatible,
            Link::Connecting => None,
            Link::Waiting { retry_at_ms } => Some(whole_seconds(retry_at_ms - now_ms)),
        };
        match (board.received_ms, link) {
            (Some(received_ms), _) => Self::Lost { since: moment(received_ms), retry_in_s },
            (None, Link::Connecting) => Self::Connecting,
            (None, _) => Self::Unreachable { retry_in_s },
        }
    }

    fn assess_open(board: &Board, now_ms: f64) -> Self {
        if board.feed_state() == Some(FeedState::Stale) {
            return Self::Stale { since: board.status.as_ref().and_then(|status| status.stale_since) };
        }
        if let Some(since_ms) = board.behind_since_ms
            && now_ms - since_ms > BEHIND_GRACE_MS
        {
            return Self::Behind { since: moment(since_ms) };
        }
        match board.feed_state() {
            Some(FeedState::CatchingUp) => {
                Self::CatchingUp { lag: board.status.as_ref().and_then(|status| status.lag) }
            }
            _ => Self::Live,
        }
    }

    /// Whether the figures are the newest that there are.
    #[must_use]
    pub fn is_current(self) -> bool {
        matches!(self, Self::Live | Self::CatchingUp { .. })
    }

    /// Whether the figures lose their color: not where the reader asked for the past, which is no fault.
    #[must_use]
    pub fn fades(self) -> bool {
        !self.is_current() && self != Self::Replayed
    }

    /// One word for style sheets and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Unreachable { .. } => "unreachable",
            Self::Live => "live",
            Self::CatchingUp { .. } => "catching-up",
            Self::Stale { .. } => "stale",
            Self::Behind { .. } => "behind",
            Self::Lost { .. } => "reconnecting",
            Self::Incompatible => "incompatible",
            Self::Held { .. } => "paused",
            Self::Replayed => "replay",
        }
    }

    /// A few words for the chip that is always in sight.
    #[must_use]
    pub fn label(self, offset_minutes: i32) -> String {
        let clock = |time| format::clock(time, offset_minutes);
        match self {
            Self::Connecting => tr("Connecting").to_owned(),
            Self::Unreachable { retry_in_s } => say!("Not connected · {retry}", retry = retrying(retry_in_s)),
            Self::Live => tr("Live").to_owned(),
            Self::CatchingUp { lag: Some(lag @ 1..) } => {
                say!("Catching up · {votes} to count", votes = format::counted(lag, "vote", "votes"))
            }
            Self::CatchingUp { .. } => tr("Catching up").to_owned(),
            Self::Stale { since } | Self::Behind { since } => since.map_or_else(
                || tr("Stale").to_owned(),
                |since| say!("Stale since {time}", time = clock(since)),
            ),
            Self::Lost { since, retry_in_s } => match since {
                Some(since) => {
                    say!("Stale since {time} · {retry}", time = clock(since), retry = retrying(retry_in_s))
                }
                None => say!("Stale · {retry}", retry = retrying(retry_in_s)),
            },
            Self::Incompatible => tr("Reload needed").to_owned(),
            Self::Held { since } => since.map_or_else(
                || tr("Paused").to_owned(),
                |since| say!("Paused since {time}", time = clock(since)),
            ),
            Self::Replayed => tr("Replay").to_owned(),
        }
    }

    /// What the reader must know before believing the figures; `None` where they are current.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Live | Self::CatchingUp { .. } | Self::Connecting | Self::Unreachable { .. } => None,
            Self::Stale { .. } => {
                Some(tr("These figures are not current: the server can't read the votes at the moment."))
            }
            Self::Behind { .. } => {
                Some(tr("These figures are not current: newer results haven't reached this page yet."))
            }
            Self::Lost { .. } => Some(tr(
                "These figures are not current: the connection to the server is lost. The page comes back by itself.",
            )),
            Self::Incompatible => {
                Some(tr("These figures are not current: the server was updated. Reload the page."))
            }
            Self::Held { .. } => {
                Some(tr("You have paused this page: its figures stand still until you resume."))
            }
            Self::Replayed => Some(tr("Replay: these are the figures of an earlier version, not of now.")),
        }
    }
}

fn retrying(in_s: Option<u64>) -> String {
    match in_s {
        None | Some(0) => tr("reconnecting now").to_owned(),
        Some(seconds) => say!("reconnecting in {seconds} s", seconds = seconds),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds to a retry: small, and not below 0"
)]
fn whole_seconds(milliseconds: f64) -> u64 {
    (milliseconds / 1_000.0).ceil().max(0.0) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "whole milliseconds of our clock, far below 2^53")]
fn moment(milliseconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples::{results, time, welcome};
    use tallyboard_shared::message::{ServerMessage, Status};

    fn board() -> Board {
        let mut board = Board::default();
        board.apply(welcome(Some(results(3, None, &[Some(2)]))), 1_000.0);
        board
    }

    fn status(board: &mut Board, state: FeedState, version: u64) {
        let status = Status {
            state,
            now: time(10),
            version: Some(version),
            lag: Some(17),
            stale_since: (state == FeedState::Stale).then(|| time(0)),
        };
        board.apply(ServerMessage::Status(status), 2_000.0);
    }

    #[track_caller]
    fn check(link: Link, board: &Board, now_ms: f64, label: &str, current: bool) {
        let freshness = Freshness::assess(link, board, now_ms);
        assert_eq!(freshness.label(0), label);
        assert_eq!(freshness.is_current(), current);
        assert!(!current || freshness.warning().is_none());
    }

    #[test]
    fn before_the_first_message() {
        let board = Board::default();
        check(Link::Connecting, &board, 0.0, "Connecting", false);
        let waiting = Link::Waiting { retry_at_ms: 2_500.0 };
        check(waiting, &board, 0.0, "Not connected · reconnecting in 3 s", false);
    }

    #[test]
    fn an_open_connection_is_what_the_server_says_it_is() {
        let mut board = board();
        check(Link::Open(Way::Socket), &board, 0.0, "Live", true);
        status(&mut board, FeedState::CatchingUp, 3);
        check(Link::Open(Way::Socket), &board, 0.0, "Catching up · 17 votes to count", true);
        status(&mut board, FeedState::Stale, 3);
        check(Link::Open(Way::Socket), &board, 0.0, "Stale since 20:15:00", false);
        status(&mut board, FeedState::Live, 3);
        check(Link::Open(Way::Socket), &board, 0.0, "Live", true);
    }

    #[test]
    fn a_page_that_is_fed_otherwise_says_so() {
        let detour = |way| Link::Open(way).detour();
        assert_eq!(detour(Way::Socket), None);
        assert_eq!(detour(Way::Events).as_deref(), Some("as an event stream"));
        assert_eq!(detour(Way::Polling).as_deref(), Some("asked every 2 s"));
        assert_eq!(Link::Connecting.detour(), None);
    }

    #[test]
    fn results_that_do_not_arrive_are_not_called_live() {
        let mut board = board();
        status(&mut board, FeedState::Live, 4);
        check(Link::Open(Way::Socket), &board, 4_900.0, "Live", true);
        check(Link::Open(Way::Socket), &board, 5_100.0, "Stale since 00:00:02", false);
    }

    #[test]
    fn a_page_that_is_held_never_looks_live() {
        let mut board = board();
        let held = |board: &Board| {
            Freshness::assess(Link::Open(Way::Socket), board, 3_000.0).when_held(Some(2_000.0))
        };
        assert_eq!(held(&board).label(0), "Paused since 00:00:02");
        assert!(!held(&board).is_current() && held(&board).warning().is_some());
        status(&mut board, FeedState::Stale, 3);
        assert_eq!(held(&board).code(), "stale", "what is worse is said first");
        let live = Freshness::Live.when_held(None);
        assert_eq!(live, Freshness::Live);
        assert!(!Freshness::Replayed.is_current() && Freshness::Replayed.warning().is_some());
        assert!(!Freshness::Replayed.fades() && held(&board).fades());
    }

    #[test]
    fn a_lost_connection_counts_down() {
        let board = board();
        let waiting = Link::Waiting { retry_at_ms: 9_000.0 };
        check(waiting, &board, 5_000.0, "Stale since 00:00:01 · reconnecting in 4 s", false);
        check(Link::Connecting, &board, 9_000.0, "Stale since 00:00:01 · reconnecting now", false);
        check(Link::Incompatible, &board, 0.0, "Reload needed", false);
        assert!(Freshness::assess(waiting, &board, 0.0).warning().is_some());
    }
}
