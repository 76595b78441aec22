//! Reads votes, folds them, and leaves tallies and rejected records in the outbox.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    Counter, CounterSettings,
    outbox::Outbox,
    rejected::rejected_record,
    share::{Assigned, Progress},
};
use crate::{
    journal::{Batch, Journal, JournalError, Reader, read_to_end},
    roles::{Clock, Pace, RETRY_REST, Shell},
    tally::{Outcome, PartitionTally},
};

/// How long to wait for votes before looking at the tallies and the share.
const READ_WAIT: Duration = Duration::from_millis(20);

/// How long to rest while the teller is behind.
const BACK_PRESSURE_REST: Duration = Duration::from_millis(5);

/// Counts a share of the partitions.
pub(super) struct Worker {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) settings: Arc<CounterSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) assigned: Assigned,
    pub(super) progress: Progress,
    pub(super) share: BTreeSet<u32>,
    pub(super) counters: BTreeMap<u32, Counter>,
    /// [`None`] while the share isn't opened yet.
    pub(super) reader: Option<Box<dyn Reader>>,
    pub(super) batch: Batch,
}

impl Shell for Worker {
    fn step(&mut self) -> Result<Pace, JournalError> {
        let assigned = self.assigned.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(share) = assigned {
            self.give_up(&share);
            self.share = share;
            self.reader = None;
        }
        if self.share.is_empty() {
            return Ok(Pace::Rest(READ_WAIT));
        }
        if self.outbox.is_full() {
            return Ok(Pace::Rest(BACK_PRESSURE_REST));
        }
        match self.read() {
            Ok(()) => {
                self.count();
                self.drop_refuted();
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "votes can't be read");
                return Ok(Pace::Rest(RETRY_REST));
            }
            Err(error) => return Err(error),
        }
        self.tell();
        Ok(Pace::Go)
    }

    fn finish(&mut self) {
        let now_ms = i64::MAX;
        for (partition, counter) in &mut self.counters {
            counter.tick(now_ms).into_iter().for_each(|tally| self.outbox.tell(*partition, tally));
            counter.last_checkpoint().into_iter().for_each(|step| self.outbox.checkpoint(step));
        }
    }
}

