//! The voters already seen, as fingerprints: what makes the first vote of a voter the only one.
//!
//! A fingerprint is 96 bits of keyed `SipHash` over the contest and the voter's id. The id itself is never kept; the
//! key keeps others from constructing ids that collide; 96 bits keep the chance of one false duplicate among 200
//! million voters under 2⁻⁴⁰.

use std::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip128::{Hasher128, SipHasher13};

/// The secret key of the fingerprints of one process.
#[derive(Clone, Copy)]
pub struct FingerprintKey([u8; 16]);

impl FingerprintKey {
    /// A key of one's own, for tests that compare.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// A fresh key. Fingerprints live as long as the process, so nobody else needs it.
    #[must_use]
    pub fn random() -> Self {
        use std::hash::BuildHasher;
        // Every `RandomState` is keyed by the operating system's randomness.
        let word = || std::collections::hash_map::RandomState::new().hash_one(0u8);
        Self((u128::from(word()) << 64 | u128::from(word())).to_ne_bytes())
    }
}

/// 96 bits in three words: 12 bytes without padding.
type Fingerprint = [u32; 3];

pub(super) struct Voters {
    key: FingerprintKey,
    seen: HashTable<Fingerprint>,
}

impl Voters {
    pub(super) fn new(key: FingerprintKey) -> Self {
        Self { key, seen: HashTable::new() }
    }

    /// Whether the voter hasn't been seen in this contest; from now on they have.
    pub(super) fn first_vote(&mut self, contest: u32, voter_id: &str) -> bool {
        let mut hasher = SipHasher13::new_with_key(&self.key.0);
        hasher.write(&contest.to_le_bytes());
        hasher.write(voter_id.as_bytes());
        let hash = hasher.finish128();
        let fingerprint = [high(hash.h1), low(hash.h1), low(hash.h2)];
        let entry = self.seen.entry(bucket(&fingerprint), |seen| *seen == fingerprint, bucket);
        match entry {
            hashbrown::hash_table::Entry::Occupied(_) => false,
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                vacant.insert(fingerprint);
                true
            }
        }
    }
}

/// A fingerprint is a hash already.
fn bucket(fingerprint: &Fingerprint) -> u64 {
    u64::from(fingerprint[0]) << 32 | u64::from(fingerprint[1])
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voter_is_new_once_in_every_contest() {
        let mut voters = Voters::new(FingerprintKey::new([7; 16]));
        assert!(voters.first_vote(0, "ada"));
        assert!(!voters.first_vote(0, "ada"));
        assert!(voters.first_vote(1, "ada"));
        assert!(voters.first_vote(0, "bo"));
        for number in 0..100_000 {
            assert!(voters.first_vote(2, &number.to_string()));
        }
        assert!((0..100_000).all(|number| !voters.first_vote(2, &number.to_string())));
    }
}
