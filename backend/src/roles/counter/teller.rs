//! Appends what the workers have to tell.

use std::{sync::Arc, time::Duration};

use super::{
    CounterSettings,
    checkpointer::StepQueue,
    outbox::{Outbox, Waiting},
};
use crate::{
    journal::{Journal, JournalError, NewRecord},
    roles::{Clock, Pace, RETRY_REST, Shell},
};

/// How long to wait for something to tell in one step.
const WAIT: Duration = Duration::from_millis(100);

/// Appends rejected records and tallies, again and again until the journal takes them.
///
/// The rejected records come first: a tally on its topic, and a checkpoint, say that every record that they count as
/// rejected lies on theirs.
pub(super) struct Teller {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) settings: Arc<CounterSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) checkpoints: Arc<StepQueue>,
}

impl Shell for Teller {
    fn step(&mut self) -> Result<Pace, JournalError> {
        let mut waiting = self.outbox.take_all(self.clock.patience(WAIT));
        match self.tell(&mut waiting) {
            Ok(()) => Ok(Pace::Go),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "rejected votes and tallies can't be appended");
                self.outbox.put_back(waiting);
                Ok(Pace::Rest(RETRY_REST))
            }
            Err(error) => Err(error),
        }
    }

    fn finish(&mut self) {
        let mut waiting = self.outbox.take_all(Duration::ZERO);
        if let Err(error) = self.tell(&mut waiting) {
            tracing::warn!(%error, "the last tallies can't be appended; the next start tells them");
        }
    }
}

impl Teller {
    fn tell(&self, waiting: &mut Waiting) -> Result<(), JournalError> {
        let topics = &self.settings.topics;
        if !waiting.rejected.is_empty() {
            self.journal.append(&topics.rejected, waiting.rejected.clone())?;
        }
        self.checkpoints.push(waiting.rejected_are_durable());
        if waiting.tallies.is_empty() {
            return Ok(());
        }
        let tallies = waiting.tallies.iter();
        let records =
            tallies.map(|(partition, tally)| NewRecord::new(partition.to_string(), tally.as_slice()));
        self.journal.append(&topics.tallies, records.collect()).map(drop)
    }
}
