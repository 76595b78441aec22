//! What a publisher publishes, and when: versions, the watermark, rows.

use super::*;
use crate::{
    election,
    tally::{Cell, PartitionTally, Window},
};

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn tally(election: &Election, partition: u32, next_offset: u64) -> PartitionTally {
    let cell = Cell { candidate: partition % 5, location: 0, votes: next_offset };
    let cells = if next_offset > 0 { vec![cell] } else { Vec::new() };
    PartitionTally::sample(election, partition, next_offset, cells)
}

fn publish(publisher: &mut Publisher, now_ms: i64) -> Option<(u64, u64, bool)> {
    let publication = publisher.tick(time(now_ms), now_ms)?;
    let snapshot = matches!(publication.record, PublicationRecord::Snapshot { .. });
    let seen = (publication.results.version, publication.results.totals.votes, snapshot);
    publisher.published(publication, now_ms);
    Some(seen)
}

#[test]
fn versions_grow_by_one_and_a_flood_is_paced() {
    let election = election::demo();
    let mut publisher = Publisher::resume(election.clone(), None, 100);
    assert_eq!(publish(&mut publisher, 0), Some((1, 0, true)));
    assert_eq!(publish(&mut publisher, 500), None);
    publisher.tally(tally(&election, 0, 3), 0);
    assert_eq!(publish(&mut publisher, 500), Some((2, 3, false)));
    publisher.tally(tally(&election, 1, 4), 0);
    assert_eq!(publish(&mut publisher, 599), None);
    publisher.tally(tally(&election, 1, 5), 0);
    assert_eq!(publish(&mut publisher, 600), Some((3, 8, false)));
}

#[test]
fn the_tally_with_the_highest_offset_wins_in_whatever_order_they_come() {
    let election = election::demo();
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    for offset in [7, 2, 9, 9, 0] {
        publisher.tally(tally(&election, 0, offset), 0);
    }
    assert_eq!(publish(&mut publisher, 0), Some((1, 9, true)));
    publisher.tally(tally(&election, 0, 8), 0);
    assert_eq!(publish(&mut publisher, 1), None);
}

/// Publishes and returns the version, and of which candidates and places there are rows.
fn rows(publisher: &mut Publisher, now_ms: i64) -> (u64, usize) {
    let publication = publisher.tick(time(now_ms), now_ms).unwrap();
    let seen = (publication.results.version, publication.rows(&crate::journal::Topics::new("")).len());
    publisher.published(publication, now_ms);
    seen
}

#[test]
fn all_rows_are_written_by_a_successor_and_where_somebody_elses_came_in_between() {
    let election = election::demo();
    let all = election.contests[0].candidates.len() + election.locations.len();
    let mut first = Publisher::resume(election.clone(), None, 0);
    first.tally(tally(&election, 0, 3), 0);
    assert_eq!(rows(&mut first, 0), (1, all));
    first.tally(tally(&election, 1, 4), 1);
    assert_eq!(rows(&mut first, 1), (2, 2), "one candidate in one place");
    first.rows_were_disturbed();
    assert_eq!(rows(&mut first, 2), (3, all), "behind a version of its own");
    assert!(first.tick(time(3), 3).is_none());

    let mut second = Publisher::resume(election.clone(), first.current().cloned(), 0);
    second.tally(tally(&election, 0, 3), 4);
    second.tally(tally(&election, 1, 4), 4);
    assert_eq!(rows(&mut second, 4), (4, all), "whether those of version 3 were written isn't known");
}

#[test]
fn foreign_and_impossible_tallies_are_passed_over() {
    let election = election::demo();
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    publisher.tally(PartitionTally { definition_hash: "other".into(), ..tally(&election, 0, 3) }, 0);
    let cell = Cell { candidate: 5, location: 0, votes: 1 };
    publisher.tally(PartitionTally::sample(&election, 0, 3, vec![cell]), 0);
    publisher.tally(
        PartitionTally { discovered: Some(crate::tally::Discovered::default()), ..tally(&election, 0, 3) },
        0,
    );
    assert_eq!(publish(&mut publisher, 0), Some((1, 0, true)));
}

#[test]
fn a_successor_waits_until_nothing_would_go_back_and_goes_on_with_the_number() {
    let election = election::demo();
    let mut first = Publisher::resume(election.clone(), None, 0);
    first.tally(tally(&election, 0, 30), 0);
    first.tally(tally(&election, 1, 20), 0);
    assert_eq!(publish(&mut first, 0), Some((1, 50, true)));

    let mut second = Publisher::resume(election.clone(), first.current().cloned(), 0);
    assert_eq!(publish(&mut second, 10), None);
    second.tally(tally(&election, 0, 30), 0);
    second.tally(tally(&election, 1, 19), 0);
    assert_eq!(second.behind(), Some((Partition(1), 19, 20)));
    assert_eq!(publish(&mut second, 20), None);
    second.tally(tally(&election, 1, 21), 0);
    assert_eq!(publish(&mut second, 30), Some((2, 51, true)));
}

