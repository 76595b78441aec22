//! The viewer's shell: one thread follows the publications, another takes the pulse of the count.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tallyboard_shared::{
    Timestamp,
    ids::Partition,
    message::{FeedState, ServerMessage, Status},
    results::Results,
};

use super::{
    Change, Viewer,
    feed::{Feed, Frame, Shown, encode},
};
use crate::{
    journal::{Batch, Journal, JournalError, Topics},
    roles::{RETRY_WAIT, Stopwatch, publication::PublicationRecord, publisher::SNAPSHOT_EVERY},
    shutdown::Stop,
};

/// How often everyone is told how the count is doing. Pages take three missed ones for a broken connection.
const PULSE_INTERVAL: Duration = Duration::from_secs(2);

/// Votes that lie uncounted for so long, without a new version, make the figures stale.
const STALE_AFTER_MS: i64 = 10_000;

/// What a viewer needs to know.
#[derive(Clone)]
pub struct ViewerSettings {
    /// The names of the topics.
    pub topics: Topics,
}

/// Follows the publications and shows them, until stopped.
///
/// # Errors
/// [`JournalError`] where the topic can't be read at all; a broker that can't be reached is waited for.
pub fn follow(
    journal: &dyn Journal,
    settings: &ViewerSettings,
    feed: &Feed,
    stop: &Stop,
) -> Result<(), JournalError> {
    let mut viewer = Viewer::new();
    let mut reach = u64::from(SNAPSHOT_EVERY) * 3;
    while !stop.is_raised() {
        match follow_from(journal, &settings.topics.results, reach, &mut viewer, feed, stop) {
            // No snapshot within reach: start further back.
            Ok(()) => reach = reach.saturating_mul(4),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "publications can't be read");
                std::thread::sleep(RETRY_WAIT);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns when stopped, or where no snapshot lies behind the start.
fn follow_from(
    journal: &dyn Journal,
    topic: &str,
    reach: u64,
    viewer: &mut Viewer,
    feed: &Feed,
    stop: &Stop,
) -> Result<(), JournalError> {
    let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
    let start = bounds.end.saturating_sub(reach).max(bounds.start);
    let mut reader = journal.read(topic, &BTreeMap::from([(0, start)]))?;
    let mut batch = Batch::default();
    let mut gap_told = false;
    while !stop.is_raised() {
        match reader.next(&mut batch, Duration::from_millis(100)) {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "publications can't be read");
                std::thread::sleep(RETRY_WAIT);
                continue;
            }
            Err(error) => return Err(error),
        }
        for record in batch.iter() {
            let publication: PublicationRecord = match serde_json::from_slice(record.value) {
                Ok(publication) => publication,
                Err(error) => {
                    tracing::warn!(%error, offset = record.position.offset, "not a publication");
                    continue;
                }
            };
            match viewer.publication(publication) {
                Ok(Some(change)) => {
                    gap_told = false;
                    show(feed, viewer, change);
                }
                Ok(None) => {}
                // The next snapshot, which is never far, leads on.
                Err(gap) if !gap_told => {
                    gap_told = true;
                    tracing::warn!(?gap, offset = record.position.offset, "a publication is missing");
                }
                Err(_) => {}
            }
        }
        let nothing_shown = batch.reaches_end(0) && viewer.shown.is_none();
        if nothing_shown && start > bounds.start {
            return Ok(());
        }
    }
    Ok(())
}

fn show(feed: &Feed, viewer: &Viewer, change: Change) {
    let (frame, election, results) = match change {
        Change::Start(election, results) => (Frame::Start, Arc::new(election), results),
        Change::Step(update, results) => {
            let (previous, version) = (update.previous, update.version);
            let json = encode(&ServerMessage::Update(Box::new(update)));
            (Frame::Step { previous, version, json }, Arc::clone(&feed.shown().election), results)
        }
    };
    feed.show(Shown::new(election, Some(results), viewer.history()), frame);
}

