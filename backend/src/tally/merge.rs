//! From the tallies of the partitions to the results of the election.
//!
//! Merging adds up; which partition is counted by whom, and in which order tallies arrive, makes no difference.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    ids::{CandidateId, ContestId, LocationId, Partition},
    reason::Reason,
    results::{
        CandidateResult, ContestResult, CountStatus, ElectionRef, LocationContest, LocationResult, Results,
        Totals,
    },
};

use super::partition_tally::{DiscoveredCandidate, PartitionTally};

/// The results that these tallies, one of each partition, add up to.
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
    let (contests, locations) = sheet.results();
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
        watermark: tallies
            .clone()
            .filter_map(|tally| tally.watermark_ms(election))
            .min()
            .and_then(|watermark| Timestamp::from_millisecond(watermark).ok()),
        totals: Totals {
            votes: contests.iter().map(|contest| contest.votes).sum(),
            registered_voters: electorate(election.locations.iter().map(|place| place.registered_voters)),
            turnout: None,
            late: tallies.clone().map(|tally| tally.late).sum(),
            rejected,
        },
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

/// The counting sheet: every candidate and place of the election, and the votes in between.
struct Sheet {
    contests: Vec<ContestResult>,
    locations: Vec<LocationResult>,
    /// By candidate, counted through all contests: the contest and the position therein.
    candidates: Vec<(usize, usize)>,
    cells: HashMap<(usize, usize), u64>,
    /// Positions of names, where there is no definition.
    names: Option<Names>,
}

#[derive(Default)]
struct Names {
    candidates: HashMap<(String, String), usize>,
    locations: HashMap<String, usize>,
}

impl Sheet {
    fn defined(election: &Election) -> Self {
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
                        .map(|place| place.registered_voters),
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
        }
    }

    /// The names of all partitions, in the order of their ids; descriptions from the lowest partition that has them.
    fn discovered<'a>(tallies: impl Iterator<Item = &'a PartitionTally>) -> Self {
        let mut contests = BTreeMap::<&str, BTreeMap<&str, DiscoveredCandidate>>::new();
        let mut locations = BTreeMap::<&str, ()>::new();
        for discovered in tallies.filter_map(|tally| tally.discovered.as_ref()) {
            locations.extend(discovered.locations.iter().map(|name| (name.as_str(), ())));
            for told in &discovered.candidates {
                let contest = contests.entry(&discovered.contests[told.contest as usize]).or_default();
                let known = contest.entry(&told.id).or_default();
                known.name = known.name.take().or_else(|| told.name.clone());
                known.party = known.party.take().or_else(|| told.party.clone());
                known.photo_url = known.photo_url.take().or_else(|| told.photo_url.clone());
            }
        }
        let contests: Vec<_> =
            contests.into_iter().map(|(id, candidates)| discovered_contest(id, candidates)).collect();
        let locations: Vec<_> = locations.into_keys().map(discovered_location).collect();
        let candidates = positions(&contests);
        let names = Names {
            candidates: candidates
                .iter()
                .enumerate()
                .map(|(number, (contest, candidate))| {
                    let contest = &contests[*contest];
                    ((contest.id.to_string(), contest.candidates[*candidate].id.to_string()), number)
                })
                .collect(),
            locations: locations
                .iter()
                .enumerate()
                .map(|(number, place)| (place.id.to_string(), number))
                .collect(),
        };
        Self { contests, locations, candidates, cells: HashMap::new(), names: Some(names) }
    }

    fn add(&mut self, tally: &PartitionTally) {
        let translated = self.names.as_ref().zip(tally.discovered.as_ref()).map(|(names, told)| {
            let candidates: Vec<_> = told
                .candidates
                .iter()
                .map(|told_of| {
                    names.candidates[&(told.contests[told_of.contest as usize].clone(), told_of.id.clone())]
                })
                .collect();
            let locations: Vec<_> = told.locations.iter().map(|name| names.locations[name]).collect();
            (candidates, locations)
        });
        for cell in &tally.cells {
            let (candidate, location) = (cell.candidate as usize, cell.location as usize);
            let key = match &translated {
                Some((candidates, locations)) => (candidates[candidate], locations[location]),
                None => (candidate, location),
            };
            *self.cells.entry(key).or_default() += cell.votes;
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

fn discovered_contest(id: &str, candidates: BTreeMap<&str, DiscoveredCandidate>) -> ContestResult {
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
