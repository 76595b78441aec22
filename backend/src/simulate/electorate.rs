//! Made-up voters of an election: who goes to vote, when, for whom, and what goes wrong on the way.
//!
//! Each place has its own leaning, and the mood drifts as the night goes on, so that there is something to watch.
//! Voters come in a random order that is a permutation of the electorate, so nobody votes twice by accident.

mod paper;

use std::collections::BTreeMap;

use tallyboard_shared::{Timestamp, election::Election, reason::Reason};

use self::paper::Paper;
use super::{Source, mix, unit, uuid};
use crate::journal::{NewRecord, SIMULATION_HEADER};

/// How much of a record is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// The fields that are needed: about 150 bytes.
    #[default]
    Short,
    /// A whole record of the existing pipelines: about 1 KB.
    Full,
}

/// What goes wrong, as shares of all records, 0 to 1 each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// Second votes of voters who have voted.
    pub duplicates: f64,
    /// Votes with a time far behind the others.
    pub late: f64,
    /// Records that break a rule.
    pub invalid: f64,
}

/// What the simulation meant by a record: what an exact count must make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A first vote: the contest's, the candidate's and the place's position.
    Valid {
        /// Position of the candidate in the first contest.
        candidate: usize,
        /// Position of the place.
        location: usize,
        /// Whether the time lies far behind.
        late: bool,
    },
    /// A record that must be rejected for this reason.
    Rejected(Reason),
}

/// What an exact count of some records gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Votes by candidate and place.
    pub votes: BTreeMap<(usize, usize), u64>,
    /// Records not counted, by reason.
    pub rejected: BTreeMap<Reason, u64>,
}

/// A made-up electorate.
pub struct Electorate {
    election: Election,
    seed: u64,
    shares: Shares,
    shape: Shape,
    /// The first voter's number of each place, and the number of all.
    firsts: Vec<u64>,
    /// Positions of the places that vote in the first contest.
    places: Vec<usize>,
    /// Records in which everybody has had their chance.
    records: u64,
}

/// Voters of a place whose electorate is unknown.
const UNKNOWN_ELECTORATE: u64 = 50_000;

/// Of a hundred registered voters so many vote, on average.
const TURNOUT: f64 = 0.68;

/// The broken records, in turn.
const BREAKAGES: [Reason; 6] = [
    Reason::Malformed,
    Reason::MissingField,
    Reason::InvalidWeight,
    Reason::UnknownCandidate,
    Reason::UnknownLocation,
    Reason::FutureTime,
];

/// What a record's number decides.
enum Role {
    /// The voter with this number in the random order.
    First(u64),
    /// Another vote of the voter of the earlier record with this number.
    Again(u64),
    Broken(Reason),
}

impl Electorate {
    /// The electorate of an election, which must have a definition.
    ///
    /// # Panics
    /// Where the election has no contest or no place: a checked definition has both.
    #[must_use]
    pub fn new(election: Election, seed: u64, shares: Shares, shape: Shape) -> Self {
        let contest = &election.contests.first().expect("a definition has a contest").id;
        let votes_here = |position: &usize| election.locations[*position].contests.contains(contest);
        let places: Vec<_> = (0..election.locations.len()).filter(votes_here).collect();
        assert!(!places.is_empty(), "somebody must be able to vote in the first contest");
        let mut firsts = vec![0];
        for place in &places {
            let registered = election.locations[*place].registered_voters.unwrap_or(UNKNOWN_ELECTORATE);
            firsts.push(firsts[firsts.len() - 1] + registered);
        }
        let mut electorate = Self { election, seed, shares, shape, firsts, places, records: 0 };
        electorate.records = electorate.record_count();
        electorate
    }

    /// Whose electorate this is.
    #[must_use]
    pub fn election(&self) -> &Election {
        &self.election
    }

