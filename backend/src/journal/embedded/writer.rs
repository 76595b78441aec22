//! The one writer: commits everything that waits for it at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender},
    },
};

use fjall::PersistMode;
use serde::{Deserialize, Serialize};

use super::{Answer, Shared, Topic, key};
use crate::journal::{JournalError, NewRecord, Position};

/// A commit takes requests until it has so many bytes: large enough to share the fsync, small enough not to keep
/// the first one waiting.
const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Records to append, as one.
pub(super) struct Request {
    pub(super) records: Vec<(String, NewRecord)>,
    /// The exclusive name and its holder, where the append is exclusive.
    pub(super) holder: Option<(String, u64)>,
    /// Has room for the one answer, so that answering never waits.
    pub(super) answer: SyncSender<Answer>,
}

/// A record as it lies in the store.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored<'a> {
    pub(super) timestamp_ms: i64,
    #[serde(borrow)]
    pub(super) key: Option<&'a [u8]>,
    #[serde(borrow)]
    pub(super) headers: Vec<(&'a str, &'a [u8])>,
    pub(super) value: &'a [u8],
}

pub(super) fn writer_loop(shared: &Shared, requests: &Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        let mut commit = Commit::new(shared);
        commit.take(first);
        while commit.bytes < COMMIT_BYTES_MAX {
            let Ok(request) = requests.try_recv() else { break };
            commit.take(request);
        }
        commit.finish();
    }
}

struct Commit<'a> {
    shared: &'a Shared,
    batch: fjall::OwnedWriteBatch,
    bytes: usize,
    now_ms: i64,
    topics: BTreeMap<String, Arc<Topic>>,
    /// Next offsets as they will be after the commit.
    ends: HashMap<(String, u32), u64>,
    /// Places of keys of compacted topics as they will be after the commit.
    places: HashMap<(String, Vec<u8>), [u8; 12]>,
    answers: Vec<(SyncSender<Answer>, Vec<Position>)>,
}

impl<'a> Commit<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            batch: shared.database.batch().durability(Some(PersistMode::SyncAll)),
            bytes: 0,
            now_ms: jiff::Timestamp::now().as_millisecond(),
            topics: BTreeMap::new(),
            ends: HashMap::new(),
            places: HashMap::new(),
            answers: Vec::new(),
        }
    }

    fn take(&mut self, request: Request) {
        match self.check(&request).and_then(|()| self.add_all(&request.records)) {
            Ok(positions) => self.answers.push((request.answer, positions)),
            Err(error) => answer(&request.answer, Err(error)),
        }
    }

    /// Everything that could fail before the commit is asked first: a request is added whole or not at all.
    fn check(&mut self, request: &Request) -> Result<(), JournalError> {
        if let Some((name, holder)) = &request.holder {
            let holders = self.shared.holders.lock().unwrap_or_else(PoisonError::into_inner);
            if holders.get(name) != Some(holder) {
                return Err(JournalError::Fenced(name.clone()));
            }
        }
        for (topic, _) in &request.records {
            if !self.topics.contains_key(topic) {
                self.topics.insert(topic.clone(), self.shared.topic(topic)?);
            }
        }
        Ok(())
    }

    fn add_all(&mut self, records: &[(String, NewRecord)]) -> Answer {
        records.iter().map(|(topic, record)| self.add(&Arc::clone(&self.topics[topic]), record)).collect()
    }

    fn add(&mut self, topic: &Topic, record: &NewRecord) -> Result<Position, JournalError> {
        let partition = topic.partition_of(record.key.as_deref());
        let end = self.ends.entry((topic.name.clone(), partition)).or_insert_with(|| topic.end(partition));
        let offset = *end;
        *end += 1;
        let place = key(partition, offset);
        let stored = Stored {
            timestamp_ms: self.now_ms,
            key: record.key.as_deref(),
            headers: record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            value: &record.value,
        };
        let bytes =
            postcard::to_stdvec(&stored).expect("writing to memory can't fail, and every field has a length");
        self.bytes += bytes.len();
        if let (Some(places), Some(record_key)) = (&topic.places, &record.key) {
            let older = match self.places.insert((topic.name.clone(), record_key.clone()), place) {
                Some(older) => Some(older.to_vec()),
                None => {
                    let stored = places.get(record_key).map_err(|error| self.shared.failed(&error))?;
                    stored.map(|place| place.to_vec())
                }
            };
            if let Some(older) = older {
                self.batch.remove(&topic.log, older);
            }
            self.batch.insert(places, record_key.as_slice(), place);
        }
        self.batch.insert(&topic.log, place, bytes);
        Ok(Position { partition, offset })
    }

    fn finish(self) {
        if let Err(error) = self.batch.commit() {
            tracing::error!(%error, "the journal can't be written; make room on the disk and restart");
            for (to, _) in &self.answers {
                answer(to, Err(self.shared.failed(&error)));
            }
            return;
        }
        for ((topic, partition), end) in &self.ends {
            self.topics[topic].ends[*partition as usize].store(*end, Ordering::Release);
        }
        *self.shared.commits.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.shared.committed.notify_all();
        for (to, positions) in self.answers {
            answer(&to, Ok(positions));
        }
    }
}

fn answer(to: &SyncSender<Answer>, answer: Answer) {
    // Whoever asked may have gone; the records are where they are all the same.
    drop(to.try_send(answer));
}
