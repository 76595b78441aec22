//! Earlier versions for those who ask: read back, disclosed by the rules of now, and kept for the next who asks.
//!
//! Reading a version back takes time and memory, so few are read at a time, few requests wait for that, and what was
//! read is kept as long as there is room. No request reads more than a bounded part of the topic.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tallyboard_shared::{
    election::Election,
    results::Results,
    versions::{VersionPoint, Versions},
};
use tokio::sync::Semaphore;

use super::Feed;
use crate::{
    journal::{Journal, JournalError},
    roles::{
        disclosure::{Disclosed, Rules, disclose_earlier},
        earlier::{Glimpse, Landmarks, earlier_publication, glimpse},
    },
};

/// Versions that are read back at a time: each holds a whole snapshot in memory.
const READERS_MAX: usize = 2;

/// Requests that read or wait for it; the next is told to come back.
const WAITING_MAX: usize = 32;

/// What is kept is no larger than this as JSON.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Looks at the topic for the list of versions, at most; a look at Kafka takes some ten milliseconds.
const POINTS_MAX: u64 = 120;

/// A list that isn't complete by then is answered as it is, evenly thinned still, and completed for the next.
const LIST_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads earlier versions back.
pub struct Archive {
    journal: Arc<dyn Journal>,
    topic: String,
    feed: Arc<Feed>,
    landmarks: Landmarks,
    kept: Mutex<Kept>,
    points: Mutex<BTreeMap<u64, Glimpse>>,
    readers: Semaphore,
    waiting: Arc<Semaphore>,
}

/// An earlier version as anyone may see it.
pub struct EarlierVersion {
    /// What was counted.
    pub election: Arc<Election>,
    /// The results.
    pub results: Disclosed<Results>,
    /// Whether nothing more, and nothing less, can be shown of it later.
    pub is_settled: bool,
    rules: Rules,
    body: OnceLock<Bytes>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Nothing has been published.
    #[error("nothing has been published yet")]
    NothingYet,
    /// It is yet to come, or no longer kept.
    #[error("there is no such version")]
    NoSuchVersion,
    /// Too many are asking.
    #[error("too many earlier versions are being read")]
    Busy,
    /// The journal can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl EarlierVersion {
    /// The results as the body of an answer.
    pub fn body(&self) -> Bytes {
        let encode = || Bytes::from(serde_json::to_vec(&self.results).expect("results have only text keys"));
        self.body.get_or_init(encode).clone()
    }
}

impl Archive {
    /// The archive of a topic whose newest version the feed shows.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, topic: String, feed: Arc<Feed>) -> Self {
        Self {
            journal,
            topic,
            feed,
            landmarks: Landmarks::default(),
            kept: Mutex::default(),
            points: Mutex::default(),
            readers: Semaphore::new(READERS_MAX),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// The rules of now, and the newest version.
    fn now(&self) -> Result<(Rules, u64), ArchiveError> {
        let shown = self.feed.shown();
        let results = shown.results.as_ref().ok_or(ArchiveError::NothingYet)?;
        Ok((Rules::new(&shown.election, results.status), results.version))
    }

    /// A version as anyone may see it now.
    ///
    /// # Errors
    /// [`ArchiveError`].
    ///
    /// # Panics
    /// Where reading panics.
    pub async fn version(self: &Arc<Self>, version: u64) -> Result<Arc<EarlierVersion>, ArchiveError> {
        let (rules, newest) = self.now()?;
        if version == 0 || version > newest {
            return Err(ArchiveError::NoSuchVersion);
        }
        if let Some(kept) = self.kept(version, rules) {
            return Ok(kept);
        }
        let archive = Arc::clone(self);
        self.read(move || archive.read_back(version)).await
    }

    /// Versions through the night, oldest first and evenly thinned; the newest is the last.
    ///
    /// # Errors
    /// [`ArchiveError`].
    ///
    /// # Panics
    /// Where reading panics.
    pub async fn versions(self: &Arc<Self>) -> Result<Versions, ArchiveError> {
        self.now()?;
        let archive = Arc::clone(self);
        self.read(move || archive.list()).await
    }

    /// Does what blocks where there is room for it.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| ArchiveError::Busy)?;
        let archive = Arc::clone(self);
        // The place goes along: what was begun goes on, and counts, when the client goes away.
        let reading = async move {
            let _place = place;
            let _reader = archive.readers.acquire().await.expect("the semaphore is never closed");
            tokio::task::spawn_blocking(work).await
        };
        let done = tokio::spawn(reading).await.and_then(|done| done);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn read_back(&self, version: u64) -> Result<Arc<EarlierVersion>, ArchiveError> {
        // What holds now, and what another request has read, may have changed while this one waited.
        let (rules, _) = self.now()?;
        if let Some(kept) = self.kept(version, rules) {
            return Ok(kept);
        }
        let found = earlier_publication(&*self.journal, &self.topic, version, &self.landmarks)?
            .ok_or(ArchiveError::NoSuchVersion)?;
        let earlier = Arc::new(EarlierVersion {
            results: disclose_earlier(&found.election, found.results, &rules),
            is_settled: rules.are_settled(&found.election),
            election: Arc::new(found.election),
            rules,
            body: OnceLock::new(),
        });
        let size = earlier.body().len();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).keep(version, Arc::clone(&earlier), size);
        Ok(earlier)
    }

