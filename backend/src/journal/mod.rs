//! The journal: named, partitioned, append-only logs, as the roles see them.
//!
//! The roles don't know Kafka. They append and learn when it is durable, append to several topics at once under an
//! exclusive name, read partitions from an offset, and are told which partitions are theirs. Two adapters stand
//! behind this port: [`kafka`], the only place that knows rdkafka, and [`embedded`], one process and one directory.
//!
//! All calls block, because both adapters work on dedicated threads; async callers go through `spawn_blocking`.

mod directory;
pub mod embedded;
pub mod kafka;
mod topics;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, Instant},
};

pub use directory::DirectoryLock;
pub use topics::{Cleanup, Partitions, TopicSpec, Topics};

/// A header on a vote says that it was made up. Its value is empty.
pub const SIMULATION_HEADER: &str = "tallyboard-simulation";

/// A place to append to and read from.
pub trait Journal: Send + Sync {
    /// Creates topics that are missing and checks those that are there; existing ones are never altered.
    ///
    /// # Errors
    /// [`JournalError::Unfit`] where a topic that is there can't serve. Oddities that don't stop the count are
    /// returned as sentences for the log.
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<String>, JournalError>;

    /// The first offset that is there and the offset that comes next, by partition.
    ///
    /// # Errors
    /// [`JournalError`] where the journal can't be asked.
    fn bounds(&self, topic: &str) -> Result<BTreeMap<u32, Range<u64>>, JournalError>;

    /// Appends records, each to the partition of its key (`murmur2_random`, the Java default), in their order, and
    /// returns once they are durable, with the places that they got.
    ///
    /// # Errors
    /// [`JournalError`] where any of the records may not be durable; some of them can be. Sending them again is safe
    /// where readers tell repetitions apart, as the count does.
    fn append(&self, topic: &str, records: Vec<NewRecord>) -> Result<Vec<Position>, JournalError>;

    /// Takes an exclusive name: whoever held it before is fenced from now on.
    ///
    /// # Errors
    /// [`JournalError`] where the name can't be taken.
    fn exclusive(&self, name: &str) -> Result<Box<dyn ExclusiveAppender>, JournalError>;

    /// Reads partitions from the given offsets on. An offset that isn't there any more is an error of the reader.
    ///
    /// # Errors
    /// [`JournalError`] where the topic can't be read.
    fn read(&self, topic: &str, starts: &BTreeMap<u32, u64>) -> Result<Box<dyn Reader>, JournalError>;

    /// Joins those who share the partitions of a topic among them.
    ///
    /// # Errors
    /// [`JournalError`] where the group can't be joined.
    fn join(&self, group: &str, topic: &str) -> Result<Box<dyn Membership>, JournalError>;
}

/// Appends to several topics, as long as nobody else takes the name.
pub trait ExclusiveAppender: Send {
    /// Appends all of the records or none, and returns once they are durable.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] where someone else has taken the name: stop. Any other error leaves it open whether
    /// the records are there.
    fn append_all(&mut self, records: Vec<(String, NewRecord)>) -> Result<(), JournalError>;

    /// Appends what is read by clients that know nothing of transactions, and returns once it is durable, with the places
    /// that it got.
    ///
    /// On Kafka there is no transaction around it. So some of it may be there after an error, and a holder that doesn't
    /// know yet that the name was taken still comes through: whoever appends sees by the places that somebody else did.
    ///
    /// # Errors
    /// [`JournalError`] where any of the records may not be durable; some of them can be.
    fn append_plain(&mut self, records: Vec<(String, NewRecord)>) -> Result<Vec<Position>, JournalError>;
}

/// Reads partitions.
pub trait Reader: Send {
    /// Fills `batch` with what comes next; leaves it empty where nothing came within `wait`.
    ///
    /// # Errors
    /// [`JournalError`]; reading may go on after [`JournalError::Unavailable`].
    fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), JournalError>;
}

/// A share in a topic.
pub trait Membership: Send {
    /// The partitions that are this member's from now on, where that changed within `wait`.
    ///
    /// # Errors
    /// [`JournalError`]; the membership goes on after [`JournalError::Unavailable`].
    fn poll(&mut self, wait: Duration) -> Result<Option<BTreeSet<u32>>, JournalError>;

