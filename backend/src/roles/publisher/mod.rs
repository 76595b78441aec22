//! The publisher: merges the newest tally of every partition into numbered results.
//!
//! Versions only grow and results never go back: a publisher that takes over waits until the tallies that it has
//! cover everything that was published before, and goes on with the next number.
//!
//! The watermark is that of the partitions that aren't idle, and never goes back either. A partition is idle where its
//! log has brought no vote that was counted for a while, and all of it is in the tally: rejected records alone don't
//! keep it awake, and records that nobody has folded yet do. So while a partition holds the watermark back, the journal
//! is asked now and then how long the logs are.

mod rows;
mod shell;

use std::collections::BTreeMap;

use tallyboard_shared::{
    Timestamp, election::Election, ids::Partition, results::Results, timeline::Timeline,
};

#[cfg(test)]
pub(crate) use shell::record_metrics;
pub use shell::{PublisherSettings, PublisherShell};

use crate::{
    roles::publication::{Before, Publication, PublicationRecord},
    tally::{PartitionTally, merge, merge_timeline, status, watermark},
};

/// After so many deltas comes a snapshot: a reader that starts anywhere finds one within so many records.
pub const SNAPSHOT_EVERY: u32 = 100;

/// A partition without another vote counted for so long, by the publisher's stopwatch, doesn't hold the watermark back;
/// that all of its log was counted proves nothing any more after so long.
pub const IDLE_AFTER_MS: i64 = 30_000;

/// How often the journal is asked how long the logs are, at most.
const ASK_INTERVAL_MS: i64 = 10_000;

/// Merges tallies into publications.
pub struct Publisher {
    election: Election,
    interval_ms: i64,
    tallies: BTreeMap<u32, Known>,
    /// What was published last, by whomever.
    current: Option<Results>,
    /// The timeline of what was published last, where it was published from here.
    timeline: Option<Timeline>,
    /// Whether the rows of what was published last lie on their topics. Whoever published it may have died before.
    rows_are_there: bool,
    deltas: u32,
    changed: bool,
    due_ms: i64,
    /// How long the logs were when the journal was asked last, and when that was; empty where it didn't answer.
    ends: (i64, BTreeMap<u32, u64>),
}

/// The newest tally of a partition. Times are those of the stopwatch.
struct Known {
    tally: PartitionTally,
    /// Since when no other vote was counted, as far as is known here.
    counted_ms: i64,
    /// A moment at which nothing lay in the log that isn't in the tally.
    covered_ms: Option<i64>,
}

impl Known {
    fn is_quiet(&self, at_ms: i64) -> bool {
        at_ms - self.counted_ms >= IDLE_AFTER_MS
    }

    fn is_idle(&self, elapsed_ms: i64) -> bool {
        self.covered_ms.is_some_and(|at_ms| self.is_quiet(at_ms) && elapsed_ms - at_ms < IDLE_AFTER_MS)
    }

    /// Takes note of where the log ended at a moment.
    fn compare(&mut self, (at_ms, ends): &(i64, BTreeMap<u32, u64>)) {
        if ends.get(&self.tally.partition).is_some_and(|end| self.tally.next_offset >= *end) {
            self.covered_ms = Some(*at_ms);
        }
    }
}

impl Publisher {
    /// A publisher that goes on from what was published last.
    #[must_use]
    pub fn resume(election: Election, last: Option<Results>, interval_ms: i64) -> Self {
        Self {
            election,
            interval_ms,
            tallies: BTreeMap::new(),
            current: last,
            timeline: None,
            rows_are_there: false,
            // The first publication is a snapshot, whatever lies before it.
            deltas: SNAPSHOT_EVERY,
            changed: true,
            due_ms: i64::MIN,
            ends: (i64::MIN, BTreeMap::new()),
        }
    }

    /// Takes a tally that came at `elapsed_ms` by the stopwatch, unless it is of another definition or older than the one
    /// that is there.
    pub fn tally(&mut self, tally: PartitionTally, elapsed_ms: i64) {
        if !tally.fits(&self.election) {
            return;
        }
        let (counted_ms, covered_ms) = match self.tallies.get(&tally.partition) {
            Some(known) if tally.next_offset <= known.tally.next_offset => return,
            Some(known) if tally.votes() == known.tally.votes() => (known.counted_ms, known.covered_ms),
            _ => (elapsed_ms, None),
        };
        let mut known = Known { tally, counted_ms, covered_ms };
        known.compare(&self.ends);
        self.tallies.insert(known.tally.partition, known);
        self.changed = true;
    }

