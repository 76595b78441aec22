//! The publisher: merges the newest tally of every partition into numbered results.
//!
//! Versions only grow and results never go back: a publisher that takes over waits until the tallies that it has
//! cover everything that was published before, and goes on with the next number.

mod shell;

use std::collections::BTreeMap;

use tallyboard_shared::{Timestamp, election::Election, ids::Partition, results::Results};

pub use shell::{PublisherSettings, PublisherShell};

use crate::{
    roles::publication::Publication,
    tally::{PartitionTally, merge, status},
};

/// After so many deltas comes a snapshot: a reader that starts anywhere finds one within so many records.
pub const SNAPSHOT_EVERY: u32 = 100;

/// Merges tallies into publications.
pub struct Publisher {
    election: Election,
    interval_ms: i64,
    tallies: BTreeMap<u32, PartitionTally>,
    /// What was published last, by whomever.
    current: Option<Results>,
    deltas: u32,
    changed: bool,
    due_ms: i64,
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
            // The first publication is a snapshot, whatever lies before it.
            deltas: SNAPSHOT_EVERY,
            changed: true,
            due_ms: i64::MIN,
        }
    }

    /// Takes a tally, unless it is of another definition or older than the one that is there.
    pub fn tally(&mut self, tally: PartitionTally) {
        let known = self.tallies.get(&tally.partition).map(|known| known.next_offset);
        if tally.fits(&self.election) && known < Some(tally.next_offset) {
            self.tallies.insert(tally.partition, tally);
            self.changed = true;
        }
    }

    /// The first partition of which less is counted than was published before, and how far it is.
    #[must_use]
    pub fn behind(&self) -> Option<(Partition, u64, u64)> {
        let published = self.current.iter().flat_map(|results| &results.inputs);
        published
            .map(|(partition, needed)| {
                let counted = self.tallies.get(&partition.0).map_or(0, |tally| tally.next_offset);
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
        if !(self.changed || turned) || elapsed_ms < self.due_ms || self.behind().is_some() {
            return None;
        }
        let last = self.current.as_ref().map_or(0, |results| results.version);
        let version = last.checked_add(1).expect("no publisher counts to 2^64");
        let results = merge(&self.election, self.tallies.values(), version, as_of);
        let as_snapshot = self.deltas >= SNAPSHOT_EVERY;
        Some(Publication::new(&self.election, self.current.as_ref(), results, as_snapshot))
    }

    /// Takes note that the publication, the last that [`Publisher::tick`] gave, is durable.
    pub fn published(&mut self, publication: Publication, elapsed_ms: i64) {
        self.deltas = match publication.record {
            crate::roles::publication::PublicationRecord::Snapshot { .. } => 0,
            crate::roles::publication::PublicationRecord::Delta { .. } => self.deltas + 1,
        };
        self.current = Some(publication.results);
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
        roles::publication::PublicationRecord,
        tally::{Cell, PartitionTally},
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
        publisher.tally(tally(&election, 0, 3));
        assert_eq!(publish(&mut publisher, 500), Some((2, 3, false)));
        publisher.tally(tally(&election, 1, 4));
        assert_eq!(publish(&mut publisher, 599), None);
        publisher.tally(tally(&election, 1, 5));
        assert_eq!(publish(&mut publisher, 600), Some((3, 8, false)));
    }

    #[test]
    fn the_tally_with_the_highest_offset_wins_in_whatever_order_they_come() {
        let election = election::demo();
        let mut publisher = Publisher::resume(election.clone(), None, 0);
        for offset in [7, 2, 9, 9, 0] {
            publisher.tally(tally(&election, 0, offset));
        }
        assert_eq!(publish(&mut publisher, 0), Some((1, 9, true)));
        publisher.tally(tally(&election, 0, 8));
        assert_eq!(publish(&mut publisher, 1), None);
    }

    #[test]
    fn foreign_and_impossible_tallies_are_passed_over() {
        let election = election::demo();
        let mut publisher = Publisher::resume(election.clone(), None, 0);
        publisher.tally(PartitionTally { definition_hash: "other".into(), ..tally(&election, 0, 3) });
        let cell = Cell { candidate: 5, location: 0, votes: 1 };
        publisher.tally(PartitionTally::sample(&election, 0, 3, vec![cell]));
        publisher.tally(PartitionTally {
            discovered: Some(crate::tally::Discovered::default()),
            ..tally(&election, 0, 3)
        });
        assert_eq!(publish(&mut publisher, 0), Some((1, 0, true)));
    }

    #[test]
    fn a_successor_waits_until_nothing_would_go_back_and_goes_on_with_the_number() {
        let election = election::demo();
        let mut first = Publisher::resume(election.clone(), None, 0);
        first.tally(tally(&election, 0, 30));
        first.tally(tally(&election, 1, 20));
        assert_eq!(publish(&mut first, 0), Some((1, 50, true)));

        let mut second = Publisher::resume(election.clone(), first.current().cloned(), 0);
        assert_eq!(publish(&mut second, 10), None);
        second.tally(tally(&election, 0, 30));
        second.tally(tally(&election, 1, 19));
        assert_eq!(second.behind(), Some((Partition(1), 19, 20)));
        assert_eq!(publish(&mut second, 20), None);
        second.tally(tally(&election, 1, 21));
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
        first.tally(PartitionTally { discovered: Some(told), ..tally(&old, 0, 30) });
        assert_eq!(publish(&mut first, 0), Some((1, 30, true)));
        let mut second = Publisher::resume(new.clone(), first.current().cloned(), 0);
        second.tally(tally(&new, 0, 29));
        assert_eq!(publish(&mut second, 1), None);
        second.tally(tally(&new, 0, 30));
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
        publisher.tally(tally(&election, 0, 1));
        // The clock was set back by four seconds while a tenth of a second passed.
        let publication = publisher.tick(time(1000), 5100).unwrap();
        assert_eq!(publication.results.as_of, time(5000));
    }

    #[test]
    fn a_snapshot_comes_regularly() {
        let election = election::demo();
        let mut publisher = Publisher::resume(election.clone(), None, 0);
        let snapshots = (0..=2 * i64::from(SNAPSHOT_EVERY) + 1).filter(|step| {
            publisher.tally(tally(&election, 0, step.cast_unsigned()));
            publish(&mut publisher, *step).is_some_and(|(_, _, snapshot)| snapshot)
        });
        let period = i64::from(SNAPSHOT_EVERY) + 1;
        assert_eq!(snapshots.collect::<Vec<_>>(), [0, period]);
    }
}