    /// Reports progress for tools that show lag. Nothing is ever read back from here.
    fn report(&mut self, next_offsets: &BTreeMap<u32, u64>);

    /// Gives the share to the others at once. Without this a member that goes may keep it for some seconds, so that a
    /// process that is started again finds it as it was.
    fn leave(self: Box<Self>) {}
}

/// How long [`read_to_end`] waits without seeing anything before it gives up.
const REPLAY_PATIENCE: Duration = Duration::from_secs(30);

/// Reads what one partition has within `bounds`, as [`Journal::bounds`] gives them, and perhaps some of what was added
/// since. An end that is never reached stands for that which the partition has when reading gets there.
///
/// # Errors
/// [`JournalError`] where the partition can't be read, [`JournalError::Unavailable`] where nothing comes for long.
pub fn read_to_end(
    journal: &dyn Journal,
    topic: &str,
    partition: u32,
    bounds: Range<u64>,
    mut each: impl FnMut(&ReadRecord<'_>),
) -> Result<(), JournalError> {
    // A broker is in no hurry to say that there is nothing.
    if bounds.is_empty() {
        return Ok(());
    }
    let mut reader = journal.read(topic, &BTreeMap::from([(partition, bounds.start)]))?;
    let mut batch = Batch::default();
    let mut next = bounds.start;
    let mut patience = Instant::now() + REPLAY_PATIENCE;
    while next < bounds.end && !batch.reaches_end(partition) {
        match reader.next(&mut batch, Duration::from_millis(100)) {
            Ok(()) => {}
            Err(error) if error.is_transient() => tracing::debug!(%error, topic, "reading goes on"),
            Err(error) => return Err(error),
        }
        if !batch.is_empty() {
            patience = Instant::now() + REPLAY_PATIENCE;
        } else if Instant::now() > patience {
            return Err(JournalError::Unavailable(format!("{topic}/{partition} can't be read to its end")));
        }
        for record in batch.iter() {
            next = record.position.offset + 1;
            each(&record);
        }
    }
    Ok(())
}

/// A record to append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Decides the partition.
    pub key: Option<Vec<u8>>,
    /// The content.
    pub value: Vec<u8>,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl NewRecord {
    /// A record without headers.
    #[must_use]
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), value: value.into(), headers: Vec::new() }
    }
}

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The place therein.
    pub offset: u64,
}

/// Records as read, in one buffer that is used again and again: a vote costs no allocation.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    records: Vec<Entry>,
    ends: BTreeMap<u32, u64>,
    ignores_origin: bool,
}

#[derive(Debug)]
struct Entry {
    position: Position,
    timestamp_ms: Option<i64>,
    simulated: bool,
    /// Where key and value end in the buffer; the value begins where the key ends.
    start: usize,
    key_end: usize,
    end: usize,
}

/// A record as read.
#[derive(Clone, Copy, Debug)]
pub struct ReadRecord<'a> {
    /// Where it lies.
    pub position: Position,
    /// When it was written, in milliseconds since 1970; `None` where the journal doesn't say.
    pub timestamp_ms: Option<i64>,
    /// Whether it carries [`SIMULATION_HEADER`]; `false` where the batch doesn't ask.
    pub simulated: bool,
    /// Empty where there is none.
    pub key: &'a [u8],
    /// Empty where there is none.
    pub value: &'a [u8],
}

impl Batch {
    /// A batch isn't filled beyond so many bytes of keys and values.
    const BYTES_MAX: usize = 4 * 1024 * 1024;
    /// A batch isn't filled beyond so many records.
    const RECORDS_MAX: usize = 8192;

    /// An empty batch that asks where records come from, or doesn't: to look for [`SIMULATION_HEADER`] costs some 30 ns a
    /// record on Kafka, one with no headers too.
    #[must_use]
    pub fn asking_for_origin(asks: bool) -> Self {
        Self { ignores_origin: !asks, ..Self::default() }
    }

    /// Whether [`ReadRecord::simulated`] is wanted.
    #[must_use]
    pub fn asks_for_origin(&self) -> bool {
        !self.ignores_origin
    }

