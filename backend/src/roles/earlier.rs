//! Earlier publications, found on `election_results` without reading all of it.
//!
//! The key of a publication is its version, and versions grow with offsets. So a version is searched for as a name is in
//! a telephone book: open where it should be, look, open again. What was seen on the way is remembered as landmarks.
//! From the last snapshot before the version a few steps lead to it.
//!
//! What is read here is as it was published; it isn't disclosed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tallyboard_shared::{Timestamp, election::Election, results::Results};

use super::{publication::PublicationRecord, publisher::SNAPSHOT_EVERY};
use crate::journal::{Batch, Journal, JournalError, ReadRecord};

/// A version, and the definition in the snapshot before it.
#[derive(Clone, Debug)]
pub struct EarlierPublication {
    /// The definition that was counted by.
    pub election: Election,
    /// The results.
    pub results: Results,
}

/// The figures of a version by which one finds one's way through the night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// The version.
    pub version: u64,
    /// When it was made.
    pub as_of: Timestamp,
    /// Votes counted, in all contests.
    pub votes: u64,
}

/// Nobody waits longer for a version; a search reads some hundreds of records.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(15);

/// How long to wait for records in one go.
const READ_WAIT: Duration = Duration::from_millis(100);

/// So many versions before the wanted one are as good a place to start from as any.
const NEAR: u64 = SNAPSHOT_EVERY as u64 / 2;

/// No snapshot within so many versions: the topic isn't what it should be, and isn't read through for one request.
const REACH_MAX: u64 = SNAPSHOT_EVERY as u64 * 64;

/// Places that are remembered: 64 KB.
const LANDMARKS_MAX: usize = 4096;

/// A version, and an offset from which it is the first.
type Place = (u64, u64);

/// Where versions lie, as far as that has been seen: offsets by version.
#[derive(Default)]
pub struct Landmarks(Mutex<BTreeMap<u64, u64>>);

impl Landmarks {
    fn add(&self, version: u64, offset: u64) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= LANDMARKS_MAX {
            let mut number = 0;
            places.retain(|_, _| {
                number += 1;
                number % 2 == 1
            });
        }
        places.insert(version, offset);
    }

    /// The nearest known places at or before a version, and behind it.
    fn around(&self, version: u64) -> (Option<Place>, Option<Place>) {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = |(version, offset): (&u64, &u64)| (*version, *offset);
        (places.range(..=version).next_back().map(place), places.range(version + 1..).next().map(place))
    }
}

/// Reads a version; [`None`] where the topic doesn't have it, or no longer has what leads to it.
///
/// # Errors
/// [`JournalError`] where the topic can't be read, [`JournalError::Unfit`] where its records can't be understood.
pub fn earlier_publication(
    journal: &dyn Journal,
    topic: &str,
    version: u64,
    landmarks: &Landmarks,
) -> Result<Option<EarlierPublication>, JournalError> {
    let search = Search::new(journal, topic, landmarks)?;
    let mut reach = u64::from(SNAPSHOT_EVERY);
    loop {
        let Some(start) = search.near(version.saturating_sub(reach))? else { return Ok(None) };
        if start.version > version {
            return Ok(None);
        }
        match search.replay(start, version)? {
            Replay::Reached(publication) => return Ok(Some(*publication)),
            Replay::Missing => return Ok(None),
            Replay::NoSnapshot if start.is_first || reach > REACH_MAX => return Ok(None),
            Replay::NoSnapshot => reach *= 4,
        }
    }
}

/// Looks at the publication at or behind an offset; [`None`] where there is none.
///
/// # Errors
/// As [`earlier_publication`].
pub fn glimpse(journal: &dyn Journal, topic: &str, offset: u64) -> Result<Option<Glimpse>, JournalError> {
    let deadline = Instant::now() + SEARCH_TIME_MAX;
    let mut seen = None;
    read_from(journal, topic, offset, deadline, |record| {
        if version_of(record).is_none() {
            return Ok(Next::Go);
        }
        let glance: Glance = understood(topic, record)?;
        seen = glance.results.or(glance.update).map(|at| Glimpse {
            version: at.version,
            as_of: at.as_of,
            votes: at.totals.votes,
        });
        Ok(Next::Stop)
    })?;
    Ok(seen)
}

/// A [`PublicationRecord`] of which little is read.
#[derive(Deserialize)]
struct Glance {
    results: Option<GlanceAt>,
    update: Option<GlanceAt>,
}

#[derive(Deserialize)]
struct GlanceAt {
    version: u64,
    as_of: Timestamp,
    totals: GlanceTotals,
}

#[derive(Deserialize)]
struct GlanceTotals {
    votes: u64,
}

struct Search<'a> {
    journal: &'a dyn Journal,
    topic: &'a str,
    landmarks: &'a Landmarks,
    bounds: std::ops::Range<u64>,
    deadline: Instant,
}

/// Where to start reading.
#[derive(Clone, Copy)]
struct Start {
    version: u64,
    offset: u64,
    /// Whether nothing lies before.
    is_first: bool,
}

enum Replay {
    Reached(Box<EarlierPublication>),
    /// The version isn't between those around it.
    Missing,
    NoSnapshot,
}

