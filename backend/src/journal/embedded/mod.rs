//! The embedded journal: one process, one directory, no server; an ordered key-value store (fjall) under the port.
//!
//! A topic is a keyspace of blocks (`block.rs`) with `(partition, offset)` as keys. Who appends puts the records into
//! blocks; one writer thread commits everything that waits for it in one batch with one fsync (group commit), and only
//! then are appends answered and readers shown the records. A compacted topic also has a keyspace from key to place, by
//! which an older record of the key is removed in the same batch. fjall was chosen over redb by measurement:
//! docs/benchmarks.md, "Which store lies under the embedded journal".
//!
//! After a crash the store's own log brings back every batch that was answered. A write that fails (a full disk)
//! fails every append from then on with [`JournalError::Storage`]; reading goes on, what was counted is shown and
//! marked as stale, and a restart recovers.

mod block;
mod reader;
mod writer;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable as _};
use serde::{Deserialize, Serialize};

use self::{
    block::in_blocks,
    reader::EmbeddedReader,
    writer::{Request, writer_loop},
};
use super::{
    Cleanup, DirectoryLock, ExclusiveAppender, Journal, JournalError, Membership, NewRecord, Position,
    Reader, TopicSpec,
};

/// Java's seed of murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`).
const MURMUR2_SEED: u32 = 0x9747_b28c;

/// So many appends wait for the writer; a further one waits for a place. One is answered per commit of a few
/// milliseconds, so this is far more than callers there are.
const WAITING_APPENDS_MAX: usize = 64;

/// The form of the files, to be raised where others than this module couldn't read them: blocks of records.
const FORM: u8 = 2;

/// Where the form is kept, in the keyspace of that name.
const FORM_KEY: &[u8] = b"form";

/// A journal in a directory of this machine.
pub struct EmbeddedJournal {
    shared: Arc<Shared>,
    /// Appenders hold it weakly, so that it goes with the journal.
    writer: Option<Arc<SyncSender<Request>>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    database: Database,
    catalog: Keyspace,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    /// Who holds an exclusive name: the number of the latest taker.
    holders: Mutex<HashMap<String, u64>>,
    /// Counts commits; readers wait for the next.
    commits: Mutex<u64>,
    committed: Condvar,
    _lock: DirectoryLock,
}

struct Topic {
    name: String,
    log: Keyspace,
    /// From key to place; only where the topic is compacted.
    places: Option<Keyspace>,
    /// The next offset of each partition; everything below is durable.
    ends: Vec<AtomicU64>,
    /// Where the next record without a key goes.
    round_robin: AtomicU64,
}

/// What the catalog says of a topic.
#[derive(Serialize, Deserialize)]
struct CatalogEntry {
    partitions: u32,
    compacted: bool,
}

impl EmbeddedJournal {
    /// Opens the journal of a directory, which is made where it is missing.
    ///
    /// # Errors
    /// [`JournalError::Setup`] where another process uses the directory; [`JournalError::Storage`] where it can't be
    /// read or written.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let lock = DirectoryLock::take(path)?;
        let io = |error: std::io::Error| storage(path, &error);
        let fail = |error: fjall::Error| storage(path, &error);
        let database = Database::builder(path.join("store")).open().map_err(fail)?;
        let catalog = database.keyspace("catalog", KeyspaceCreateOptions::default).map_err(fail)?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            database,
            catalog,
            topics: RwLock::default(),
            holders: Mutex::default(),
            commits: Mutex::default(),
            committed: Condvar::new(),
            _lock: lock,
        });
        shared.check_form()?;
        for guard in shared.catalog.iter() {
            let (name, entry) = guard.into_inner().map_err(fail)?;
            let name = String::from_utf8_lossy(&name).into_owned();
            let entry: CatalogEntry = postcard::from_bytes(&entry).map_err(|error| storage(path, &error))?;
            let topic = shared.open_topic(&name, &entry)?;
            shared.topics.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(topic));
        }
        let (writer, requests) = mpsc::sync_channel(WAITING_APPENDS_MAX);
        let for_writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || writer_loop(&for_writer, &requests))
            .map_err(io)?;
        Ok(Self { shared, writer: Some(Arc::new(writer)), thread: Some(thread) })
    }

    fn writer(&self) -> &Arc<SyncSender<Request>> {
        self.writer.as_ref().expect("the writer lives as long as the journal")
    }
}

impl Drop for EmbeddedJournal {
    fn drop(&mut self) {
        // The writer ends once nobody can ask it any more, and has then answered all that was asked.
        self.writer = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's writer panicked");
        }
    }
}