impl Worker {
    /// Drops the counters of partitions that are no longer ours; their checkpoints are for when they come back.
    fn give_up(&mut self, share: &BTreeSet<u32>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, counter) in &mut self.counters {
            if !share.contains(partition) {
                progress.remove(partition);
                counter.last_checkpoint().into_iter().for_each(|step| self.outbox.checkpoint(step));
            }
        }
        self.counters.retain(|partition, _| share.contains(partition));
    }

    fn read(&mut self) -> Result<(), JournalError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let opened = self.open()?;
                self.reader.insert(opened)
            }
        };
        reader.next(&mut self.batch, READ_WAIT)
    }

    /// Counters for the partitions that are new, and a reader of all from where their counters stand.
    fn open(&mut self) -> Result<Box<dyn Reader>, JournalError> {
        let bounds = self.journal.bounds(&self.settings.topics.votes)?;
        let new: Vec<u32> =
            self.share.iter().copied().filter(|partition| !self.counters.contains_key(partition)).collect();
        let told = if new.is_empty() { BTreeMap::new() } else { self.told()? };
        for partition in new {
            let told = told.get(&partition).copied().unwrap_or(0);
            let counter = self.counter(partition, told, &bounds.get(&partition).cloned().unwrap_or_default());
            self.counters.insert(partition, counter);
        }
        for (partition, counter) in &self.counters {
            self.check_start(*partition, counter.start_offset(), bounds.get(partition))?;
        }
        let starts = self.counters.iter().map(|(partition, counter)| (*partition, counter.start_offset()));
        self.journal.read(&self.settings.topics.votes, &starts.collect())
    }

    /// A counter of a partition that is new to us: from its checkpoint, where there is one that fits the log.
    fn counter(&self, partition: u32, rejections_told: u64, bounds: &Range<u64>) -> Counter {
        let settings = &*self.settings;
        let Some(checkpoints) = &settings.checkpoints else {
            return Counter::new(settings, partition, rejections_told, None);
        };
        let opened = checkpoints.restore(partition, &settings.election);
        let Some(restored) = opened.restored else {
            return Counter::new(settings, partition, rejections_told, Some(opened.generation));
        };
        if restored.fold.next_offset() > bounds.end {
            let generation = checkpoints.refute(partition);
            return Counter::new(settings, partition, rejections_told, Some(generation));
        }
        let mut counter = Counter::resume(settings, partition, restored, rejections_told, opened.generation);
        let next_offset = counter.next_offset();
        tracing::info!(partition, next_offset, "going on from a checkpoint");
        if (counter.start_offset() + 1..=next_offset).contains(&bounds.start) {
            tracing::warn!(
                partition,
                next_offset,
                "the log starts where the checkpoint ends: that it is the same log can't be verified"
            );
            counter.trust();
        }
        counter
    }

    /// Counts partitions whose log isn't the one of their checkpoint from the first offset.
    fn drop_refuted(&mut self) {
        let refuted = self.counters.iter().filter(|(_, counter)| counter.is_refuted());
        let refuted: Vec<_> =
            refuted.map(|(partition, counter)| (*partition, counter.rejections_told())).collect();
        for (partition, rejections_told) in refuted {
            let generation =
                self.settings.checkpoints.as_ref().map(|checkpoints| checkpoints.refute(partition));
            let counter = Counter::new(&self.settings, partition, rejections_told, generation);
            self.counters.insert(partition, counter);
            self.reader = None;
        }
    }

    /// How far each partition was told by our definition, by whomever.
    fn told(&self) -> Result<BTreeMap<u32, u64>, JournalError> {
        let topic = &self.settings.topics.tallies;
        let bounds = self.journal.bounds(topic)?.remove(&0).unwrap_or_default();
        let mut told = BTreeMap::new();
        read_to_end(&*self.journal, topic, 0, bounds, |record| {
            // What can't be understood says nothing; the publisher warns of it.
            let Ok(tally) = PartitionTally::decode(record.value) else {
                return;
            };
            if tally.fits(&self.settings.election) {
                let offset = told.entry(tally.partition).or_insert(0);
                *offset = tally.next_offset.max(*offset);
            }
        })?;
        Ok(told)
    }

    fn check_start(
        &self,
        partition: u32,
        next: u64,
        bounds: Option<&Range<u64>>,
    ) -> Result<(), JournalError> {
        let first = bounds.map_or(0, |bounds| bounds.start);
        if first <= next {
            return Ok(());
        }
        let why =
            format!("the log starts at offset {first}, so the votes at {next}..{first} can't be counted");
        let topic = self.settings.topics.votes.clone();
        Err(JournalError::Gone { topic, partition, offset: next, why })
    }

    fn count(&mut self) {
        let (mut counted, mut rejected, mut news) = (0u64, 0u64, Vec::new());
        for run in self.batch.runs() {
            // A record of a partition that has just been taken away is somebody else's.
            let Some(counter) = self.counters.get_mut(&run.partition()) else {
                continue;
            };
            let rejections_told = counter.rejections_told();
            counter.records(&run, |record, outcome| match outcome {
                Outcome::Counted { .. } => counted += 1,
                Outcome::Rejected(reason) => {
                    rejected += 1;
                    if record.position.offset >= rejections_told {
                        news.push(rejected_record(&self.settings.topics.votes, record, reason));
                    }
                }
            });
        }
        for (partition, counter) in &mut self.counters {
            self.batch.end(*partition).into_iter().for_each(|end| counter.reached_end(end));
        }
        metrics::counter!("tallyboard_votes_folded_total", "outcome" => "counted").increment(counted);
        metrics::counter!("tallyboard_votes_folded_total", "outcome" => "rejected").increment(rejected);
        self.outbox.reject(news);
    }

    fn tell(&mut self) {
        let now_ms = self.clock.elapsed_ms();
        for (partition, counter) in &mut self.counters {
            if let Some(tally) = counter.tick(now_ms) {
                self.outbox.tell(*partition, tally);
                let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.insert(*partition, counter.next_offset());
            }
            counter.checkpoint(now_ms).into_iter().for_each(|step| self.outbox.checkpoint(step));
        }
    }
}
