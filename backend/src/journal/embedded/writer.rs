//! The one writer: commits everything that waits for it at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender},
    },
};

use fjall::PersistMode;

use super::{Shared, Topic, block::Block, key};
use crate::journal::JournalError;

/// A commit takes requests until it has so many bytes: large enough to share the fsync, small enough not to keep
/// the first one waiting.
const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The first offset of each block of an append.
pub(super) type Answer = Result<Vec<u64>, JournalError>;

/// Blocks to append, as one.
pub(super) struct Request {
    pub(super) blocks: Vec<Block>,
    /// The exclusive name and its holder, where the append is exclusive.
    pub(super) holder: Option<(String, u64)>,
    /// Has room for the one answer, so that answering never waits.
    pub(super) answer: SyncSender<Answer>,
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
    /// Next offsets as they will be after the commit, by topic and partition.
    ends: HashMap<(String, u32), (Arc<Topic>, u64)>,
    /// Places of keys of compacted topics as they will be after the commit.
    places: HashMap<(String, Vec<u8>), [u8; 12]>,
    answers: Vec<(SyncSender<Answer>, Vec<u64>)>,
}

impl<'a> Commit<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            batch: shared.database.batch().durability(Some(PersistMode::SyncAll)),
            bytes: 0,
            now_ms: jiff::Timestamp::now().as_millisecond(),
            ends: HashMap::new(),
            places: HashMap::new(),
            answers: Vec::new(),
        }
    }

    fn take(&mut self, request: Request) {
        let Request { blocks, holder, answer: to } = request;
        let starts =
            self.check(holder).and_then(|()| blocks.into_iter().map(|block| self.add(block)).collect());
        match starts {
            Ok(starts) => self.answers.push((to, starts)),
            Err(error) => answer(&to, Err(error)),
        }
    }

    fn check(&self, holder: Option<(String, u64)>) -> Result<(), JournalError> {
        let Some((name, holder)) = holder else { return Ok(()) };
        let holders = self.shared.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.get(&name) == Some(&holder) { Ok(()) } else { Err(JournalError::Fenced(name)) }
    }

    fn add(&mut self, block: Block) -> Result<u64, JournalError> {
        let Block { ref topic, partition, count, .. } = block;
        let topic = Arc::clone(topic);
        let (_, end) = self
            .ends
            .entry((topic.name.clone(), partition))
            .or_insert_with(|| (Arc::clone(&topic), topic.end(partition)));
        let start = *end;
        *end += u64::from(count);
        let place = key(partition, *end - 1);
        self.bytes += block.len();
        if let (Some(places), Some(record_key)) = (&topic.places, &block.key) {
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
        self.batch.insert(&topic.log, place, block.into_bytes(self.now_ms));
        Ok(start)
    }

    fn finish(self) {
        if let Err(error) = self.batch.commit() {
            tracing::error!(%error, "the journal can't be written; make room on the disk and restart");
            for (to, _) in &self.answers {
                answer(to, Err(self.shared.failed(&error)));
            }
            return;
        }
        for ((_, partition), (topic, end)) in &self.ends {
            topic.ends[*partition as usize].store(*end, Ordering::Release);
        }
        *self.shared.commits.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.shared.committed.notify_all();
        for (to, starts) in self.answers {
            answer(&to, Ok(starts));
        }
    }
}

fn answer(to: &SyncSender<Answer>, answer: Answer) {
    // Whoever asked may have gone; the records are where they are all the same.
    drop(to.try_send(answer));
}
