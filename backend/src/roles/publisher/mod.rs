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
mod tests;
