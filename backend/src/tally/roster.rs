//! Who and what a ballot may name, by number: contests, candidates and places.
//!
//! With a definition the roster is fixed. Without one it grows with the ballots, up to the contract's bounds, so
//! that a flood of made-up names can't fill the memory.

use hashbrown::HashMap;
use tallyboard_shared::{election::Election, reason::Reason};

use super::{
    decode::Ballot,
    partition_tally::{Discovered, DiscoveredCandidate},
};

/// The contest of ballots that name none, where there is no definition.
pub(crate) const IMPLICIT_CONTEST: &str = "election";

/// At most so many contests are taken up from ballots. The contract bounds candidates and places only; DESIGN §10
/// plans for 100 contests.
const DISCOVERED_CONTESTS_MAX: usize = 100;
/// At most so many candidates are taken up from ballots (CONTRACT, "Without an election definition").
const DISCOVERED_CANDIDATES_MAX: usize = 10_000;
/// At most so many places are taken up from ballots (CONTRACT, "Without an election definition").
const DISCOVERED_LOCATIONS_MAX: usize = 100_000;

/// What a ballot says, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Position of the contest.
    pub contest: u32,
    /// Position of the candidate, counted through all contests.
    pub candidate: u32,
    /// Position of the place.
    pub location: u32,
}

/// The names that ballots use, and their numbers.
#[derive(Debug)]
pub enum Roster {
    /// From a definition.
    Defined(DefinedRoster),
    /// From the ballots, as they come.
    Discovering(DiscoveringRoster),
}

impl Roster {
    /// The roster of an election; empty and growing where the election has no definition.
    #[must_use]
    pub fn new(election: &Election) -> Self {
        if election.defined {
            Self::Defined(DefinedRoster::new(election))
        } else {
            Self::Discovering(DiscoveringRoster::default())
        }
    }

    /// Looks up what the ballot names. Without a definition a new name gets the number that it would have.
    ///
    /// # Errors
    /// The reason for which a ballot with these names isn't counted.
    pub fn choice(&self, ballot: &Ballot<'_>) -> Result<Choice, Reason> {
        match self {
            Self::Defined(roster) => roster.choice(ballot),
            Self::Discovering(roster) => roster.choice(ballot),
        }
    }

    /// Takes up the names of a ballot that is counted; nothing else may leave a trace here.
    pub(super) fn take_up(&mut self, choice: Choice, ballot: &Ballot<'_>) {
        if let Self::Discovering(roster) = self {
            roster.take_up(choice, ballot);
        }
    }

    pub(super) fn discovered(&self) -> Option<&Discovered> {
        match self {
            Self::Defined(_) => None,
            Self::Discovering(roster) => Some(&roster.names),
        }
    }
}

/// The roster of a definition.
#[derive(Debug)]
pub struct DefinedRoster {
    contests: HashMap<String, u32>,
    /// By contest.
    candidates: Vec<HashMap<String, u32>>,
    /// By id and by name.
    locations: HashMap<String, u32>,
    /// By place, then by contest.
    on_ballot: Vec<Vec<bool>>,
}

impl DefinedRoster {
    fn new(election: &Election) -> Self {
        let contests: HashMap<_, _> =
            (0..).zip(&election.contests).map(|(n, c)| (c.id.to_string(), n)).collect();
        let mut numbers = 0..;
        let candidates = election
            .contests
            .iter()
            .map(|contest| contest.candidates.iter().map(|c| c.id.to_string()).zip(&mut numbers).collect())
            .collect();
        let names = (0..).zip(&election.locations).map(|(number, place)| (place.name.clone(), number));
        let ids = (0..).zip(&election.locations).map(|(number, place)| (place.id.to_string(), number));
        let on_ballot = election
            .locations
            .iter()
            .map(|place| {
                election.contests.iter().map(|contest| place.contests.contains(&contest.id)).collect()
            })
            .collect();
        Self { contests, candidates, locations: names.chain(ids).collect(), on_ballot }
    }

