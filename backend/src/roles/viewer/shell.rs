//! The viewer's shells: one follows the publications, another takes the pulse of the count.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tallyboard_shared::{
    Timestamp,
    election::Election,
    ids::Partition,
    message::{FeedState, Status},
    results::Results,
};

use super::{
    Change, Viewer,
    feed::{Feed, Frame, Shown, Step},
};
use crate::{
    journal::{Batch, Journal, JournalError, ReadRecord, Reader, Topics},
    roles::{Clock, Pace, RETRY_REST, Shell, publication::PublicationRecord, publisher::SNAPSHOT_EVERY},
};

/// How often everyone is told how the count is doing: with a rest and a look at the journal, at least every two seconds.
/// Pages take three missed ones for a broken connection.
const PULSE_INTERVAL_MS: i64 = 1800;

/// How long to rest between looks at the clock.
const PULSE_REST: Duration = Duration::from_millis(100);

/// How long to wait for publications in one step.
const READ_WAIT: Duration = Duration::from_millis(100);

/// Votes that lie uncounted for so long, without a new version, make the figures stale.
const STALE_AFTER_MS: i64 = 10_000;

/// What a viewer needs to know.
#[derive(Clone)]
pub struct ViewerSettings {
    /// The names of the topics.
    pub topics: Topics,
}

/// Follows the publications and shows them.
///
/// What was there at the start is read to its end before any of it is shown: a version from before a restart must not
/// pass for the newest. Clients that come back all the same get only the steps that they missed.
///
/// While votes lie uncounted, only some of the versions are shown where many are connected (`Feed::rest_ms`): the count
/// comes first. A browser that watches alone sees every one.
///
/// A broker that can't be reached is waited for.
pub struct Follower {
    journal: Arc<dyn Journal>,
    settings: ViewerSettings,
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
    viewer: Viewer,
    /// Whether a version was taken that isn't shown yet.
    is_waiting: bool,
    /// When a version was shown last, by the stopwatch.
    shown_ms: i64,
    /// How far before the end to look for a snapshot.
    reach: u64,
    reading: Option<Reading>,
    batch: Batch,
    gap_told: bool,
    /// The newest version that was read, and the frame that leads to it; [`None`] before the first, and once all are shown
    /// as they come.
    held: Option<(Shown, Frame)>,
    /// Whether what was there at the start has been read.
    caught_up: bool,
}

struct Reading {
    reader: Box<dyn Reader>,
    /// Whether there is more before the start.
    is_part: bool,
    /// Where the topic ended when it was opened.
    end: u64,
}

impl Follower {
    /// A follower that has seen nothing.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        settings: ViewerSettings,
        feed: Arc<Feed>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            journal,
            settings,
            feed,
            clock,
            viewer: Viewer::new(),
            is_waiting: false,
            shown_ms: i64::MIN,
            reach: u64::from(SNAPSHOT_EVERY) * 3,
            reading: None,
            batch: Batch::default(),
            gap_told: false,
            held: None,
            caught_up: false,
        }
    }
}

impl Shell for Follower {
    fn step(&mut self) -> Result<Pace, JournalError> {
        match self.follow() {
            Ok(()) => Ok(Pace::Go),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "publications can't be read");
                Ok(Pace::Rest(RETRY_REST))
            }
            Err(error) => Err(error),
        }
    }
}