    fn kept(&self, version: u64, rules: Rules) -> Option<Arc<EarlierVersion>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(version).filter(|earlier| earlier.rules == rules)
    }

    fn list(&self) -> Result<Versions, ArchiveError> {
        let bounds = self.journal.bounds(&self.topic)?.remove(&0).unwrap_or_default();
        let step = step(bounds.end - bounds.start);
        let deadline = Instant::now() + LIST_TIME_MAX;
        // One list is made at a time; the next then finds it made.
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        points.retain(|offset, _| *offset >= bounds.start && offset.is_multiple_of(step));
        for offset in coarse_first(bounds.start, bounds.end, step) {
            if points.contains_key(&offset) {
                continue;
            }
            if Instant::now() > deadline {
                break;
            }
            if let Some(seen) = glimpse(&*self.journal, &self.topic, offset)? {
                points.insert(offset, seen);
            }
        }
        let shown = self.feed.shown();
        let newest = shown.results.as_ref().ok_or(ArchiveError::NothingYet)?;
        let newest =
            VersionPoint { version: newest.version, as_of: newest.as_of, votes: newest.totals.votes };
        let mut versions: Vec<_> = points
            .values()
            .map(|seen| VersionPoint { version: seen.version, as_of: seen.as_of, votes: seen.votes })
            .filter(|point| point.version < newest.version)
            .collect();
        versions.push(newest);
        versions.dedup_by_key(|point| point.version);
        Ok(Versions { newest: newest.version, versions })
    }
}

/// The distance of the looks at so many offsets: a power of two, so that a longer topic is looked at in places that
/// are known already.
fn step(offsets: u64) -> u64 {
    offsets.div_ceil(POINTS_MAX - 1).max(1).next_power_of_two()
}

/// The first offset and the multiples of a step, those first that are multiples of many steps: wherever one stops, the
/// rest is evenly spread.
fn coarse_first(start: u64, end: u64, step: u64) -> Vec<u64> {
    let mut offsets: Vec<_> =
        (start.div_ceil(step) * step..end).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect();
    offsets.sort_by_key(|offset| std::cmp::Reverse(offset.trailing_zeros()));
    offsets
}

/// What was read back, as much of it as there is room for.
#[derive(Default)]
struct Kept {
    versions: BTreeMap<u64, KeptVersion>,
    bytes: usize,
    clock: u64,
}

struct KeptVersion {
    earlier: Arc<EarlierVersion>,
    size: usize,
    used: u64,
}

impl Kept {
    fn get(&mut self, version: u64) -> Option<Arc<EarlierVersion>> {
        self.clock += 1;
        let kept = self.versions.get_mut(&version)?;
        kept.used = self.clock;
        Some(Arc::clone(&kept.earlier))
    }

    fn keep(&mut self, version: u64, earlier: Arc<EarlierVersion>, size: usize) {
        self.clock += 1;
        let kept = KeptVersion { earlier, size, used: self.clock };
        self.bytes += size;
        if let Some(before) = self.versions.insert(version, kept) {
            self.bytes -= before.size;
        }
        while self.bytes > KEPT_BYTES_MAX {
            let oldest = self.versions.iter().min_by_key(|(_, kept)| kept.used).map(|(version, _)| *version);
            let oldest = oldest.and_then(|version| self.versions.remove(&version));
            self.bytes -= oldest.expect("there are bytes only where there are versions").size;
        }
    }
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::{Timestamp, results::CountStatus};

    use super::*;
    use crate::{election, tally::merge};

    fn earlier() -> Arc<EarlierVersion> {
        let election = election::demo();
        let results = merge(&election, std::iter::empty(), 1, Timestamp::UNIX_EPOCH);
        let rules = Rules::new(&election, CountStatus::Counting);
        let body = OnceLock::new();
        let results = crate::roles::disclosure::disclose(&election, results);
        Arc::new(EarlierVersion { election: Arc::new(election), results, is_settled: true, rules, body })
    }

    #[test]
    fn what_was_not_asked_for_the_longest_makes_room() {
        let mut kept = Kept::default();
        let third = KEPT_BYTES_MAX / 3;
        for version in 1..=3 {
            kept.keep(version, earlier(), third);
        }
        assert!(kept.get(1).is_some());
        kept.keep(4, earlier(), third);
        let there: Vec<_> = kept.versions.keys().copied().collect();
        assert_eq!(there, [1, 3, 4]);
        kept.keep(4, earlier(), third);
        assert_eq!((kept.bytes, kept.versions.len()), (3 * third, 3));
        kept.keep(5, earlier(), KEPT_BYTES_MAX + 1);
        assert_eq!((kept.bytes, kept.versions.len()), (0, 0));
    }

    #[test]
    fn looks_are_few_and_evenly_spread_wherever_they_stop() {
        for (start, end) in [(0, 1), (0, 100), (0, 1_000_000), (77, 5000), (3, 3)] {
            let step = step(end - start);
            let offsets = coarse_first(start, end, step);
            assert!(offsets.len() as u64 <= POINTS_MAX, "{start} {end}");
            assert!(end == start || !offsets.is_empty());
            assert!(offsets.iter().all(|offset| (start..end).contains(offset)));
            let half = 1u64 << (63 - (offsets.len().max(1) as u64).leading_zeros());
            let mut first: Vec<_> =
                offsets.iter().take(usize::try_from(half / 2).unwrap()).copied().collect();
            first.sort_unstable();
            let gaps: BTreeMap<_, usize> = first.windows(2).map(|pair| (pair[1] - pair[0], 0)).collect();
            assert!(gaps.len() <= 2, "{start} {end}: {gaps:?}");
        }
    }
}
