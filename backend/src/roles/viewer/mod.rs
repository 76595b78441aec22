//! The viewer: follows the publications and shows them to everyone who is connected.
//!
//! Every viewer that follows the same topic shows the same versions, though not each every one while votes lie uncounted.
//! What may not leave the server is taken out here, before anything is encoded: what the rest of the server can reach has
//! been disclosed.

mod archive;
mod feed;
mod recent;
mod shell;

use std::sync::Arc;

use tallyboard_shared::{
    election::Election,
    message::HistoryPoint,
    results::Results,
    timeline::Timeline,
    update::{Gap, Update},
};

pub use archive::{Archive, ArchiveError, EarlierVersion};
pub use feed::{Encoded, Feed, Frame, Protocol, Shown, Step, Subscription};
#[cfg(test)]
pub(crate) use shell::show;
pub use shell::{Follower, PulseTaker, ViewerSettings};

use crate::roles::{
    disclosure::{Disclosed, disclose, disclose_timeline},
    publication::PublicationRecord,
};

/// At most so many points of history: as many as a chart has pixels for, and a few tens of kilobytes.
const HISTORY_POINTS_MAX: usize = 300;

/// Points of history are at least so far apart, in milliseconds; the distance doubles whenever there are too many.
const HISTORY_STEP_MS: i64 = 1000;

/// Follows publications.
pub struct Viewer {
    /// As published; not to be shown.
    published: Option<Published>,
    shown: Option<Disclosed<Results>>,
    shown_timeline: Option<Disclosed<Arc<Timeline>>>,
    history: History,
}

/// A version as it was published.
struct Published {
    election: Election,
    results: Results,
    /// `None` where the last snapshot is of a version of Tallyboard that wrote none.
    timeline: Option<Arc<Timeline>>,
}

/// What a publication means for those who watch.
#[derive(Debug)]
pub enum Change {
    /// Start over from these results.
    Start(Election, Disclosed<Results>),
    /// Take this step.
    Step(Disclosed<Update>, Disclosed<Results>),
}

impl Viewer {
    /// A viewer that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { published: None, shown: None, shown_timeline: None, history: History::default() }
    }

    /// Takes a publication; false where it tells nothing new.
    ///
    /// # Errors
    /// [`Gap`] where publications are missing: the viewer needs the newest snapshot.
    pub fn take(&mut self, record: PublicationRecord) -> Result<bool, Gap> {
        match record {
            PublicationRecord::Snapshot { election, results, timeline } => {
                if self.published.as_ref().is_some_and(|known| results.version <= known.results.version) {
                    return Ok(false);
                }
                let timeline = timeline.map(Arc::from);
                self.published = Some(Published { election: *election, results: *results, timeline });
            }
            PublicationRecord::Delta { update, timeline } => {
                // Before the first snapshot steps lead nowhere.
                let Some(known) = &mut self.published else { return Ok(false) };
                if update.version <= known.results.version {
                    return Ok(false);
                }
                known.results.apply(&update)?;
                if let Some(known_timeline) = &mut known.timeline {
                    let (version, watermark) = (known.results.version, known.results.watermark);
                    Arc::make_mut(known_timeline).apply(timeline.as_deref(), version, watermark);
                }
            }
        }
        Ok(true)
    }

    /// Discloses the newest version that was taken; [`None`] before the first. The step starts from what was disclosed
    /// before, however many versions lie between.
    pub fn show(&mut self) -> Option<Change> {
        let Published { election, results, timeline } = self.published.as_ref()?;
        let shown = disclose(election, results.clone());
        let step = self.shown.as_ref().and_then(|before| before.step_to(&shown));
        self.history.add(&shown);
        self.shown_timeline =
            timeline.as_ref().map(|timeline| disclose_timeline(election, shown.status, timeline));
        self.shown = Some(shown.clone());
        Some(match step {
            Some(update) => Change::Step(update, shown),
            None => Change::Start(election.clone(), shown),
        })
    }

    /// The timeline as it may be seen; `None` before one was published.
    #[must_use]
    pub fn timeline(&self) -> Option<Disclosed<Arc<Timeline>>> {
        self.shown_timeline.clone()
    }

    /// How the count moved, as far as this viewer has followed it.
    #[must_use]
    pub fn history(&self) -> Arc<[Disclosed<HistoryPoint>]> {
        Arc::clone(&self.history.points)
    }
}

impl Default for Viewer {
    fn default() -> Self {
        Self::new()
    }
}

/// Evenly thinned points.
struct History {
    points: Arc<[Disclosed<HistoryPoint>]>,
    step_ms: i64,
}

impl Default for History {
    fn default() -> Self {
        Self { points: Arc::from([]), step_ms: HISTORY_STEP_MS }
    }
}

