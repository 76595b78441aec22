//! From the tallies of the partitions to the results of the election.
//!
//! Merging adds up; which partition is counted by whom, and in which order tallies arrive, makes no difference.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::{HashMap, HashSet};
use tallyboard_shared::{
    Timestamp,
    election::{Election, Location},
    ids::{CandidateId, ContestId, LocationId, Partition},
    reason::Reason,
    results::{
        CandidateResult, ContestResult, CountStatus, ElectionRef, GroupResult, LocationContest,
        LocationResult, Results, Totals,
    },
};

use super::{
    partition_tally::{Discovered, DiscoveredCandidate, PartitionTally},
    roster::{DISCOVERED_CANDIDATES_MAX, DISCOVERED_CONTESTS_MAX, DISCOVERED_LOCATIONS_MAX},
    watermark::watermark,
};

/// The results that these tallies, one of each partition, add up to; the watermark is that with no partition idle.
///
/// Without a definition the partitions' names are together held to the bounds that each of them keeps (CONTRACT): votes
/// for names beyond stand among the rejected, as unknown, as they would had the log had one partition.
///
/// # Panics
/// Where a tally was counted by another definition than `election`.
#[must_use]
pub fn merge<'a>(
    election: &Election,
    tallies: impl Iterator<Item = &'a PartitionTally> + Clone,
    version: u64,
    as_of: Timestamp,
) -> Results {
    assert!(
        tallies.clone().all(|tally| tally.definition_hash == election.definition_hash),
        "tallies of another definition are told apart before they are merged"
    );
    let mut sheet =
        if election.defined { Sheet::defined(election) } else { Sheet::discovered(tallies.clone()) };
    let mut rejected = BTreeMap::<Reason, u64>::new();
    for tally in tallies.clone() {
        sheet.add(tally);
        for (reason, count) in &tally.rejected {
            *rejected.entry(*reason).or_default() += count;
        }
    }
    for (reason, votes) in &sheet.unknown {
        *rejected.entry(*reason).or_default() += votes;
    }
    let (contests, locations) = sheet.results();
    let parents = parents(election);
    let mut results = Results {
        version,
        election: ElectionRef {
            id: election.id.clone(),
            title: election.title.clone(),
            mode: election.mode,
            definition_hash: election.definition_hash.clone(),
        },
        status: status(election, as_of),
        as_of,
        watermark: watermark(election, tallies.clone(), |_| false),
        totals: Totals {
            votes: contests.iter().map(|contest| contest.votes).sum(),
            registered_voters: electorate(
                election.locations.iter().map(|place| own_electorate(place, &parents)),
            ),
            turnout: None,
            late: tallies.clone().map(|tally| tally.late).sum(),
            rejected,
        },
        regions: regions(election, &parents, &locations),
        parties: Vec::new(),
        breakdowns: breakdowns(election, tallies.clone(), &contests),
        contests,
        locations,
        inputs: tallies.map(|tally| (Partition(tally.partition), tally.next_offset)).collect(),
    };
    results.derive();
    results
}

/// Where the count stands at a moment.
pub(crate) fn status(election: &Election, now: Timestamp) -> CountStatus {
    if election.opens_at.is_some_and(|opens_at| now < opens_at) {
        CountStatus::BeforeOpen
    } else if election.closes_at.is_some_and(|closes_at| now >= closes_at) {
        CountStatus::Closed
    } else {
        CountStatus::Counting
    }
}

/// The sum of the electorates; `None` where there is none or any is unknown.
fn electorate(registered: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    registered.sum::<Option<u64>>().filter(|sum| *sum > 0)
}

/// The places that others are a part of.
fn parents(election: &Election) -> HashSet<&LocationId> {
    election.locations.iter().filter_map(|place| place.parent.as_ref()).collect()
}

/// The electorate of a place itself, without its parts: a place that only stands for its parts has nobody of its own.
fn own_electorate(place: &Location, parents: &HashSet<&LocationId>) -> Option<u64> {
    place.registered_voters.or(parents.contains(&place.id).then_some(0))
}

