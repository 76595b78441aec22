//! The last steps, for clients that come back: who was away for a moment is sent only what it missed.

use std::{collections::VecDeque, sync::Arc};

use tallyboard_shared::{Timestamp, results::Results};

use super::feed::Step;

/// A minute and more at full pace.
const STEPS_MAX: usize = 1024;

/// Steps of an election with thousands of places are large.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The last steps, one after the other.
#[derive(Default)]
pub(super) struct Recent {
    /// The version that the first step starts from, and when it was made.
    base: Option<(u64, Timestamp)>,
    steps: VecDeque<Arc<Step>>,
    bytes: usize,
}

impl Recent {
    /// Forgets everything: no step leads to these results.
    pub(super) fn start(&mut self, results: Option<&Results>) {
        *self = Self { base: results.map(|results| (results.version, results.as_of)), ..Self::default() };
    }

    /// Takes the step from the newest version to the next.
    pub(super) fn add(&mut self, step: &Arc<Step>) {
        self.bytes += step.message.len();
        self.steps.push_back(Arc::clone(step));
        while self.steps.len() > STEPS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.steps.pop_front() else { break };
            self.bytes -= oldest.message.len();
            self.base = Some((oldest.version, oldest.as_of));
        }
    }

    /// See [`super::Feed::since`].
    pub(super) fn since(&self, version: u64, as_of: Option<Timestamp>) -> Option<Vec<Arc<Step>>> {
        let made = |known: Timestamp| as_of.is_none_or(|as_of| as_of == known);
        if self.base.is_some_and(|(base, known)| base == version && made(known)) {
            return Some(self.steps.iter().map(Arc::clone).collect());
        }
        let position = self.steps.binary_search_by_key(&version, |step| step.version).ok()?;
        made(self.steps[position].as_of).then(|| self.steps.range(position + 1..).map(Arc::clone).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        election,
        roles::disclosure::{Disclosed, disclose},
        tally::merge,
    };

    fn results(version: u64) -> Disclosed<Results> {
        let as_of = Timestamp::from_second(version.cast_signed()).unwrap();
        disclose(&election::demo(), merge(&election::demo(), std::iter::empty(), version, as_of))
    }

    fn step(from: u64, to: u64) -> Arc<Step> {
        Arc::new(Step::new(results(from).step_to(&results(to)).unwrap()))
    }

    fn since(recent: &Recent, version: u64) -> Option<Vec<u64>> {
        let as_of = results(version).as_of;
        let steps = recent.since(version, Some(as_of))?;
        assert_eq!(recent.since(version, None).map(|steps| steps.len()), Some(steps.len()));
        Some(steps.iter().map(|step| step.version).collect())
    }

    #[test]
    fn only_what_was_missed_is_given() {
        let mut recent = Recent::default();
        assert_eq!(since(&recent, 0), None);
        recent.start(Some(&results(5)));
        [(5, 6), (6, 9), (9, 10)].iter().for_each(|(from, to)| recent.add(&step(*from, *to)));
        assert_eq!(since(&recent, 5), Some(vec![6, 9, 10]));
        assert_eq!(since(&recent, 6), Some(vec![9, 10]));
        assert_eq!(since(&recent, 10), Some(vec![]));
        assert_eq!([since(&recent, 4), since(&recent, 7), since(&recent, 11)], [None, None, None]);
        recent.start(Some(&results(11)));
        assert_eq!((since(&recent, 10), since(&recent, 11)), (None, Some(vec![])));
    }

    #[test]
    fn a_version_of_another_count_is_not_gone_on_from() {
        let mut recent = Recent::default();
        recent.start(Some(&results(5)));
        recent.add(&step(5, 6));
        let other = Some(results(7).as_of);
        assert!(recent.since(5, other).is_none() && recent.since(6, other).is_none());
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let mut recent = Recent::default();
        recent.start(Some(&results(1)));
        let last = STEPS_MAX as u64 + 10;
        (1..last).for_each(|version| recent.add(&step(version, version + 1)));
        assert_eq!(recent.steps.len(), STEPS_MAX);
        assert_eq!(recent.bytes, recent.steps.iter().map(|step| step.message.len()).sum::<usize>());
        let first = last - STEPS_MAX as u64;
        assert_eq!(since(&recent, first - 1), None);
        assert_eq!(since(&recent, first).map(|steps| steps.len()), Some(STEPS_MAX));
    }

    #[test]
    fn large_steps_are_bounded_by_their_bytes() {
        let mut large = (*results(2)).clone();
        large.contests[0].title = "x".repeat(BYTES_MAX / 4);
        large.contests[0].id = tallyboard_shared::ids::ContestId::new("large");
        let from = Results { contests: Vec::new(), ..(*results(1)).clone() };
        let [from, large] = [from, large].map(|results| disclose(&election::demo(), results));
        let step = Arc::new(Step::new(from.step_to(&large).unwrap()));
        let mut recent = Recent::default();
        recent.start(Some(&from));
        (0..5).for_each(|_| recent.add(&step));
        assert!(recent.steps.len() < 3 && recent.bytes <= BYTES_MAX);
    }
}