/// Has the writer append records, all of them or none; returns once they are durable.
fn append<'a>(
    writer: &SyncSender<Request>,
    shared: &Shared,
    records: impl ExactSizeIterator<Item = (&'a str, &'a NewRecord)>,
    holder: Option<(String, u64)>,
) -> Result<Vec<Position>, JournalError> {
    let (blocks, places) = in_blocks(shared, records)?;
    let (answer, answered) = mpsc::sync_channel(1);
    let gone = |_| storage(&shared.path, &"its writer ended");
    writer.send(Request { blocks, holder, answer }).map_err(|_| gone(mpsc::RecvError))?;
    let starts = answered.recv().map_err(gone)??;
    Ok(places.into_iter().map(|place| place.position(&starts)).collect())
}

fn storage(path: &Path, error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Storage { path: path.display().to_string(), why: error.to_string() }
}

impl Shared {
    fn topic(&self, name: &str) -> Result<Arc<Topic>, JournalError> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics
            .get(name)
            .cloned()
            .ok_or_else(|| JournalError::Unfit { topic: name.to_owned(), why: "it doesn't exist".into() })
    }

    /// Whether the files are of the form that this module reads; those of a new journal will be.
    fn check_form(&self) -> Result<(), JournalError> {
        let forms = self
            .database
            .keyspace("form", KeyspaceCreateOptions::default)
            .map_err(|error| self.failed(&error))?;
        let form = forms.get(FORM_KEY).map_err(|error| self.failed(&error))?;
        if form.as_deref() == Some(&[FORM]) {
            return Ok(());
        }
        if form.is_some() || self.catalog.first_key_value().is_some() {
            return Err(JournalError::Setup(format!(
                "the journal in {} was written by another version of Tallyboard; go on with that one, or begin \
                 anew in another directory",
                self.path.display()
            )));
        }
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncAll));
        batch.insert(&forms, FORM_KEY, [FORM]);
        batch.commit().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &fjall::Error) -> JournalError {
        storage(&self.path, error)
    }

    fn damaged(&self, topic: &str, last: Position, why: &str) -> JournalError {
        let Position { partition, offset } = last;
        storage(&self.path, &format!("the block of {topic}/{partition} that ends at offset {offset}: {why}"))
    }

    fn open_topic(&self, name: &str, entry: &CatalogEntry) -> Result<Topic, JournalError> {
        let open = |kind: &str| {
            let keyspace = self.database.keyspace(&format!("{kind}-{name}"), KeyspaceCreateOptions::default);
            keyspace.map_err(|error| self.failed(&error))
        };
        let log = open("log")?;
        let places = entry.compacted.then(|| open("places")).transpose()?;
        let snapshot = self.database.snapshot();
        let ends = (0..entry.partitions)
            .map(|partition| {
                let last = snapshot.range(&log, key(partition, 0)..=key(partition, u64::MAX)).next_back();
                let last = last.map(|guard| guard.key()).transpose().map_err(|error| self.failed(&error))?;
                Ok(AtomicU64::new(last.map_or(0, |key| offset_of(&key) + 1)))
            })
            .collect::<Result<_, JournalError>>()?;
        Ok(Topic { name: name.to_owned(), log, places, ends, round_robin: AtomicU64::new(0) })
    }
}

impl Topic {
    fn partition_of(&self, key: Option<&[u8]>) -> u32 {
        let partitions = u32::try_from(self.ends.len()).expect("partitions are few");
        match key {
            Some(key) => (murmur2::murmur2(key, MURMUR2_SEED) & 0x7fff_ffff) % partitions,
            None => {
                let turn = self.round_robin.fetch_add(1, Ordering::Relaxed) % u64::from(partitions);
                u32::try_from(turn).expect("less than the number of partitions")
            }
        }
    }

    fn end(&self, partition: u32) -> u64 {
        self.ends[partition as usize].load(Ordering::Acquire)
    }
}

fn key(partition: u32, offset: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&partition.to_be_bytes());
    key[4..].copy_from_slice(&offset.to_be_bytes());
    key
}

fn offset_of(key: &[u8]) -> u64 {
    u64::from_be_bytes(key[4..12].try_into().expect("a key has twelve bytes"))
}

