//! The timeline: votes by window of event time, contest and candidate. What `GET /api/v1/timeline` answers.
//!
//! Windows are those of the votes' own times, so a vote that arrives late corrects the window in which it was cast.
//! Windows without votes are left out. All are equally wide: as wide as the definition says, or a power of two times
//! that, where there would be too many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    ids::{CandidateId, ContestId},
    moment,
    update::{apply_part, changed_part},
};

/// All windows, as of one version of the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timeline {
    /// The version of the results.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
    /// Every vote cast before this moment is expected to have been counted; `None` before the first vote.
    #[serde(default, deserialize_with = "moment::read_if_known")]
    pub watermark: Option<Timestamp>,
    /// The width of each window, in milliseconds.
    pub width_ms: i64,
    /// Windows with votes, in the order of time.
    pub windows: Vec<Window>,
}

/// The votes that were cast within one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Window {
    /// Votes cast at this moment or later, until the width is over.
    #[serde(deserialize_with = "moment::read")]
    pub start: Timestamp,
    /// Whether the watermark has passed the window: only late votes change it now.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// By contest; only contests with votes in the window.
    pub contests: BTreeMap<ContestId, WindowContest>,
}

/// The votes of one contest within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WindowContest {
    /// Votes counted.
    pub votes: u64,
    /// By candidate, candidates without votes left out; `None` while candidate figures are withheld: under an embargo until
    /// the polls close, then in every window. The threshold for places and groups doesn't hold here.
    pub candidates: Option<BTreeMap<CandidateId, u64>>,
}

/// The step from one version of the timeline to the next, as absolute values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineUpdate {
    /// The width of each window, in milliseconds.
    pub width_ms: i64,
    /// Whether these are all windows: those from before are to be forgotten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Windows in which something changed, with the contests and candidates that changed.
    pub windows: Vec<Window>,
}

impl TimelineUpdate {
    /// The step from `old` to `new`; `None` where no window changed.
    #[must_use]
    pub fn between(old: Option<&Timeline>, new: &Timeline) -> Option<Self> {
        let Some(old) = old.filter(|old| new.continues(old)) else {
            return Some(Self { width_ms: new.width_ms, whole: true, windows: new.windows.clone() });
        };
        let changed = new.windows.iter().filter_map(|window| window.since(old.window(window.start)));
        let windows: Vec<_> = changed.collect();
        (!windows.is_empty()).then_some(Self { width_ms: new.width_ms, whole: false, windows })
    }
}

impl Timeline {
    /// Takes the step to `version`; without one only the watermark has moved.
    ///
    /// The step must start from the version that is here, as that of the results beside it does.
    pub fn apply(&mut self, step: Option<&TimelineUpdate>, version: u64, watermark: Option<Timestamp>) {
        if let Some(step) = step {
            if step.whole {
                self.windows.clear();
            }
            self.width_ms = step.width_ms;
            for window in &step.windows {
                match self.windows.binary_search_by_key(&window.start, |known| known.start) {
                    Ok(position) => self.windows[position].apply(window),
                    Err(position) => self.windows.insert(position, window.clone()),
                }
            }
        }
        self.version = version;
        self.watermark = watermark;
        self.derive();
    }

    /// Derives from the watermark which windows are final.
    pub fn derive(&mut self) {
        let watermark_ms = self.watermark.map_or(i64::MIN, Timestamp::as_millisecond);
        for window in &mut self.windows {
            window.is_final = window.start.as_millisecond().saturating_add(self.width_ms) <= watermark_ms;
        }
    }

    fn window(&self, start: Timestamp) -> Option<&Window> {
        let position = self.windows.binary_search_by_key(&start, |window| window.start).ok()?;
        self.windows.get(position)
    }

    /// Whether everything that `old` shows is here, in the same windows.
    fn continues(&self, old: &Self) -> bool {
        let goes_on = |old: &Window| self.window(old.start).is_some_and(|window| window.continues(old));
        self.width_ms == old.width_ms && old.windows.iter().all(goes_on)
    }
}

impl Window {
    fn continues(&self, old: &Self) -> bool {
        old.contests.iter().all(|(id, old)| {
            self.contests.get(id).is_some_and(|contest| match (&old.candidates, &contest.candidates) {
                (Some(old), Some(new)) => old.keys().all(|candidate| new.contains_key(candidate)),
                _ => true,
            })
        })
    }

    /// What changed since `old`.
    fn since(&self, old: Option<&Self>) -> Option<Self> {
        let changed = self.contests.iter().filter_map(|(id, contest)| {
            let step = contest.since(old.and_then(|old| old.contests.get(id)))?;
            Some((id.clone(), step))
        });
        let contests: BTreeMap<_, _> = changed.collect();
        (!contests.is_empty()).then_some(Self { start: self.start, is_final: self.is_final, contests })
    }

    fn apply(&mut self, step: &Self) {
        for (id, step) in &step.contests {
            match self.contests.get_mut(id) {
                Some(contest) => contest.apply(step),
                None => drop(self.contests.insert(id.clone(), step.clone())),
            }
        }
    }
}

impl WindowContest {
    /// What changed since `old`; votes that change change the split, where it is shown.
    fn since(&self, old: Option<&Self>) -> Option<Self> {
        let part = changed_part(old.map(|old| &old.candidates), &self.candidates);
        let same = old.is_some_and(|old| old.votes == self.votes) && part.is_none();
        let candidates = part.unwrap_or_else(|| self.candidates.as_ref().map(|_| BTreeMap::new()));
        (!same).then_some(Self { votes: self.votes, candidates })
    }

    fn apply(&mut self, step: &Self) {
        self.votes = step.votes;
        apply_part(&mut self.candidates, &step.candidates);
    }
}
