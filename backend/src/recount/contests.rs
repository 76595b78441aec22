//! Contests of an election without a definition, numbered for all partitions together.
//!
//! A count numbers contests as they come in its partition, and tells voters apart by that number. So the same voter in
//! the same contest has other fingerprints in other partitions, and a look over all of them needs its own.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;

use super::count::Fingerprint;
use crate::tally::{FingerprintKey, IMPLICIT_CONTEST, decode};

/// The numbers of all contests.
#[derive(Default)]
pub(super) struct Contests(Mutex<HashMap<String, u32>>);

/// The numbers that one partition has met, without the lock; at most as many as a count takes up.
pub(super) struct KnownContests<'a> {
    all: &'a Contests,
    known: HashMap<String, u32>,
}

impl Contests {
    pub(super) fn of_a_partition(&self) -> KnownContests<'_> {
        KnownContests { all: self, known: HashMap::new() }
    }

    fn number(&self, contest: &str) -> u32 {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = u32::try_from(numbers.len()).expect("a count takes up few contests");
        *numbers.entry_ref(contest).or_insert(next)
    }
}

impl KnownContests<'_> {
    /// The fingerprint of the voter of a vote that was counted: the same wherever the vote lies.
    pub(super) fn fingerprint(&mut self, key: FingerprintKey, counted: &[u8]) -> Fingerprint {
        let ballot = decode(counted).expect("what was counted is a ballot");
        let contest = ballot.contest_id.as_ref().map_or(IMPLICIT_CONTEST, |id| id.as_str());
        let number = match self.known.get(contest) {
            Some(number) => *number,
            None => *self.known.entry_ref(contest).insert(self.all.number(contest)).get(),
        };
        key.fingerprint(number, ballot.voter_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(voter: &str, contest: Option<&str>) -> String {
        let contest = contest.map(|id| format!(r#","contest_id":"{id}""#)).unwrap_or_default();
        format!(
            r#"{{"voter_id":"{voter}","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"p"{contest}}}"#
        )
    }

    #[test]
    fn a_voter_of_a_contest_has_one_fingerprint_in_whatever_order_contests_come() {
        let (contests, key) = (Contests::default(), FingerprintKey::new([3; 16]));
        let prints = |votes: [(&str, Option<&str>); 3]| {
            let mut partition = contests.of_a_partition();
            votes.map(|(voter, contest)| partition.fingerprint(key, vote(voter, contest).as_bytes()))
        };
        let one = prints([("v", Some("k")), ("v", None), ("w", Some("k"))]);
        let other = prints([("v", Some(IMPLICIT_CONTEST)), ("v", Some("k")), ("v", Some("j"))]);
        assert_eq!((one[0], one[1]), (other[1], other[0]));
        let different: std::collections::BTreeSet<_> = one.into_iter().chain(other).collect();
        assert_eq!(different.len(), 4);
    }
}
