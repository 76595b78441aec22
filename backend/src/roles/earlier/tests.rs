use std::{collections::BTreeSet, sync::atomic::Ordering};

use super::*;
use crate::roles::shelf::Shelf;

fn find(shelf: &Shelf, version: u64, landmarks: &Landmarks) -> Option<(u64, u64)> {
    let found = earlier_publication(shelf, "election_results", version, landmarks).unwrap()?;
    Some((found.results.version, found.results.totals.votes))
}

#[test]
fn every_version_is_found_as_it_was_published() {
    for stride in [1, 2, 7] {
        let shelf = Shelf::new(350, stride);
        let landmarks = Landmarks::default();
        for version in (1..=350).rev() {
            assert_eq!(find(&shelf, version, &landmarks), Some((version, version * 10)), "{stride}");
        }
        assert_eq!(find(&shelf, 0, &landmarks), None);
        assert_eq!(find(&shelf, 351, &landmarks), None);
        assert_eq!(find(&shelf, u64::MAX, &landmarks), None);
    }
}

#[test]
fn little_is_read_of_a_long_topic() {
    let shelf = Shelf::new(5000, 2);
    for version in [1, 7, 2500, 4999] {
        shelf.reads.store(0, Ordering::Relaxed);
        shelf.records_read.store(0, Ordering::Relaxed);
        assert_eq!(find(&shelf, version, &Landmarks::default()), Some((version, version * 10)));
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
        assert_eq!(find(&shelf, version, &landmarks), Some((version, version * 10)));
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
        (1..=350).filter(|version| find(&shelf, *version, &landmarks).is_some()).collect();
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