#[test]
fn a_new_definition_goes_on_with_the_number_once_everything_is_counted_anew() {
    let (old, new) = (election::undefined(), election::demo());
    let mut first = Publisher::resume(old.clone(), None, 0);
    let told = crate::tally::Discovered {
        contests: vec!["election".into()],
        candidates: vec![crate::tally::DiscoveredCandidate { id: "x".into(), ..Default::default() }],
        locations: vec!["p".into()],
    };
    first.tally(PartitionTally { discovered: Some(told), ..tally(&old, 0, 30) }, 0);
    assert_eq!(publish(&mut first, 0), Some((1, 30, true)));
    let mut second = Publisher::resume(new.clone(), first.current().cloned(), 0);
    second.tally(tally(&new, 0, 29), 0);
    assert_eq!(publish(&mut second, 1), None);
    second.tally(tally(&new, 0, 30), 0);
    assert_eq!(publish(&mut second, 1), Some((2, 30, true)));
}

#[test]
fn polls_open_and_close_without_a_vote() {
    let mut election = election::demo();
    election.opens_at = Some(time(1000));
    election.closes_at = Some(time(2000));
    let mut publisher = Publisher::resume(election, None, 0);
    let versions: Vec<_> =
        [0, 999, 1000, 1999, 2000, 3000].map(|now| publish(&mut publisher, now).map(|seen| seen.0)).into();
    assert_eq!(versions, [Some(1), None, Some(2), None, Some(3), None]);
}

#[test]
fn time_in_the_results_never_runs_back() {
    let election = election::demo();
    let mut publisher = Publisher::resume(election.clone(), None, 100);
    assert!(publish(&mut publisher, 5000).is_some());
    publisher.tally(tally(&election, 0, 1), 0);
    // The clock was set back by four seconds while a tenth of a second passed.
    let publication = publisher.tick(time(1000), 5100).unwrap();
    assert_eq!(publication.results.as_of, time(5000));
}

fn cast(election: &Election, partition: u32, next_offset: u64, newest_ms: i64) -> PartitionTally {
    PartitionTally { newest_ms: Some(newest_ms), ..tally(election, partition, next_offset) }
}

/// Publishes what there is at a moment; the version and the watermark of what was published last.
fn watermark_at(publisher: &mut Publisher, now_ms: i64) -> (u64, Option<i64>) {
    publish(publisher, now_ms);
    let results = publisher.current().unwrap();
    (results.version, results.watermark.map(Timestamp::as_millisecond))
}

/// Tells the publisher where the logs end, if it asks.
fn answer(publisher: &mut Publisher, now_ms: i64, ends: [u64; 2]) -> bool {
    let asks = publisher.wants_ends(now_ms);
    if asks {
        publisher.ends((0..).zip(ends).collect(), now_ms);
    }
    asks
}

#[test]
fn an_idle_partition_does_not_hold_the_watermark_back() {
    let election = Election { allowed_lateness_ms: 0, ..election::demo() };
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    publisher.tally(cast(&election, 0, 5, 100), 0);
    publisher.tally(cast(&election, 1, 5, 900), 0);
    assert!(!answer(&mut publisher, 29_999, [5, 5]), "nobody has been quiet for long");
    assert_eq!(watermark_at(&mut publisher, 29_999), (1, Some(100)));
    // All of its log is counted: a version of its own, without any vote.
    assert!(answer(&mut publisher, 30_000, [5, 5]));
    assert_eq!(watermark_at(&mut publisher, 30_000), (2, Some(900)));
    assert!(!answer(&mut publisher, 39_999, [5, 5]), "the journal isn't asked all the time");
    // The next vote holds it where it is.
    publisher.tally(cast(&election, 0, 6, 200), 31_000);
    assert_eq!(watermark_at(&mut publisher, 31_000), (3, Some(900)));
    publisher.tally(cast(&election, 1, 6, 1000), 32_000);
    assert_eq!(watermark_at(&mut publisher, 32_000), (4, Some(900)));
    publisher.tally(cast(&election, 0, 7, 1200), 33_000);
    assert_eq!(watermark_at(&mut publisher, 33_000), (5, Some(1000)));
    // All idle: everything that is there has been counted.
    assert!(answer(&mut publisher, 70_000, [7, 6]));
    assert_eq!(watermark_at(&mut publisher, 70_000), (6, Some(1200)));
}

#[test]
fn rejected_records_alone_do_not_keep_a_partition_awake() {
    let election = Election { allowed_lateness_ms: 0, ..election::demo() };
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    let counted = cast(&election, 0, 5, 100);
    publisher.tally(cast(&election, 1, 5, 900), 0);
    for second in 0..30 {
        let rejected = PartitionTally { next_offset: 5 + second, ..counted.clone() };
        publisher.tally(rejected, second.cast_signed() * 1000);
    }
    assert_eq!(watermark_at(&mut publisher, 29_000), (1, Some(100)));
    // Some always lie in the log that aren't folded yet; that all from a moment ago are is enough.
    assert!(answer(&mut publisher, 30_000, [36, 5]));
    assert_eq!(watermark_at(&mut publisher, 30_000), (1, Some(100)));
    publisher.tally(PartitionTally { next_offset: 35, ..counted.clone() }, 30_100);
    assert_eq!(watermark_at(&mut publisher, 30_100), (2, Some(100)));
    publisher.tally(PartitionTally { next_offset: 37, ..counted }, 30_200);
    assert_eq!(watermark_at(&mut publisher, 30_200), (3, Some(900)));
}

