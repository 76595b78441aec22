//! Reading partitions, and waiting at their ends.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use super::{Shared, Topic, key, offset_of, wait_for_commit, writer::Stored};
use crate::journal::{Batch, JournalError, Position, ReadRecord, Reader, SIMULATION_HEADER};

pub(super) struct EmbeddedReader {
    shared: Arc<Shared>,
    topic: Arc<Topic>,
    /// The next offset to read, by partition.
    next: BTreeMap<u32, u64>,
    /// Where the last batch ended, so that no partition starves behind a busy one.
    turn: u32,
}

impl EmbeddedReader {
    pub(super) fn new(shared: Arc<Shared>, topic: Arc<Topic>, next: BTreeMap<u32, u64>) -> Self {
        Self { shared, topic, next, turn: 0 }
    }

    fn fill(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        let (before, after): (Vec<u32>, Vec<u32>) =
            self.next.keys().partition(|partition| **partition < self.turn);
        for partition in after.into_iter().chain(before) {
            self.turn = partition + 1;
            self.fill_from(partition, batch)?;
            if batch.is_full() {
                break;
            }
        }
        Ok(())
    }

    fn fill_from(&mut self, partition: u32, batch: &mut Batch) -> Result<(), JournalError> {
        let next = self.next.get_mut(&partition).expect("only partitions that are read are asked for");
        let end = self.topic.end(partition);
        if *next >= end {
            batch.mark_end(partition, *next);
            return Ok(());
        }
        for guard in self.topic.log.range(key(partition, *next)..key(partition, end)) {
            let (place, bytes) = guard.into_inner().map_err(|error| self.shared.failed(&error))?;
            let offset = offset_of(&place);
            let stored: Stored<'_> = postcard::from_bytes(&bytes).map_err(|error| JournalError::Storage {
                path: self.shared.path.display().to_string(),
                why: format!("record {}/{partition}/{offset}: {error}", self.topic.name),
            })?;
            batch.push(&ReadRecord {
                position: Position { partition, offset },
                timestamp_ms: Some(stored.timestamp_ms),
                simulated: stored.headers.iter().any(|(name, _)| *name == SIMULATION_HEADER),
                key: stored.key.unwrap_or_default(),
                value: stored.value,
            });
            *next = offset + 1;
            if batch.is_full() {
                return Ok(());
            }
        }
        // What compaction removed at the end isn't waited for.
        *next = end;
        batch.mark_end(partition, end);
        Ok(())
    }
}

impl Reader for EmbeddedReader {
    fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), JournalError> {
        batch.clear();
        let deadline = Instant::now() + wait;
        loop {
            let seen = *self.shared.commits.lock().unwrap_or_else(PoisonError::into_inner);
            self.fill(batch)?;
            if !batch.is_empty() || Instant::now() >= deadline {
                return Ok(());
            }
            wait_for_commit(&self.shared, seen, deadline);
        }
    }
}
