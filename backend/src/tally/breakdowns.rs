//! Votes by what else is known of the voter: in closed lists of groups, so that made-up values can't fill the memory.

use serde::{Deserialize, Serialize};
use tallyboard_shared::election::Breakdown;

use super::decode::Ballot;

/// The votes of one group of voters for one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCell {
    /// Position of the candidate, counted through all contests.
    pub candidate: u32,
    /// Position of the group, counted through all breakdowns of the definition.
    pub group: u32,
    /// Votes counted.
    pub votes: u64,
}

/// The positions of a voter's groups, each in its own breakdown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Groups {
    gender: u8,
    age_band: u8,
}

impl Groups {
    fn of(self, kind: Breakdown) -> usize {
        usize::from(match kind {
            Breakdown::Gender => self.gender,
            Breakdown::AgeBand => self.age_band,
        })
    }
}

/// The breakdowns of one partition, as they are counted.
#[derive(Debug)]
pub(super) struct Breakdowns {
    kinds: Vec<Breakdown>,
    /// Groups of all breakdowns.
    groups: usize,
    /// By candidate, then by group.
    votes: Vec<u64>,
}

impl Breakdowns {
    pub(super) fn new(kinds: &[Breakdown]) -> Self {
        Self { kinds: kinds.to_vec(), groups: groups(kinds), votes: Vec::new() }
    }

    /// The breakdowns that gave these cells.
    pub(super) fn resume(kinds: &[Breakdown], cells: &[GroupCell]) -> Self {
        let mut breakdowns = Self::new(kinds);
        for cell in cells {
            *breakdowns.cell(cell.candidate, cell.group as usize) += cell.votes;
        }
        breakdowns
    }

    /// The groups that a ballot's voter is in.
    pub(super) fn groups_of(&self, ballot: &Ballot<'_>) -> Groups {
        if self.kinds.is_empty() {
            return Groups::default();
        }
        Groups { gender: gender(ballot), age_band: age_band(ballot) }
    }

    /// Counts a vote in one group of every breakdown.
    pub(super) fn count(&mut self, candidate: u32, groups: Groups) {
        let mut first = 0;
        for number in 0..self.kinds.len() {
            let kind = self.kinds[number];
            *self.cell(candidate, first + groups.of(kind)) += 1;
            first += kind.groups().len();
        }
    }

    fn cell(&mut self, candidate: u32, group: usize) -> &mut u64 {
        let row = candidate as usize * self.groups;
        if self.votes.len() < row + self.groups {
            self.votes.resize(row + self.groups, 0);
        }
        &mut self.votes[row + group]
    }

    /// The cells with votes, by candidate and group.
    pub(super) fn cells(&self) -> Vec<GroupCell> {
        let rows = (0..).zip(self.votes.chunks(self.groups.max(1)));
        rows.flat_map(|(candidate, row)| {
            (0..).zip(row).map(move |(group, votes)| GroupCell { candidate, group, votes: *votes })
        })
        .filter(|cell| cell.votes > 0)
        .collect()
    }
}

fn groups(kinds: &[Breakdown]) -> usize {
    kinds.iter().map(|kind| kind.groups().len()).sum()
}

/// Whether these can be the cells of `votes` votes for `candidates` candidates: each vote is in every breakdown once.
pub(super) fn fit(cells: &[GroupCell], kinds: &[Breakdown], candidates: usize, votes: u64) -> bool {
    let mut first = 0;
    let sums_fit = kinds.iter().all(|kind| {
        let of_kind = first..first + kind.groups().len();
        first = of_kind.end;
        let mut cells = cells.iter().filter(|cell| of_kind.contains(&(cell.group as usize)));
        cells.try_fold(0u64, |sum, cell| sum.checked_add(cell.votes)) == Some(votes)
    });
    let inside = |cell: &GroupCell| (cell.candidate as usize) < candidates && (cell.group as usize) < first;
    sums_fit && cells.iter().all(inside)
}

/// The position of the ballot's voter in [`Breakdown::Gender`].
fn gender(ballot: &Ballot<'_>) -> u8 {
    let told = ballot.gender.as_ref().map_or("", |gender| gender.as_str());
    let is = |code: &str| told.eq_ignore_ascii_case(code);
    if is("female") {
        0
    } else if is("male") {
        1
    } else if told.is_empty() || is("unknown") {
        3
    } else {
        2
    }
}

/// The position of the ballot's voter in [`Breakdown::AgeBand`].
fn age_band(ballot: &Ballot<'_>) -> u8 {
    match ballot.age {
        Some(0..18) => 0,
        Some(18..25) => 1,
        Some(25..35) => 2,
        Some(35..45) => 3,
        Some(45..55) => 4,
        Some(55..65) => 5,
        Some(65..) => 6,
        None => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::decode;

    #[track_caller]
    fn check(fields: &str, gender: &str, age_band: &str) {
        let record = format!(
            r#"{{"voter_id":"v","candidate_id":"c","voting_time":"2026-11-03 08:15:00","location_id":"p"{fields}}}"#
        );
        let ballot = decode(record.as_bytes()).unwrap();
        let kinds = [Breakdown::Gender, Breakdown::AgeBand];
        let groups = Breakdowns::new(&kinds).groups_of(&ballot);
        let seen = kinds.map(|kind| kind.groups()[groups.of(kind)]);
        assert_eq!(seen, [gender, age_band], "{fields}");
    }

    #[test]
    fn every_vote_is_in_one_group_of_a_closed_list() {
        check("", "unknown", "unknown");
        check(r#","gender":"female","registered_age":17"#, "female", "under_18");
        check(r#","gender":"Male","registered_age":18"#, "male", "18_24");
        check(r#","gender":"nonbinary","registered_age":24"#, "other", "18_24");
        check(r#","gender":"unknown","registered_age":25"#, "unknown", "25_34");
        check(r#","gender":"","registered_age":34"#, "unknown", "25_34");
        check(r#","gender":7,"registered_age":"44""#, "unknown", "unknown");
        check(r#","registered_age":35"#, "unknown", "35_44");
        check(r#","registered_age":44"#, "unknown", "35_44");
        check(r#","registered_age":45"#, "unknown", "45_54");
        check(r#","registered_age":54"#, "unknown", "45_54");
        check(r#","registered_age":55"#, "unknown", "55_64");
        check(r#","registered_age":64"#, "unknown", "55_64");
        check(r#","registered_age":65"#, "unknown", "65_plus");
        check(r#","registered_age":0"#, "unknown", "under_18");
        check(r#","registered_age":-1"#, "unknown", "unknown");
        check(r#","registered_age":99999999999999999999"#, "unknown", "unknown");
    }

    #[test]
    fn foreign_cells_do_not_fit() {
        let kinds = [Breakdown::Gender];
        let cell = |candidate, group, votes| GroupCell { candidate, group, votes };
        assert!(fit(&[cell(0, 0, 2), cell(1, 3, 1)], &kinds, 2, 3));
        assert!(!fit(&[cell(0, 0, 2)], &kinds, 2, 3));
        assert!(!fit(&[cell(0, 0, 2), cell(2, 3, 1)], &kinds, 2, 3));
        assert!(!fit(&[cell(0, 0, 2), cell(1, 4, 1)], &kinds, 2, 3));
        assert!(!fit(&[cell(0, 0, 3), cell(1, 4, 1)], &kinds, 2, 3));
        assert!(!fit(&[cell(0, 0, u64::MAX), cell(1, 3, 4)], &kinds, 2, 3));
        assert!(!fit(&[cell(0, 0, 3)], &[], 2, 3));
        assert!(fit(&[], &[], 2, 3));
    }
}
