//! The counter: folds partitions of the votes topic and tells their tallies.
//!
//! A tally is named by its partition and next offset, and the highest offset is right, whoever wrote it. So a
//! counter needs no permission, no transaction and no memory of what it told: after a restart it folds again from
//! the first offset and tells the same tallies.

mod checkpointer;
mod outbox;
mod rejected;
mod share;
mod teller;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tallyboard_shared::election::Election;

use self::{
    checkpointer::{Checkpointer, StepQueue},
    outbox::Outbox,
    share::{Assigned, Progress, Sharer},
    teller::Teller,
    worker::Worker,
};
use crate::{
    checkpoint::{Checkpoints, LastRecord, Restored, Step},
    journal::{Batch, Journal, ReadRecord, Run, Topics},
    roles::{Clock, Shell},
    tally::{FingerprintKey, Fold, Outcome, Record, refuses_simulated},
};

pub use rejected::{REJECTED_VALUE_BYTES_MAX, rejected_record};

/// A tally of so many bytes is told once per interval; a larger one proportionally less often, so that a national
/// election by county doesn't fill the network with itself: at the default interval 160 KB/s a partition.
const BYTES_PER_INTERVAL: usize = 4 * 1024;

/// A tally that doesn't change, of a partition that is counted to its end, is told again after so long. Should a
/// zombie's older one lie on the topic behind it, a new publisher gets the right one all the same.
const REMINDER_MS: i64 = 10_000;

/// What a counter needs to know.
pub struct CounterSettings {
    /// The rules.
    pub election: Arc<Election>,
    /// The names of the topics.
    pub topics: Topics,
    /// The group whose members share the partitions.
    pub group: String,
    /// A tally is told at most so often.
    pub publish_interval: Duration,
    /// What voters are told apart by; that of the checkpoints, where there are any.
    pub key: FingerprintKey,
    /// Where checkpoints lie; [`None`]: every start counts from the first offset.
    pub checkpoints: Option<Arc<Checkpoints>>,
    /// How often a checkpoint is written, at most.
    pub checkpoint_interval: Duration,
    /// How many threads count.
    pub workers: usize,
}

/// The parts that together count the partitions that the group gives us; each wants a thread of its own.
///
/// A broker that can't be reached is waited for. Partitions that the group takes away, after a silence too, are
/// counted from their checkpoint when they come back: the tallies that were told stay right meanwhile. They end with
/// [`JournalError::Gone`](crate::journal::JournalError::Gone) where the log no longer has the records that the count
/// would start from: an undercount is never silent.
#[must_use]
pub fn shells(
    journal: &Arc<dyn Journal>,
    settings: CounterSettings,
    clock: &Arc<dyn Clock>,
) -> Vec<(&'static str, Box<dyn Shell>)> {
    let (outbox, progress, settings) = (Arc::<Outbox>::default(), Progress::default(), Arc::new(settings));
    let mut assigned = Vec::new();
    let mut shells: Vec<(_, Box<dyn Shell>)> = Vec::new();
    for _ in 0..settings.workers.max(1) {
        let share = Assigned::default();
        assigned.push(Arc::clone(&share));
        let worker = Worker {
            journal: Arc::clone(journal),
            settings: Arc::clone(&settings),
            clock: Arc::clone(clock),
            outbox: Arc::clone(&outbox),
            assigned: share,
            progress: Arc::clone(&progress),
            share: BTreeSet::new(),
            counters: BTreeMap::new(),
            reader: None,
            batch: Batch::asking_for_origin(refuses_simulated(&settings.election)),
        };
        shells.push(("counting", Box::new(worker)));
    }
    let queue = Arc::<StepQueue>::default();
    let teller = Teller {
        journal: Arc::clone(journal),
        settings: Arc::clone(&settings),
        clock: Arc::clone(clock),
        outbox,
        checkpoints: Arc::clone(&queue),
    };
    shells.push(("telling", Box::new(teller)));
    if let Some(checkpoints) = settings.checkpoints.clone() {
        shells.push((
            "checkpoints",
            Box::new(Checkpointer { checkpoints, clock: Arc::clone(clock), queue, refused: false }),
        ));
    }
    let sharer = Sharer {
        journal: Arc::clone(journal),
        settings,
        clock: Arc::clone(clock),
        workers: assigned,
        progress,
        membership: None,
        report_due_ms: 0,
    };
    shells.push(("sharing", Box::new(sharer)));
    shells
}