#[test]
fn a_partition_whose_log_is_not_counted_to_its_end_is_not_idle() {
    let election = Election { allowed_lateness_ms: 0, ..election::demo() };
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    publisher.tally(cast(&election, 0, 5, 100), 0);
    publisher.tally(cast(&election, 1, 5, 300), 0);
    // Its counter died; what lies behind in its log may be votes.
    assert!(answer(&mut publisher, 35_000, [6, 5]));
    assert_eq!(watermark_at(&mut publisher, 35_000), (1, Some(100)));
    // A tally that is told once more proves nothing.
    publisher.tally(cast(&election, 0, 5, 100), 40_000);
    assert_eq!(watermark_at(&mut publisher, 40_000), (1, Some(100)));
    // A journal that doesn't answer proves nothing either, and isn't asked at once again.
    publisher.ends(BTreeMap::new(), 45_000);
    assert_eq!(watermark_at(&mut publisher, 45_000), (1, Some(100)));
    assert!(!answer(&mut publisher, 54_999, [5, 5]));
    assert!(answer(&mut publisher, 55_000, [5, 5]));
    assert_eq!(watermark_at(&mut publisher, 55_000), (2, Some(300)));
}

#[test]
fn that_a_log_was_counted_to_its_end_proves_nothing_for_long() {
    let election = Election { allowed_lateness_ms: 0, ..election::demo() };
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    publisher.tally(cast(&election, 0, 5, 100), 0);
    publisher.tally(cast(&election, 1, 5, 300), 0);
    assert!(answer(&mut publisher, 35_000, [5, 5]));
    assert_eq!(watermark_at(&mut publisher, 35_000), (1, Some(300)));
    publisher.tally(cast(&election, 1, 6, 800), 65_000);
    assert_eq!(watermark_at(&mut publisher, 65_000), (2, Some(300)));
}

#[test]
fn a_new_definition_has_a_watermark_of_its_own() {
    let old = Election { allowed_lateness_ms: 0, ..election::demo() };
    let new = Election { definition_hash: "new".into(), ..old.clone() };
    let mut first = Publisher::resume(old.clone(), None, 0);
    first.tally(cast(&old, 0, 5, 900), 0);
    assert_eq!(watermark_at(&mut first, 0), (1, Some(900)));
    let mut second = Publisher::resume(new.clone(), first.current().cloned(), 0);
    second.tally(cast(&new, 0, 5, 700), 0);
    assert_eq!(watermark_at(&mut second, 0), (2, Some(700)));
}

#[test]
fn the_watermark_never_goes_back_over_publishers_either() {
    let election = Election { allowed_lateness_ms: 0, ..election::demo() };
    let mut first = Publisher::resume(election.clone(), None, 0);
    first.tally(cast(&election, 0, 5, 500), 0);
    assert_eq!(watermark_at(&mut first, 0), (1, Some(500)));
    let mut second = Publisher::resume(election.clone(), first.current().cloned(), 0);
    second.tally(cast(&election, 0, 5, 500), 0);
    second.tally(cast(&election, 1, 5, 200), 0);
    assert_eq!(watermark_at(&mut second, 0), (2, Some(500)));
}

#[test]
fn unchanged_windows_are_not_published_again() {
    let election = election::demo();
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    let mut published = None;
    for offset in 1..=3u64 {
        let windows = [(0, 1), (1, offset)];
        let windows = windows.map(|(number, votes)| Window { number, votes: vec![(0, votes)] });
        let mut tally = tally(&election, 0, offset + 1);
        tally.timeline.windows = windows.into();
        publisher.tally(tally, 0);
        let publication = publisher.tick(time(0), 0).unwrap();
        published = Some(publication.record.clone());
        publisher.published(publication, 0);
    }
    let Some(PublicationRecord::Delta { timeline: Some(step), .. }) = published else {
        panic!("there is a step: {published:?}")
    };
    assert_eq!((step.whole, step.windows.len()), (false, 1));
    assert_eq!(step.windows[0].start, time(60_000));
}

#[test]
fn a_snapshot_comes_regularly() {
    let election = election::demo();
    let mut publisher = Publisher::resume(election.clone(), None, 0);
    let snapshots = (0..=2 * i64::from(SNAPSHOT_EVERY) + 1).filter(|step| {
        publisher.tally(tally(&election, 0, step.cast_unsigned()), 0);
        publish(&mut publisher, *step).is_some_and(|(_, _, snapshot)| snapshot)
    });
    let period = i64::from(SNAPSHOT_EVERY) + 1;
    assert_eq!(snapshots.collect::<Vec<_>>(), [0, period]);
}
