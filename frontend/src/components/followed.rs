//! What each place of the map shows, in a signal of its own: kept right whether the place is seen or not, because a screen
//! reader reads it all the same, and some in each frame, because a thousand at once would hold the page up.

use std::collections::{HashMap, HashSet};

use leptos::prelude::*;
use tallyboard_shared::ids::LocationId;

use crate::tiles::Tile;

/// So many places are looked at in a frame: a thousand within a sixth of a second.
const PER_FRAME: usize = 100;

/// The signals of all places. Copies are handles to the same.
#[derive(Clone, Copy)]
pub(super) struct Followed {
    drawn: Memo<Vec<Tile>>,
    signals: StoredValue<HashMap<LocationId, RwSignal<Option<Tile>>>>,
    /// How many places are still to be looked at, and the next of them.
    round: StoredValue<Round>,
}

/// A round through a list, some of it at a time; what changes meanwhile makes it go round once more from where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    left: usize,
    next: usize,
}

impl Round {
    /// The next part of a list of `len`.
    fn part(&mut self, len: usize) -> std::ops::Range<usize> {
        let from = if self.next < len { self.next } else { 0 };
        let to = (from + PER_FRAME.min(self.left)).min(len);
        self.left = if len == 0 { 0 } else { self.left - (to - from) };
        self.next = to;
        from..to
    }
}

impl Followed {
    /// Follows `drawn`; to be called by the view of the map.
    pub(super) fn new(drawn: Memo<Vec<Tile>>) -> Self {
        let followed =
            Self { drawn, signals: StoredValue::default(), round: StoredValue::new(Round::default()) };
        Effect::new(move |_| {
            let len = drawn.with(Vec::len);
            let is_idle = followed.round.with_value(|round| round.left == 0);
            followed.round.update_value(|round| round.left = len);
            if is_idle && len > 0 {
                request_animation_frame(move || followed.go_on());
            }
        });
        followed
    }

    /// The signal of a place, which stands at `position` of what is drawn.
    pub(super) fn tile(self, id: LocationId, position: usize) -> RwSignal<Option<Tile>> {
        let tile =
            self.drawn.with_untracked(|drawn| drawn.get(position).filter(|tile| tile.id == id).cloned());
        let signal = RwSignal::new(tile);
        self.signals.update_value(|signals| {
            signals.insert(id, signal);
        });
        signal
    }

    fn go_on(self) {
        // The map may have left the page since the last frame.
        let Some(mut round) = self.round.try_get_value() else { return };
        self.drawn.with_untracked(|drawn| {
            self.signals.with_value(|signals| {
                for tile in &drawn[round.part(drawn.len())] {
                    let changed = |signal: &&RwSignal<Option<Tile>>| {
                        signal.try_with_untracked(|shown| shown.as_ref() != Some(tile))
                    };
                    if let Some(signal) = signals.get(&tile.id).filter(|signal| changed(signal) == Some(true))
                    {
                        signal.set(Some(tile.clone()));
                    }
                }
            });
        });
        self.round.set_value(round);
        if round.left == 0 {
            self.forget_others();
        }
        if round.left > 0 {
            request_animation_frame(move || self.go_on());
        }
    }

    /// Shows nothing for places that aren't drawn any longer.
    fn forget_others(self) {
        self.drawn.with_untracked(|drawn| {
            self.signals.with_value(|signals| {
                if signals.len() == drawn.len() {
                    return;
                }
                let known: HashSet<_> = drawn.iter().map(|tile| &tile.id).collect();
                for (_, signal) in signals.iter().filter(|(id, _)| !known.contains(id)) {
                    // What has left the page needs no news.
                    signal.try_set(None);
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(round: &mut Round, len: usize) -> Vec<std::ops::Range<usize>> {
        std::iter::from_fn(|| (round.left > 0).then(|| round.part(len))).collect()
    }

    #[test]
    fn a_round_comes_to_every_place_once() {
        let mut round = Round { left: 250, next: 0 };
        assert_eq!(parts(&mut round, 250), [0..100, 100..200, 200..250]);
        round.left = 250;
        assert_eq!(parts(&mut round, 250), [0..100, 100..200, 200..250]);
    }

    #[test]
    fn what_changes_meanwhile_is_come_to_again() {
        let mut round = Round { left: 250, next: 0 };
        assert_eq!(round.part(250), 0..100);
        round.left = 250;
        assert_eq!(parts(&mut round, 250), [100..200, 200..250, 0..100]);
    }

    #[test]
    fn a_list_that_became_shorter_is_gone_through_nevertheless() {
        let mut round = Round { left: 250, next: 200 };
        round.left = 30;
        assert_eq!(parts(&mut round, 30).first(), Some(&(0..30)));
        round.left = 5;
        assert_eq!(round.part(0), 0..0);
        assert_eq!(round.left, 0);
    }
}