/// What was counted in every place that others are a part of: its own votes and those of all of them.
fn regions(
    election: &Election,
    parents: &HashSet<&LocationId>,
    locations: &[LocationResult],
) -> Vec<LocationResult> {
    let places: HashMap<_, _> = election.locations.iter().map(|place| (&place.id, place)).collect();
    let mut sums = HashMap::<&LocationId, Region>::new();
    for (place, counted) in election.locations.iter().zip(locations) {
        let mut above = Some(place);
        while let Some(region) = above {
            if parents.contains(&region.id) {
                sums.entry(&region.id).or_default().add(own_electorate(place, parents), counted);
            }
            above = region.parent.as_ref().map(|parent| places[parent]);
        }
    }
    let in_order = election.locations.iter();
    in_order.filter_map(|place| Some(sums.remove(&place.id)?.result(place))).collect()
}

#[derive(Default)]
struct Region {
    votes: u64,
    electorates: Vec<Option<u64>>,
    split: BTreeMap<ContestId, BTreeMap<CandidateId, u64>>,
}

impl Region {
    fn add(&mut self, electorate: Option<u64>, counted: &LocationResult) {
        self.votes += counted.votes;
        self.electorates.push(electorate);
        for contest in &counted.contests {
            let split = self.split.entry(contest.id.clone()).or_default();
            for (candidate, votes) in contest.votes.iter().flatten() {
                *split.entry(candidate.clone()).or_default() += votes;
            }
        }
    }

    fn result(self, place: &Location) -> LocationResult {
        let contests = self.split.into_iter();
        LocationResult {
            id: place.id.clone(),
            name: place.name.clone(),
            votes: self.votes,
            registered_voters: electorate(self.electorates.into_iter()),
            turnout: None,
            contests: contests.map(|(id, votes)| LocationContest { id, votes: Some(votes) }).collect(),
        }
    }
}

/// The votes by group of voters; only groups with any, in the order of their keys.
fn breakdowns<'a>(
    election: &Election,
    tallies: impl Iterator<Item = &'a PartitionTally>,
    contests: &[ContestResult],
) -> Vec<GroupResult> {
    let groups: Vec<_> = election
        .breakdowns
        .iter()
        .flat_map(|breakdown| breakdown.groups().iter().map(|group| (*breakdown, *group)))
        .collect();
    let candidates = positions(contests);
    let mut splits = BTreeMap::<(usize, usize), BTreeMap<CandidateId, u64>>::new();
    for cell in tallies.flat_map(|tally| &tally.breakdowns) {
        let (contest, position) = candidates[cell.candidate as usize];
        let candidate = contests[contest].candidates[position].id.clone();
        let split = splits.entry((cell.group as usize, contest)).or_default();
        *split.entry(candidate).or_default() += cell.votes;
    }
    let mut results: Vec<_> = splits
        .into_iter()
        .map(|((group, contest), split)| GroupResult {
            by: groups[group].0,
            group: groups[group].1.to_owned(),
            contest: contests[contest].id.clone(),
            votes: split.values().sum(),
            candidates: Some(split),
        })
        .collect();
    results.sort_by(|one, other| one.key().cmp(&other.key()));
    results
}

/// The counting sheet: every candidate and place of the election, and the votes in between.
struct Sheet {
    contests: Vec<ContestResult>,
    locations: Vec<LocationResult>,
    /// By candidate, counted through all contests: the contest and the position therein.
    candidates: Vec<(usize, usize)>,
    cells: HashMap<(usize, usize), u64>,
    /// Positions of names, where there is no definition.
    names: Option<Names>,
    /// Votes for names beyond the bounds.
    unknown: BTreeMap<Reason, u64>,
}

/// Positions of the names that were taken up from votes.
struct Names {
    contests: HashSet<String>,
    candidates: HashMap<(String, String), usize>,
    locations: HashMap<String, usize>,
}

/// Where the names of one partition stand among those of all, or why they stand nowhere.
struct Translated {
    candidates: Vec<Result<usize, Reason>>,
    locations: Vec<Option<usize>>,
}

