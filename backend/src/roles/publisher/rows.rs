//! The rows of the two aggregate topics: appended behind each version, without a transaction around them.
//!
//! Dashboards of the existing pipelines read them with clients that take the end of a transaction for a row. Without a
//! transaction nobody is fenced from them: a publisher that was replaced without knowing may still append rows of its last
//! version behind newer ones of its successor. So whoever publishes knows where its rows end, and looks now and then
//! whether that is where the topic ends.

use std::collections::BTreeMap;

use crate::journal::{ExclusiveAppender, Journal, JournalError, NewRecord, Position};

/// How often to look: rows that are wrong stay so for no longer.
const LOOK_INTERVAL_MS: i64 = 10_000;

/// Where our rows end.
#[derive(Default)]
pub(super) struct Rows {
    /// The offset behind them by topic, where nobody else's lie between or behind them.
    ends: BTreeMap<String, u64>,
    due_ms: i64,
}

impl Rows {
    /// Appends rows. Returns whether nobody else's came between them and those before; where somebody's did, all rows have
    /// to be appended once more.
    ///
    /// # Errors
    /// [`JournalError`] where any of the rows may not be durable; some of them can be.
    pub(super) fn append(
        &mut self,
        appender: &mut dyn ExclusiveAppender,
        rows: Vec<(String, NewRecord)>,
    ) -> Result<bool, JournalError> {
        let topics: Vec<_> = rows.iter().map(|(topic, _)| topic.clone()).collect();
        let places = appender.append_plain(rows)?;
        let mut alone = true;
        for (topic, place) in topics.into_iter().zip(places) {
            alone &= self.follows(topic, place);
        }
        if !alone {
            self.give_up();
        }
        Ok(alone)
    }

    /// Takes note of the next row of a topic, and whether it lies where it should.
    fn follows(&mut self, topic: String, place: Position) -> bool {
        let end = self.ends.insert(topic, place.offset + 1);
        end.is_none_or(|end| end == place.offset)
    }

    /// Whether somebody else has appended rows since; asks the journal, unless it did so a moment ago.
    ///
    /// # Errors
    /// [`JournalError`] where the journal can't be asked for good; one that doesn't answer is asked again.
    pub(super) fn are_disturbed(
        &mut self,
        journal: &dyn Journal,
        elapsed_ms: i64,
    ) -> Result<bool, JournalError> {
        if elapsed_ms < self.due_ms {
            return Ok(false);
        }
        self.due_ms = elapsed_ms.saturating_add(LOOK_INTERVAL_MS);
        for (topic, ours) in &self.ends {
            match journal.bounds(topic) {
                Ok(bounds) if bounds.get(&0).is_none_or(|bounds| bounds.end == *ours) => {}
                Ok(_) => {
                    tracing::warn!(topic, "somebody else wrote rows; all are written once more");
                    self.give_up();
                    return Ok(true);
                }
                Err(error) if error.is_transient() => {
                    tracing::debug!(%error, topic, "the topic can't be asked how long it is");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The rows before don't matter any more: all will be written.
    fn give_up(&mut self) {
        self.ends.clear();
    }
}