    /// Whether it is worth asking the journal how long the logs are: a partition without votes holds the watermark back,
    /// and the last answer is old.
    #[must_use]
    pub fn wants_ends(&self, elapsed_ms: i64) -> bool {
        let highest = self.tallies.values().filter_map(|known| known.tally.newest_ms).max();
        let holds_back = |known: &Known| {
            known.tally.newest_ms.is_some_and(|newest| Some(newest) < highest) && known.is_quiet(elapsed_ms)
        };
        elapsed_ms >= self.ends.0.saturating_add(ASK_INTERVAL_MS) && self.tallies.values().any(holds_back)
    }

    /// Takes note of the next offset of every log, as the journal answered at `elapsed_ms`; of none where it didn't.
    pub fn ends(&mut self, ends: BTreeMap<u32, u64>, elapsed_ms: i64) {
        self.ends = (elapsed_ms, ends);
        for known in self.tallies.values_mut() {
            known.compare(&self.ends);
        }
    }

    /// The first partition of which less is counted than was published before, and how far it is.
    #[must_use]
    pub fn behind(&self) -> Option<(Partition, u64, u64)> {
        let published = self.current.iter().flat_map(|results| &results.inputs);
        published
            .map(|(partition, needed)| {
                let counted = self.tallies.get(&partition.0).map_or(0, |known| known.tally.next_offset);
                (*partition, counted, *needed)
            })
            .find(|(_, counted, needed)| counted < needed)
    }

    /// The next publication, where something changed, it is time by the stopwatch, and nothing would go back.
    #[must_use]
    pub fn tick(&self, now: Timestamp, elapsed_ms: i64) -> Option<Publication> {
        // Milliseconds are what readers are promised.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        // Should the clock have been set back, time stands still in the results.
        let as_of = self.current.as_ref().map_or(now, |results| results.as_of.max(now));
        let turned =
            self.current.as_ref().is_none_or(|results| results.status != status(&self.election, as_of));
        let watermark = self.watermark(elapsed_ms);
        let moved = self.current.as_ref().is_some_and(|results| results.watermark != watermark);
        if !(self.changed || turned || moved) || elapsed_ms < self.due_ms || self.behind().is_some() {
            return None;
        }
        let last = self.current.as_ref().map_or(0, |results| results.version);
        let version = last.checked_add(1).expect("no publisher counts to 2^64");
        let tallies = self.tallies.values().map(|known| &known.tally);
        let mut results = merge(&self.election, tallies.clone(), version, as_of);
        results.watermark = watermark;
        let timeline = merge_timeline(&self.election, tallies, &results);
        let before = Before {
            results: self.current.as_ref(),
            timeline: self.timeline.as_ref(),
            rows: self.rows_are_there,
        };
        let as_snapshot = self.deltas >= SNAPSHOT_EVERY;
        Some(Publication::new(&self.election, before, results, timeline, as_snapshot))
    }

    /// The watermark now; what was published once by this definition isn't taken back. Another may not have counted the
    /// votes that moved it.
    fn watermark(&self, elapsed_ms: i64) -> Option<Timestamp> {
        let tallies = self.tallies.values().map(|known| &known.tally);
        let is_idle = |partition| self.tallies.get(&partition).is_some_and(|known| known.is_idle(elapsed_ms));
        let ours = |results: &&Results| results.election.definition_hash == self.election.definition_hash;
        let published = self.current.as_ref().filter(ours).and_then(|results| results.watermark);
        published.max(watermark(&self.election, tallies, is_idle))
    }

    /// Takes note that the publication, which [`Publisher::tick`] gave last, at `elapsed_ms`, is durable, and so are its
    /// rows. The time that this took is part of the interval, not added to it.
    pub fn published(&mut self, publication: Publication, elapsed_ms: i64) {
        self.deltas = match publication.record {
            PublicationRecord::Snapshot { .. } => 0,
            PublicationRecord::Delta { .. } => self.deltas + 1,
        };
        self.current = Some(publication.results);
        self.timeline = Some(publication.timeline);
        self.rows_are_there = true;
        self.changed = false;
        self.due_ms = elapsed_ms.saturating_add(self.interval_ms);
    }

    /// Takes note that somebody else's rows may lie on those of what was published last. All are written once more, behind
    /// another version: whoever can't publish that isn't the publisher any more.
    pub fn rows_were_disturbed(&mut self) {
        self.rows_are_there = false;
        self.changed = true;
    }

    /// What was published last.
    #[must_use]
    pub fn current(&self) -> Option<&Results> {
        self.current.as_ref()
    }
}

#[cfg(test)]
mod tests {
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
            PartitionTally {
                discovered: Some(crate::tally::Discovered::default()),
                ..tally(&election, 0, 3)
            },
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
        let versions: Vec<_> = [0, 999, 1000, 1999, 2000, 3000]
            .map(|now| publish(&mut publisher, now).map(|seen| seen.0))
            .into();
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
}
