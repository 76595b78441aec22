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
///
/// These bounds hold in every partition, because a partition is folded without looking at the others: a smaller share
/// for each would refuse names of honest elections, in which every partition sees nearly all of them. They hold once
/// more for all partitions together, in the [`merge()`](super::merge()).
pub(super) const DISCOVERED_CONTESTS_MAX: usize = 100;
/// At most so many candidates are taken up from ballots (CONTRACT, "Without an election definition").
pub(super) const DISCOVERED_CANDIDATES_MAX: usize = 10_000;
/// At most so many places are taken up from ballots (CONTRACT, "Without an election definition").
pub(super) const DISCOVERED_LOCATIONS_MAX: usize = 100_000;

/// An id that is taken up from ballots isn't longer, in bytes; a vote with a longer one is rejected as unknown. With the
/// bounds below, the names of a whole election fit into one message of the results topic.
const DISCOVERED_ID_BYTES_MAX: usize = 128;
/// Names of candidates and parties that are longer, in bytes, aren't taken up; the vote is counted all the same.
const DISCOVERED_NAME_BYTES_MAX: usize = 256;
/// Addresses of pictures that are longer, in bytes, aren't taken up; the vote is counted all the same.
const DISCOVERED_PHOTO_BYTES_MAX: usize = 1024;

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

    /// The roster of an election as it was when it had discovered these names.
    pub(super) fn resume(election: &Election, discovered: Option<&Discovered>) -> Self {
        match discovered {
            Some(names) => Self::Discovering(DiscoveringRoster::resume(names.clone())),
            None => Self::new(election),
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

    /// Whether no ballot changes what is known here, so that every answer holds for the ballots that come, too.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Defined(_))
    }

    /// Whether a ballot with this choice, should it be counted, tells nothing new: the choice stays what it is.
    pub(super) fn knows(&self, choice: Choice, ballot: &Ballot<'_>) -> bool {
        match self {
            Self::Defined(_) => true,
            Self::Discovering(roster) => roster.knows(choice, ballot),
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
    fn resume(names: Discovered) -> Self {
        let numbered =
            |names: &[String]| (0..).zip(names).map(|(number, name)| (name.clone(), number)).collect();
        let mut candidates = vec![HashMap::new(); names.contests.len()];
        for (number, candidate) in (0..).zip(&names.candidates) {
            candidates[candidate.contest as usize].insert(candidate.id.clone(), number);
        }
        Self { contests: numbered(&names.contests), candidates, locations: numbered(&names.locations), names }
    }

    fn choice(&self, ballot: &Ballot<'_>) -> Result<Choice, Reason> {
        let known_contest = self.contests.get(contest_id(ballot)).copied();
        let known_candidate = known_contest
            .and_then(|contest| self.candidates[contest as usize].get(ballot.candidate_id.as_str()).copied());
        let known_location = self.locations.get(ballot.location.as_str()).copied();
        let next = |known: Option<u32>, id: &str, taken: usize, most: usize| match known {
            Some(number) => Some(number),
            None if taken < most && id.len() <= DISCOVERED_ID_BYTES_MAX => Some(number(taken)),
            None => None,
        };
        let (contests, candidates) = (self.names.contests.len(), self.names.candidates.len());
        let contest = next(known_contest, contest_id(ballot), contests, DISCOVERED_CONTESTS_MAX);
        let candidate =
            next(known_candidate, ballot.candidate_id.as_str(), candidates, DISCOVERED_CANDIDATES_MAX);
        let locations = self.names.locations.len();
        let location = next(known_location, ballot.location.as_str(), locations, DISCOVERED_LOCATIONS_MAX);
        Ok(Choice {
            contest: contest.ok_or(Reason::UnknownContest)?,
            candidate: candidate.ok_or(Reason::UnknownCandidate)?,
            location: location.ok_or(Reason::UnknownLocation)?,
        })
    }

    fn knows(&self, choice: Choice, ballot: &Ballot<'_>) -> bool {
        let is_known = |number: u32, known: usize| (number as usize) < known;
        is_known(choice.contest, self.names.contests.len())
            && is_known(choice.location, self.names.locations.len())
            && self.names.candidates.get(choice.candidate as usize).is_some_and(|candidate| {
                [
                    (&candidate.name, &ballot.candidate_name),
                    (&candidate.party, &ballot.party),
                    (&candidate.photo_url, &ballot.photo_url),
                ]
                .iter()
                .all(|(known, told)| known.is_some() || told.is_none())
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
        for (known, told, bytes_max) in [
            (&mut known.name, &ballot.candidate_name, DISCOVERED_NAME_BYTES_MAX),
            (&mut known.party, &ballot.party, DISCOVERED_NAME_BYTES_MAX),
            (&mut known.photo_url, &ballot.photo_url, DISCOVERED_PHOTO_BYTES_MAX),
        ] {
            if known.is_none() {
                let told = told.as_ref().map(|told| told.as_str());
                *known = told.filter(|told| (1..=bytes_max).contains(&told.len())).map(str::to_owned);
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