impl Names {
    fn new<'a>(contests: &[ContestResult], locations: impl Iterator<Item = &'a String>) -> Self {
        let candidates = contests.iter().flat_map(|contest| {
            contest.candidates.iter().map(|candidate| (contest.id.to_string(), candidate.id.to_string()))
        });
        Self {
            contests: contests.iter().map(|contest| contest.id.to_string()).collect(),
            candidates: candidates.zip(0..).collect(),
            locations: locations.cloned().zip(0..).collect(),
        }
    }

    fn translate(&self, told: &Discovered) -> Translated {
        let candidates = told.candidates.iter().map(|candidate| {
            let contest = &told.contests[candidate.contest as usize];
            if !self.contests.contains(contest) {
                return Err(Reason::UnknownContest);
            }
            let position = self.candidates.get(&(contest.clone(), candidate.id.clone()));
            position.copied().ok_or(Reason::UnknownCandidate)
        });
        let locations = told.locations.iter().map(|name| self.locations.get(name).copied());
        Translated { candidates: candidates.collect(), locations: locations.collect() }
    }
}

impl Translated {
    fn position(&self, candidate: usize, location: usize) -> Result<(usize, usize), Reason> {
        Ok((self.candidates[candidate]?, self.locations[location].ok_or(Reason::UnknownLocation)?))
    }
}

