//! The timeline of a count: votes by window of event time and candidate.
//!
//! Windows are aligned to 1970 and exist where there are votes, so that one vote with an odd time costs one window.
//! Where there are too many, or too many numbers in them, the width doubles until they fit. Adding never makes a
//! timeline smaller and doubling never makes it larger, so the width is the smallest that fits everything added,
//! and neither order nor grouping makes a difference to what comes out.

use hashbrown::{HashMap, hash_map::Entry};
use serde::{Deserialize, Serialize};
use tallyboard_shared::{
    Timestamp,
    election::Election,
    ids::{CandidateId, ContestId},
    results::Results,
    timeline::{self as shown, WindowContest},
};

use super::partition_tally::PartitionTally;

/// As many windows as a chart has room for; a night of four hours in minutes.
const WINDOWS_MAX: usize = 256;

/// At most so many pairs of window and candidate: a quarter of a megabyte in a tally, some megabytes in a snapshot.
const CELLS_MAX: usize = 1 << 16;

/// At this width, in milliseconds, every time that a vote can bear (the years −9999 to 9999) is in the window before
/// 1970 or in that after it; doubling further changes nothing.
const WIDTH_MAX_MS: i64 = 1 << 49;

/// Votes by window, as they stand in a tally.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// The width of each, in milliseconds: that of the definition, doubled as often as needed.
    pub width_ms: i64,
    /// Windows with votes, in the order of time.
    pub windows: Vec<Window>,
}

/// The votes of one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The window starts at this many widths after 1970.
    pub number: i64,
    /// Votes by position of the candidate, in that order; only candidates with any.
    pub votes: Vec<(u32, u64)>,
}

impl Windows {
    /// Whether these can be the windows of `votes` votes for `candidates` candidates.
    pub(super) fn fit(&self, base_ms: i64, candidates: usize, votes: u64) -> bool {
        let widths = self.width_ms.checked_div(base_ms).filter(|_| self.width_ms % base_ms == 0);
        let width_fits = self.width_ms < 2 * WIDTH_MAX_MS
            && widths.is_some_and(|widths| u64::try_from(widths).is_ok_and(u64::is_power_of_two));
        let numbers_fit = self.windows.iter().all(|window| {
            window.number.checked_mul(self.width_ms).is_some_and(|start| start.abs() < 4 * WIDTH_MAX_MS)
        });
        let mut cells = self.windows.iter().flat_map(|window| &window.votes);
        let sum = cells.clone().try_fold(0u64, |sum, (_, votes)| sum.checked_add(*votes));
        width_fits
            && numbers_fit
            && sum == Some(votes)
            && cells.all(|(candidate, _)| (*candidate as usize) < candidates)
    }
}

/// A timeline that is being added up.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    width_ms: i64,
    windows: HashMap<i64, HashMap<u32, u64>>,
    cells: usize,
}

impl Timeline {
    /// An empty timeline of windows that are `width_ms` wide, at first.
    pub(super) fn new(width_ms: i64) -> Self {
        Self { width_ms, windows: HashMap::new(), cells: 0 }
    }

    /// Counts one vote.
    pub(super) fn count(&mut self, cast_at_ms: i64, candidate: u32) {
        self.add(cast_at_ms.div_euclid(self.width_ms), candidate, 1);
        self.fit();
    }

    /// Adds windows; `position` says where their candidates stand here, and leaves out those who stand nowhere.
    pub(super) fn extend(&mut self, windows: &Windows, position: impl Fn(u32) -> Option<u32>) {
        while self.width_ms < windows.width_ms {
            self.double();
        }
        for window in &windows.windows {
            for (candidate, votes) in &window.votes {
                if let Some(candidate) = position(*candidate) {
                    // The width may have grown since the last.
                    let narrower = self.width_ms / windows.width_ms;
                    self.add(window.number.div_euclid(narrower), candidate, *votes);
                    self.fit();
                }
            }
        }
    }

    fn add(&mut self, number: i64, candidate: u32, votes: u64) {
        match self.windows.entry(number).or_default().entry(candidate) {
            Entry::Occupied(mut cell) => *cell.get_mut() += votes,
            Entry::Vacant(cell) => {
                cell.insert(votes);
                self.cells += 1;
            }
        }
    }

    fn fit(&mut self) {
        while (self.windows.len() > WINDOWS_MAX || self.cells > CELLS_MAX) && self.width_ms < WIDTH_MAX_MS {
            self.double();
        }
    }