/// The counter of one partition.
pub struct Counter {
    partition: u32,
    fold: Fold,
    interval_ms: i64,
    told: Option<Told>,
    /// Below this offset rejected records were appended by whoever told a tally.
    rejections_told: u64,
    at_end: bool,
    checkpoint: CheckpointState,
}

struct Told {
    next_offset: u64,
    at_ms: i64,
    /// Not before then is a change told.
    due_ms: i64,
}

impl<'a> From<ReadRecord<'a>> for Record<'a> {
    fn from(record: ReadRecord<'a>) -> Self {
        Self {
            offset: record.position.offset,
            timestamp_ms: record.timestamp_ms,
            simulated: record.simulated,
            value: record.value,
        }
    }
}

/// How far the checkpoint has come.
struct CheckpointState {
    /// Of the opening that this counter belongs to; [`None`] where there are no checkpoints.
    generation: Option<u64>,
    interval_ms: i64,
    /// Not before then is a tally due; [`None`] before the first look at the stopwatch.
    due_ms: Option<i64>,
    /// What the newest tally covers.
    next_offset: u64,
    /// The newest record counted.
    last: Option<LastRecord>,
    /// The record that the log must have for the checkpoint to be of this log.
    awaited: Option<LastRecord>,
    /// Whether the log has another one.
    refuted: bool,
}

/// Fingerprints of so many bytes, of 5,000 voters, are handed over before the next tally is due.
const FINGERPRINTS_WAITING_MAX: usize = 60_000;

impl Counter {
    /// A counter of a partition, to be fed from its first offset. Rejected records below `rejections_told` lie on
    /// their topic already. Its checkpoint is written in the opening `generation`, where there is one.
    #[must_use]
    pub fn new(
        settings: &CounterSettings,
        partition: u32,
        rejections_told: u64,
        generation: Option<u64>,
    ) -> Self {
        let fold = Fold::new(&settings.election, partition, settings.key);
        Self::with(settings, fold, partition, rejections_told, generation)
    }

    /// A counter that goes on from a checkpoint, once the log has confirmed it: to be fed from
    /// [`Counter::start_offset`].
    #[must_use]
    pub fn resume(
        settings: &CounterSettings,
        partition: u32,
        restored: Restored,
        rejections_told: u64,
        generation: u64,
    ) -> Self {
        let mut counter = Self::with(settings, restored.fold, partition, rejections_told, Some(generation));
        counter.checkpoint.next_offset = counter.fold.next_offset();
        counter.checkpoint.last = restored.last;
        counter.checkpoint.awaited = restored.last;
        counter
    }

    fn with(
        settings: &CounterSettings,
        mut fold: Fold,
        partition: u32,
        rejections_told: u64,
        generation: Option<u64>,
    ) -> Self {
        if generation.is_some() {
            fold.keep_fingerprints();
        }
        let millis = |interval: Duration| i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        Self {
            partition,
            fold,
            interval_ms: millis(settings.publish_interval),
            told: None,
            rejections_told,
            at_end: false,
            checkpoint: CheckpointState {
                generation,
                interval_ms: millis(settings.checkpoint_interval),
                due_ms: None,
                next_offset: 0,
                last: None,
                awaited: None,
                refuted: false,
            },
        }
    }