/// Whether to read on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl<'a> Search<'a> {
    fn new(journal: &'a dyn Journal, topic: &'a str, landmarks: &'a Landmarks) -> Result<Self, JournalError> {
        let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
        Ok(Self { journal, topic, landmarks, bounds, deadline: Instant::now() + SEARCH_TIME_MAX })
    }

    /// A place at a version or a little before, the first of all where the version is older than everything.
    fn near(&self, version: u64) -> Result<Option<Start>, JournalError> {
        let (known, behind) = self.landmarks.around(version);
        // What retention took, or what lay on a topic of this name before, leads nowhere.
        let known = known.filter(|(_, offset)| self.bounds.contains(offset));
        let behind = behind.filter(|(_, offset)| self.bounds.contains(offset));
        let mut is_first = false;
        let mut low = match known {
            Some(known) => known,
            None => {
                is_first = true;
                let Some(first) = self.look(self.bounds.start)? else { return Ok(None) };
                (first, self.bounds.start)
            }
        };
        // Nothing at or behind this offset is as old as wanted. Where no version is known, it is guessed from the
        // offset: on Kafka a transaction's marker follows each publication.
        let mut high = behind.unwrap_or((low.0 + (self.bounds.end - low.1).max(1), self.bounds.end));
        let mut halve = false;
        while low.0 < version && version - low.0 > NEAR && high.1 - low.1 > 1 {
            let gap = high.1 - low.1;
            let step = if halve {
                gap / 2
            } else {
                let share =
                    u128::from(gap) * u128::from(version - low.0) / u128::from((high.0 - low.0).max(1));
                // A little before, so that most looks end at or before the version.
                u64::try_from(share).unwrap_or(gap).saturating_sub(NEAR / 2)
            };
            let guess = low.1 + step.clamp(1, gap - 1);
            match self.look(guess)? {
                Some(seen) if seen <= version => (low, is_first) = ((seen, guess), false),
                Some(seen) => high = (seen, guess),
                None => high = (high.0, guess),
            }
            // A guess may come nearer by one each time; halving ends after few.
            halve = !halve;
        }
        Ok(Some(Start { version: low.0, offset: low.1, is_first }))
    }

    /// The version of the publication at or behind an offset.
    fn look(&self, offset: u64) -> Result<Option<u64>, JournalError> {
        let mut seen = None;
        read_from(self.journal, self.topic, offset, self.deadline, |record| {
            seen = version_of(record);
            Ok(if seen.is_some() { Next::Stop } else { Next::Go })
        })?;
        if let Some(version) = seen {
            self.landmarks.add(version, offset);
        }
        Ok(seen)
    }

    fn replay(&self, start: Start, version: u64) -> Result<Replay, JournalError> {
        let mut current: Option<EarlierPublication> = None;
        read_from(self.journal, self.topic, start.offset, self.deadline, |record| {
            let Some(here) = version_of(record) else { return Ok(Next::Go) };
            if here > version {
                return Ok(Next::Stop);
            }
            match understood(self.topic, record)? {
                PublicationRecord::Snapshot { election, results, .. } => {
                    self.landmarks.add(here, record.position.offset);
                    current = Some(EarlierPublication { election: *election, results: *results });
                }
                PublicationRecord::Delta { update, .. } => {
                    if let Some(current) = &mut current {
                        current.results.apply(&update).map_err(|gap| {
                            unfit(self.topic, record, &format!("it doesn't follow: {gap:?}"))
                        })?;
                    }
                }
            }
            Ok(if here == version { Next::Stop } else { Next::Go })
        })?;
        Ok(match current {
            Some(current) if current.results.version == version => Replay::Reached(Box::new(current)),
            Some(_) => Replay::Missing,
            None => Replay::NoSnapshot,
        })
    }
}

fn version_of(record: &ReadRecord<'_>) -> Option<u64> {
    std::str::from_utf8(record.key).ok()?.parse().ok()
}

fn understood<'de, T: Deserialize<'de>>(topic: &str, record: &ReadRecord<'de>) -> Result<T, JournalError> {
    serde_json::from_slice(record.value).map_err(|error| unfit(topic, record, &error.to_string()))
}

fn unfit(topic: &str, record: &ReadRecord<'_>, why: &str) -> JournalError {
    let why = format!("offset {} can't be understood: {why}", record.position.offset);
    JournalError::Unfit { topic: topic.to_owned(), why }
}

/// Reads the topic from an offset until it is enough, or the topic ends.
fn read_from(
    journal: &dyn Journal,
    topic: &str,
    offset: u64,
    deadline: Instant,
    mut each: impl FnMut(&ReadRecord<'_>) -> Result<Next, JournalError>,
) -> Result<(), JournalError> {
    let mut reader = journal.read(topic, &BTreeMap::from([(0, offset)]))?;
    let mut batch = Batch::default();
    while !batch.reaches_end(0) {
        match reader.next(&mut batch, READ_WAIT) {
            Ok(()) => {}
            Err(error) if error.is_transient() && Instant::now() < deadline => {
                tracing::debug!(%error, topic, "reading goes on");
            }
            Err(error) => return Err(error),
        }
        for record in batch.iter() {
            if each(&record)? == Next::Stop {
                return Ok(());
            }
        }
        if Instant::now() > deadline {
            return Err(JournalError::Unavailable(format!("{topic} can't be read in time")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