/// Tells everyone regularly how the count is doing, until stopped.
pub fn pulse(journal: &dyn Journal, settings: &ViewerSettings, feed: &Feed, stop: &Stop) {
    let mut pulse = Pulse::default();
    let stopwatch = Stopwatch::start();
    let mut due = Instant::now();
    while !stop.is_raised() {
        if Instant::now() < due {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        due = Instant::now() + PULSE_INTERVAL;
        let ends = journal.bounds(&settings.topics.votes).map_err(|error| {
            tracing::warn!(%error, "the votes topic can't be asked how long it is");
        });
        let ends = ends
            .ok()
            .map(|bounds| bounds.into_iter().map(|(partition, bounds)| (partition, bounds.end)).collect());
        let shown = feed.shown();
        let now = Since { elapsed_ms: stopwatch.elapsed_ms(), time: Timestamp::now() };
        feed.report(pulse.beat(now, shown.results.as_ref(), ends.as_ref()));
    }
}

/// What was seen at earlier beats.
#[derive(Default)]
struct Pulse {
    /// Where the partitions ended at the beat before.
    ends: Option<BTreeMap<u32, u64>>,
    /// The version behind which votes lie uncounted, and since when.
    behind: Option<(u64, Since)>,
    unreachable: Option<Since>,
}

/// A moment, by the stopwatch and by the clock.
#[derive(Clone, Copy)]
struct Since {
    elapsed_ms: i64,
    time: Timestamp,
}

impl Pulse {
    fn beat(&mut self, now: Since, results: Option<&Results>, ends: Option<&BTreeMap<u32, u64>>) -> Status {
        let version = results.map(|results| results.version);
        let shown = version.unwrap_or(0);
        let lag = ends.map(|ends| uncounted(results, ends));
        // While votes keep coming there are always some of the last moments; those are no backlog.
        let backlog = ends.is_some_and(|ends| uncounted(results, self.ends.as_ref().unwrap_or(ends)) > 0);
        self.ends = ends.cloned();
        self.unreachable = if ends.is_some() { None } else { self.unreachable.or(Some(now)) };
        self.behind = match self.behind {
            _ if ends.is_some() && !backlog => None,
            Some((version, since)) if version == shown => Some((version, since)),
            behind if ends.is_none() => behind,
            _ => Some((shown, now)),
        };
        let stuck = self.behind.filter(|(_, since)| now.elapsed_ms - since.elapsed_ms >= STALE_AFTER_MS);
        let stale_since = self.unreachable.or(stuck.map(|(_, since)| since)).map(|since| since.time);
        let state = match stale_since {
            Some(_) => FeedState::Stale,
            None if backlog => FeedState::CatchingUp,
            None => FeedState::Live,
        };
        Status { state, now: now.time, version, lag, stale_since }
    }
}

/// Records of the votes topic that aren't in the results.
fn uncounted(results: Option<&Results>, ends: &BTreeMap<u32, u64>) -> u64 {
    let counted = |partition: &u32| {
        results.and_then(|results| results.inputs.get(&Partition(*partition))).copied().unwrap_or(0)
    };
    ends.iter().map(|(partition, end)| end.saturating_sub(counted(partition))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{election, tally::merge};

    fn results(version: u64, counted: u64) -> Results {
        let mut results = merge(&election::demo(), std::iter::empty(), version, Timestamp::UNIX_EPOCH);
        results.inputs.insert(Partition(0), counted);
        results
    }

    #[test]
    fn figures_are_stale_when_votes_lie_uncounted_or_the_journal_is_away() {
        let mut pulse = Pulse::default();
        let second =
            |second| Since { elapsed_ms: second * 1000, time: Timestamp::from_second(second).unwrap() };
        let end = |end| Some(BTreeMap::from([(0u32, end)]));
        let mut beat = |at, results: Option<Results>, ends: Option<BTreeMap<u32, u64>>| {
            let status = pulse.beat(second(at), results.as_ref(), ends.as_ref());
            (status.state, status.lag, status.stale_since.map(|since| since.as_second()))
        };
        assert_eq!(beat(0, None, end(0)), (FeedState::Live, Some(0), None));
        // What came since the last beat is on its way; what was there then and still isn't counted is a backlog.
        assert_eq!(beat(2, Some(results(1, 5)), end(8)), (FeedState::Live, Some(3), None));
        assert_eq!(beat(4, Some(results(1, 5)), end(8)), (FeedState::CatchingUp, Some(3), None));
        assert_eq!(beat(6, Some(results(2, 8)), end(20)), (FeedState::Live, Some(12), None));
        assert_eq!(beat(8, Some(results(3, 19)), end(20)), (FeedState::CatchingUp, Some(1), None));
        assert_eq!(beat(17, Some(results(3, 19)), end(20)), (FeedState::CatchingUp, Some(1), None));
        assert_eq!(beat(18, Some(results(3, 19)), end(20)), (FeedState::Stale, Some(1), Some(8)));
        assert_eq!(beat(20, Some(results(4, 20)), end(20)), (FeedState::Live, Some(0), None));
        // A lone vote after a long silence isn't an hour late.
        assert_eq!(beat(3600, Some(results(4, 20)), end(21)), (FeedState::Live, Some(1), None));
        assert_eq!(beat(3602, Some(results(5, 21)), end(21)), (FeedState::Live, Some(0), None));
        assert_eq!(beat(3604, Some(results(5, 21)), None), (FeedState::Stale, None, Some(3604)));
        assert_eq!(beat(3606, Some(results(5, 21)), None), (FeedState::Stale, None, Some(3604)));
        assert_eq!(beat(3608, Some(results(5, 21)), end(21)), (FeedState::Live, Some(0), None));
    }

    #[test]
    fn a_server_that_starts_on_uncounted_votes_is_catching_up() {
        let mut pulse = Pulse::default();
        let now = Since { elapsed_ms: 0, time: Timestamp::UNIX_EPOCH };
        let status = pulse.beat(now, Some(&results(1, 5)), Some(&BTreeMap::from([(0u32, 8)])));
        assert_eq!((status.state, status.lag), (FeedState::CatchingUp, Some(3)));
    }
}