impl Journal for EmbeddedJournal {
    fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<String>, JournalError> {
        let mut topics = self.shared.topics.write().unwrap_or_else(PoisonError::into_inner);
        for spec in specs {
            let compacted = spec.cleanup == Cleanup::Compact;
            if let Some(topic) = topics.get(&spec.name) {
                if topic.places.is_some() != compacted {
                    let why = "it was made with another cleanup policy".into();
                    return Err(JournalError::Unfit { topic: spec.name.clone(), why });
                }
                continue;
            }
            let entry = CatalogEntry { partitions: spec.partitions.when_new(), compacted };
            let topic = self.shared.open_topic(&spec.name, &entry)?;
            let bytes = postcard::to_stdvec(&entry).expect("an entry has a length");
            let mut batch = self.shared.database.batch().durability(Some(fjall::PersistMode::SyncAll));
            batch.insert(&self.shared.catalog, spec.name.as_bytes(), bytes);
            batch.commit().map_err(|error| self.shared.failed(&error))?;
            topics.insert(spec.name.clone(), Arc::new(topic));
        }
        Ok(Vec::new())
    }

    fn bounds(&self, topic: &str) -> Result<BTreeMap<u32, Range<u64>>, JournalError> {
        let topic = self.shared.topic(topic)?;
        // The ends first: what is committed in between is in the snapshot too, and isn't taken for missing at the start.
        let ends: Vec<_> = topic.ends.iter().map(|end| end.load(Ordering::Acquire)).collect();
        let snapshot = self.shared.database.snapshot();
        (0..)
            .zip(ends)
            .map(|(partition, end)| {
                let Some(first) = snapshot.range(&topic.log, key(partition, 0)..key(partition, end)).next()
                else {
                    return Ok((partition, end..end));
                };
                let (place, bytes) = first.into_inner().map_err(|error| self.shared.failed(&error))?;
                let last = Position { partition, offset: offset_of(&place) };
                let start = block::start(&bytes, last.offset);
                let start = start.map_err(|why| self.shared.damaged(&topic.name, last, &why))?;
                Ok((partition, start..end))
            })
            .collect()
    }

    fn append(&self, topic: &str, records: Vec<NewRecord>) -> Result<Vec<Position>, JournalError> {
        append(self.writer(), &self.shared, records.iter().map(|record| (topic, record)), None)
    }

    fn exclusive(&self, name: &str) -> Result<Box<dyn ExclusiveAppender>, JournalError> {
        let mut holders = self.shared.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = holders.entry(name.to_owned()).or_default();
        *holder += 1;
        Ok(Box::new(EmbeddedAppender {
            shared: Arc::clone(&self.shared),
            writer: Arc::downgrade(self.writer()),
            holder: (name.to_owned(), *holder),
        }))
    }

    fn read(&self, topic: &str, starts: &BTreeMap<u32, u64>) -> Result<Box<dyn Reader>, JournalError> {
        let topic = self.shared.topic(topic)?;
        Ok(Box::new(EmbeddedReader::new(Arc::clone(&self.shared), topic, starts.clone())))
    }

    fn join(&self, _group: &str, topic: &str) -> Result<Box<dyn Membership>, JournalError> {
        let partitions = u32::try_from(self.shared.topic(topic)?.ends.len()).expect("partitions are few");
        Ok(Box::new(WholeTopic { news: Some((0..partitions).collect()) }))
    }
}

struct EmbeddedAppender {
    shared: Arc<Shared>,
    writer: Weak<SyncSender<Request>>,
    holder: (String, u64),
}

impl ExclusiveAppender for EmbeddedAppender {
    fn append_all(&mut self, records: Vec<(String, NewRecord)>) -> Result<(), JournalError> {
        self.append_plain(records).map(drop)
    }

    /// As [`ExclusiveAppender::append_all`]: here readers don't see how records are kept together.
    fn append_plain(&mut self, records: Vec<(String, NewRecord)>) -> Result<Vec<Position>, JournalError> {
        let writer =
            self.writer.upgrade().ok_or_else(|| JournalError::Fenced("the journal is closed".into()))?;
        let records = records.iter().map(|(topic, record)| (topic.as_str(), record));
        append(&writer, &self.shared, records, Some(self.holder.clone()))
    }
}

/// One process uses the journal, so everything is always this member's.
struct WholeTopic {
    news: Option<BTreeSet<u32>>,
}

impl Membership for WholeTopic {
    fn poll(&mut self, wait: Duration) -> Result<Option<BTreeSet<u32>>, JournalError> {
        if self.news.is_none() {
            std::thread::sleep(wait);
        }
        Ok(self.news.take())
    }

    fn report(&mut self, _next_offsets: &BTreeMap<u32, u64>) {}
}

/// Waits until something is committed after commit number `seen`, or `deadline` has passed.
fn wait_for_commit(shared: &Shared, seen: u64, deadline: Instant) {
    let mut commits = shared.commits.lock().unwrap_or_else(PoisonError::into_inner);
    while *commits == seen {
        let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        else {
            return;
        };
        (commits, _) = shared.committed.wait_timeout(commits, left).unwrap_or_else(PoisonError::into_inner);
    }
}