/// The names of all partitions, at most `most` of them.
///
/// A partition takes up what comes first, and so does the merge: a name's rank is the earliest place that it has in any
/// partition. Lists of names only grow at their ends, so honest names, which are there early, stay; a flood of made-up
/// ones in a single partition pushes out none that others saw before.
fn taken_up<'a, T: Ord + std::hash::Hash + Copy, I: Iterator<Item = T>>(
    told: impl Iterator<Item = (u32, &'a Discovered)>,
    most: usize,
    names: impl Fn(&'a Discovered) -> I,
) -> BTreeSet<T> {
    let mut ranks = HashMap::new();
    for (partition, told) in told {
        for (place, name) in names(told).enumerate() {
            let rank = ranks.entry(name).or_insert((place, partition));
            *rank = (*rank).min((place, partition));
        }
    }
    let mut names: Vec<_> = ranks.into_iter().map(|(name, rank)| (rank, name)).collect();
    if names.len() > most {
        names.select_nth_unstable(most);
        names.truncate(most);
    }
    names.into_iter().map(|(_, name)| name).collect()
}

impl Sheet {
    fn defined(election: &Election) -> Self {
        let parents = parents(election);
        let contests: Vec<_> = election
            .contests
            .iter()
            .map(|contest| ContestResult {
                id: contest.id.clone(),
                title: contest.title.clone(),
                votes: 0,
                registered_voters: electorate(
                    election
                        .locations
                        .iter()
                        .filter(|place| place.contests.contains(&contest.id))
                        .map(|place| own_electorate(place, &parents)),
                ),
                leader: None,
                candidates: contest
                    .candidates
                    .iter()
                    .map(|candidate| CandidateResult {
                        id: candidate.id.clone(),
                        name: candidate.name.clone(),
                        party: candidate.party.clone(),
                        color: candidate.color.clone(),
                        photo_url: candidate.photo_url.clone(),
                        votes: Some(0),
                        share: None,
                    })
                    .collect(),
            })
            .collect();
        let locations = election.locations.iter().map(|place| LocationResult {
            id: place.id.clone(),
            name: place.name.clone(),
            votes: 0,
            registered_voters: place.registered_voters,
            turnout: None,
            contests: Vec::new(),
        });
        Self {
            candidates: positions(&contests),
            locations: locations.collect(),
            contests,
            cells: HashMap::new(),
            names: None,
            unknown: BTreeMap::new(),
        }
    }

    /// The names of all partitions, in the order of their ids; descriptions from the lowest partition that has them.
    fn discovered<'a>(tallies: impl Iterator<Item = &'a PartitionTally> + Clone) -> Self {
        let told = tallies.filter_map(|tally| Some((tally.partition, tally.discovered.as_ref()?)));
        let contests = taken_up(told.clone(), DISCOVERED_CONTESTS_MAX, |told| told.contests.iter());
        let locations = taken_up(told.clone(), DISCOVERED_LOCATIONS_MAX, |told| told.locations.iter());
        let candidates = taken_up(told.clone(), DISCOVERED_CANDIDATES_MAX, |told| {
            told.candidates
                .iter()
                .map(|candidate| (&told.contests[candidate.contest as usize], &candidate.id))
        });
        let mut ballot: BTreeMap<_, BTreeMap<_, DiscoveredCandidate>> =
            contests.into_iter().map(|id| (id, BTreeMap::new())).collect();
        for (contest, candidate) in candidates {
            if let Some(contest) = ballot.get_mut(contest) {
                contest.insert(candidate, DiscoveredCandidate::default());
            }
        }
        for told_of in
            told.flat_map(|(_, told)| told.candidates.iter().map(move |candidate| (told, candidate)))
        {
            let (told, candidate) = told_of;
            let contest = ballot.get_mut(&told.contests[candidate.contest as usize]);
            if let Some(known) = contest.and_then(|contest| contest.get_mut(&candidate.id)) {
                known.name = known.name.take().or_else(|| candidate.name.clone());
                known.party = known.party.take().or_else(|| candidate.party.clone());
                known.photo_url = known.photo_url.take().or_else(|| candidate.photo_url.clone());
            }
        }
        let contests: Vec<_> =
            ballot.into_iter().map(|(id, candidates)| discovered_contest(id, candidates)).collect();
        Self {
            names: Some(Names::new(&contests, locations.iter().copied())),
            candidates: positions(&contests),
            contests,
            locations: locations.into_iter().map(|name| discovered_location(name)).collect(),
            cells: HashMap::new(),
            unknown: BTreeMap::new(),
        }
    }

    fn add(&mut self, tally: &PartitionTally) {
        let translated =
            self.names.as_ref().zip(tally.discovered.as_ref()).map(|(names, told)| names.translate(told));
        for cell in &tally.cells {
            let (candidate, location) = (cell.candidate as usize, cell.location as usize);
            let position = match &translated {
                Some(translated) => translated.position(candidate, location),
                None => Ok((candidate, location)),
            };
            let votes = match position {
                Ok(position) => self.cells.entry(position).or_default(),
                Err(reason) => self.unknown.entry(reason).or_default(),
            };
            *votes += cell.votes;
        }
    }

    fn results(mut self) -> (Vec<ContestResult>, Vec<LocationResult>) {
        let mut splits = vec![BTreeMap::<ContestId, BTreeMap<CandidateId, u64>>::new(); self.locations.len()];
        for ((candidate, location), votes) in self.cells {
            let (contest, position) = self.candidates[candidate];
            let contest = &mut self.contests[contest];
            contest.votes += votes;
            let candidate = &mut contest.candidates[position];
            candidate.votes = candidate.votes.map(|sum| sum + votes);
            let split = splits[location].entry(contest.id.clone()).or_default();
            split.insert(candidate.id.clone(), votes);
        }
        for (location, split) in self.locations.iter_mut().zip(splits) {
            location.votes = split.values().map(|votes| votes.values().sum()).max().unwrap_or(0);
            location.contests =
                split.into_iter().map(|(id, votes)| LocationContest { id, votes: Some(votes) }).collect();
        }
        (self.contests, self.locations)
    }
}

fn positions(contests: &[ContestResult]) -> Vec<(usize, usize)> {
    let each = contests.iter().enumerate();
    each.flat_map(|(contest, result)| (0..result.candidates.len()).map(move |candidate| (contest, candidate)))
        .collect()
}

fn discovered_contest(id: &str, candidates: BTreeMap<&String, DiscoveredCandidate>) -> ContestResult {
    ContestResult {
        id: ContestId::new(id),
        title: id.to_owned(),
        votes: 0,
        registered_voters: None,
        leader: None,
        candidates: candidates
            .into_iter()
            .map(|(id, told)| CandidateResult {
                id: CandidateId::new(id),
                name: told.name.unwrap_or_else(|| id.to_owned()),
                party: told.party,
                color: None,
                photo_url: told.photo_url,
                votes: Some(0),
                share: None,
            })
            .collect(),
    }
}

fn discovered_location(name: &str) -> LocationResult {
    LocationResult {
        id: LocationId::new(name),
        name: name.to_owned(),
        votes: 0,
        registered_voters: None,
        turnout: None,
        contests: Vec::new(),
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
