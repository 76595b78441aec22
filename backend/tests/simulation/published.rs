//! A version against the oracle: whatever follows from the votes that it says were counted.

use std::collections::{BTreeMap, BTreeSet};

use tallyboard_shared::{
    election::{Election, Location},
    results::{LocationResult, Results},
    timeline::Timeline,
};

use crate::{
    brokers::Topic,
    oracle::{Count, Oracle},
};

/// A partition whose votes were counted so long ago doesn't hold the watermark back.
const IDLE_AFTER_MS: i64 = 30_000;

/// From the look at the clock until a version is appended it doesn't take longer.
const APPEND_MS: i64 = 1000;

macro_rules! agree {
    ($what:expr, $found:expr, $expected:expr) => {
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(format!("{} are {found:?}, but the log says {expected:?}", $what));
        }
    };
}

/// A version as it was published.
pub(crate) struct Version<'a> {
    pub(crate) results: &'a Results,
    pub(crate) timeline: &'a Timeline,
    /// The watermark before, by the same definition.
    pub(crate) watermark_before_ms: Option<i64>,
    /// When it was appended.
    pub(crate) appended_ms: i64,
}

impl Version<'_> {
    /// Compares everything with what the oracle makes of the votes.
    ///
    /// Whether the watermark has moved past an idle partition.
    ///
    /// # Errors
    /// What they disagree about.
    pub(crate) fn check(&self, oracle: &Oracle, votes: &Topic) -> Result<bool, String> {
        let inputs = self.results.inputs.iter().map(|(partition, offset)| (partition.0, *offset));
        let count = oracle.below(inputs);
        let (results, election) = (self.results, &oracle.election);
        agree!("votes by candidate and place", cells(results), owned(&count));
        agree!("rejections", results.totals.rejected, count.rejected);
        agree!("late votes", results.totals.late, count.late);
        agree!("records", results.totals.votes + results.totals.rejected_sum(), count.records);
        sums_agree(results)?;
        agree!("groups", groups(results), expected_groups(&count));
        agree!("regions", regions(results), expected_regions(election, &count));
        agree!("parties", parties(results), expected_parties(election, &count));
        self.check_timeline(election, &count)?;
        self.check_watermark(oracle, &count, votes)
    }

    fn watermark_ms(&self) -> Option<i64> {
        self.results.watermark.map(|watermark| watermark.as_millisecond())
    }

    fn check_timeline(&self, election: &Election, count: &Count) -> Result<(), String> {
        let timeline = self.timeline;
        agree!(
            "version and watermark of the timeline",
            (timeline.version, timeline.watermark),
            (self.results.version, self.results.watermark)
        );
        let mut found = BTreeMap::new();
        for window in &timeline.windows {
            let start_ms = window.start.as_millisecond();
            let is_final = self.watermark_ms().is_some_and(|at_ms| start_ms + timeline.width_ms <= at_ms);
            agree!("the final marks of windows", (start_ms, window.is_final), (start_ms, is_final));
            for (contest, votes) in &window.contests {
                let candidates = votes.candidates.as_ref().ok_or("candidates are missing in a window")?;
                agree!("the sums of windows", votes.votes, candidates.values().sum::<u64>());
                for (candidate, votes) in candidates {
                    found.insert((start_ms, contest.to_string(), candidate.to_string()), *votes);
                }
            }
        }
        let (width_ms, windows) = count.timeline(election);
        let windows: BTreeMap<_, _> = windows
            .into_iter()
            .map(|((number, contest, candidate), votes)| {
                ((number * width_ms, contest.to_owned(), candidate.to_owned()), votes)
            })
            .collect();
        agree!("the timeline's width and windows", (timeline.width_ms, found), (width_ms, windows));
        Ok(())
    }

    /// The watermark stands still or is that of a partition, and every partition behind it is idle.
    fn check_watermark(&self, oracle: &Oracle, count: &Count, votes: &Topic) -> Result<bool, String> {
        let lateness_ms = oracle.election.allowed_lateness_ms;
        let of_partitions: BTreeMap<_, _> =
            count.newest_ms.iter().map(|(partition, newest)| (*partition, newest - lateness_ms)).collect();
        let (found, before) = (self.watermark_ms(), self.watermark_before_ms);
        let Some(at_ms) = found else {
            agree!("watermarks of partitions", (before, of_partitions), (None, BTreeMap::new()));
            return Ok(false);
        };
        let says =
            || format!("the watermark is {at_ms} after {before:?}, those of partitions {of_partitions:?}");
        let bounds = of_partitions.values().min().zip(of_partitions.values().max());
        if before > found || !bounds.is_some_and(|(low, high)| (*low..=*high).contains(&at_ms)) {
            return Err(says());
        }
        if before == found {
            return Ok(false);
        }
        if !of_partitions.values().any(|of_partition| *of_partition == at_ms) {
            return Err(says());
        }
        let mut behind = of_partitions.iter().filter(|(_, of_partition)| **of_partition < at_ms).peekable();
        let passes = behind.peek().is_some();
        for (partition, _) in behind {
            if let Some(why) = self.is_awake(oracle, votes, *partition) {
                return Err(format!("{}, although partition {partition} isn't idle: {why}", says()));
            }
        }
        Ok(passes)
    }

    /// Why a partition can't be idle.
    fn is_awake(&self, oracle: &Oracle, votes: &Topic, partition: u32) -> Option<String> {
        let end =
            self.results.inputs.iter().find(|(known, _)| known.0 == partition).map_or(0, |(_, end)| *end);
        let log = &votes.partitions[partition as usize];
        let written_ms = |offset: u64| log.entries[usize::try_from(offset).expect("short")].timestamp_ms;
        let counted = &oracle.partitions[partition as usize].counted;
        let newest = counted.iter().take_while(|vote| vote.offset < end).last()?;
        if written_ms(newest.offset) > Some(self.appended_ms - IDLE_AFTER_MS) {
            return Some(format!("its vote at {} is new", newest.offset));
        }
        let (next, waiting) = log.committed().find(|(offset, _)| *offset >= end)?;
        let waits = waiting.timestamp_ms < Some(self.appended_ms - IDLE_AFTER_MS - APPEND_MS);
        waits.then(|| format!("its record at {next} isn't counted yet"))
    }
}