    /// How many records there are: then everybody has had their chance.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    fn voters(&self) -> u64 {
        self.firsts[self.firsts.len() - 1]
    }

    /// With every first vote some records go wrong, so it takes more records than voters.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an electorate fits")]
    #[expect(clippy::cast_precision_loss, reason = "an electorate stays far below 2^53")]
    fn record_count(&self) -> u64 {
        let sound = (1.0 - self.shares.duplicates - self.shares.invalid).max(0.01);
        (self.voters() as f64 * TURNOUT / sound) as u64
    }

    fn role(&self, number: u64) -> Role {
        let draw = unit(mix(self.seed ^ 0x0072_6f6c_6573, number));
        if draw < self.shares.duplicates && number > 0 {
            // A voter whose first vote came before, however far back it is looked for.
            let mut earlier = mix(self.seed ^ 0x6561_726c_7921, number) % number;
            while !self.is_first(earlier) {
                if earlier == 0 {
                    return Role::First(number);
                }
                earlier -= 1;
            }
            return Role::Again(earlier);
        }
        if draw >= self.shares.duplicates && draw < self.shares.duplicates + self.shares.invalid {
            let which = mix(self.seed ^ 0x0062_726f_6b65, number) % BREAKAGES.len() as u64;
            return Role::Broken(BREAKAGES[usize::try_from(which).expect("fewer than breakages")]);
        }
        Role::First(number)
    }

    fn is_first(&self, number: u64) -> bool {
        let draw = unit(mix(self.seed ^ 0x0072_6f6c_6573, number));
        draw >= self.shares.duplicates + self.shares.invalid
    }

    /// The voter who comes as number `turn`: a permutation of the electorate by a small Feistel network, walked
    /// until the number falls inside.
    fn voter(&self, turn: u64) -> u64 {
        let voters = self.voters();
        let half_bits = (64 - (voters - 1).leading_zeros()).div_ceil(2).max(1);
        let mask = (1u64 << half_bits) - 1;
        let mut number = turn % voters;
        loop {
            let (mut left, mut right) = (number >> half_bits, number & mask);
            for round in 0..4 {
                (left, right) = (right, left ^ (mix(self.seed ^ round, right) & mask));
            }
            number = left << half_bits | right;
            if number < voters {
                return number;
            }
        }
    }

    /// The position, among the places that vote, of the place of a voter.
    fn place_of(&self, voter: u64) -> usize {
        self.firsts.partition_point(|first| *first <= voter) - 1
    }

    /// Whom the voter of record `number` is for: by the leaning of the place and the mood of the hour.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    fn candidate_of(&self, number: u64, place: usize) -> usize {
        let candidates = self.election.contests[0].candidates.len();
        let progress = number as f64 / self.records.max(1) as f64;
        let weight = |candidate: usize| {
            let rank = 1.0 / (1.0 + candidate as f64 * 0.55);
            let leaning = 0.55 + 0.9 * unit(mix(self.seed ^ 0x6c65_616e, (place * 1000 + candidate) as u64));
            let phase = unit(mix(self.seed ^ 0x6d6f_6f64, candidate as u64)) * std::f64::consts::TAU;
            let mood = 1.0 + 0.22 * (phase + progress * 9.0).sin();
            rank * leaning * leaning * mood
        };
        let weights: Vec<_> = (0..candidates).map(weight).collect();
        let mut draw = unit(mix(self.seed ^ 0x0063_686f_6963_6500, number)) * weights.iter().sum::<f64>();
        for (candidate, weight) in weights.iter().enumerate() {
            draw -= weight;
            if draw < 0.0 {
                return candidate;
            }
        }
        candidates - 1
    }

    /// What record `number` means.
    #[must_use]
    pub fn intent(&self, number: u64) -> Intent {
        match self.role(number) {
            Role::First(turn) => {
                let place = self.place_of(self.voter(turn));
                Intent::Valid {
                    candidate: self.candidate_of(number, place),
                    location: self.places[place],
                    late: self.is_late(number),
                }
            }
            Role::Again(_) => Intent::Rejected(Reason::DuplicateVoter),
            Role::Broken(reason) => Intent::Rejected(reason),
        }
    }

    /// What an exact count of the records gives, whatever the order in which partitions are read.
    #[must_use]
    pub fn expected(&self, numbers: std::ops::Range<u64>) -> Expected {
        let mut expected = Expected::default();
        for number in numbers {
            match self.intent(number) {
                Intent::Valid { candidate, location, .. } => {
                    *expected.votes.entry((candidate, location)).or_default() += 1;
                }
                Intent::Rejected(reason) => *expected.rejected.entry(reason).or_default() += 1,
            }
        }
        expected
    }

    fn is_late(&self, number: u64) -> bool {
        unit(mix(self.seed ^ 0x6c61_7465, number)) < self.shares.late
    }

    fn write(&self, number: u64, now: Timestamp) -> (String, Vec<u8>) {
        let (turn, breakage) = match self.role(number) {
            Role::First(turn) | Role::Again(turn) => (turn, None),
            Role::Broken(reason) => (number, Some(reason)),
        };
        let voter = self.voter(turn);
        let voter_id = uuid(self.seed, voter);
        let place = self.place_of(voter);
        let candidate = &self.election.contests[0].candidates[self.candidate_of(number, place)];
        let behind_ms = match (breakage, self.is_late(number)) {
            (Some(Reason::FutureTime), _) => -86_400_000,
            (_, true) => 120_000 + (mix(self.seed, number) % 3_000_000).cast_signed(),
            (_, false) => 0,
        };
        let cast_at = Timestamp::from_millisecond(now.as_millisecond() - behind_ms).unwrap_or(now);
        let ballot = Paper { voter_id: &voter_id, candidate, cast_at, breakage };
        let location = &self.election.locations[self.places[place]];
        let mut json = match self.shape {
            Shape::Short => ballot.short(self, &location.name, number),
            Shape::Full => ballot.full(self, &location.name, number),
        };
        if breakage == Some(Reason::Malformed) {
            json.truncate(json.len() - 2);
        }
        (voter_id, json)
    }
}

