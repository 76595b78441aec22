//! The count again, as plainly as it can be written, from the notes of the records and not from their bytes: what the
//! product says is compared with this.

use std::collections::{BTreeMap, BTreeSet};

use tallyboard_shared::{
    election::{Breakdown, Election, LatePolicy, Mode},
    reason::Reason,
};

use crate::{
    ballots::{Ballot, Ballots, Note, known},
    brokers::{Entry, EntryState, Topic},
};

/// Votes by contest, candidate and place; places by id.
pub(crate) type Cells = BTreeMap<(&'static str, &'static str, &'static str), u64>;

/// Votes by number of the window of event time, contest and candidate.
pub(crate) type Windows = BTreeMap<(i64, &'static str, &'static str), u64>;

/// A timeline has at most so many windows before their width doubles; so few candidates have room in them all.
const WINDOWS_MAX: usize = 256;

/// What was counted below some offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) cells: Cells,
    pub(crate) rejected: BTreeMap<Reason, u64>,
    pub(crate) late: u64,
    pub(crate) records: u64,
    /// By breakdown, contest, group and candidate.
    pub(crate) groups: BTreeMap<(Breakdown, &'static str, &'static str, &'static str), u64>,
    /// As wide as the definition says.
    windows: Windows,
    /// The time of the newest vote of each partition that has any.
    pub(crate) newest_ms: BTreeMap<u32, i64>,
}

impl Count {
    /// The timeline, with the width of its windows.
    pub(crate) fn timeline(&self, election: &Election) -> (i64, Windows) {
        let (mut width_ms, mut windows) = (election.timeline_window_ms, self.windows.clone());
        while windows.keys().map(|(number, ..)| number).collect::<BTreeSet<_>>().len() > WINDOWS_MAX {
            width_ms *= 2;
            for ((number, contest, candidate), votes) in std::mem::take(&mut windows) {
                *windows.entry((number.div_euclid(2), contest, candidate)).or_default() += votes;
            }
        }
        (width_ms, windows)
    }
}

/// A vote that is counted.
pub(crate) struct Counted {
    pub(crate) offset: u64,
    contest: &'static str,
    candidate: &'static str,
    location: &'static str,
    voter: String,
    cast_at_ms: i64,
    late: bool,
    gender: &'static str,
    age_band: &'static str,
}

/// One partition, counted.
#[derive(Default)]
pub(crate) struct PartitionCount {
    /// In the order of the log.
    pub(crate) counted: Vec<Counted>,
    /// What became of each record, by offset; [`None`]: counted.
    pub(crate) outcomes: BTreeMap<u64, Option<Reason>>,
    /// Whose vote was counted, in which contest.
    pub(crate) voters: BTreeSet<(&'static str, String)>,
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
        for (partition, end) in inputs {
            let part = &self.partitions[partition as usize];
            for (_, outcome) in part.outcomes.range(..end) {
                sum.records += 1;
                outcome.iter().for_each(|why| *sum.rejected.entry(*why).or_default() += 1);
            }
            for vote in part.counted.iter().take_while(|vote| vote.offset < end) {
                self.add(&mut sum, vote);
                let newest_ms = sum.newest_ms.entry(partition).or_insert(vote.cast_at_ms);
                *newest_ms = vote.cast_at_ms.max(*newest_ms);
            }
        }
        sum
    }

    fn add(&self, sum: &mut Count, vote: &Counted) {
        let (contest, candidate) = (vote.contest, vote.candidate);
        *sum.cells.entry((contest, candidate, vote.location)).or_default() += 1;
        sum.late += u64::from(vote.late);
        let window = vote.cast_at_ms.div_euclid(self.election.timeline_window_ms);
        *sum.windows.entry((window, contest, candidate)).or_default() += 1;
        for by in &self.election.breakdowns {
            let group = match by {
                Breakdown::Gender => vote.gender,
                Breakdown::AgeBand => vote.age_band,
            };
            *sum.groups.entry((*by, contest, group, candidate)).or_default() += 1;
        }
    }
}

fn count_partition(election: &Election, entries: &[Entry], ballots: &Ballots) -> PartitionCount {
    let mut part = PartitionCount::default();
    let mut newest_ms = None;
    for (offset, entry) in (0..).zip(entries) {
        if entry.state != EntryState::Committed {
            continue;
        }
        let outcome = match ballots.note(&entry.record) {
            Note::Unreadable(reason) => Err(*reason),
            Note::Ballot(ballot) => judge(election, ballot, entry, newest_ms, &part.voters),
        };
        part.outcomes.insert(offset, outcome.as_ref().err().copied());
        if let Ok(vote) = outcome {
            part.voters.insert((vote.contest, vote.voter.clone()));
            newest_ms = newest_ms.max(Some(vote.cast_at_ms));
            part.counted.push(Counted { offset, ..vote });
        }
    }
    part
}

fn judge(
    election: &Election,
    ballot: &Ballot,
    entry: &Entry,
    newest_ms: Option<i64>,
    voters: &BTreeSet<(&'static str, String)>,
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
    if voters.contains(&(contest, voter.clone())) {
        return Err(Reason::DuplicateVoter);
    }
    Ok(Counted {
        offset: 0,
        contest,
        candidate: ballot.candidate,
        location,
        voter,
        cast_at_ms,
        late,
        gender: ballot.gender,
        age_band: ballot.age_band,
    })
}

/// The ids of contest and place.
fn names(election: &Election, ballot: &Ballot) -> Result<(&'static str, &'static str), Reason> {
    if !election.defined {
        return Ok((ballot.contest.unwrap_or("election"), ballot.location));
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
    Ok((id, known(place.id.as_str())))
}
