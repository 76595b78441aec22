//! Writes checkpoints, beside the count and never in its way.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    checkpoint::{Checkpoints, Step},
    journal::JournalError,
    roles::{Clock, Pace, RETRY_REST, Shell},
};

/// So many bytes of fingerprints wait for the disk, of more than a million voters. Beyond it checkpoints are given up
/// rather than votes: a restart then counts from an older one.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long to wait for something to write in one step.
const WAIT: Duration = Duration::from_millis(100);

/// The steps that wait to be stored, in their order.
#[derive(Default)]
pub(super) struct StepQueue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    steps: VecDeque<Step>,
    bytes: usize,
    /// Partitions and openings of which a step was dropped: without it those that follow are of no use.
    given_up: BTreeSet<(u32, u64)>,
}

impl StepQueue {
    /// Takes steps whose rejected records are durable.
    pub(super) fn push(&self, steps: Vec<Step>) {
        let mut waiting = self.lock();
        for step in steps {
            waiting.push(step);
        }
        self.changed.notify_one();
    }

    fn next(&self, wait: Duration) -> Option<Step> {
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(self.lock(), wait, |waiting| waiting.steps.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let step = waiting.steps.pop_front()?;
        waiting.bytes -= step.voters.len();
        Some(step)
    }

    fn put_back(&self, step: Step) {
        let mut waiting = self.lock();
        // What came meanwhile may have dropped its partition.
        if !waiting.given_up.contains(&(step.partition, step.generation)) {
            waiting.bytes += step.voters.len();
            waiting.steps.push_front(step);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, step: Step) {
        let opening = (step.partition, step.generation);
        if self.given_up.contains(&opening) {
            return;
        }
        if self.bytes + step.voters.len() <= WAITING_BYTES_MAX {
            self.bytes += step.voters.len();
            self.steps.push_back(step);
            return;
        }
        tracing::error!(
            partition = step.partition,
            "the disk takes no checkpoints: this partition gets none until the next restart, which will count from an \
             older one; nothing is lost"
        );
        self.given_up.insert(opening);
        self.steps.retain(|waiting| (waiting.partition, waiting.generation) != opening);
        self.bytes = self.steps.iter().map(|step| step.voters.len()).sum();
    }
}

/// Stores steps, and tries again where the disk doesn't take them.
pub(super) struct Checkpointer {
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: Arc<StepQueue>,
    /// Whether the disk refused the step before: said once.
    pub(super) refused: bool,
}

impl Shell for Checkpointer {
    fn step(&mut self) -> Result<Pace, JournalError> {
        let Some(step) = self.queue.next(self.clock.patience(WAIT)) else {
            return Ok(Pace::Go);
        };
        match self.checkpoints.store(&step) {
            Ok(()) => {
                self.refused = false;
                Ok(Pace::Go)
            }
            Err(error) => {
                if !self.refused {
                    tracing::warn!(partition = step.partition, %error, "a checkpoint can't be written; the count goes on");
                }
                self.refused = true;
                self.queue.put_back(step);
                Ok(Pace::Rest(RETRY_REST))
            }
        }
    }

    fn finish(&mut self) {
        while let Some(step) = self.queue.next(Duration::ZERO) {
            if let Err(error) = self.checkpoints.store(&step) {
                tracing::warn!(partition = step.partition, %error, "the last checkpoint can't be written");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(partition: u32, bytes: usize) -> Step {
        Step { partition, generation: 1, voters: vec![0; bytes], tally: None }
    }

    #[test]
    fn steps_keep_their_order_and_one_that_failed_comes_first_again() {
        let queue = StepQueue::default();
        queue.push(vec![step(0, 12), step(1, 24)]);
        let first = queue.next(Duration::ZERO).unwrap();
        queue.push(vec![step(2, 0)]);
        queue.put_back(first);
        let order: Vec<_> =
            std::iter::from_fn(|| queue.next(Duration::ZERO)).map(|step| step.partition).collect();
        assert_eq!((order, queue.lock().bytes), (vec![0, 1, 2], 0));
    }

    #[test]
    fn a_disk_that_takes_nothing_costs_the_checkpoints_of_a_partition_and_no_more_memory() {
        let queue = StepQueue::default();
        queue.push(vec![step(0, WAITING_BYTES_MAX - 12), step(1, 12), step(0, 12), step(0, 12), step(1, 12)]);
        let left: Vec<_> =
            std::iter::from_fn(|| queue.next(Duration::ZERO)).map(|step| step.partition).collect();
        assert_eq!(left, [1, 1]);
    }
}