    /// Empties the batch: the first thing that [`Reader::next`] does.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.ends.clear();
    }

    /// Whether [`Reader::next`] is to stop filling.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= Self::BYTES_MAX || self.records.len() >= Self::RECORDS_MAX
    }

    /// Adds a record; those of one partition come in the order of their offsets.
    pub fn push(&mut self, record: &ReadRecord<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record.key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(record.value);
        self.records.push(Entry {
            position: record.position,
            timestamp_ms: record.timestamp_ms,
            simulated: record.simulated && self.asks_for_origin(),
            start,
            key_end,
            end: self.bytes.len(),
        });
    }

    /// Takes note that the end of a partition, as it is now, lies behind these records: what comes next has this offset
    /// or a higher one. Below it may lie what readers never see, such as the ends of transactions.
    pub fn mark_end(&mut self, partition: u32, next_offset: u64) {
        self.ends.insert(partition, next_offset);
    }

    /// Whether the end of a partition, as it was then, lies behind these records.
    #[must_use]
    pub fn reaches_end(&self, partition: u32) -> bool {
        self.ends.contains_key(&partition)
    }

    /// The offset that came next at the end of a partition, where that lies behind these records.
    #[must_use]
    pub fn end(&self, partition: u32) -> Option<u64> {
        self.ends.get(&partition).copied()
    }

    /// Whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records, those of one partition in the order of their offsets.
    pub fn iter(&self) -> impl Iterator<Item = ReadRecord<'_>> {
        self.records.iter().map(|entry| self.record(entry))
    }

    /// The records in pieces of one partition each: those that come one behind the other.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let one_partition = |a: &Entry, b: &Entry| a.position.partition == b.position.partition;
        self.records.chunk_by(one_partition).map(|entries| Run { batch: self, entries })
    }

    fn record(&self, entry: &Entry) -> ReadRecord<'_> {
        ReadRecord {
            position: entry.position,
            timestamp_ms: entry.timestamp_ms,
            simulated: entry.simulated,
            key: &self.bytes[entry.start..entry.key_end],
            value: &self.bytes[entry.key_end..entry.end],
        }
    }
}

/// Records of a batch that come one behind the other and are of one partition: at least one.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    batch: &'a Batch,
    entries: &'a [Entry],
}

impl<'a> Run<'a> {
    /// The partition of all of them.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.entries[0].position.partition
    }

    /// The records, in the order of their offsets.
    pub fn iter(&self) -> impl Iterator<Item = ReadRecord<'a>> + use<'a> {
        let batch = self.batch;
        self.entries.iter().map(|entry| batch.record(entry))
    }

    /// The one with the lowest offset.
    #[must_use]
    pub fn first(&self) -> ReadRecord<'a> {
        self.batch.record(&self.entries[0])
    }

    /// The one with the highest offset.
    #[must_use]
    pub fn last(&self) -> ReadRecord<'a> {
        self.batch.record(&self.entries[self.entries.len() - 1])
    }
}

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It doesn't answer, or not in time; trying again helps once it is back.
    #[error("the journal is unavailable: {0}")]
    Unavailable(String),
    /// Someone else has taken the exclusive name.
    #[error("another process has taken over: {0}")]
    Fenced(String),
    /// A topic that is there can't serve.
    #[error("the topic {topic} is unfit: {why}")]
    Unfit {
        /// Which topic.
        topic: String,
        /// A sentence.
        why: String,
    },
    /// Records that are needed are no longer there.
    #[error("{topic}/{partition} no longer has offset {offset}: {why}")]
    Gone {
        /// Which topic.
        topic: String,
        /// Which partition.
        partition: u32,
        /// What was asked for.
        offset: u64,
        /// What the journal said.
        why: String,
    },
    /// Settings that the client refuses.
    #[error("the journal can't be set up: {0}")]
    Setup(String),
    /// The files of the embedded journal.
    #[error("the journal in {path} failed: {why}")]
    Storage {
        /// The directory.
        path: String,
        /// What the store said.
        why: String,
    },
}

impl JournalError {
    /// Whether to go on and try again: a broker may come back, and a process whose disk is full still shows what was
    /// counted, marked as stale, until somebody makes room and restarts it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Storage { .. })
    }
}
