//! The brokers of the simulated journal: logs, groups and exclusive names in memory, and everything that can go wrong
//! with them. One thread, one source of chance: the same calls in the same order have the same outcome.

mod groups;
mod transactions;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use tallyboard::journal::{Cleanup, JournalError, NewRecord, Position};

use self::{groups::Group, transactions::Holder};
use crate::{ballots::EPOCH_MS, trace::Trace};

/// Java's seed of murmur2.
const MURMUR2_SEED: u32 = 0x9747_b28c;

/// How likely each fault of a single call is, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// A call fails and did nothing.
    pub(crate) refused: u32,
    /// An append is durable and says that it failed.
    pub(crate) lost_acknowledgement: u32,
    /// Only some records of a failed append are durable.
    pub(crate) torn: u32,
    /// A failed append becomes durable later, behind newer ones.
    pub(crate) delayed: u32,
    /// Records of an append arrive twice.
    pub(crate) doubled: u32,
    /// A transaction is aborted.
    pub(crate) aborted: u32,
    /// A transaction is left open after an error, and ends one way or the other later.
    pub(crate) hanging: u32,
    /// A read brings nothing, or less than there is.
    pub(crate) slow: u32,
    /// Partitions are shared out anew although nobody came or went.
    pub(crate) rebalance: u32,
    /// A member isn't told yet that its share has changed.
    pub(crate) late_news: u32,
    /// Old records of compacted topics are removed.
    pub(crate) compaction: u32,
}

/// Whether offsets and memberships look like Kafka's or like the embedded journal's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Transactions leave markers, a failed transaction spoils its appender, compaction keeps the first offset.
    Kafka,
    /// Nothing of that.
    Embedded,
}

/// One start of a process; a restart is another one.
pub(crate) type ProcessId = u32;

/// The brokers, shared by all processes.
#[derive(Clone)]
pub(crate) struct Brokers(Arc<Mutex<State>>);

impl Brokers {
    pub(crate) fn new(seed: u64, likeness: Likeness, trace: Trace) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            trace,
            now_ms: 0,
            weather: Weather::default(),
            likeness,
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            groups: BTreeMap::new(),
            members: 0,
            delayed: Vec::new(),
            lines: BTreeMap::new(),
            faults: Faults::new(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A failed check has panicked with the lock; the report still wants the events.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that the brokers know.
pub(crate) struct State {
    pub(crate) rng: Xoshiro256PlusPlus,
    pub(crate) trace: Trace,
    pub(crate) now_ms: i64,
    pub(crate) weather: Weather,
    pub(crate) likeness: Likeness,
    pub(crate) topics: BTreeMap<String, Topic>,
    names: BTreeMap<String, Holder>,
    groups: BTreeMap<String, Group>,
    members: u64,
    delayed: Vec<Delayed>,
    lines: BTreeMap<ProcessId, Line>,
    pub(crate) faults: Faults,
}

/// How many faults there were, by kind.
pub(crate) type Faults = BTreeMap<&'static str, u64>;

/// Every kind of fault: a run of many seeds that misses one isn't worth much.
pub(crate) const FAULTS: [&str; 18] = [
    "death",
    "death in an append",
    "death in a transaction",
    "cut off",
    "refused",
    "no acknowledgement",
    "torn",
    "delayed",
    "doubled",
    "fenced",
    "aborted",
    "hanging",
    "slow",
    "rebalance",
    "session lost",
    "compaction",
    "full disk",
    "disk failure",
];

/// The connection of one process.
#[derive(Default)]
struct Line {
    dead: bool,
    /// The process dies in the call after so many more.
    dies_in: Option<u32>,
    /// Nothing gets through until then.
    cut_until_ms: i64,
    /// Appends fail until the process is started anew: its journal's disk is full.
    full: bool,
}

/// A topic.
pub(crate) struct Topic {
    pub(crate) cleanup: Cleanup,
    pub(crate) partitions: Vec<Log>,
    round_robin: u32,
}

/// A partition; nothing is ever forgotten here, so that checks see what readers no longer do.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// What lies below was deleted.
    pub(crate) start: u64,
}

/// One offset.
pub(crate) struct Entry {
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) record: NewRecord,
    pub(crate) state: EntryState,
    /// Removed by compaction.
    pub(crate) compacted: bool,
}

/// Whether readers see a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryState {
    Committed,
    /// Part of a transaction that hasn't ended: readers stop in front of it.
    Open,
    Aborted,
    /// The end of a transaction.
    Marker,
}

struct Delayed {
    due_ms: i64,
    topic: String,
    records: Vec<NewRecord>,
}

impl Log {
    pub(crate) fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Readers see nothing from here on: the first record of an open transaction, or the end.
    pub(crate) fn stable_end(&self) -> u64 {
        let open = self.entries.iter().position(|entry| entry.state == EntryState::Open);
        open.unwrap_or(self.entries.len()) as u64
    }

    /// The records that readers see or saw before compaction.
    pub(crate) fn committed(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (0..).zip(&self.entries).filter(|(_, entry)| entry.state == EntryState::Committed)
    }
}

