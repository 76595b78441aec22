//! The count again, as plainly as it can be written, from the notes of the records and not from their bytes: what the
//! product says is compared with this.

use std::collections::{BTreeMap, BTreeSet};

use tallyboard_shared::{
    election::{Election, LatePolicy, Mode},
    reason::Reason,
    results::Results,
};

use crate::{
    ballots::{Ballot, Ballots, Note},
    brokers::{Entry, Topic},
};

/// Votes by contest, candidate and place; places by id.
pub(crate) type Cells = BTreeMap<(String, String, String), u64>;

/// What was counted below some offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) cells: Cells,
    pub(crate) rejected: BTreeMap<Reason, u64>,
    pub(crate) late: u64,
    pub(crate) records: u64,
    /// Votes by number of the window of event time.
    pub(crate) windows: BTreeMap<i64, u64>,
    pub(crate) newest_ms: Option<i64>,
}

/// One partition, counted.
pub(crate) struct PartitionCount {
    /// The count below each offset, from 0 to the end.
    pub(crate) below: Vec<Count>,
    /// What became of each record, by offset; [`None`]: counted.
    pub(crate) outcomes: BTreeMap<u64, Option<Reason>>,
    /// Whose vote was counted, in which contest.
    pub(crate) voters: BTreeSet<(String, String)>,
}

/// The votes topic, counted by a definition.
pub(crate) struct Oracle {
    pub(crate) election: Election,
    pub(crate) partitions: Vec<PartitionCount>,
}

impl Oracle {
    pub(crate) fn count(election: &Election, votes: &Topic, ballots: &Ballots) -> Self {
        let partitions =
            votes.partitions.iter().map(|log| count_partition(election, &log.entries, ballots)).collect();
        Self { election: election.clone(), partitions }
    }

    /// What is counted below the given offsets, of the partitions that are given.
    pub(crate) fn below(&self, inputs: impl IntoIterator<Item = (u32, u64)>) -> Count {
        let mut sum = Count::default();
        for (partition, offset) in inputs {
            let part = &self.partitions[partition as usize];
            let offset = usize::try_from(offset).expect("logs are short").min(part.below.len() - 1);
            let part = &part.below[offset];
            part.cells.iter().for_each(|(cell, votes)| *sum.cells.entry(cell.clone()).or_default() += votes);
            part.rejected.iter().for_each(|(why, count)| *sum.rejected.entry(*why).or_default() += count);
            sum.late += part.late;
            sum.records += part.records;
            part.windows.iter().for_each(|(window, votes)| *sum.windows.entry(*window).or_default() += votes);
            sum.newest_ms = sum.newest_ms.max(part.newest_ms);
        }
        sum
    }
}

fn count_partition(election: &Election, entries: &[Entry], ballots: &Ballots) -> PartitionCount {
    let mut part = PartitionCount { below: Vec::new(), outcomes: BTreeMap::new(), voters: BTreeSet::new() };
    let mut count = Count::default();
    for (offset, entry) in (0..).zip(entries) {
        part.below.push(count.clone());
        if entry.state != crate::brokers::EntryState::Committed {
            continue;
        }
        count.records += 1;
        let outcome = match ballots.note(&entry.record) {
            Note::Unreadable(reason) => Err(*reason),
            Note::Ballot(ballot) => judge(election, ballot, entry, count.newest_ms, &part.voters),
        };
        part.outcomes.insert(offset, outcome.as_ref().err().copied());
        match outcome {
            Err(reason) => *count.rejected.entry(reason).or_default() += 1,
            Ok(Counted { contest, candidate, location, voter, cast_at_ms, late }) => {
                part.voters.insert((contest.clone(), voter));
                *count.cells.entry((contest, candidate, location)).or_default() += 1;
                count.late += u64::from(late);
                count.newest_ms = count.newest_ms.max(Some(cast_at_ms));
                let window = cast_at_ms.div_euclid(election.timeline_window_ms);
                *count.windows.entry(window).or_default() += 1;
            }
        }
    }
    part.below.push(count);
    part
}

struct Counted {
    contest: String,
    candidate: String,
    location: String,
    voter: String,
    cast_at_ms: i64,
    late: bool,
}

