//! What the page knows: the election, the newest results, how the count moved and how it is doing.
//!
//! Pure state: messages go in by [`Board::apply`], which says what the connection should do next. Knows no socket,
//! no clock and no page; versions on the board never go back while the count is the same.

use std::sync::Arc;

use tallyboard_shared::{
    Timestamp,
    election::Election,
    ids::ContestId,
    message::{FeedState, Goodbye, HistoryPoint, PROTOCOL_VERSION, ServerMessage, Status, Welcome},
    results::{ContestResult, Results},
    update::Update,
};

use crate::{
    history::{History, Series},
    quality::QualityPoint,
};

/// Everything that has been received, folded up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// What is being counted; `None` before the first welcome.
    pub election: Option<Arc<Election>>,
    /// The newest results; `None` before the first publication. Shared with whoever shows them.
    pub results: Option<Arc<Results>>,
    /// How the count moved.
    pub history: History,
    /// How sound the count was, as far as this page has followed it.
    pub quality: Series<QualityPoint>,
    /// What the server said last about the count; forgotten with every new welcome.
    pub status: Option<Status>,
    /// Why the server closed the last connection, where it said so.
    pub goodbye: Option<Goodbye>,
    /// The server's clock minus ours, in milliseconds.
    pub clock_offset_ms: f64,
    /// When the last message came, by our clock, in milliseconds since 1970.
    pub received_ms: Option<f64>,
    /// Since when the server has had other results than these, by our clock.
    pub behind_since_ms: Option<f64>,
    /// When the full results were asked for, while they haven't come.
    asked_ms: Option<f64>,
}

/// How long an answer to a request for the full results is waited for before asking again: updates that come in the
/// meantime would each ask for one more.
const ANSWER_TIMEOUT_MS: f64 = 2_000.0;

/// What the connection should do after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on reading.
    Continue,
    /// Ask for the full results: something in between is missing.
    Resume {
        /// The version on the board.
        version: u64,
    },
    /// Give up this connection: the server speaks another protocol than this page.
    Incompatible,
}

impl Board {
    /// Takes a message that came at `now_ms` by our clock.
    pub fn apply(&mut self, message: ServerMessage, now_ms: f64) -> Step {
        self.received_ms = Some(now_ms);
        match message {
            ServerMessage::Welcome(welcome) => self.welcome(*welcome, now_ms),
            ServerMessage::Update(update) => self.update(&update, now_ms),
            ServerMessage::Status(status) => self.status(status, now_ms),
            ServerMessage::Goodbye(goodbye) => {
                self.goodbye = Some(goodbye);
                Step::Continue
            }
        }
    }

    fn welcome(&mut self, welcome: Welcome, now_ms: f64) -> Step {
        if welcome.protocol != PROTOCOL_VERSION {
            return Step::Incompatible;
        }
        self.goodbye = None;
        self.status = None;
        self.asked_ms = None;
        let same_count = self.election.as_ref().is_some_and(|election| {
            election.id == welcome.election.id && election.definition_hash == welcome.election.definition_hash
        });
        if !same_count {
            self.results = None;
            self.forget_what_was();
        }
        self.election = Some(Arc::new(welcome.election));
        match (&self.results, welcome.results) {
            // A server that is only catching up after a restart: what was shown once isn't taken back.
            (Some(_), None) => {
                self.behind_since_ms.get_or_insert(now_ms);
            }
            (Some(shown), Some(sent)) if sent.version < shown.version && sent.as_of <= shown.as_of => {
                self.behind_since_ms.get_or_insert(now_ms);
            }
            // A lower version made later is a new count under the old name: its history is another one too.
            (Some(shown), Some(sent)) if sent.version < shown.version => {
                self.forget_what_was();
                self.take(sent, welcome.history);
            }
            (_, Some(sent)) => self.take(sent, welcome.history),
            (None, None) => self.history.merge(welcome.history),
        }
        Step::Continue
    }

    fn forget_what_was(&mut self) {
        self.history = History::default();
        self.quality = Series::default();
    }

    fn take(&mut self, results: Results, followed: Vec<HistoryPoint>) {
        self.history.merge(followed);
        self.history.push(HistoryPoint::of(&results));
        self.quality.push(QualityPoint::of(&results));
        self.results = Some(Arc::new(results));
        self.behind_since_ms = None;
    }

    fn resume(&mut self, version: u64, now_ms: f64) -> Step {
        if self.asked_ms.is_some_and(|asked_ms| now_ms - asked_ms < ANSWER_TIMEOUT_MS) {
            return Step::Continue;
        }
        self.asked_ms = Some(now_ms);
        Step::Resume { version }
    }

    fn update(&mut self, update: &Update, now_ms: f64) -> Step {
        let Some(results) = &mut self.results else {
            // The first publication after a welcome without results: only a new welcome carries the whole.
            return self.resume(0, now_ms);
        };
        if update.version <= results.version {
            return Step::Continue;
        }
        let results = Arc::make_mut(results);
        match results.apply(update) {
            Ok(()) => {
                self.history.push(HistoryPoint::of(results));
                self.quality.push(QualityPoint::of(results));
                self.behind_since_ms = None;
                Step::Continue
            }
            Err(gap) => {
                self.behind_since_ms.get_or_insert(now_ms);
                self.resume(gap.have, now_ms)
            }
        }
    }

    fn status(&mut self, status: Status, now_ms: f64) -> Step {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53")]
        let server_ms = status.now.as_millisecond() as f64;
        self.clock_offset_ms = server_ms - now_ms;
        let shown = self.version();
        let differs = status.version != shown;
        self.status = Some(status);
        if !differs {
            self.behind_since_ms = None;
            return Step::Continue;
        }
        // Once may be an update on its way; twice in a row means that none is coming.
        if self.behind_since_ms.is_none() {
            self.behind_since_ms = Some(now_ms);
            return Step::Continue;
        }
        self.resume(shown.unwrap_or(0), now_ms)
    }

    /// The version on the board.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.results.as_ref().map(|results| results.version)
    }

    /// When the version on the board was made.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.results.as_ref().map(|results| results.as_of)
    }

    /// The contest that is asked for; where none is, the first.
    #[must_use]
    pub fn contest(&self, chosen: Option<&ContestId>) -> Option<&ContestResult> {
        contest(self.results.as_ref()?, chosen)
    }

    /// The state that the server gave the count, where it gave one since the last welcome.
    #[must_use]
    pub fn feed_state(&self) -> Option<FeedState> {
        self.status.as_ref().map(|status| status.state)
    }
}

/// The contest that is asked for; where none is, the first. Never another one in its place.
#[must_use]
pub fn contest<'a>(results: &'a Results, asked: Option<&ContestId>) -> Option<&'a ContestResult> {
    match asked {
        Some(asked) => results.contests.iter().find(|contest| contest.id == *asked),
        None => results.contests.first(),
    }
}

/// Whether neither the definition nor a vote names the contest that is asked for.
#[must_use]
pub fn is_unknown(results: Option<&Results>, asked: Option<&ContestId>) -> bool {
    asked.is_some() && results.is_some_and(|results| contest(results, asked).is_none())
}

#[cfg(test)]
#[path = "board/samples.rs"]
pub(crate) mod samples;

#[cfg(test)]
#[path = "board/tests.rs"]
mod tests;
