//! A set of fingerprints: open addressing in one allocation, 12 bytes a place and nothing beside it.
//!
//! A fingerprint is looked for from its home on, place by place, until it or an empty place is found. The home grows
//! with the first word, so a table that grows copies from front to back and doesn't jump through memory. Growing by a
//! half at three quarters costs 16 to 24 bytes a voter; a table that doubles at seven eighths, with a byte of control a
//! place, costs 15 to 30. Fuller tables that grow by less are smaller and slower: docs/benchmarks.md, "The fold alone".

use super::Fingerprint;

/// What lies in a place without a fingerprint.
const EMPTY: Fingerprint = [0; 3];

/// The first places, so that an empty set takes no memory and a small one grows seldom.
const PLACES_MIN: usize = 16;

/// A cache line has 64 bytes: so many places further the next one begins, or has begun.
const PLACES_PER_CACHE_LINE: usize = 5;

/// A table that grows has so many times the places that it had.
pub(super) const GROWTH: f64 = 1.5;

/// A set of fingerprints.
#[derive(Default)]
pub(super) struct Table {
    /// At most three quarters are taken, so that a search ends after a few places.
    places: Vec<Fingerprint>,
    taken: usize,
    /// The one fingerprint that looks like an empty place: one of 2⁹⁶, yet some voter's.
    has_zero: bool,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.taken + usize::from(self.has_zero)
    }

    /// Has the memory at the home of a fingerprint brought near, and what lies behind it: most searches end there.
    pub(super) fn touch(&self, fingerprint: &Fingerprint) {
        let home = self.home(fingerprint);
        for place in [home, home + PLACES_PER_CACHE_LINE] {
            if let Some(place) = self.places.get(place) {
                std::hint::black_box(place[0]);
            }
        }
    }

    /// Whether the fingerprint is new; from now on it is there.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint) -> bool {
        if fingerprint == EMPTY {
            return !std::mem::replace(&mut self.has_zero, true);
        }
        let Some(free) = self.free_place(&fingerprint) else {
            return false;
        };
        let place = if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.grow();
            self.free_place(&fingerprint).expect("what wasn't there before isn't there now")
        } else {
            free
        };
        self.places[place] = fingerprint;
        self.taken += 1;
        true
    }

    /// Where the fingerprint would be put; [`None`] where it is there.
    fn free_place(&self, fingerprint: &Fingerprint) -> Option<usize> {
        let home = self.home(fingerprint);
        let (before, after) = self.places.split_at(home);
        let ends_search = |place: &Fingerprint| place == fingerprint || *place == EMPTY;
        let behind = after.iter().position(ends_search).map(|steps| home + steps);
        if let Some(end) = behind.or_else(|| before.iter().position(ends_search)) {
            return (self.places[end] == EMPTY).then_some(end);
        }
        // Only a table without places has no empty one; it grows before anything is put there.
        Some(0)
    }

    /// Where the search for a fingerprint begins: its first word as a fraction of 2³², of the places.
    fn home(&self, fingerprint: &Fingerprint) -> usize {
        let product = u64::from(fingerprint[0]) * self.places.len() as u64;
        usize::try_from(product >> 32).expect("less than the number of places")
    }

    fn grow(&mut self) {
        let places = grown(self.places.len()).max(PLACES_MIN);
        let smaller = std::mem::replace(&mut self.places, vec![EMPTY; places]);
        for fingerprint in smaller.into_iter().filter(|place| *place != EMPTY) {
            let place = self.free_place(&fingerprint).expect("a set has everything once");
            self.places[place] = fingerprint;
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Fingerprint>()
    }
}

/// [`GROWTH`] times as many, in whole numbers.
fn grown(places: usize) -> usize {
    places + places / 2
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// With few first words, at both ends of the table too, so that searches meet, and run over its end.
        #[test]
        fn a_table_is_a_set(
            fingerprints in proptest::collection::vec(
                (prop::sample::select(vec![0, 1, 1 << 31, u32::MAX - 1, u32::MAX]), 0..4u32, 0..40u32)
                    .prop_map(|(first, second, third)| [first, second, third]),
                0..1000,
            ),
        ) {
            let (mut table, mut set) = (Table::default(), BTreeSet::new());
            for fingerprint in fingerprints {
                table.touch(&fingerprint);
                prop_assert_eq!(table.insert(fingerprint), set.insert(fingerprint));
                prop_assert_eq!(table.len(), set.len());
            }
            for fingerprint in set {
                prop_assert!(!table.insert(fingerprint));
            }
        }
    }
}
