//! The simulated journal: one process's connection to the [`Brokers`]. Waiting costs simulated time only.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use rand::RngExt as _;
use tallyboard::journal::{
    Batch, Cleanup, ExclusiveAppender, Journal, JournalError, Membership, NewRecord, Position, ReadRecord,
    Reader, SIMULATION_HEADER, TopicSpec,
};

use crate::brokers::{Brokers, EntryState, Likeness, ProcessId, State};

/// The journal as one process sees it.
pub(crate) struct SimulatedJournal {
    brokers: Brokers,
    process: ProcessId,
}

impl SimulatedJournal {
    pub(crate) fn connect(brokers: &Brokers, process: ProcessId) -> Self {
        brokers.lock().connect(process);
        Self { brokers: brokers.clone(), process }
    }
}

impl Journal for SimulatedJournal {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<String>, JournalError> {
        let mut state = self.brokers.lock();
        state.reach(self.process)?;
        for spec in topics {
            match state.topics.get(&spec.name).map(|topic| topic.cleanup) {
                None => state.make_topic(&spec.name, spec.partitions.when_new(), spec.cleanup),
                Some(cleanup) if cleanup != spec.cleanup => {
                    let why = "it was made with another cleanup policy".into();
                    return Err(JournalError::Unfit { topic: spec.name.clone(), why });
                }
                Some(_) => {}
            }
        }
        Ok(Vec::new())
    }

    fn bounds(&self, topic: &str) -> Result<BTreeMap<u32, Range<u64>>, JournalError> {
        let mut state = self.brokers.lock();
        state.reach(self.process)?;
        let likeness = state.likeness;
        let topic = state.topic(topic)?;
        let bounds = (0..).zip(&topic.partitions).map(|(partition, log)| {
            let start = match (likeness, topic.cleanup) {
                (Likeness::Embedded, Cleanup::Compact) => {
                    log.entries.iter().position(|entry| !entry.compacted).unwrap_or(log.entries.len()) as u64
                }
                _ => log.start,
            };
            (partition, start..log.end())
        });
        Ok(bounds.collect())
    }

    fn append(&self, topic: &str, records: Vec<NewRecord>) -> Result<Vec<Position>, JournalError> {
        self.brokers.lock().append(self.process, topic, records)
    }

    fn exclusive(&self, name: &str) -> Result<Box<dyn ExclusiveAppender>, JournalError> {
        let epoch = self.brokers.lock().take_name(self.process, name)?;
        let (brokers, process) = (self.brokers.clone(), self.process);
        Ok(Box::new(SimulatedAppender { brokers, process, name: name.to_owned(), epoch, spoilt: false }))
    }

    fn read(&self, topic: &str, starts: &BTreeMap<u32, u64>) -> Result<Box<dyn Reader>, JournalError> {
        let mut state = self.brokers.lock();
        state.reach(self.process)?;
        state.topic(topic)?;
        let (brokers, process) = (self.brokers.clone(), self.process);
        Ok(Box::new(SimulatedReader { brokers, process, topic: topic.to_owned(), next: starts.clone() }))
    }

    fn join(&self, group: &str, topic: &str) -> Result<Box<dyn Membership>, JournalError> {
        let member = self.brokers.lock().join(self.process, group, topic)?;
        let (brokers, process) = (self.brokers.clone(), self.process);
        Ok(Box::new(SimulatedMembership { brokers, process, group: group.to_owned(), member }))
    }
}

struct SimulatedAppender {
    brokers: Brokers,
    process: ProcessId,
    name: String,
    epoch: u64,
    /// A failed transaction leaves Kafka's producer in a state in which it can't begin another.
    spoilt: bool,
}

impl ExclusiveAppender for SimulatedAppender {
    fn append_all(&mut self, records: Vec<(String, NewRecord)>) -> Result<(), JournalError> {
        let mut state = self.brokers.lock();
        if self.spoilt {
            return Err(JournalError::Unavailable("a transaction is open".into()));
        }
        let outcome = state.append_all(self.process, (&self.name, self.epoch), records);
        self.spoilt = outcome.is_err() && state.likeness == Likeness::Kafka;
        outcome
    }

    fn append_plain(&mut self, records: Vec<(String, NewRecord)>) -> Result<Vec<Position>, JournalError> {
        self.brokers.lock().append_plain(self.process, (&self.name, self.epoch), records)
    }
}

struct SimulatedReader {
    brokers: Brokers,
    process: ProcessId,
    topic: String,
    next: BTreeMap<u32, u64>,
}

impl SimulatedReader {
    fn fill(
        next: &mut BTreeMap<u32, u64>,
        topic: &str,
        state: &mut State,
        batch: &mut Batch,
    ) -> Result<(), JournalError> {
        for (partition, next) in next {
            let slow = state.weather.slow;
            let mut room = u64::MAX;
            if state.happens(slow) {
                state.fault("slow");
                room = state.rng.random_range(0..4);
            }
            let log = state.topic(topic)?.partitions.get(*partition as usize);
            let gone = |why: &str| JournalError::Gone {
                topic: topic.to_owned(),
                partition: *partition,
                offset: *next,
                why: why.to_owned(),
            };
            let log = log.ok_or_else(|| gone("there is no such partition"))?;
            let end = log.stable_end();
            if *next < log.start || *next > log.end() {
                return Err(gone("it is out of range"));
            }
            while *next < end && room > 0 && !batch.is_full() {
                let offset = *next;
                let entry = &log.entries[usize::try_from(offset).expect("logs are short")];
                *next += 1;
                if entry.state != EntryState::Committed || entry.compacted {
                    continue;
                }
                room -= 1;
                let record = &entry.record;
                batch.push(&ReadRecord {
                    position: Position { partition: *partition, offset },
                    timestamp_ms: entry.timestamp_ms,
                    simulated: record.headers.iter().any(|(name, _)| name == SIMULATION_HEADER),
                    key: record.key.as_deref().unwrap_or_default(),
                    value: &record.value,
                });
            }
            if *next >= end {
                batch.mark_end(*partition, *next);
            }
        }
        Ok(())
    }
}

impl Reader for SimulatedReader {
    fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), JournalError> {
        batch.clear();
        let mut state = self.brokers.lock();
        state.reach(self.process)?;
        Self::fill(&mut self.next, &self.topic, &mut state, batch)?;
        if batch.is_empty() {
            rest(&mut state, wait);
        }
        Ok(())
    }
}

struct SimulatedMembership {
    brokers: Brokers,
    process: ProcessId,
    group: String,
    member: u64,
}

impl Membership for SimulatedMembership {
    fn poll(&mut self, wait: Duration) -> Result<Option<BTreeSet<u32>>, JournalError> {
        let mut state = self.brokers.lock();
        let news = state.poll_membership(self.process, &self.group, self.member)?;
        if news.is_none() {
            rest(&mut state, wait);
        }
        Ok(news)
    }

    fn report(&mut self, _next_offsets: &BTreeMap<u32, u64>) {}
}

impl Drop for SimulatedMembership {
    fn drop(&mut self) {
        self.brokers.lock().leave(self.process, &self.group, self.member);
    }
}

/// A wait in vain: others may be faster than its end.
fn rest(state: &mut State, wait: Duration) {
    let longest = i64::try_from(wait.as_millis()).expect("nobody waits for so long");
    let longest = if state.rng.random_ratio(1, 4) { longest } else { longest.min(5) };
    let ms = state.rng.random_range(0..=longest);
    state.pass(ms);
}