fn owned(count: &Count) -> BTreeMap<(String, String, String), u64> {
    let cells = count.cells.iter();
    let own = |(contest, candidate, place): &(&str, &str, &str)| {
        ((*contest).to_owned(), (*candidate).to_owned(), (*place).to_owned())
    };
    cells.map(|(cell, votes)| (own(cell), *votes)).collect()
}

fn cells(results: &Results) -> BTreeMap<(String, String, String), u64> {
    let mut cells = BTreeMap::new();
    for place in &results.locations {
        for ((contest, candidate), votes) in split(place) {
            cells.insert((contest, candidate, place.id.to_string()), votes);
        }
    }
    cells
}

fn split(place: &LocationResult) -> BTreeMap<(String, String), u64> {
    let mut split = BTreeMap::new();
    for contest in &place.contests {
        for (candidate, votes) in contest.votes.iter().flatten() {
            split.insert((contest.id.to_string(), candidate.to_string()), *votes);
        }
    }
    split
}

/// Sums within results must agree with the cells: by candidate, by contest, by place, in total.
fn sums_agree(results: &Results) -> Result<(), String> {
    let cells = cells(results);
    let sum = |keep: &dyn Fn(&(String, String, String)) -> bool| -> u64 {
        cells.iter().filter(|(cell, _)| keep(cell)).map(|(_, votes)| votes).sum()
    };
    for contest in &results.contests {
        let in_contest = contest.id.as_str();
        for candidate in &contest.candidates {
            let expected = sum(&|cell| cell.0 == in_contest && cell.1 == candidate.id.as_str());
            agree!(format!("{in_contest}: votes of {}", candidate.id), candidate.votes, Some(expected));
        }
        agree!(format!("votes in {in_contest}"), contest.votes, sum(&|cell| cell.0 == in_contest));
    }
    for place in &results.locations {
        let of_contests = results
            .contests
            .iter()
            .map(|contest| sum(&|cell| cell.0 == contest.id.as_str() && cell.2 == place.id.as_str()));
        agree!(format!("ballots of {}", place.id), place.votes, of_contests.max().unwrap_or(0));
    }
    agree!("all votes", results.totals.votes, sum(&|_| true));
    Ok(())
}

/// By breakdown, contest and group: the votes, and those of each candidate.
type Groups = BTreeMap<(String, String, String), (u64, BTreeMap<String, u64>)>;

