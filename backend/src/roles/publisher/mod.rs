//! The publisher: merges the newest tally of every partition into numbered results.
//!
//! Versions only grow and results never go back: a publisher that takes over waits until the tallies that it has
//! cover everything that was published before, and goes on with the next number.
//!
//! The watermark is that of the partitions that aren't idle, and never goes back either. A counter that is at the end of
//! its log tells an unchanged tally again every 10 seconds: a partition whose tally is told again so long after its last
//! change is idle, until the next change or until nobody tells it any more.

mod shell;

use std::collections::BTreeMap;

use tallyboard_shared::{
    Timestamp, election::Election, ids::Partition, results::Results, timeline::Timeline,
};

pub use shell::{PublisherSettings, PublisherShell};

use crate::{
    roles::publication::{Before, Publication, PublicationRecord},
    tally::{PartitionTally, merge, merge_timeline, status, watermark},
};

/// After so many deltas comes a snapshot: a reader that starts anywhere finds one within so many records.
pub const SNAPSHOT_EVERY: u32 = 100;

/// A partition without a new record for so long, by the publisher's stopwatch, doesn't hold the watermark back; a tally
/// that wasn't told for so long proves nothing any more. Three times the interval in which unchanged tallies are told.
pub const IDLE_AFTER_MS: i64 = 30_000;

/// Merges tallies into publications.
pub struct Publisher {
    election: Election,
    interval_ms: i64,
    tallies: BTreeMap<u32, Known>,
    /// What was published last, by whomever.
    current: Option<Results>,
    /// The timeline of what was published last, where it was published from here.
    timeline: Option<Timeline>,
    deltas: u32,
    changed: bool,
    due_ms: i64,
}

/// The newest tally of a partition.
struct Known {
    tally: PartitionTally,
    /// When it came, by the stopwatch.
    changed_ms: i64,
    /// When it came once more, unchanged.
    retold_ms: Option<i64>,
}

impl Known {
    fn is_idle(&self, elapsed_ms: i64) -> bool {
        self.retold_ms.is_some_and(|retold_ms| {
            retold_ms - self.changed_ms >= IDLE_AFTER_MS && elapsed_ms - retold_ms < IDLE_AFTER_MS
        })
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
            // The first publication is a snapshot, whatever lies before it.
            deltas: SNAPSHOT_EVERY,
            changed: true,
            due_ms: i64::MIN,
        }
    }

    /// Takes a tally that came at `elapsed_ms` by the stopwatch, unless it is of another definition or older than the one
    /// that is there.
    pub fn tally(&mut self, tally: PartitionTally, elapsed_ms: i64) {
        if !tally.fits(&self.election) {
            return;
        }
        match self.tallies.get_mut(&tally.partition) {
            Some(known) if tally.next_offset < known.tally.next_offset => {}
            Some(known) if tally.next_offset == known.tally.next_offset => known.retold_ms = Some(elapsed_ms),
            _ => {
                let known = Known { changed_ms: elapsed_ms, retold_ms: None, tally };
                self.tallies.insert(known.tally.partition, known);
                self.changed = true;
            }
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
        let before = Before { results: self.current.as_ref(), timeline: self.timeline.as_ref() };
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

    /// Takes note that the publication, the last that [`Publisher::tick`] gave, is durable.
    pub fn published(&mut self, publication: Publication, elapsed_ms: i64) {
        self.deltas = match publication.record {
            PublicationRecord::Snapshot { .. } => 0,
            PublicationRecord::Delta { .. } => self.deltas + 1,
        };
        self.current = Some(publication.results);
        self.timeline = Some(publication.timeline);
        self.changed = false;
        self.due_ms = elapsed_ms.saturating_add(self.interval_ms);
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

    #[test]
    fn an_idle_partition_does_not_hold_the_watermark_back() {
        let election = Election { allowed_lateness_ms: 0, ..election::demo() };
        let mut publisher = Publisher::resume(election.clone(), None, 0);
        publisher.tally(cast(&election, 0, 5, 100), 0);
        publisher.tally(cast(&election, 1, 5, 900), 0);
        assert_eq!(watermark_at(&mut publisher, 0), (1, Some(100)));
        for reminder_ms in [10_000, 20_000, 29_999] {
            publisher.tally(cast(&election, 0, 5, 100), reminder_ms);
            assert_eq!(watermark_at(&mut publisher, reminder_ms), (1, Some(100)));
        }
        // Told again so long after its last change: a version of its own, without any vote.
        publisher.tally(cast(&election, 0, 5, 100), 30_000);
        assert_eq!(watermark_at(&mut publisher, 30_000), (2, Some(900)));
        // The next vote holds it where it is.
        publisher.tally(cast(&election, 0, 6, 200), 31_000);
        assert_eq!(watermark_at(&mut publisher, 31_000), (3, Some(900)));
        publisher.tally(cast(&election, 1, 6, 1000), 32_000);
        assert_eq!(watermark_at(&mut publisher, 32_000), (4, Some(900)));
        publisher.tally(cast(&election, 0, 7, 1200), 33_000);
        assert_eq!(watermark_at(&mut publisher, 33_000), (5, Some(1000)));
        // All idle: everything that is there has been counted.
        for partition in [0, 1] {
            let newest = publisher.tallies[&partition].tally.clone();
            publisher.tally(newest, 70_000);
        }
        assert_eq!(watermark_at(&mut publisher, 70_000), (6, Some(1200)));
    }

    #[test]
    fn a_partition_that_nobody_tells_of_is_not_idle() {
        let election = Election { allowed_lateness_ms: 0, ..election::demo() };
        let mut publisher = Publisher::resume(election.clone(), None, 0);
        publisher.tally(cast(&election, 0, 5, 100), 0);
        publisher.tally(cast(&election, 1, 5, 300), 0);
        publisher.tally(cast(&election, 0, 5, 100), 35_000);
        assert_eq!(watermark_at(&mut publisher, 35_000), (1, Some(300)));
        // Its counter died; what lies behind in its log is unknown.
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
