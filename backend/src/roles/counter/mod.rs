//! The counter: folds partitions of the votes topic and tells their tallies.
//!
//! A tally is named by its partition and next offset, and the highest offset is right, whoever wrote it. So a
//! counter needs no permission, no transaction and no memory of what it told: after a restart it folds again from
//! the first offset and tells the same tallies.

mod run;

use tallyboard_shared::election::Election;

pub use run::{CounterSettings, run};

use crate::{
    journal::ReadRecord,
    tally::{FingerprintKey, Fold, Outcome, Record},
};

/// A tally of so many bytes is told once per interval; a larger one proportionally less often, so that a national
/// election by county doesn't fill the network with itself.
const BYTES_PER_INTERVAL: usize = 16 * 1024;

/// A tally that doesn't change is told again after so long: should a zombie's older one lie on the topic behind it,
/// a new publisher gets the right one all the same.
const REMINDER_MS: i64 = 10_000;

/// The counter of one partition.
pub struct Counter {
    fold: Fold,
    interval_ms: i64,
    told: Option<Told>,
}

struct Told {
    next_offset: u64,
    at_ms: i64,
    /// Not before then is a change told.
    due_ms: i64,
}

impl Counter {
    /// A counter of a partition, to be fed from its first offset; it tells at most once per `interval_ms`.
    #[must_use]
    pub fn new(election: &Election, partition: u32, key: FingerprintKey, interval_ms: i64) -> Self {
        Self { fold: Fold::new(election, partition, key), interval_ms, told: None }
    }

    /// The offset of the record that is counted next.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.fold.next_offset()
    }

    /// Takes a record; [`None`] for one that was taken before.
    pub fn record(&mut self, record: &ReadRecord<'_>) -> Option<Outcome> {
        self.fold.record(&Record {
            offset: record.position.offset,
            timestamp_ms: record.timestamp_ms,
            simulated: record.simulated,
            value: record.value,
        })
    }

    /// The tally to tell now, by the stopwatch, encoded; [`None`] while there is nothing new or it isn't time.
    pub fn tick(&mut self, now_ms: i64) -> Option<Vec<u8>> {
        let next_offset = self.fold.next_offset();
        let silent = self.told.as_ref().is_some_and(|told| {
            if told.next_offset == next_offset {
                now_ms < told.at_ms + REMINDER_MS
            } else {
                now_ms < told.due_ms
            }
        });
        if silent {
            return None;
        }
        let bytes = self.fold.tally().encode();
        let intervals = i64::try_from(bytes.len() / BYTES_PER_INTERVAL).expect("a tally fits in memory") + 1;
        self.told = Some(Told {
            next_offset,
            at_ms: now_ms,
            due_ms: now_ms.saturating_add(self.interval_ms.saturating_mul(intervals)),
        });
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{election, journal::Position, tally::PartitionTally};

    fn feed(counter: &mut Counter, offset: u64) {
        let value = format!(
            r#"{{"voter_id":"v{offset}","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"p"}}"#
        );
        let record = ReadRecord {
            position: Position { partition: 4, offset },
            timestamp_ms: None,
            simulated: false,
            key: b"",
            value: value.as_bytes(),
        };
        assert_eq!(counter.record(&record), Some(Outcome::Counted { late: false }));
    }

    #[test]
    fn the_first_change_is_told_at_once_and_a_flood_is_paced() {
        let mut counter = Counter::new(&election::undefined(), 4, FingerprintKey::new([0; 16]), 100);
        let told =
            |bytes: Option<Vec<u8>>| bytes.map(|bytes| PartitionTally::decode(&bytes).unwrap().next_offset);
        assert_eq!(told(counter.tick(1000)), Some(0));
        feed(&mut counter, 0);
        assert_eq!(told(counter.tick(1099)), None);
        assert_eq!(told(counter.tick(1100)), Some(1));
        assert_eq!(told(counter.tick(5000)), None);
        feed(&mut counter, 1);
        assert_eq!(told(counter.tick(5000)), Some(2));
        assert_eq!(told(counter.tick(14_999)), None);
        assert_eq!(told(counter.tick(15_000)), Some(2));
    }

    #[test]
    fn a_large_tally_is_told_less_often() {
        let mut counter = Counter::new(&election::undefined(), 4, FingerprintKey::new([0; 16]), 100);
        for offset in 0..5000 {
            let value = format!(
                r#"{{"voter_id":"v{offset}","candidate_id":"candidate-{offset}","voting_time":"2026-11-03 08:15:00","location_id":"place-{offset}"}}"#
            );
            let position = Position { partition: 4, offset };
            let record = ReadRecord {
                position,
                timestamp_ms: None,
                simulated: false,
                key: b"",
                value: value.as_bytes(),
            };
            assert!(counter.record(&record).is_some());
        }
        let bytes = counter.tick(0).unwrap();
        assert!(bytes.len() > 2 * BYTES_PER_INTERVAL, "{}", bytes.len());
        feed(&mut counter, 5000);
        assert!(counter.tick(250).is_none());
        assert!(counter.tick(100_000).is_some());
    }
}
