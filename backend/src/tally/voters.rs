//! The voters already seen, as fingerprints: what makes the first vote of a voter the only one.
//!
//! A fingerprint is 96 bits of keyed `SipHash` over the contest and the voter's id. The id itself is never kept; the
//! key keeps others from constructing ids that collide; 96 bits keep the chance of one false duplicate among 200
//! million voters under 2⁻⁴⁰.

mod table;

use std::{hash::Hasher, sync::LazyLock};

use siphasher::sip128::{Hasher128, SipHasher13};

use self::table::{GROWTH, Table};

/// The secret key of fingerprints. Fingerprints can be compared where their key is the same.
#[derive(Clone, Copy)]
pub struct FingerprintKey([u8; 16]);

impl FingerprintKey {
    /// A key that is known already: one that was kept, or one of one's own for tests that compare.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    /// A fresh key.
    #[must_use]
    pub fn random() -> Self {
        use std::hash::BuildHasher;
        // Every `RandomState` is keyed by the operating system's randomness.
        let word = || std::collections::hash_map::RandomState::new().hash_one(0u8);
        Self((u128::from(word()) << 64 | u128::from(word())).to_ne_bytes())
    }

    /// The key, to be kept as secret as the votes topic.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Tells this key from others without giving it away.
    #[must_use]
    pub fn check(self) -> u64 {
        SipHasher13::new_with_key(&self.0).finish128().h1
    }

    /// The fingerprint of a voter in a contest; equal ones under one key are the same voter, wherever they were seen.
    #[must_use]
    pub fn fingerprint(self, contest: u32, voter_id: &str) -> [u8; FINGERPRINT_BYTES] {
        bytes(self.words(contest, voter_id))
    }

    pub(super) fn words(self, contest: u32, voter_id: &str) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(&contest.to_le_bytes());
        hasher.write(voter_id.as_bytes());
        let hash = hasher.finish128();
        [high(hash.h1), low(hash.h1), low(hash.h2)]
    }
}

/// 96 bits in three words: 12 bytes without padding.
pub(super) type Fingerprint = [u32; 3];

/// A fingerprint outside of memory: its three words, least significant byte first.
pub const FINGERPRINT_BYTES: usize = 12;

/// Of so many tables one grows at a time: the growth in one step is 1/64 of the whole, and its pause with it.
const SHARDS: u8 = 64;

/// The hash space is dealt out in 4,096 slots: from 52 for the smallest table to 78 for the largest.
const SLOT_BITS: u32 = 12;

/// So many voters are looked for together, so that the memory where they are is fetched at once and not one place after
/// the other: a core waits for some ten places at a time.
pub(super) const TOGETHER: usize = 32;

/// The share of each table is [`GROWTH`]^(1/64) times that of the one before it, so the largest is nearly [`GROWTH`] times
/// the smallest.
///
/// A table grows by a half when it is three quarters full, so equal tables would all grow at once, and hold 16 bytes a
/// voter just before and 24 just after. With shares like these, at any number of voters some tables have just grown and
/// some are about to, and their sum stays near 19.7 bytes a voter.
static SHARD_OF_SLOT: LazyLock<[u8; 1 << SLOT_BITS]> = LazyLock::new(|| {
    let mut shards = [0; 1 << SLOT_BITS];
    for (slot, shard) in shards.iter_mut().enumerate() {
        *shard = (0..SHARDS).rfind(|shard| first_slot(*shard) <= slot).expect("the first slot is 0");
    }
    shards
});

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the number of slots")]
fn first_slot(shard: u8) -> usize {
    let share_before = (GROWTH.powf(f64::from(shard) / f64::from(SHARDS)) - 1.0) / (GROWTH - 1.0);
    (share_before * f64::from(1 << SLOT_BITS)) as usize
}

/// The voters seen.
pub struct Voters {
    key: FingerprintKey,
    shards: [Table; SHARDS as usize],
}