fn judge(
    election: &Election,
    ballot: &Ballot,
    entry: &Entry,
    newest_ms: Option<i64>,
    voters: &BTreeSet<(String, String)>,
) -> Result<Counted, Reason> {
    let cast_at_ms = ballot.cast_at_ms;
    if election.mode == Mode::Live && ballot.simulated {
        return Err(Reason::SimulatedInLive);
    }
    if election.opens_at.is_some_and(|opens_at| cast_at_ms < opens_at.as_millisecond()) {
        return Err(Reason::BeforeOpen);
    }
    if election.closes_at.is_some_and(|closes_at| cast_at_ms >= closes_at.as_millisecond()) {
        return Err(Reason::AfterClose);
    }
    if entry.timestamp_ms.is_some_and(|time| cast_at_ms > time + election.max_clock_skew_ms) {
        return Err(Reason::FutureTime);
    }
    let (contest, location) = names(election, ballot)?;
    let late = newest_ms.is_some_and(|newest| cast_at_ms < newest - election.allowed_lateness_ms);
    if late && election.late_policy == LatePolicy::Reject {
        return Err(Reason::Late);
    }
    let voter = ballot.voter.clone();
    if voters.contains(&(contest.clone(), voter.clone())) {
        return Err(Reason::DuplicateVoter);
    }
    Ok(Counted { contest, candidate: ballot.candidate.into(), location, voter, cast_at_ms, late })
}

/// The ids of contest and place.
fn names(election: &Election, ballot: &Ballot) -> Result<(String, String), Reason> {
    if !election.defined {
        return Ok((ballot.contest.unwrap_or("election").into(), ballot.location.into()));
    }
    let id = ballot.contest.ok_or(Reason::MissingField)?;
    let contests = &election.contests;
    let contest = contests.iter().find(|contest| contest.id.as_str() == id).ok_or(Reason::UnknownContest)?;
    if contest.candidates.iter().all(|candidate| candidate.id.as_str() != ballot.candidate) {
        return Err(Reason::UnknownCandidate);
    }
    let named = |id: &str, name: &str| id == ballot.location || name == ballot.location;
    let place = election.locations.iter().find(|place| named(place.id.as_str(), &place.name));
    let place = place.ok_or(Reason::UnknownLocation)?;
    if !place.contests.contains(&contest.id) {
        return Err(Reason::NotOnBallot);
    }
    Ok((id.into(), place.id.to_string()))
}

/// The count that results show.
pub(crate) fn count_of(results: &Results) -> Count {
    let mut count = Count { late: results.totals.late, ..Count::default() };
    for place in &results.locations {
        for contest in &place.contests {
            for (candidate, votes) in contest.votes.iter().flatten() {
                let cell = (contest.id.to_string(), candidate.to_string(), place.id.to_string());
                count.cells.insert(cell, *votes);
            }
        }
    }
    count.rejected.clone_from(&results.totals.rejected);
    count.records = results.totals.votes + results.totals.rejected_sum();
    count
}

/// Sums within results that must agree with the cells: by candidate, by contest, by place, in total.
pub(crate) fn sums_disagree(results: &Results) -> Option<String> {
    let cells = count_of(results).cells;
    let sum = |keep: &dyn Fn(&(String, String, String)) -> bool| -> u64 {
        cells.iter().filter(|(cell, _)| keep(cell)).map(|(_, votes)| votes).sum()
    };
    for contest in &results.contests {
        let in_contest = contest.id.as_str();
        for candidate in &contest.candidates {
            let cells = sum(&|cell| cell.0 == in_contest && cell.1 == candidate.id.as_str());
            if candidate.votes != Some(cells) {
                return Some(format!("{in_contest}/{}: {:?}, cells {cells}", candidate.id, candidate.votes));
            }
        }
        if contest.votes != sum(&|cell| cell.0 == in_contest) {
            return Some(format!("{in_contest}: {}", contest.votes));
        }
    }
    for place in &results.locations {
        let most = results
            .contests
            .iter()
            .map(|contest| sum(&|cell| cell.0 == contest.id.as_str() && cell.2 == place.id.as_str()));
        if Some(place.votes) != most.max().or(Some(0)) {
            return Some(format!("{}: {}", place.id, place.votes));
        }
    }
    (results.totals.votes != sum(&|_| true)).then(|| format!("total {}", results.totals.votes))
}