    fn double(&mut self) {
        self.width_ms *= 2;
        self.cells = 0;
        for (number, votes) in std::mem::take(&mut self.windows) {
            for (candidate, votes) in votes {
                self.add(number.div_euclid(2), candidate, votes);
            }
        }
    }

    /// The windows in their order: equal timelines give equal windows.
    pub(super) fn windows(&self) -> Windows {
        let mut windows: Vec<_> = self
            .windows
            .iter()
            .map(|(number, votes)| {
                let mut votes: Vec<_> = votes.iter().map(|(candidate, votes)| (*candidate, *votes)).collect();
                votes.sort_unstable();
                Window { number: *number, votes }
            })
            .collect();
        windows.sort_unstable_by_key(|window| window.number);
        Windows { width_ms: self.width_ms, windows }
    }
}

/// The timeline that these tallies, one of each partition, add up to, beside the results of the same tallies.
#[must_use]
pub fn merge_timeline<'a>(
    election: &Election,
    tallies: impl Iterator<Item = &'a PartitionTally>,
    results: &Results,
) -> shown::Timeline {
    let names: Vec<_> = results
        .contests
        .iter()
        .flat_map(|contest| contest.candidates.iter().map(|candidate| (&contest.id, &candidate.id)))
        .collect();
    let positions: HashMap<_, _> = if election.defined {
        HashMap::new()
    } else {
        (0..)
            .zip(&names)
            .map(|(position, (contest, id))| ((contest.as_str(), id.as_str()), position))
            .collect()
    };
    let mut timeline = Timeline::new(election.timeline_window_ms);
    for tally in tallies {
        let Some(told) = &tally.discovered else {
            timeline.extend(&tally.timeline, Some);
            continue;
        };
        let candidates = told.candidates.iter();
        let translated: Vec<Option<u32>> = candidates
            .map(|told_of| {
                let contest = told.contests[told_of.contest as usize].as_str();
                positions.get(&(contest, told_of.id.as_str())).copied()
            })
            .collect();
        timeline.extend(&tally.timeline, |candidate| translated[candidate as usize]);
    }
    let windows = timeline.windows();
    let mut shown = shown::Timeline {
        version: results.version,
        watermark: results.watermark,
        width_ms: windows.width_ms,
        windows: windows
            .windows
            .iter()
            .map(|window| shown_window(window, windows.width_ms, &names))
            .collect(),
    };
    shown.derive();
    shown
}

