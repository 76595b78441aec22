//! The election's watermark: every vote cast before it is expected to have been counted.

use tallyboard_shared::{Timestamp, election::Election};

use super::partition_tally::PartitionTally;

/// The lowest watermark of the partitions that aren't idle; the highest of all where every partition is.
///
/// A partition without a vote has none, and isn't waited for: many logs have partitions that stay empty.
#[must_use]
pub fn watermark<'a>(
    election: &Election,
    tallies: impl Iterator<Item = &'a PartitionTally>,
    is_idle: impl Fn(u32) -> bool,
) -> Option<Timestamp> {
    let told = tallies.filter_map(|tally| Some((tally.partition, tally.watermark_ms(election)?)));
    let (idle, active): (Vec<_>, Vec<_>) = told.partition(|(partition, _)| is_idle(*partition));
    let lowest = active.into_iter().map(|(_, watermark_ms)| watermark_ms).min();
    let watermark_ms = lowest.or_else(|| idle.into_iter().map(|(_, watermark_ms)| watermark_ms).max())?;
    Timestamp::from_millisecond(watermark_ms).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::election;

    #[track_caller]
    fn check(newest: &[Option<i64>], idle: &[u32], expected: Option<i64>) {
        let election = Election { allowed_lateness_ms: 60, ..election::undefined() };
        let tallies: Vec<_> = (0..)
            .zip(newest)
            .map(|(partition, newest_ms)| PartitionTally {
                newest_ms: *newest_ms,
                ..PartitionTally::sample(&election, partition, 0, Vec::new())
            })
            .collect();
        let seen = watermark(&election, tallies.iter(), |partition| idle.contains(&partition));
        assert_eq!(seen.map(Timestamp::as_millisecond), expected, "{newest:?} {idle:?}");
    }

    #[test]
    fn the_slowest_partition_that_is_not_idle_decides() {
        check(&[], &[], None);
        check(&[Some(100), Some(300), Some(200)], &[], Some(40));
        check(&[Some(100), Some(300), Some(200)], &[0], Some(140));
        check(&[Some(100), Some(300), Some(200)], &[0, 1, 2], Some(240));
        check(&[None, Some(300)], &[], Some(240));
        check(&[None, Some(300)], &[0], Some(240));
        check(&[None, Some(300)], &[0, 1], Some(240));
        check(&[None, None], &[0, 1], None);
        check(&[Some(i64::MIN), Some(0)], &[], None);
    }
}