fn groups(results: &Results) -> Groups {
    let groups = results.breakdowns.iter().map(|group| {
        let candidates = group.candidates.iter().flatten().map(|(id, votes)| (id.to_string(), *votes));
        let name = (format!("{:?}", group.by), group.contest.to_string(), group.group.clone());
        (name, (group.votes, candidates.collect()))
    });
    groups.collect()
}

fn expected_groups(count: &Count) -> Groups {
    let mut groups = Groups::new();
    for ((by, contest, group, candidate), votes) in &count.groups {
        let name = (format!("{by:?}"), (*contest).to_owned(), (*group).to_owned());
        let (sum, candidates) = groups.entry(name).or_default();
        *sum += votes;
        candidates.insert((*candidate).to_owned(), *votes);
    }
    groups
}

/// A region: its id, ballots, electorate, and votes by contest and candidate.
type Region = (String, u64, Option<u64>, BTreeMap<(String, String), u64>);

fn regions(results: &Results) -> Vec<Region> {
    let regions = results.regions.iter();
    regions
        .map(|region| (region.id.to_string(), region.votes, region.registered_voters, split(region)))
        .collect()
}

fn expected_regions(election: &Election, count: &Count) -> Vec<Region> {
    let is_region =
        |id: &Location| election.locations.iter().any(|place| place.parent.as_ref() == Some(&id.id));
    let is_within = |place: &Location, region: &Location| {
        let mut at = Some(place);
        while let Some(here) = at {
            if here.id == region.id {
                return true;
            }
            let parent = here.parent.as_ref();
            at = parent.and_then(|parent| election.locations.iter().find(|place| place.id == *parent));
        }
        false
    };
    let regions = election.locations.iter().filter(|place| is_region(place)).map(|region| {
        let parts: Vec<_> = election.locations.iter().filter(|place| is_within(place, region)).collect();
        let mut split = BTreeMap::new();
        let mut ballots = 0;
        for part in &parts {
            let mut by_contest = BTreeMap::<&str, u64>::new();
            for ((contest, candidate, place), votes) in &count.cells {
                if *place == part.id.as_str() {
                    *by_contest.entry(contest).or_default() += votes;
                    *split.entry(((*contest).to_owned(), (*candidate).to_owned())).or_default() += votes;
                }
            }
            ballots += by_contest.values().max().unwrap_or(&0);
        }
        let own = |place: &&Location| match place.registered_voters {
            None if is_region(place) => Some(0),
            registered => registered,
        };
        let electorate = parts.iter().map(own).sum::<Option<u64>>().filter(|electorate| *electorate > 0);
        (region.id.to_string(), ballots, electorate, split)
    });
    regions.collect()
}

/// A party's name, votes, and contests that it leads.
type Party = (String, Option<u64>, Option<u64>);

fn parties(results: &Results) -> Vec<Party> {
    results.parties.iter().map(|party| (party.party.clone(), party.votes, party.contests_led)).collect()
}

/// Most votes first; only definitions give candidates of worlds a party.
fn expected_parties(election: &Election, count: &Count) -> Vec<Party> {
    let mut sums = BTreeMap::<&str, (u64, u64)>::new();
    for contest in &election.contests {
        let votes_of = |id: &str| -> u64 {
            let cells = count.cells.iter();
            cells
                .filter(|(cell, _)| cell.0 == contest.id.as_str() && cell.1 == id)
                .map(|(_, votes)| votes)
                .sum()
        };
        let most = contest.candidates.iter().map(|candidate| votes_of(candidate.id.as_str())).max();
        let ids = contest.candidates.iter().map(|candidate| candidate.id.as_str());
        let first: BTreeSet<_> = ids.filter(|id| Some(votes_of(id)) == most).collect();
        for candidate in &contest.candidates {
            let Some(party) = &candidate.party else { continue };
            let (votes, led) = sums.entry(party).or_default();
            *votes += votes_of(candidate.id.as_str());
            *led += u64::from(most > Some(0) && first.len() == 1 && first.contains(candidate.id.as_str()));
        }
    }
    let mut parties: Vec<_> = sums.into_iter().collect();
    parties.sort_by(|one, other| other.1.0.cmp(&one.1.0).then(one.0.cmp(other.0)));
    parties.into_iter().map(|(party, (votes, led))| (party.to_owned(), Some(votes), Some(led))).collect()
}