impl Follower {
    fn follow(&mut self) -> Result<(), JournalError> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                let reading = open(&*self.journal, &self.settings.topics.results, self.reach)?;
                self.reading.insert(reading)
            }
        };
        reading.reader.next(&mut self.batch, READ_WAIT)?;
        let (is_part, end) = (reading.is_part, reading.end);
        let mut reached = self.batch.reaches_end(0) || end == 0;
        let batch = std::mem::take(&mut self.batch);
        let is_paced = self.caught_up && self.feed.rest_ms() > 0;
        for record in batch.iter() {
            self.take(&record);
            if !is_paced {
                self.show_newest();
            }
            reached |= record.position.offset + 1 >= end;
        }
        if self.is_due() {
            self.show_newest();
        }
        self.batch = batch;
        if is_part && reached && self.viewer.shown.is_none() {
            // No snapshot within reach: start further back.
            self.reach = self.reach.saturating_mul(4);
            self.reading = None;
        } else if reached && !self.caught_up {
            self.caught_up = true;
            self.held.take().into_iter().for_each(|(newest, frame)| self.feed.show(newest, frame));
        }
        Ok(())
    }

    fn take(&mut self, record: &ReadRecord<'_>) {
        let offset = record.position.offset;
        let publication: PublicationRecord = match serde_json::from_slice(record.value) {
            Ok(publication) => publication,
            Err(error) => return tracing::warn!(%error, offset, "not a publication"),
        };
        match self.viewer.take(publication) {
            Ok(true) => {
                self.gap_told = false;
                self.is_waiting = true;
            }
            Ok(false) => {}
            // The next snapshot, which is never far, leads on.
            Err(gap) if !self.gap_told => {
                self.gap_told = true;
                tracing::warn!(?gap, offset, "a publication is missing");
            }
            Err(_) => {}
        }
    }

    /// Whether those who are connected have rested long enough.
    fn is_due(&self) -> bool {
        self.clock.elapsed_ms() >= self.shown_ms.saturating_add(self.feed.rest_ms())
    }

    /// Shows the newest version that was taken, or holds it until what was there at the start is read.
    fn show_newest(&mut self) {
        if !std::mem::take(&mut self.is_waiting) {
            return;
        }
        let Some(change) = self.viewer.show() else { return };
        self.shown_ms = self.clock.elapsed_ms();
        let election = match &self.held {
            Some((held, _)) => Arc::clone(&held.election),
            None => Arc::clone(&self.feed.shown().election),
        };
        let (shown, frame) = shown(&self.viewer, change, election);
        self.feed.remember(&shown, &frame);
        if self.caught_up {
            self.feed.show(shown, frame);
        } else {
            self.held = Some((shown, frame));
        }
    }
}

fn open(journal: &dyn Journal, topic: &str, reach: u64) -> Result<Reading, JournalError> {
    let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
    let start = bounds.end.saturating_sub(reach).max(bounds.start);
    let reader = journal.read(topic, &BTreeMap::from([(0, start)]))?;
    Ok(Reading { reader, is_part: start > bounds.start, end: bounds.end })
}

/// What a change makes of what is shown, which was by `election`, and the frame that leads there.
fn shown(viewer: &Viewer, change: Change, election: Arc<Election>) -> (Shown, Frame) {
    let (frame, election, results) = match change {
        Change::Start(election, results) => (Frame::Start, Arc::new(election), results),
        Change::Step(update, results) => (Frame::Step(Arc::new(Step::new(update))), election, results),
    };
    (Shown::new(election, Some(results), viewer.history(), viewer.timeline()), frame)
}

/// Shows a change to everyone who is connected.
#[cfg(test)]
pub(crate) fn show(feed: &Feed, viewer: &Viewer, change: Change) {
    let (shown, frame) = shown(viewer, change, Arc::clone(&feed.shown().election));
    feed.remember(&shown, &frame);
    feed.show(shown, frame);
}

/// Tells everyone regularly how the count is doing.
pub struct PulseTaker {
    journal: Arc<dyn Journal>,
    settings: ViewerSettings,
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
    pulse: Pulse,
    due_ms: i64,
}

impl PulseTaker {
    /// One that tells at its first step.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        settings: ViewerSettings,
        feed: Arc<Feed>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { journal, settings, feed, clock, pulse: Pulse::default(), due_ms: i64::MIN }
    }
}

impl Shell for PulseTaker {
    fn step(&mut self) -> Result<Pace, JournalError> {
        let elapsed_ms = self.clock.elapsed_ms();
        if elapsed_ms < self.due_ms {
            return Ok(Pace::Rest(PULSE_REST));
        }
        self.due_ms = elapsed_ms + PULSE_INTERVAL_MS;
        let ends = self.journal.bounds(&self.settings.topics.votes).map_err(|error| {
            tracing::warn!(%error, "the votes topic can't be asked how long it is");
        });
        let ends = ends
            .ok()
            .map(|bounds| bounds.into_iter().map(|(partition, bounds)| (partition, bounds.end)).collect());
        let shown = self.feed.shown();
        let now = Since { elapsed_ms: self.clock.elapsed_ms(), time: self.clock.now() };
        self.feed.report(self.pulse.beat(now, shown.results.as_deref(), ends.as_ref()));
        Ok(Pace::Go)
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
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::{election, roles::shelf::Shelf, tally::merge};

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
    fn a_status_comes_at_least_every_two_seconds() {
        let status = Pulse::default().beat(Since { elapsed_ms: 0, time: Timestamp::UNIX_EPOCH }, None, None);
        let feed = Arc::new(Feed::new(Arc::new(election::demo()), status));
        let clock = Arc::new(ByHand::default());
        let settings = ViewerSettings { topics: Topics::new("") };
        let mut taker =
            PulseTaker::new(Arc::new(Shelf::new(1, 1)), settings, feed, Arc::clone(&clock) as Arc<dyn Clock>);
        let mut told_ms = Vec::new();
        for _ in 0..200 {
            let started_ms = clock.elapsed_ms();
            // A look at the journal takes a moment, and a rest a little longer than was meant.
            let passed_ms = match taker.step().unwrap() {
                Pace::Rest(rest) => i64::try_from(rest.as_millis()).unwrap() + 5,
                Pace::Go => {
                    told_ms.push(started_ms + 50);
                    50
                }
            };
            clock.0.fetch_add(passed_ms, Ordering::Relaxed);
        }
        assert!(told_ms.len() > 5 && told_ms.windows(2).all(|pair| pair[1] - pair[0] <= 2000), "{told_ms:?}");
    }

    /// A clock that moves when it is told to.
    #[derive(Default)]
    struct ByHand(AtomicI64);

    impl Clock for ByHand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millisecond(self.elapsed_ms()).unwrap()
        }