fn shown_window(window: &Window, width_ms: i64, names: &[(&ContestId, &CandidateId)]) -> shown::Window {
    let contest_of = |cell: &(u32, u64)| names[cell.0 as usize].0;
    let contests = window.votes.chunk_by(|one, next| contest_of(one) == contest_of(next)).map(|cells| {
        let candidates =
            cells.iter().map(|(candidate, votes)| (names[*candidate as usize].1.clone(), *votes));
        let votes = cells.iter().map(|(_, votes)| votes).sum();
        (contest_of(&cells[0]).clone(), WindowContest { votes, candidates: Some(candidates.collect()) })
    });
    // The widest window before 1970 starts earlier than a time can be written.
    let start = Timestamp::from_millisecond(window.number.saturating_mul(width_ms)).unwrap_or(Timestamp::MIN);
    shown::Window { start, is_final: false, contests: contests.collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    /// What a vote can bear: jiff's range.
    const YEARS: std::ops::Range<i64> = -377_705_023_201_000..253_402_207_200_000;

    fn counted(votes: &[(i64, u32)]) -> Windows {
        let mut timeline = Timeline::new(MINUTE);
        votes.iter().for_each(|(cast_at_ms, candidate)| timeline.count(*cast_at_ms, *candidate));
        timeline.windows()
    }

    fn merged(parts: &[Windows]) -> Windows {
        let mut timeline = Timeline::new(MINUTE);
        parts.iter().for_each(|part| timeline.extend(part, Some));
        timeline.windows()
    }

    fn votes(windows: &Windows) -> u64 {
        windows.windows.iter().flat_map(|window| &window.votes).map(|(_, votes)| votes).sum()
    }

    /// Votes of a night, of a year, and with times that make no sense; often more windows than fit.
    fn any_votes() -> impl Strategy<Value = Vec<(i64, u32)>> {
        let time = prop_oneof![8 => 0..20 * 3_600_000i64, 2 => 0..365 * 86_400_000i64, 1 => YEARS];
        proptest::collection::vec((time, 0..4u32), 0..600)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_votes_are_ordered_and_grouped_the_timeline_is_the_same(
            votes in any_votes(), cuts in proptest::collection::vec(0..5usize, 600), turn in 0..5usize,
        ) {
            let whole = counted(&votes);
            let mut backwards = votes.clone();
            backwards.reverse();
            prop_assert_eq!(&counted(&backwards), &whole);
            let mut groups = vec![Vec::new(); 5];
            for (vote, group) in votes.iter().zip(cuts) {
                groups[group].push(*vote);
            }
            let mut parts: Vec<_> = groups.iter().map(|group| counted(group)).collect();
            parts.rotate_left(turn);
            prop_assert_eq!(&merged(&parts), &whole);
            let (left, right) = parts.split_at(2);
            prop_assert_eq!(&merged(&[merged(right), merged(left)]), &whole);
        }

        #[test]
        fn counting_goes_on_from_the_windows_of_a_tally(votes in any_votes(), cut in 0..600usize) {
            let (before, after) = votes.split_at(cut.min(votes.len()));
            let mut timeline = Timeline::new(MINUTE);
            timeline.extend(&counted(before), Some);
            after.iter().for_each(|(cast_at_ms, candidate)| timeline.count(*cast_at_ms, *candidate));
            prop_assert_eq!(timeline.windows(), counted(&votes));
        }

        #[test]
        fn no_vote_is_lost_and_the_bounds_hold(votes_cast in any_votes()) {
            let windows = counted(&votes_cast);
            prop_assert_eq!(votes(&windows), votes_cast.len() as u64);
            prop_assert!(windows.windows.len() <= WINDOWS_MAX);
            prop_assert!(windows.fit(MINUTE, 4, votes_cast.len() as u64));
            for (cast_at_ms, candidate) in votes_cast {
                let number = cast_at_ms.div_euclid(windows.width_ms);
                let window = windows.windows.iter().find(|window| window.number == number).unwrap();
                prop_assert!(window.votes.iter().any(|(known, _)| *known == candidate));
            }
        }
    }

    #[test]
    fn the_width_stays_while_the_windows_fit_and_doubles_with_the_next() {
        let minutes = |count: i64| (0..count).map(|minute| (minute * MINUTE, 0)).collect::<Vec<_>>();
        assert_eq!(counted(&minutes(256)).width_ms, MINUTE);
        assert_eq!(counted(&minutes(257)).width_ms, 2 * MINUTE);
        assert_eq!(counted(&minutes(257)).windows.len(), 129);
        let mut with_an_odd_one = minutes(255);
        with_an_odd_one.push((YEARS.start, 0));
        assert_eq!(counted(&with_an_odd_one).width_ms, MINUTE);
    }

    #[test]
    fn many_candidates_make_fewer_windows() {
        let each = |candidates| {
            (0..10).flat_map(move |minute| (0..candidates).map(move |candidate| (minute * MINUTE, candidate)))
        };
        assert_eq!(counted(&each(6_553).collect::<Vec<_>>()).width_ms, MINUTE);
        let coarser = counted(&each(6_554).collect::<Vec<_>>());
        assert_eq!((coarser.width_ms, votes(&coarser)), (2 * MINUTE, 65_540));
        // More candidates than numbers may stand there: the two widest windows are what is left.
        let mut crowded: Vec<_> = (0..40_000).map(|candidate| (YEARS.start, candidate)).collect();
        crowded.extend((0..40_000).map(|candidate| (YEARS.end - 1, candidate)));
        assert_eq!(counted(&crowded).windows.len(), 2);
    }

    #[test]
    fn foreign_windows_do_not_fit() {
        let sound = counted(&[(0, 0), (MINUTE, 1), (MINUTE, 1)]);
        let fits = |change: fn(&mut Windows)| {
            let mut windows = sound.clone();
            change(&mut windows);
            windows.fit(MINUTE, 2, 3)
        };
        assert!(fits(|_| ()));
        assert!(!sound.fit(MINUTE, 1, 3) && !sound.fit(MINUTE, 2, 4));
        assert!(!Windows::default().fit(MINUTE, 2, 0));
        for width in [0, -MINUTE, 3 * MINUTE, MINUTE + 1, i64::MIN, MINUTE << 35] {
            let windows = Windows { width_ms: width, windows: Vec::new() };
            assert!(!windows.fit(MINUTE, 2, 0), "{width}");
        }
        assert!(!fits(|windows| windows.windows[0].number = i64::MAX));
        assert!(!fits(|windows| windows.windows[0].number = i64::MIN));
        assert!(!fits(|windows| windows.windows[0].number = 1 << 40));
        assert!(!fits(|windows| windows.windows[1].votes = vec![(0, u64::MAX), (0, 3)]));
    }
}
