//! The votes that this process has stored lately, so that a request that is sent again doesn't store them again.
//!
//! A vote is known by a keyed hash of voter, contest, candidate, place and time, however the ballot names them: the very same
//! vote, which the count would never count beside the first. What isn't known (older votes, those that came by another process or on the topic, and
//! all after a restart) is stored, and the count sorts it out.

use std::{
    collections::HashMap,
    hash::Hasher,
    sync::{Mutex, PoisonError},
};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{
    journal::Position,
    tally::{Ballot, Choice, FingerprintKey, IMPLICIT_CONTEST},
};

/// So many votes are known in each of two generations: about 10 MB in all.
const GENERATION_MAX: usize = 100_000;

/// Names a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct VoteHash(u128);

/// Where votes were stored.
pub(super) struct Recent {
    key: [u8; 16],
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<VoteHash, Position>,
    old: HashMap<VoteHash, Position>,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { key: FingerprintKey::random().to_bytes(), generations: Mutex::default() }
    }

    /// `choice` is what the ballot says, by number, where the same numbers always stand for the same.
    pub(super) fn hash(&self, ballot: &Ballot<'_>, choice: Option<Choice>) -> VoteHash {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hash_text(&mut hasher, ballot.voter_id.as_str());
        if let Some(Choice { contest, candidate, location }) = choice {
            [contest, candidate, location].into_iter().for_each(|number| hasher.write_u32(number));
        } else {
            let contest = ballot.contest_id.as_ref().map_or(IMPLICIT_CONTEST, |contest| contest.as_str());
            hash_text(&mut hasher, contest);
            hash_text(&mut hasher, ballot.candidate_id.as_str());
            hash_text(&mut hasher, ballot.location.as_str());
        }
        hasher.write_i64(ballot.cast_at_ms);
        VoteHash(hasher.finish128().as_u128())
    }

    /// Where the vote was stored, as far as that is known.
    pub(super) fn find(&self, vote: VoteHash) -> Option<Position> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.get(&vote).or_else(|| generations.old.get(&vote)).copied()
    }

    /// Remembers votes that are durable.
    pub(super) fn add(&self, votes: impl Iterator<Item = (VoteHash, Position)>) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        for (vote, position) in votes {
            if generations.young.len() >= GENERATION_MAX {
                generations.old = std::mem::take(&mut generations.young);
            }
            generations.young.insert(vote, position);
        }
    }
}

fn hash_text(hasher: &mut SipHasher13, text: &str) {
    hasher.write_usize(text.len());
    hasher.write(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::decode;

    #[test]
    fn votes_are_forgotten_in_the_order_in_which_they_came() {
        let recent = Recent::new();
        let position = |number: usize| Position { partition: 0, offset: number as u64 };
        let vote = |number: usize| VoteHash(number as u128);
        for number in 0..3 * GENERATION_MAX {
            recent.add(std::iter::once((vote(number), position(number))));
        }
        assert_eq!(recent.find(vote(0)), None);
        assert_eq!(recent.find(vote(GENERATION_MAX - 1)), None);
        assert_eq!(recent.find(vote(GENERATION_MAX)), Some(position(GENERATION_MAX)));
        let generations = recent.generations.lock().unwrap();
        assert!(generations.young.len() <= GENERATION_MAX && generations.old.len() <= GENERATION_MAX);
    }

    #[test]
    fn the_same_vote_is_one_whose_every_field_that_counts_is_the_same() {
        let recent = Recent::new();
        let hash = |json: &str| recent.hash(&decode(json.as_bytes()).unwrap(), None);
        let vote =
            r#"{"voter_id":"v","candidate_id":"c","voting_time":"2024-11-05 08:15:00","location_id":"N"}"#;
        let same = r#"{"location_id":"N","voter_id":"v","email":"x","candidate_id":"c","voting_time":"2024-11-05T08:15:00Z"}"#;
        assert_eq!(hash(vote), hash(same));
        for (from, to) in [("\"v\"", "\"w\""), ("\"c\"", "\"d\""), ("\"N\"", "\"S\""), (":00\"", ":01\"")] {
            assert_ne!(hash(vote), hash(&vote.replace(from, to)), "{to}");
        }
        assert_eq!(
            hash(vote),
            hash(&vote.replace('}', ",\"contest_id\":\"election\"}")),
            "of one that names none"
        );
        assert_ne!(hash(vote), hash(&vote.replace('}', ",\"contest_id\":\"k\"}")));
        assert_ne!(Recent::new().hash(&decode(vote.as_bytes()).unwrap(), None), hash(vote));
    }

    #[test]
    fn a_vote_is_the_same_however_it_names_what_the_definition_knows() {
        let recent = Recent::new();
        let roster = crate::tally::Roster::new(&crate::election::demo());
        let hash = |place: &str, more: &str| {
            let vote = format!(
                r#"{{"voter_id":"v","candidate_id":"okafor","voting_time":"2024-11-05 08:15:00",{place}{more}}}"#
            );
            let ballot = decode(vote.as_bytes()).unwrap();
            recent.hash(&ballot, Some(roster.choice(&ballot).unwrap()))
        };
        let by_id = hash(r#""location_id":"AL""#, "");
        assert_eq!(by_id, hash(r#""location_id":"Alder""#, ""));
        assert_eq!(by_id, hash(r#""address":{"state":"Alder"}"#, r#","contest_id":"president""#));
        assert_ne!(by_id, hash(r#""location_id":"BR""#, ""));
    }
}