    fn choice(&self, ballot: &Ballot<'_>) -> Result<Choice, Reason> {
        let contest = match &ballot.contest_id {
            Some(id) => *self.contests.get(id.as_str()).ok_or(Reason::UnknownContest)?,
            None if self.contests.len() == 1 => 0,
            None => return Err(Reason::MissingField),
        };
        let candidates = &self.candidates[contest as usize];
        let candidate = *candidates.get(ballot.candidate_id.as_str()).ok_or(Reason::UnknownCandidate)?;
        let location = *self.locations.get(ballot.location.as_str()).ok_or(Reason::UnknownLocation)?;
        if !self.on_ballot[location as usize][contest as usize] {
            return Err(Reason::NotOnBallot);
        }
        Ok(Choice { contest, candidate, location })
    }
}

/// A roster that grows with the ballots.
#[derive(Debug, Default)]
pub struct DiscoveringRoster {
    names: Discovered,
    contests: HashMap<String, u32>,
    /// By contest.
    candidates: Vec<HashMap<String, u32>>,
    locations: HashMap<String, u32>,
}

impl DiscoveringRoster {
    fn choice(&self, ballot: &Ballot<'_>) -> Result<Choice, Reason> {
        let known_contest = self.contests.get(contest_id(ballot)).copied();
        let known_candidate = known_contest
            .and_then(|contest| self.candidates[contest as usize].get(ballot.candidate_id.as_str()).copied());
        let known_location = self.locations.get(ballot.location.as_str()).copied();
        let next = |known: Option<u32>, taken: usize, most: usize, reason| match known {
            Some(number) => Ok(number),
            None if taken < most => Ok(number(taken)),
            None => Err(reason),
        };
        let names = &self.names;
        Ok(Choice {
            contest: next(
                known_contest,
                names.contests.len(),
                DISCOVERED_CONTESTS_MAX,
                Reason::UnknownContest,
            )?,
            candidate: next(
                known_candidate,
                names.candidates.len(),
                DISCOVERED_CANDIDATES_MAX,
                Reason::UnknownCandidate,
            )?,
            location: next(
                known_location,
                names.locations.len(),
                DISCOVERED_LOCATIONS_MAX,
                Reason::UnknownLocation,
            )?,
        })
    }

    fn take_up(&mut self, choice: Choice, ballot: &Ballot<'_>) {
        if choice.contest as usize == self.names.contests.len() {
            let id = contest_id(ballot).to_owned();
            self.names.contests.push(id.clone());
            self.contests.insert(id, choice.contest);
            self.candidates.push(HashMap::new());
        }
        if choice.candidate as usize == self.names.candidates.len() {
            let id = ballot.candidate_id.as_str().to_owned();
            self.candidates[choice.contest as usize].insert(id.clone(), choice.candidate);
            let contest = choice.contest;
            self.names.candidates.push(DiscoveredCandidate { contest, id, ..DiscoveredCandidate::default() });
        }
        if choice.location as usize == self.names.locations.len() {
            let name = ballot.location.as_str().to_owned();
            self.names.locations.push(name.clone());
            self.locations.insert(name, choice.location);
        }
        self.describe(choice.candidate, ballot);
    }

    /// Name, party and photo are those of the first ballot that carries them.
    fn describe(&mut self, candidate: u32, ballot: &Ballot<'_>) {
        let known = &mut self.names.candidates[candidate as usize];
        for (known, told) in [
            (&mut known.name, &ballot.candidate_name),
            (&mut known.party, &ballot.party),
            (&mut known.photo_url, &ballot.photo_url),
        ] {
            if known.is_none() {
                *known = told.as_ref().map(|told| told.as_str().to_owned()).filter(|told| !told.is_empty());
            }
        }
    }
}

fn contest_id<'a>(ballot: &'a Ballot<'_>) -> &'a str {
    ballot.contest_id.as_ref().map_or(IMPLICIT_CONTEST, |id| id.as_str())
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("the roster is bounded far below 2^32")
}
