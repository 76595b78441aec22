//! For tests: `election_results` in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tallyboard_shared::Timestamp;

use super::{
    publication::{Before, Publication},
    publisher::SNAPSHOT_EVERY,
};
use crate::{
    election,
    journal::{
        Batch, ExclusiveAppender, Journal, JournalError, Membership, NewRecord, Position, ReadRecord, Reader,
        TopicSpec,
    },
    tally::{Cell, PartitionTally, merge, merge_timeline},
};

/// A topic in memory with the gaps that transactions leave, which counts what is read of it.
pub(crate) struct Shelf {
    /// Offset, key and value.
    pub(crate) records: Vec<(u64, String, Vec<u8>)>,
    pub(crate) bounds: Range<u64>,
    pub(crate) reads: AtomicU64,
    pub(crate) records_read: Arc<AtomicU64>,
}

struct ShelfReader {
    left: VecDeque<(u64, String, Vec<u8>)>,
    end: u64,
    records_read: Arc<AtomicU64>,
}

/// As many as a batch holds here, so that a search that reads on is seen.
const BATCH: usize = 20;

impl Reader for ShelfReader {
    fn next(&mut self, batch: &mut Batch, _: Duration) -> Result<(), JournalError> {
        batch.clear();
        for (offset, key, value) in self.left.drain(..self.left.len().min(BATCH)) {
            self.records_read.fetch_add(1, Ordering::Relaxed);
            batch.push(&ReadRecord {
                position: Position { partition: 0, offset },
                timestamp_ms: None,
                simulated: false,
                key: key.as_bytes(),
                value: &value,
            });
        }
        if self.left.is_empty() {
            batch.mark_end(0, self.end);
        }
        Ok(())
    }
}

impl Journal for Shelf {
    fn ensure_topics(&self, _: &[TopicSpec]) -> Result<Vec<String>, JournalError> {
        unreachable!("nothing is made")
    }

    fn bounds(&self, _: &str) -> Result<BTreeMap<u32, Range<u64>>, JournalError> {
        Ok(BTreeMap::from([(0, self.bounds.clone())]))
    }

    fn append(&self, _: &str, _: Vec<NewRecord>) -> Result<Vec<Position>, JournalError> {
        unreachable!("nothing is written")
    }

    fn exclusive(&self, _: &str) -> Result<Box<dyn ExclusiveAppender>, JournalError> {
        unreachable!("nothing is written")
    }

    fn read(&self, _: &str, starts: &BTreeMap<u32, u64>) -> Result<Box<dyn Reader>, JournalError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let start = starts[&0];
        assert!(self.bounds.contains(&start) || start == self.bounds.end, "{start} {:?}", self.bounds);
        let left = self.records.iter().filter(|record| record.0 >= start).cloned().collect();
        let (end, records_read) = (self.bounds.end, self.records_read.clone());
        Ok(Box::new(ShelfReader { left, end, records_read }))
    }

    fn join(&self, _: &str, _: &str) -> Result<Box<dyn Membership>, JournalError> {
        unreachable!("nobody joins")
    }
}

impl Shelf {
    /// Publications of versions 1 to `count`, `stride` offsets apart, with a snapshot after every hundred steps.
    pub(crate) fn new(count: u64, stride: u64) -> Self {
        let election = election::demo();
        let mut publications: Vec<Publication> = Vec::new();
        for version in 1..=count {
            let cell = Cell { candidate: 0, location: 0, votes: version * 10 };
            let tally = PartitionTally::sample(&election, 0, version * 10, vec![cell]);
            let as_of = Timestamp::from_second(i64::try_from(version).unwrap()).unwrap();
            let results = merge(&election, [&tally].into_iter(), version, as_of);
            let timeline = merge_timeline(&election, [&tally].into_iter(), &results);
            let before = publications.last().map(|before| &before.results);
            let before = Before { results: before, ..Before::default() };
            let as_snapshot = version % (u64::from(SNAPSHOT_EVERY) + 1) == 1;
            publications.push(Publication::new(&election, before, results, timeline, as_snapshot));
        }
        Self::of(&publications, stride)
    }

    /// These publications, `stride` offsets apart.
    pub(crate) fn of(publications: &[Publication], stride: u64) -> Self {
        let record = |(number, publication): (u64, &Publication)| {
            let value = serde_json::to_vec(&publication.record).unwrap();
            (number * stride, publication.results.version.to_string(), value)
        };
        let records: Vec<_> = (0..).zip(publications).map(record).collect();
        let bounds = 0..records.len() as u64 * stride;
        Self { records, bounds, reads: AtomicU64::new(0), records_read: Arc::default() }
    }
}
