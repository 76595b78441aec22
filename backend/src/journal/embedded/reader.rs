//! Reading partitions, and waiting at their ends.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use super::{Shared, Topic, block, key, offset_of, wait_for_commit};
use crate::journal::{Batch, JournalError, Position, Reader};

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
        // The first block from there on has the record of that offset, and others before it perhaps.
        for guard in self.topic.log.range(key(partition, *next)..key(partition, end)) {
            let (place, bytes) = guard.into_inner().map_err(|error| self.shared.failed(&error))?;
            let last = Position { partition, offset: offset_of(&place) };
            let start = *next;
            block::read(&bytes, last, start, |record| {
                batch.push(record);
                *next = record.position.offset + 1;
                if batch.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .map_err(|why| self.shared.damaged(&self.topic.name, last, &why))?;
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