impl Topic {
    fn partition_of(&mut self, key: Option<&[u8]>) -> u32 {
        let count = u32::try_from(self.partitions.len()).expect("partitions are few");
        if let Some(key) = key {
            (murmur2::murmur2(key, MURMUR2_SEED) & 0x7fff_ffff) % count
        } else {
            self.round_robin = (self.round_robin + 1) % count;
            self.round_robin
        }
    }
}

fn unavailable(why: &str) -> JournalError {
    JournalError::Unavailable(why.to_owned())
}

/// What a process that has died is told; not transient, so that its shells end.
fn dead() -> JournalError {
    JournalError::Setup("this process has died".to_owned())
}

impl State {
    /// Takes note of a fault.
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn event(&mut self, what: fmt::Arguments<'_>) {
        self.trace.event(self.now_ms, what);
    }

    /// Whether something with so many thousandths happens now.
    pub(crate) fn happens(&mut self, thousandths: u32) -> bool {
        thousandths > 0 && self.rng.random_ratio(thousandths.min(1000), 1000)
    }

    /// Lets time pass, and what was due with it.
    pub(crate) fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        if self.delayed.iter().any(|delayed| delayed.due_ms <= now_ms) {
            let all = std::mem::take(&mut self.delayed);
            let (due, later) = all.into_iter().partition(|delayed| delayed.due_ms <= now_ms);
            self.delayed = later;
            self.deliver(due);
        }
        self.end_old_transactions();
        self.watch_sessions();
        if self.happens(self.weather.compaction) {
            self.compact(|rng, stable| rng.random_range(0..=stable));
        }
    }

    fn deliver(&mut self, delayed: Vec<Delayed>) {
        for delayed in delayed {
            self.event(format_args!("{} delayed records of {}", delayed.records.len(), delayed.topic));
            self.push_all(&delayed.topic, delayed.records);
        }
    }

    /// Ends every fault of the brokers, as at the end of a night.
    pub(crate) fn heal(&mut self) {
        let weather = std::mem::take(&mut self.weather);
        let delayed = std::mem::take(&mut self.delayed);
        self.deliver(delayed);
        if weather.compaction > 0 {
            // What was delayed for long is then the only record of its key.
            self.compact(|_, stable| stable);
        }
        for line in self.lines.values_mut() {
            line.cut_until_ms = 0;
            line.dies_in = None;
        }
        self.event(format_args!("healed"));
    }

    // --- Processes -------------------------------------------------------------------------------------------------

    pub(crate) fn connect(&mut self, process: ProcessId) {
        self.lines.insert(process, Line::default());
    }

    pub(crate) fn is_dead(&self, process: ProcessId) -> bool {
        self.lines.get(&process).is_none_or(|line| line.dead)
    }

    pub(crate) fn is_full(&self, process: ProcessId) -> bool {
        self.lines.get(&process).is_some_and(|line| line.full)
    }

    /// The process dies at once: nothing that it does has an effect from now on.
    pub(crate) fn kill(&mut self, process: ProcessId) {
        self.event(format_args!("process {process} dies"));
        self.fault("death");
        self.line(process).dead = true;
    }

    /// The process dies in one of its next calls.
    pub(crate) fn doom(&mut self, process: ProcessId, calls: u32) {
        self.line(process).dies_in = Some(calls);
    }

    pub(crate) fn cut_off(&mut self, process: ProcessId, ms: i64) {
        self.fault("cut off");
        self.event(format_args!("process {process} is cut off for {ms} ms"));
        let until_ms = self.now_ms + ms;
        self.line(process).cut_until_ms = until_ms;
    }

    pub(crate) fn fill_disk(&mut self, process: ProcessId) {
        self.event(format_args!("the journal's disk of process {process} is full"));
        self.line(process).full = true;
    }

    fn line(&mut self, process: ProcessId) -> &mut Line {
        self.lines.get_mut(&process).expect("a process connects before it calls")
    }

    /// Whether the process dies in this call.
    fn dies_now(&mut self, process: ProcessId) -> bool {
        let line = self.line(process);
        match &mut line.dies_in {
            Some(0) => {
                self.kill(process);
                true
            }
            Some(calls) => {
                *calls -= 1;
                false
            }
            None => false,
        }
    }

    /// Another side effect of a process is about to happen, on its disk: whether it still lives to see it.
    pub(crate) fn survives(&mut self, process: ProcessId) -> bool {
        !self.is_dead(process) && !self.dies_now(process)
    }

    /// Whether a call gets through.
    pub(crate) fn reach(&mut self, process: ProcessId) -> Result<(), JournalError> {
        if !self.survives(process) {
            return Err(dead());
        }
        self.reach_alive(process)
    }

    fn reach_alive(&mut self, process: ProcessId) -> Result<(), JournalError> {
        if self.line(process).cut_until_ms > self.now_ms {
            // Whoever tries again and again sees the end of it.
            self.pass(10);
            return Err(unavailable("cut off"));
        }
        if self.happens(self.weather.refused) {
            self.fault("refused");
            self.pass(1);
            return Err(unavailable("refused"));
        }
        Ok(())
    }

    fn check_disk(&mut self, process: ProcessId) -> Result<(), JournalError> {
        if !self.line(process).full {
            return Ok(());
        }
        self.fault("full disk");
        Err(JournalError::Storage { path: "simulated".into(), why: "no space left".into() })
    }

    // --- Logs ------------------------------------------------------------------------------------------------------

    pub(crate) fn topic(&self, name: &str) -> Result<&Topic, JournalError> {
        self.topics
            .get(name)
            .ok_or_else(|| JournalError::Unfit { topic: name.to_owned(), why: "it doesn't exist".into() })
    }

    pub(crate) fn make_topic(&mut self, name: &str, partitions: u32, cleanup: Cleanup) {
        let partitions = (0..partitions).map(|_| Log::default()).collect();
        self.topics.insert(name.to_owned(), Topic { cleanup, partitions, round_robin: 0 });
    }

    fn push(&mut self, topic: &str, record: NewRecord, state: EntryState) -> Position {
        let likeness = self.likeness;
        let timestamp_ms = Some(EPOCH_MS + self.now_ms);
        let topic = self.topics.get_mut(topic).expect("asked for before");
        let partition = topic.partition_of(record.key.as_deref());
        let log = &mut topic.partitions[partition as usize];
        if likeness == Likeness::Embedded && topic.cleanup == Cleanup::Compact {
            let older = log.entries.iter_mut().rev().find(|entry| entry.record.key == record.key);
            older.into_iter().for_each(|entry| entry.compacted = true);
        }
        let offset = log.end();
        log.entries.push(Entry { timestamp_ms, record, state, compacted: false });
        Position { partition, offset }
    }

    fn push_all(&mut self, topic: &str, records: Vec<NewRecord>) -> Vec<Position> {
        records.into_iter().map(|record| self.push(topic, record, EntryState::Committed)).collect()
    }

    pub(crate) fn append(
        &mut self,
        process: ProcessId,
        topic: &str,
        records: Vec<NewRecord>,
    ) -> Result<Vec<Position>, JournalError> {
        self.topic(topic)?;
        if self.is_dead(process) {
            return Err(dead());
        }
        if self.dies_now(process) {
            self.fault("death in an append");
            self.fail(topic, records);
            return Err(dead());
        }
        self.check_disk(process)?;
        self.reach_alive(process)?;
        let weather = self.weather;
        if self.happens(weather.lost_acknowledgement) {
            self.event(format_args!(
                "process {process} appends {} to {topic}, unacknowledged",
                records.len()
            ));
            self.fault("no acknowledgement");
            self.push_all(topic, records);
            return Err(unavailable("no acknowledgement"));
        }
        if self.happens(weather.torn + weather.delayed) {
            self.fail(topic, records);
            return Err(unavailable("no acknowledgement"));
        }
        let doubled = self.happens(weather.doubled).then(|| records.clone());
        let places = self.push_all(topic, records);
        self.event(format_args!("process {process} appends {places:?} to {topic}"));
        if let Some(doubled) = doubled {
            self.fault("doubled");
            self.event(format_args!("and once more"));
            self.push_all(topic, doubled);
        }
        Ok(places)
    }

    /// An append whose sender never learns what became of it: any of the records may be there, now or later.
    fn fail(&mut self, topic: &str, records: Vec<NewRecord>) {
        let (mut now, mut later) = (Vec::new(), Vec::new());
        let kept = self.rng.random_range(0..=records.len());
        let late = self.happens(self.weather.delayed);
        for record in records.into_iter().take(kept) {
            if late { &mut later } else { &mut now }.push(record);
        }
        self.fault(if later.is_empty() { "torn" } else { "delayed" });
        self.event(format_args!("an append to {topic} fails: {} now, {} later", now.len(), later.len()));
        self.push_all(topic, now);
        if !later.is_empty() {
            let due_ms = self.now_ms + self.rng.random_range(1..20_000);
            self.delayed.push(Delayed { due_ms, topic: topic.to_owned(), records: later });
        }
    }

    /// Removes older records of keys from compacted topics, of those that have an outcome as many as `until` says.
    fn compact(&mut self, until: fn(&mut Xoshiro256PlusPlus, u64) -> u64) {
        for topic in self.topics.values_mut().filter(|topic| topic.cleanup == Cleanup::Compact) {
            for log in &mut topic.partitions {
                let stable = log.stable_end();
                let clean = usize::try_from(until(&mut self.rng, stable)).expect("logs are short");
                let mut seen = BTreeSet::new();
                for entry in log.entries[..clean].iter_mut().rev() {
                    if entry.state == EntryState::Committed && !seen.insert(entry.record.key.clone()) {
                        entry.compacted = true;
                    }
                }
            }
        }
        self.fault("compaction");
        self.event(format_args!("compaction"));
    }
}
