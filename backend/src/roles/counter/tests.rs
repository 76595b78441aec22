//! When a counter tells, what it passes over, and what its checkpoints cover.

use super::*;
use crate::{election, journal::Position, tally::PartitionTally};

fn settings() -> CounterSettings {
    CounterSettings {
        election: Arc::new(election::undefined()),
        topics: Topics::new(""),
        group: String::new(),
        publish_interval: Duration::from_millis(100),
        key: FingerprintKey::new([0; 16]),
        checkpoints: None,
        checkpoint_interval: Duration::from_secs(5),
        workers: 1,
    }
}

fn counter() -> Counter {
    Counter::new(&settings(), 4, 0, None)
}

fn vote(number: u64) -> String {
    format!(
        r#"{{"voter_id":"v{number}","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"p"}}"#
    )
}

fn record(offset: u64, value: &str) -> ReadRecord<'_> {
    let position = Position { partition: 4, offset };
    ReadRecord { position, timestamp_ms: None, simulated: false, key: b"", value: value.as_bytes() }
}

fn count(counter: &mut Counter, record: &ReadRecord<'_>) -> Option<Outcome> {
    let (mut batch, mut outcomes) = (Batch::default(), Vec::new());
    batch.push(record);
    batch.runs().for_each(|run| counter.records(&run, |_, outcome| outcomes.push(outcome)));
    outcomes.pop()
}

fn feed(counter: &mut Counter, offset: u64) {
    assert_eq!(count(counter, &record(offset, &vote(offset))), Some(Outcome::Counted { late: false }));
}

#[test]
fn the_first_change_is_told_at_once_and_a_flood_is_paced() {
    let mut counter = counter();
    let told =
        |bytes: Option<Vec<u8>>| bytes.map(|bytes| PartitionTally::decode(&bytes).unwrap().next_offset);
    assert_eq!(told(counter.tick(1000)), Some(0));
    feed(&mut counter, 0);
    assert_eq!(told(counter.tick(1099)), None);
    assert_eq!(told(counter.tick(1100)), Some(1));
    assert_eq!(told(counter.tick(5000)), None);
    feed(&mut counter, 1);
    assert_eq!(told(counter.tick(5000)), Some(2));
    assert_eq!(told(counter.tick(15_000)), None);
    counter.reached_end(2);
    assert_eq!(told(counter.tick(14_999)), None);
    assert_eq!(told(counter.tick(15_000)), Some(2));
}

#[test]
fn what_readers_never_see_at_the_end_of_a_log_is_passed_over() {
    let told = |bytes: Vec<u8>| PartitionTally::decode(&bytes).unwrap();
    let mut counter = counter();
    feed(&mut counter, 0);
    let before = told(counter.tick(0).unwrap());
    counter.reached_end(3);
    let after = told(counter.tick(100).unwrap());
    assert_eq!(after, PartitionTally { next_offset: 3, ..before });
    // Records that came behind the end in the same batch.
    feed(&mut counter, 3);
    counter.reached_end(3);
    assert_eq!(counter.next_offset(), 4);
}

#[test]
fn the_end_of_a_log_that_refutes_the_checkpoint_is_not_passed_over_to() {
    let settings = settings();
    let last = LastRecord::of(&record(2, &vote(2)));
    let mut counter = Counter::resume(&settings, 4, restored(Some(last), &settings.election), 0, 1);
    counter.reached_end(9);
    assert_eq!(counter.next_offset(), 3);
    assert_eq!(count(&mut counter, &record(2, &vote(7))), None);
    counter.reached_end(9);
    assert_eq!(counter.next_offset(), 3);
}

fn restored(last: Option<LastRecord>, election: &Election) -> Restored {
    let key = FingerprintKey::new([0; 16]);
    let mut fold = Fold::new(election, 4, key);
    for offset in 0..3 {
        let value = vote(offset);
        let record = Record { offset, timestamp_ms: None, simulated: false, value: value.as_bytes() };
        assert!(fold.record(&record).is_some());
    }
    Restored { fold, last }
}

#[test]
fn a_checkpoint_counts_only_once_the_log_has_confirmed_it() {
    let last = LastRecord::of(&record(2, &vote(2)));
    let settings = settings();
    let resume = || Counter::resume(&settings, 4, restored(Some(last), &settings.election), 0, 1);
    let mut counter = resume();
    assert_eq!((counter.start_offset(), counter.tick(0)), (2, None));
    assert!(counter.last_checkpoint().is_none());
    assert_eq!(count(&mut counter, &record(2, &vote(2))), None);
    assert!(!counter.is_refuted() && counter.start_offset() == 3 && counter.tick(0).is_some());
    feed(&mut counter, 3);

    let mut other_content = resume();
    assert_eq!(count(&mut other_content, &record(2, &vote(7))), None);
    assert!(other_content.is_refuted() && other_content.tick(0).is_none());
    assert_eq!(count(&mut other_content, &record(3, &vote(3))), None);

    let mut other_place = resume();
    assert_eq!(count(&mut other_place, &record(3, &vote(2))), None);
    assert!(other_place.is_refuted() && other_place.last_checkpoint().is_none());
}

#[test]
fn checkpoints_are_paced_and_cover_what_they_say() {
    let settings = settings();
    let mut counter = Counter::new(&settings, 4, 0, Some(1));
    assert!(counter.checkpoint(0).is_none());
    feed(&mut counter, 0);
    assert!(counter.checkpoint(4999).is_none());
    let step = counter.checkpoint(5000).unwrap();
    let (tally, last) = step.tally.unwrap();
    assert_eq!((step.voters.len(), tally.next_offset), (12, 1));
    assert_eq!(last, Some(LastRecord::of(&record(0, &vote(0)))));
    assert!(counter.checkpoint(20_000).is_none(), "nothing came since");
    // Fingerprints don't pile up until a tally is due.
    let handed = (1..20_000).filter_map(|offset| {
        feed(&mut counter, offset);
        counter.checkpoint(20_001)
    });
    let sizes: Vec<_> = handed.map(|step| (step.voters.len(), step.tally.is_some())).collect();
    assert_eq!(sizes, [(FINGERPRINTS_WAITING_MAX, false); 3]);
}

#[test]
fn a_large_tally_is_told_less_often() {
    let mut counter = counter();
    for offset in 0..5000 {
        let value = format!(
            r#"{{"voter_id":"v{offset}","candidate_id":"candidate-{offset}","voting_time":"2026-11-03 08:15:00","location_id":"place-{offset}"}}"#
        );
        assert!(count(&mut counter, &record(offset, &value)).is_some());
    }
    let bytes = counter.tick(0).unwrap();
    assert!(bytes.len() > 2 * BYTES_PER_INTERVAL, "{}", bytes.len());
    feed(&mut counter, 5000);
    assert!(counter.tick(250).is_none());
    assert!(counter.tick(100_000).is_some());
}