    /// The offset of the record that is counted next.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.fold.next_offset()
    }

    /// The offset of the record to begin with: that of the newest one counted, where it has to be seen again.
    #[must_use]
    pub fn start_offset(&self) -> u64 {
        self.checkpoint.awaited.map_or(self.next_offset(), |last| last.offset)
    }

    /// Goes on although the log no longer has the record that would confirm the checkpoint.
    pub fn trust(&mut self) {
        self.checkpoint.awaited = None;
    }

    /// Whether the log isn't the one that the checkpoint was counted from.
    #[must_use]
    pub fn is_refuted(&self) -> bool {
        self.checkpoint.refuted
    }

    /// Below this offset rejected records lie on their topic already.
    #[must_use]
    pub fn rejections_told(&self) -> u64 {
        self.rejections_told
    }

    /// Takes note that everything that is there is counted, and that nothing more comes below `next_offset`: what lies
    /// between it and the last record, such as the end of a transaction, is counted as passed over.
    pub fn reached_end(&mut self, next_offset: u64) {
        self.at_end = true;
        if self.checkpoint.awaited.is_none() && !self.checkpoint.refuted {
            self.fold.pass_to(next_offset);
        }
    }

    /// Takes records of this partition, and tells `each` what became of it. Those that were taken before, and all where
    /// the log refutes the checkpoint, are passed over.
    pub fn records<'a>(&mut self, run: &Run<'a>, each: impl FnMut(&ReadRecord<'a>, Outcome)) {
        self.at_end = false;
        if let Some(awaited) = self.checkpoint.awaited.take() {
            self.checkpoint.refuted = awaited != LastRecord::of(&run.first());
        }
        if self.checkpoint.refuted {
            return;
        }
        self.fold.records(run.iter(), each);
        let newest = run.last();
        // One that was passed over isn't the newest that was counted.
        if self.checkpoint.generation.is_some() && newest.position.offset + 1 == self.fold.next_offset() {
            self.checkpoint.last = Some(LastRecord::of(&newest));
        }
    }

    /// What is to be added to the checkpoint now, by the stopwatch; [`None`] while there is nothing or it isn't time.
    pub fn checkpoint(&mut self, now_ms: i64) -> Option<Step> {
        let state = &mut self.checkpoint;
        let due_ms = *state.due_ms.get_or_insert(now_ms.saturating_add(state.interval_ms));
        let is_due = now_ms >= due_ms;
        if is_due {
            state.due_ms = Some(now_ms.saturating_add(state.interval_ms));
        }
        self.checkpoint_step(is_due)
    }

    /// What is to be added to the checkpoint so that it covers everything counted.
    pub fn last_checkpoint(&mut self) -> Option<Step> {
        self.checkpoint_step(true)
    }

    fn checkpoint_step(&mut self, is_due: bool) -> Option<Step> {
        let state = &mut self.checkpoint;
        let generation = state.generation?;
        if state.awaited.is_some() || state.refuted {
            return None;
        }
        let next_offset = self.fold.next_offset();
        let wants_tally = is_due && next_offset > state.next_offset;
        if !wants_tally && self.fold.fingerprints().len() < FINGERPRINTS_WAITING_MAX {
            return None;
        }
        let tally = wants_tally.then(|| {
            state.next_offset = next_offset;
            (self.fold.tally(), state.last)
        });
        let voters = self.fold.take_fingerprints();
        Some(Step { partition: self.partition, generation, voters, tally })
    }

    /// The tally to tell now, by the stopwatch, encoded; [`None`] while there is nothing new or it isn't time.
    pub fn tick(&mut self, now_ms: i64) -> Option<Vec<u8>> {
        if self.checkpoint.awaited.is_some() || self.checkpoint.refuted {
            return None;
        }
        let next_offset = self.fold.next_offset();
        let silent = self.told.as_ref().is_some_and(|told| {
            if told.next_offset == next_offset {
                !self.at_end || now_ms < told.at_ms + REMINDER_MS
            } else {
                now_ms < told.due_ms
            }
        });
        if silent {
            return None;
        }
        let bytes = self.fold.tally().encode();
        let intervals = i64::try_from(bytes.len() / BYTES_PER_INTERVAL).expect("a tally fits in memory") + 1;
        self.told = Some(Told {
            next_offset,
            at_ms: now_ms,
            due_ms: now_ms.saturating_add(self.interval_ms.saturating_mul(intervals)),
        });
        Some(bytes)
    }
}

#[cfg(test)]
mod tests;
