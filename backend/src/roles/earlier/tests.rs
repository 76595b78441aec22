use std::{
    collections::BTreeSet,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::{
    election,
    journal::{ExclusiveAppender, Membership, NewRecord, Position, Reader, TopicSpec},
    roles::publication::{Before, Publication},
    tally::{Cell, PartitionTally, merge, merge_timeline},
};

/// A topic in memory with the gaps that transactions leave, which counts what is read of it.
struct Shelf {
    /// Offset, key and value.
    records: Vec<(u64, String, Vec<u8>)>,
    bounds: Range<u64>,
    reads: AtomicU64,
    records_read: std::sync::Arc<AtomicU64>,
}

struct ShelfReader {
    left: std::collections::VecDeque<(u64, String, Vec<u8>)>,
    end: u64,
    records_read: std::sync::Arc<AtomicU64>,
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
    fn new(count: u64, stride: u64) -> Self {
        let election = election::demo();
        let mut before: Option<Results> = None;
        let mut records = Vec::new();
        for version in 1..=count {
            let cell = Cell { candidate: 0, location: 0, votes: version * 10 };
            let tally = PartitionTally::sample(&election, 0, version * 10, vec![cell]);
            let as_of = Timestamp::from_second(i64::try_from(version).unwrap()).unwrap();
            let results = merge(&election, [&tally].into_iter(), version, as_of);
            let timeline = merge_timeline(&election, [&tally].into_iter(), &results);
            let before_it = Before { results: before.as_ref(), timeline: None };
            let as_snapshot = version % (u64::from(SNAPSHOT_EVERY) + 1) == 1;
            let publication = Publication::new(&election, before_it, results.clone(), timeline, as_snapshot);
            let value = serde_json::to_vec(&publication.record).unwrap();
            records.push(((version - 1) * stride, version.to_string(), value));
            before = Some(results);
        }
        let bounds = 0..count * stride;
        Self { records, bounds, reads: AtomicU64::new(0), records_read: std::sync::Arc::default() }
    }

    fn version(&self, version: u64, landmarks: &Landmarks) -> Option<(u64, u64)> {
        let found = earlier_publication(self, "election_results", version, landmarks).unwrap()?;
        Some((found.results.version, found.results.totals.votes))
    }
}

#[test]
fn every_version_is_found_as_it_was_published() {
    for stride in [1, 2, 7] {
        let shelf = Shelf::new(350, stride);
        let landmarks = Landmarks::default();
        for version in (1..=350).rev() {
            assert_eq!(shelf.version(version, &landmarks), Some((version, version * 10)), "{stride}");
        }
        assert_eq!(shelf.version(0, &landmarks), None);
        assert_eq!(shelf.version(351, &landmarks), None);
        assert_eq!(shelf.version(u64::MAX, &landmarks), None);
    }
}

#[test]
fn little_is_read_of_a_long_topic() {
    let shelf = Shelf::new(5000, 2);
    for version in [1, 7, 2500, 4999] {
        shelf.reads.store(0, Ordering::Relaxed);
        shelf.records_read.store(0, Ordering::Relaxed);
        assert_eq!(shelf.version(version, &Landmarks::default()), Some((version, version * 10)));
        let (reads, records) =
            (shelf.reads.load(Ordering::Relaxed), shelf.records_read.load(Ordering::Relaxed));
        assert!(reads <= 10 && records <= 500, "version {version}: {reads} reads, {records} records");
    }
}

#[test]
fn uneven_distances_between_versions_only_take_more_looks() {
    let mut shelf = Shelf::new(3000, 1);
    // A busy morning of aborted transactions: a thousand versions lie far apart.
    let offset = |version: u64| if version < 1000 { version } else { 1000 + (version - 1000) * 50 };
    for (number, record) in (1..).zip(&mut shelf.records) {
        record.0 = offset(number);
    }
    shelf.bounds = 1..offset(3000) + 1;
    let landmarks = Landmarks::default();
    for version in [1, 999, 1000, 1001, 1500, 2999, 3000] {
        assert_eq!(shelf.version(version, &landmarks), Some((version, version * 10)));
    }
    assert!(shelf.reads.load(Ordering::Relaxed) < 150, "{:?}", shelf.reads);
}

#[test]
fn what_is_no_longer_kept_isnt_found_and_what_can_be_reached_is() {
    let mut shelf = Shelf::new(350, 2);
    // Retention took the first snapshot and some steps.
    shelf.records.drain(..30);
    shelf.bounds = 60..700;
    let landmarks = Landmarks::default();
    let found: BTreeSet<_> =
        (1..=350).filter(|version| shelf.version(*version, &landmarks).is_some()).collect();
    assert_eq!(found, (102..=350).collect());
}

#[test]
fn landmarks_are_bounded() {
    let landmarks = Landmarks::default();
    for version in 0..20_000 {
        landmarks.add(version, version);
    }
    assert!(landmarks.0.lock().unwrap().len() <= LANDMARKS_MAX);
}

#[test]
fn a_glimpse_sees_the_publication_at_or_behind_an_offset() {
    let shelf = Shelf::new(110, 2);
    let seen = |offset| {
        let glimpse = glimpse(&shelf, "election_results", offset).unwrap();
        glimpse.map(|glimpse| (glimpse.version, glimpse.as_of.as_second(), glimpse.votes))
    };
    assert_eq!(seen(0), Some((1, 1, 10)));
    assert_eq!(seen(201), Some((102, 102, 1020)));
    assert_eq!(seen(202), Some((102, 102, 1020)));
    assert_eq!(seen(219), None);
}

#[test]
fn a_record_that_cannot_be_understood_is_an_error() {
    let mut shelf = Shelf::new(120, 1);
    shelf.records[50].2 = b"{}".to_vec();
    let error = earlier_publication(&shelf, "election_results", 60, &Landmarks::default()).unwrap_err();
    assert!(matches!(error, JournalError::Unfit { .. }), "{error}");
}