        fn elapsed_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_server_that_starts_on_uncounted_votes_is_catching_up() {
        let mut pulse = Pulse::default();
        let now = Since { elapsed_ms: 0, time: Timestamp::UNIX_EPOCH };
        let status = pulse.beat(now, Some(&results(1, 5)), Some(&BTreeMap::from([(0u32, 8)])));
        assert_eq!((status.state, status.lag), (FeedState::CatchingUp, Some(3)));
    }

    /// A clock that is set by hand.
    #[derive(Default)]
    struct Stopwatch(AtomicI64);

    impl Clock for Stopwatch {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn elapsed_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// A feed whose count is in this state.
    fn feed(state: FeedState) -> Arc<Feed> {
        let status =
            Status { state, now: Timestamp::UNIX_EPOCH, version: None, lag: None, stale_since: None };
        Arc::new(Feed::new(Arc::new(election::demo()), status))
    }

    fn follower(shelf: Shelf, feed: &Arc<Feed>, clock: &Arc<Stopwatch>) -> Follower {
        let clock: Arc<dyn Clock> = Arc::<Stopwatch>::clone(clock);
        Follower::new(Arc::new(shelf), ViewerSettings { topics: Topics::new("") }, Arc::clone(feed), clock)
    }

    #[test]
    fn while_votes_lie_uncounted_many_browsers_are_shown_only_some_versions() {
        let versions = |state, browsers: usize| {
            let (feed, clock) = (feed(state), Arc::new(Stopwatch::default()));
            // The first 20 were there at the start; a batch has 20.
            let mut shelf = Shelf::new(120, 1);
            shelf.bounds = 0..20;
            let mut follower = follower(shelf, &feed, &clock);
            let mut browsers: Vec<_> = (0..browsers).map(|_| feed.subscribe().frames).collect();
            let mut shown = Vec::new();
            for _ in 0..12 {
                follower.step().unwrap();
                clock.0.fetch_add(100, Ordering::Relaxed);
                while let Ok(Frame::Step(step)) = browsers[0].try_recv() {
                    shown.push((step.previous, step.version));
                }
            }
            shown
        };
        // A quarter of a second between versions, of which each batch of a tenth of a second brings 20.
        assert_eq!(versions(FeedState::CatchingUp, 1_000), [(19, 20), (20, 80), (80, 120)]);
        let every: Vec<_> = (20..=120).map(|version| (version - 1, version)).collect();
        assert_eq!(versions(FeedState::Live, 1_000), every);
        assert_eq!(versions(FeedState::CatchingUp, 1), every);
    }

    #[test]
    fn nothing_is_shown_before_the_newest_version_is_read() {
        for stride in [1, 2] {
            let feed = feed(FeedState::Live);
            let mut frames = feed.subscribe().frames;
            let mut follower = follower(Shelf::new(250, stride), &feed, &Arc::default());
            let mut versions = Vec::new();
            for _ in 0..20 {
                follower.step().unwrap();
                versions.push(feed.shown().version());
            }
            versions.dedup();
            assert_eq!(versions, [0, 250]);
            // Whoever was connected before the restart gets what was missed, and nothing else.
            let missed = feed.since(247, None).unwrap();
            assert_eq!(missed.iter().map(|step| step.version).collect::<Vec<_>>(), [248, 249, 250]);
            let Frame::Step(step) = frames.try_recv().unwrap() else { panic!("a step leads to the newest") };
            assert_eq!((step.previous, step.version), (249, 250));
            assert!(frames.try_recv().is_err());
        }
    }
}
