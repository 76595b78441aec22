//! What waits to be appended: between the workers, which count, and the teller, which appends.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::{checkpoint::Step, journal::NewRecord};

/// So many bytes of rejected records and of fingerprints for checkpoints wait; beyond it the workers rest until the
/// teller has appended some.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Rejected records in their order, and the newest tally of each partition.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// What the teller appends as one: the records that a tally or a checkpoint counts as rejected come before it.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) rejected: Vec<NewRecord>,
    rejected_bytes: usize,
    pub(super) tallies: BTreeMap<u32, Vec<u8>>,
    /// Steps of checkpoints, in their order.
    pub(super) steps: Vec<Step>,
    steps_bytes: usize,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.rejected.is_empty() && self.tallies.is_empty() && self.steps.is_empty()
    }

    /// Takes note that the rejected records are durable, and gives out the steps that waited for that.
    pub(super) fn rejected_are_durable(&mut self) -> Vec<Step> {
        self.rejected = Vec::new();
        self.rejected_bytes = 0;
        self.steps_bytes = 0;
        std::mem::take(&mut self.steps)
    }
}

impl Outbox {
    /// Whether the workers should rest.
    pub(super) fn is_full(&self) -> bool {
        let waiting = self.lock();
        waiting.rejected_bytes + waiting.steps_bytes >= WAITING_BYTES_MAX
    }

    pub(super) fn reject(&self, records: Vec<NewRecord>) {
        if records.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        waiting.rejected_bytes += records.iter().map(bytes_of).sum::<usize>();
        waiting.rejected.extend(records);
        self.changed.notify_one();
    }

    pub(super) fn tell(&self, partition: u32, tally: Vec<u8>) {
        self.lock().tallies.insert(partition, tally);
        self.changed.notify_one();
    }

    pub(super) fn checkpoint(&self, step: Step) {
        let mut waiting = self.lock();
        waiting.steps_bytes += step.voters.len();
        waiting.steps.push(step);
        self.changed.notify_one();
    }

    pub(super) fn take_all(&self, wait: Duration) -> Waiting {
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(self.lock(), wait, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }

    /// What couldn't be appended waits on: before the rejected records that came since, and unless there is a newer
    /// tally of the partition by now.
    pub(super) fn put_back(&self, mut earlier: Waiting) {
        let mut waiting = self.lock();
        earlier.rejected.append(&mut waiting.rejected);
        earlier.rejected_bytes += waiting.rejected_bytes;
        earlier.tallies.append(&mut waiting.tallies);
        earlier.steps.append(&mut waiting.steps);
        earlier.steps_bytes += waiting.steps_bytes;
        *waiting = earlier;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of(record: &NewRecord) -> usize {
    record.key.as_ref().map_or(0, Vec::len) + record.value.len()
}