impl History {
    fn add(&mut self, results: &Disclosed<Results>) {
        let newest = self.points.last().map(|point| point.as_of.as_millisecond());
        if newest.is_some_and(|newest| results.as_of.as_millisecond() < newest + self.step_ms) {
            return;
        }
        let mut points = self.points.to_vec();
        points.push(results.map(HistoryPoint::of));
        if points.len() > HISTORY_POINTS_MAX {
            let mut number = 0;
            points.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.step_ms *= 2;
        }
        self.points = points.into();
    }
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::{Timestamp, timeline::TimelineUpdate};

    use super::*;
    use crate::{
        election,
        tally::{PartitionTally, Window, merge, merge_timeline},
    };

    fn results(version: u64, seconds: i64) -> Results {
        let as_of = Timestamp::from_second(seconds).unwrap();
        merge(&election::demo(), std::iter::empty(), version, as_of)
    }

    fn snapshot(version: u64, seconds: i64) -> PublicationRecord {
        PublicationRecord::Snapshot {
            election: Box::new(election::demo()),
            results: Box::new(results(version, seconds)),
            timeline: Some(Box::new(timeline(&[(0, version)]))),
        }
    }

    /// Votes by minute.
    fn timeline(windows: &[(i64, u64)]) -> Timeline {
        let election = election::demo();
        let windows =
            windows.iter().map(|(number, votes)| Window { number: *number, votes: vec![(0, *votes)] });
        let mut tally = PartitionTally::sample(&election, 0, 0, Vec::new());
        tally.timeline.windows = windows.collect();
        merge_timeline(&election, [&tally].into_iter(), &results(0, 0))
    }

    fn delta(from: u64, to: u64) -> PublicationRecord {
        let update = Update::between(&results(from, 0), &results(to, 1)).unwrap();
        let step = TimelineUpdate::between(Some(&timeline(&[(0, from)])), &timeline(&[(0, from), (1, to)]));
        PublicationRecord::Delta { update: Box::new(update), timeline: step.map(Box::new) }
    }

    fn version(change: Option<Change>) -> Option<(u64, bool)> {
        change.map(|change| match change {
            Change::Start(_, results) => (results.version, true),
            Change::Step(_, results) => (results.version, false),
        })
    }

    fn take(viewer: &mut Viewer, record: PublicationRecord) {
        assert_eq!(viewer.take(record), Ok(true));
        viewer.show();
    }

    #[test]
    fn publications_are_taken_once_each_from_the_first_snapshot_on() {
        let mut viewer = Viewer::new();
        let mut take =
            |record| viewer.take(record).map(|is_new| if is_new { version(viewer.show()) } else { None });
        assert_eq!(take(delta(3, 4)), Ok(None));
        assert_eq!(take(snapshot(5, 0)), Ok(Some((5, true))));
        assert_eq!(take(delta(5, 6)), Ok(Some((6, false))));
        assert_eq!(take(delta(5, 6)), Ok(None));
        assert_eq!(take(snapshot(6, 0)), Ok(None));
        assert_eq!(take(delta(7, 8)), Err(Gap { have: 6, need: 7 }));
        assert_eq!(take(delta(6, 7)), Ok(Some((7, false))));
        assert_eq!(take(snapshot(9, 1)), Ok(Some((9, false))));
    }

    #[test]
    fn a_step_leads_over_the_versions_that_were_not_shown() {
        let mut viewer = Viewer::new();
        take(&mut viewer, snapshot(5, 0));
        for step in [delta(5, 6), delta(6, 7), snapshot(9, 1)] {
            assert_eq!(viewer.take(step), Ok(true));
        }
        let Some(Change::Step(update, shown)) = viewer.show() else { panic!("a step leads there") };
        assert_eq!((update.previous, update.version, shown.version), (5, 9, 9));
    }

    #[test]
    fn the_timeline_follows_the_steps_and_does_without_where_none_is_published() {
        let mut viewer = Viewer::new();
        take(&mut viewer, snapshot(5, 0));
        take(&mut viewer, delta(5, 6));
        let expected = Timeline { version: 6, ..timeline(&[(0, 5), (1, 6)]) };
        assert_eq!(viewer.timeline().map(|timeline| (**timeline).clone()), Some(expected));
        let mut older = serde_json::to_value(snapshot(7, 0)).unwrap();
        older.as_object_mut().unwrap().remove("timeline");
        take(&mut viewer, serde_json::from_value(older).unwrap());
        assert_eq!(viewer.timeline(), None);
        take(&mut viewer, delta(7, 8));
        assert_eq!(viewer.timeline(), None);
    }

    #[test]
    fn history_is_bounded_and_evenly_spaced() {
        let mut viewer = Viewer::new();
        for second in 0..2000i64 {
            take(&mut viewer, snapshot(second.cast_unsigned() + 1, second));
        }
        let history = viewer.history();
        assert!(
            history.len() > HISTORY_POINTS_MAX / 3 && history.len() <= HISTORY_POINTS_MAX,
            "{}",
            history.len()
        );
        let seconds: Vec<_> = history.iter().map(|point| point.as_of.as_second()).collect();
        let steps: std::collections::BTreeSet<_> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((seconds[0], steps.len()), (0, 1), "{steps:?}");
    }
}