impl Source for Electorate {
    fn record(&self, number: u64, now: Timestamp) -> Option<NewRecord> {
        if number >= self.records {
            return None;
        }
        let (key, value) = self.write(number, now);
        let headers = vec![(SIMULATION_HEADER.to_owned(), Vec::new())];
        Some(NewRecord { key: Some(key.into_bytes()), value, headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        election,
        tally::{FingerprintKey, Fold, Outcome, Record},
    };

    const SHARES: Shares = Shares { duplicates: 0.1, late: 0.1, invalid: 0.1 };

    #[track_caller]
    fn the_count_agrees_with_the_intent(shape: Shape) {
        let electorate = Electorate::new(election::demo(), 42, SHARES, shape);
        let now: Timestamp = "2026-11-03T12:00:00Z".parse().unwrap();
        let mut fold = Fold::new(&election::demo(), 0, FingerprintKey::new([3; 16]));
        for offset in 0..20_000 {
            let value = electorate.record(offset, now).unwrap().value;
            let timestamp_ms = Some(now.as_millisecond());
            let outcome =
                fold.record(&Record { offset, timestamp_ms, simulated: true, value: &value }).unwrap();
            match (electorate.intent(offset), outcome) {
                (Intent::Valid { .. }, Outcome::Counted { .. }) => {}
                (Intent::Rejected(meant), Outcome::Rejected(seen)) => assert_eq!(meant, seen),
                (meant, seen) => panic!("record {offset}: {meant:?}, {seen:?}"),
            }
        }
        let expected = electorate.expected(0..20_000);
        let counted: BTreeMap<_, _> = fold
            .tally()
            .cells
            .iter()
            .map(|cell| ((cell.candidate as usize, cell.location as usize), cell.votes))
            .collect();
        assert_eq!(counted, expected.votes);
        assert_eq!(fold.tally().rejected, expected.rejected);
        assert!(fold.tally().late > 1000);
        assert_eq!(expected.rejected.len(), BREAKAGES.len() + 1);
    }

    #[test]
    fn the_count_agrees_with_what_was_meant() {
        the_count_agrees_with_the_intent(Shape::Short);
        the_count_agrees_with_the_intent(Shape::Full);
    }

    #[test]
    fn nobody_votes_twice_by_accident() {
        let mut election = election::demo();
        for (number, place) in election.locations.iter_mut().enumerate() {
            place.registered_voters = Some(number as u64 % 7 + 1);
        }
        let electorate = Electorate::new(election, 5, Shares::default(), Shape::Short);
        let voters: std::collections::BTreeSet<_> =
            (0..electorate.voters()).map(|turn| electorate.voter(turn)).collect();
        assert_eq!(voters.len() as u64, electorate.voters());
    }

    #[test]
    fn records_are_a_function_of_seed_and_number_and_end_with_the_electorate() {
        let now = Timestamp::UNIX_EPOCH;
        let one = Electorate::new(election::demo(), 1, SHARES, Shape::Short);
        let same = Electorate::new(election::demo(), 1, SHARES, Shape::Short);
        let other = Electorate::new(election::demo(), 2, SHARES, Shape::Short);
        assert_eq!(one.record(17, now), same.record(17, now));
        assert_ne!(one.record(17, now), other.record(17, now));
        assert_eq!(one.record(one.records, now), None);
    }

    #[test]
    fn sizes_are_those_of_the_field() {
        let size = |shape| {
            let electorate = Electorate::new(election::demo(), 1, Shares::default(), shape);
            electorate.record(0, Timestamp::UNIX_EPOCH).unwrap().value.len()
        };
        assert!((150..250).contains(&size(Shape::Short)), "{}", size(Shape::Short));
        assert!((900..1250).contains(&size(Shape::Full)), "{}", size(Shape::Full));
    }
}
