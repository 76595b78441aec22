//! By which way the results come: a WebSocket where that works, else server-sent events, else by asking again and again.
//!
//! Pure state: told how connections ended, it says what to try next.

/// A way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// `/ws`.
    #[default]
    Socket,
    /// `/api/v1/stream`.
    Events,
    /// `/api/v1/results`, again and again.
    Polling,
}

impl Way {
    /// One word for tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Events => "events",
            Self::Polling => "polling",
        }
    }
}

/// After the first wait a WebSocket is tried again beside another way; the wait doubles up to the last.
const FIRST_TRIAL_MS: u32 = 15_000;
const LAST_TRIAL_MS: u32 = 300_000;

/// The way that is gone, and what is known of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    way: Way,
    /// Connections of this way, one after the other, that never said anything.
    failures: u32,
    /// Whether a WebSocket has worked since the page was loaded.
    is_proven: bool,
    /// Whether a WebSocket is to be opened without naming a protocol, and JSON spoken on it.
    is_plain: bool,
}

impl Ways {
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// Whether the next WebSocket asks for the binary protocol.
    ///
    /// Not every proxy passes the server's choice of protocol back (Trunk's doesn't), and browsers then refuse the
    /// connection. Whoever names none is spoken to in JSON.
    pub(super) fn is_binary(&self) -> bool {
        !self.is_plain
    }

    /// The server spoke.
    pub(super) fn opened(&mut self) {
        self.failures = 0;
        self.is_proven |= self.way == Way::Socket;
    }

    /// The server speaks another binary format than this page.
    pub(super) fn is_of_another_build(&mut self) {
        self.is_plain = true;
    }

    /// A connection ended that never said anything.
    pub(super) fn failed(&mut self) {
        self.failures += 1;
        if self.failures >= self.patience() {
            self.failures = 0;
            self.way = match self.way {
                Way::Socket => Way::Events,
                Way::Events => Way::Polling,
                Way::Polling => Way::Socket,
            };
        } else if self.way == Way::Socket && !self.is_proven {
            self.is_plain = !self.is_plain;
        }
    }

    /// A trial showed that a WebSocket works.
    pub(super) fn socket_works(&mut self) {
        *self = Self { is_proven: true, is_plain: self.is_plain, ..Self::default() };
    }

    /// How many failures in a row mean that the way is blocked. Where a WebSocket has worked, it is rather the server
    /// that is away; before, each of its two forms is tried once.
    fn patience(&self) -> u32 {
        match self.way {
            Way::Socket if self.is_proven => 5,
            Way::Socket => 2,
            Way::Events | Way::Polling => 1,
        }
    }
}

/// The wait before the next trial, after one of so long.
pub(super) fn next_trial_ms(before_ms: Option<u32>) -> u32 {
    before_ms.map_or(FIRST_TRIAL_MS, |before_ms| before_ms.saturating_mul(2).min(LAST_TRIAL_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ways that are tried where none ever works, with the protocol of WebSockets.
    fn tried(ways: &mut Ways, count: usize) -> Vec<(Way, bool)> {
        let mut tried = Vec::new();
        for _ in 0..count {
            tried.push((ways.way(), ways.is_binary()));
            ways.failed();
        }
        tried
    }

    #[test]
    fn a_blocked_way_leads_to_the_next_and_back_to_the_first() {
        use Way::{Events, Polling, Socket};
        let tried: Vec<_> = tried(&mut Ways::default(), 5).into_iter().map(|(way, _)| way).collect();
        assert_eq!(tried, [Socket, Socket, Events, Polling, Socket]);
    }

    #[test]
    fn a_socket_is_tried_in_both_protocols() {
        let mut ways = Ways::default();
        assert_eq!(tried(&mut ways, 2), [(Way::Socket, true), (Way::Socket, false)]);
        let mut ways = Ways::default();
        ways.is_of_another_build();
        ways.opened();
        assert_eq!((ways.way(), ways.is_binary()), (Way::Socket, false));
    }

    #[test]
    fn a_server_that_was_there_is_waited_for() {
        let mut ways = Ways::default();
        ways.opened();
        assert!(tried(&mut ways, 5).iter().all(|tried| *tried == (Way::Socket, true)));
        assert_eq!(ways.way(), Way::Events);
        ways.opened();
        ways.failed();
        assert_eq!(ways.way(), Way::Polling, "events that worked before may be blocked now");
        ways.socket_works();
        assert_eq!((ways.way(), ways.is_binary()), (Way::Socket, true));
    }

    #[test]
    fn trials_become_rarer() {
        let waits = std::iter::successors(Some(next_trial_ms(None)), |wait| Some(next_trial_ms(Some(*wait))));
        let waits: Vec<_> = waits.take(7).map(|wait| wait / 1_000).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 300, 300]);
    }
}