impl Voters {
    /// Nobody yet.
    #[must_use]
    pub fn new(key: FingerprintKey) -> Self {
        Self { key, shards: std::array::from_fn(|_| Table::default()) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(Table::len).sum()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes back voters who were seen before.
    pub fn restore(&mut self, fingerprints: &[[u8; FINGERPRINT_BYTES]]) {
        for some in fingerprints.chunks(TOGETHER) {
            some.iter().for_each(|fingerprint| self.touch(&words(*fingerprint)));
            for fingerprint in some {
                self.take_up(words(*fingerprint));
            }
        }
    }

    /// Stands for a voter in a contest.
    pub(super) fn fingerprint(&self, contest: u32, voter_id: &str) -> Fingerprint {
        self.key.words(contest, voter_id)
    }

    /// Has the memory where a voter is looked for brought near, without waiting for it.
    pub(super) fn touch(&self, fingerprint: &Fingerprint) {
        self.shards[shard(fingerprint)].touch(fingerprint);
    }

    /// Whether the voter hasn't been seen in this contest; from now on they have.
    pub(super) fn take_up(&mut self, fingerprint: Fingerprint) -> bool {
        self.shards[shard(&fingerprint)].insert(fingerprint)
    }
}

/// Which table, by a word that has no part in the place therein.
fn shard(fingerprint: &Fingerprint) -> usize {
    usize::from(SHARD_OF_SLOT[(fingerprint[2] >> (32 - SLOT_BITS)) as usize])
}

pub(super) fn bytes(fingerprint: Fingerprint) -> [u8; FINGERPRINT_BYTES] {
    let mut bytes = [0; FINGERPRINT_BYTES];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(fingerprint) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

fn words(bytes: [u8; FINGERPRINT_BYTES]) -> Fingerprint {
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [word(0), word(4), word(8)]
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

    fn first_vote(voters: &mut Voters, contest: u32, voter_id: &str) -> bool {
        let fingerprint = voters.fingerprint(contest, voter_id);
        voters.touch(&fingerprint);
        voters.take_up(fingerprint)
    }

    #[test]
    fn a_voter_is_new_once_in_every_contest() {
        let mut voters = Voters::new(FingerprintKey::new([7; 16]));
        assert!(voters.is_empty());
        assert!(first_vote(&mut voters, 0, "ada"));
        assert!(!first_vote(&mut voters, 0, "ada"));
        assert!(first_vote(&mut voters, 1, "ada"));
        assert!(first_vote(&mut voters, 0, "bo"));
        for number in 0..100_000 {
            assert!(first_vote(&mut voters, 2, &number.to_string()));
        }
        assert!((0..100_000).all(|number| !first_vote(&mut voters, 2, &number.to_string())));
        assert_eq!(voters.len(), 100_003);
    }

    #[test]
    fn voters_are_known_again_by_their_fingerprints_under_the_same_key() {
        let key = FingerprintKey::random();
        let mut before = Voters::new(key);
        let mut after = Voters::new(FingerprintKey::new(key.to_bytes()));
        assert_ne!(key.check(), FingerprintKey::random().check());
        let mut kept = Vec::new();
        for number in 0..1000 {
            assert!(first_vote(&mut before, 0, &number.to_string()));
            kept.push(key.fingerprint(0, &number.to_string()));
        }
        after.restore(&kept);
        assert!((0..1000).all(|number| !first_vote(&mut after, 0, &number.to_string())));
        assert_eq!(after.len(), 1000);
    }

    #[test]
    fn tables_grow_at_different_times() {
        let mut voters = Voters::new(FingerprintKey::new([7; 16]));
        let size = |voters: &Voters| voters.shards.iter().map(Table::bytes).sum::<usize>();
        let mut most_at_once = 0;
        for number in 0..1_000_000u32 {
            let before = size(&voters);
            first_vote(&mut voters, 0, &number.to_string());
            if number >= 100_000 {
                most_at_once = most_at_once.max((size(&voters) - before) * 1000 / before);
            }
            if number >= 100_000 && number % 50_000 == 0 {
                let per_voter = size(&voters) / voters.len();
                assert!((18..=20).contains(&per_voter), "{per_voter} bytes a voter at {number}");
            }
        }
        assert!(most_at_once <= 10, "{most_at_once} thousandths");
    }
}
