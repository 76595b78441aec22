//! The results of an election at one version: what `GET /api/v1/results` answers and a browser starts from.
//!
//! Only counts are carried along; shares, turnout and leaders are derived from them by [`Results::derive`], by the
//! same code on every side, so a browser that applied a thousand updates shows what a fresh one is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    election::{Breakdown, Mode},
    ids::{CandidateId, ContestId, ElectionId, LocationId, Partition},
    moment,
    reason::Reason,
};

/// Everything that was counted, as of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Results {
    /// Grows by one with every publication, over restarts and changes of the definition too; the first is 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
    /// Which election, by which definition.
    pub election: ElectionRef,
    /// Where the count stands.
    pub status: CountStatus,
    /// When the publisher made this version, by its own clock.
    #[serde(deserialize_with = "moment::read")]
    pub as_of: Timestamp,
    /// Every vote cast before this moment is expected to have been counted; `None` before the first vote.
    #[serde(default, deserialize_with = "moment::read_if_known")]
    pub watermark: Option<Timestamp>,
    /// Sums over everything.
    pub totals: Totals,
    /// By contest, in the order of the definition; without a definition in the order of the ids.
    pub contests: Vec<ContestResult>,
    /// By place, in the order of the definition; without a definition in the order of the ids.
    pub locations: Vec<LocationResult>,
    /// By place that others are a part of, in the order of the definition: what was counted there and in all of them. Absent
    /// where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<LocationResult>,
    /// By party, over all contests, most votes first, then by name; candidates without a party are in none. Absent where there
    /// are no parties.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<PartyResult>,
    /// By group of voters, in the order of breakdown, contest id and group; only groups with votes. Absent where there are
    /// none, or the definition has no breakdowns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<GroupResult>,
    /// What exactly was counted: the next offset of each partition of the votes topic. A partition of which nothing was counted
    /// yet, for one because it has no votes, is left out.
    pub inputs: BTreeMap<Partition, u64>,
}

/// Names an election and the definition that it was counted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ElectionRef {
    /// The election's id.
    pub id: ElectionId,
    /// For people.
    pub title: String,
    /// Whether the votes are real.
    pub mode: Mode,
    /// The definition's hash.
    pub definition_hash: String,
}

/// Where the count stands, by the publisher's clock.
///
/// - `before_open`: polls haven't opened
/// - `counting`: votes are being cast and counted
/// - `closed`: polls have closed; votes cast in time may still arrive, and are counted
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CountStatus {
    /// Polls haven't opened.
    BeforeOpen,
    /// Votes are being cast and counted.
    Counting,
    /// Polls have closed; votes cast in time may still arrive.
    Closed,
}

/// Sums over the whole election.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Totals {
    /// Votes counted, in all contests.
    pub votes: u64,
    /// The electorate of all places. A place that others are a part of, and that has none of its own, adds nobody; `None` where
    /// that of any other place is unknown, and without a definition.
    pub registered_voters: Option<u64>,
    /// Ballots over electorate, 0 to 1; `None` without an electorate.
    pub turnout: Option<f64>,
    /// Votes that came behind the watermark and were counted.
    pub late: u64,
    /// Votes not counted, by reason; reasons that didn't occur are left out.
    pub rejected: BTreeMap<Reason, u64>,
}

impl Totals {
    /// Votes not counted, for whatever reason.
    #[must_use]
    pub fn rejected_sum(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// The result of one contest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContestResult {
    /// The contest's id.
    pub id: ContestId,
    /// For people.
    pub title: String,
    /// Votes counted in this contest.
    pub votes: u64,
    /// The electorate of the places where the contest is on the ballot. A place that others are a part of, and that has none of
    /// its own, adds nobody; `None` where that of any other is unknown, and without a definition.
    pub registered_voters: Option<u64>,
    /// Who is first; `None` before the first vote and while candidate figures are withheld.
    pub leader: Option<Leader>,
    /// In the order of the definition; without a definition in the order of the ids.
    pub candidates: Vec<CandidateResult>,
}

/// Who is first in a contest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Leader {
    /// The candidate with the most votes; with a margin of 0 the first in ballot order of those who are equal.
    pub candidate_id: CandidateId,
    /// Votes ahead of the second.
    pub margin: u64,
    /// Whether the votes still possible (registered − cast) can't change the winner; `None` without an electorate.
    pub decided: Option<bool>,
}

/// The votes of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CandidateResult {
    /// The candidate's id.
    pub id: CandidateId,
    /// For people.
    pub name: String,
    /// The party, where there is one.
    pub party: Option<String>,
    /// `#rrggbb`, where the definition gives one; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// A picture, where there is one; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// Votes counted; `None` while withheld, which an embargo does until the polls close.
    pub votes: Option<u64>,
    /// Of the votes of the contest, 0 to 1; `None` before the first vote and while withheld.
    pub share: Option<f64>,
}

/// The votes of one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LocationResult {
    /// The place's id.
    pub id: LocationId,
    /// For people.
    pub name: String,
    /// Ballots: the votes of the contest with the most, since a voter has one vote in each.
    pub votes: u64,
    /// The electorate, as the definition has it; `None`: unknown. That of a region is its own, where it has one, and that of all
    /// its parts together; `None` where that of any part is unknown that has no parts itself.
    pub registered_voters: Option<u64>,
    /// Ballots over electorate, 0 to 1; `None` without an electorate.
    pub turnout: Option<f64>,
    /// By contest; only contests with votes here, in the order of their ids.
    pub contests: Vec<LocationContest>,
}

/// The votes of one place or region in one contest.
///
/// The split is withheld, and `null`, under an embargo until the polls close; where fewer than the definition's
/// `disclosure_threshold` have voted there in the contest; and in a region whose parts withhold some ballots, but fewer than
/// that in all: theirs would follow by subtraction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LocationContest {
    /// The contest's id.
    pub id: ContestId,
    /// By candidate, candidates without votes left out; `None` while the split is withheld.
    pub votes: Option<BTreeMap<CandidateId, u64>>,
}

/// The votes of one party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartyResult {
    /// The party, as its candidates name it.
    pub party: String,
    /// Votes counted for its candidates; `None` while withheld.
    pub votes: Option<u64>,
    /// Of the votes of all contests, 0 to 1; `None` before the first vote and while withheld.
    pub share: Option<f64>,
    /// Contests in which one of its candidates is ahead of everybody else; `None` while withheld.
    pub contests_led: Option<u64>,
}

/// The votes of one group of voters in one contest. A vote is in one group of each breakdown.
///
/// The split is withheld, and `null`, under an embargo until the polls close, and where the group has fewer votes than the
/// definition's `disclosure_threshold`. Where the groups of a breakdown that are withheld in a contest have fewer than that
/// together, the next larger group is withheld with them, though it has more: else theirs would follow by subtraction from
/// the sum of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupResult {
    /// What the group is a group of.
    pub by: Breakdown,
    /// The code of the group, in this order: `female`, `male`, `other` and `unknown`, or `under_18`, `18_24`, `25_34`, `35_44`,
    /// `45_54`, `55_64`, `65_plus` and `unknown`.
    pub group: String,
    /// The contest's id.
    pub contest: ContestId,
    /// Votes counted.
    pub votes: u64,
    /// By candidate, candidates without votes left out; `None` while the split is withheld.
    pub candidates: Option<BTreeMap<CandidateId, u64>>,
}

impl GroupResult {
    /// Where the group stands among all: what it is, and its place in the order.
    #[must_use]
    pub fn key(&self) -> (Breakdown, &ContestId, usize, &str) {
        let groups = self.by.groups();
        // A group of a later version of Tallyboard stands behind those that are known.
        let position = groups.iter().position(|group| *group == self.group).unwrap_or(groups.len());
        (self.by, &self.contest, position, &self.group)
    }
}

impl Results {
    /// Derives shares, leaders, parties and turnout from the counts.
    pub fn derive(&mut self) {
        for contest in &mut self.contests {
            contest.derive();
        }
        self.parties = parties(&self.contests);
        for location in self.locations.iter_mut().chain(&mut self.regions) {
            location.turnout = ratio(location.votes, location.registered_voters);
        }
        let ballots = self.locations.iter().map(|location| location.votes).sum();
        self.totals.turnout = ratio(ballots, self.totals.registered_voters);
    }
}

impl ContestResult {
    fn derive(&mut self) {
        let electorate = self.registered_voters;
        for candidate in &mut self.candidates {
            candidate.share = candidate.votes.and_then(|votes| ratio(votes, Some(self.votes)));
        }
        self.leader = self.standing().map(|(first, margin)| Leader {
            candidate_id: first.id.clone(),
            margin,
            decided: electorate.map(|registered| registered.saturating_sub(self.votes) < margin),
        });
    }

    /// The first candidate and the votes ahead of the second.
    fn standing(&self) -> Option<(&CandidateResult, u64)> {
        let mut first: Option<(&CandidateResult, u64)> = None;
        let mut second = 0;
        for candidate in &self.candidates {
            let votes = candidate.votes?;
            match first {
                Some((_, most)) if votes <= most => second = second.max(votes),
                _ => {
                    second = first.map_or(0, |(_, most)| most);
                    first = Some((candidate, votes));
                }
            }
        }
        first.filter(|(_, votes)| *votes > 0).map(|(candidate, votes)| (candidate, votes - second))
    }
}

/// What the contests add up to by party.
fn parties(contests: &[ContestResult]) -> Vec<PartyResult> {
    let mut sums = BTreeMap::<&str, Option<(u64, u64)>>::new();
    for contest in contests {
        for candidate in &contest.candidates {
            let Some(party) = &candidate.party else { continue };
            let ahead = |leader: &Leader| leader.margin > 0 && leader.candidate_id == candidate.id;
            let leads = u64::from(contest.leader.as_ref().is_some_and(ahead));
            let sum = sums.entry(party).or_insert(Some((0, 0)));
            *sum = sum.zip(candidate.votes).map(|((sum, led), votes)| (sum + votes, led + leads));
        }
    }
    let whole = contests.iter().map(|contest| contest.votes).sum();
    let mut parties: Vec<_> = sums
        .into_iter()
        .map(|(party, sum)| PartyResult {
            party: party.to_owned(),
            votes: sum.map(|(votes, _)| votes),
            share: sum.and_then(|(votes, _)| ratio(votes, Some(whole))),
            contests_led: sum.map(|(_, led)| led),
        })
        .collect();
    // Those with equally many stay in the order of their names.
    parties.sort_by_key(|party| std::cmp::Reverse(party.votes));
    parties
}

/// `part / whole`, where there is a whole.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: Option<u64>) -> Option<f64> {
    whole.filter(|whole| *whole > 0).map(|whole| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contest(registered_voters: Option<u64>, votes: &[Option<u64>]) -> ContestResult {
        let mut contest = ContestResult {
            id: ContestId::new("president"),
            title: "President".into(),
            votes: votes.iter().flatten().sum(),
            registered_voters,
            leader: None,
            candidates: votes
                .iter()
                .enumerate()
                .map(|(number, votes)| CandidateResult {
                    id: CandidateId::new(format!("c{number}")),
                    name: format!("Candidate {number}"),
                    party: None,
                    color: None,
                    photo_url: None,
                    votes: *votes,
                    share: None,
                })
                .collect(),
        };
        contest.derive();
        contest
    }

    #[track_caller]
    fn check(registered: Option<u64>, votes: &[u64], expected: Option<(&str, u64, Option<bool>)>) {
        let votes: Vec<_> = votes.iter().copied().map(Some).collect();
        let leader = contest(registered, &votes).leader;
        let seen =
            leader.as_ref().map(|leader| (leader.candidate_id.as_str(), leader.margin, leader.decided));
        assert_eq!(seen, expected);
    }

    #[test]
    fn leader_is_the_first_with_the_most_votes() {
        check(None, &[], None);
        check(None, &[0, 0], None);
        check(None, &[0, 1], Some(("c1", 1, None)));
        check(None, &[5, 7, 6], Some(("c1", 1, None)));
        check(None, &[7, 5, 7], Some(("c0", 0, None)));
        check(None, &[7], Some(("c0", 7, None)));
    }

    #[test]
    fn decided_only_when_the_votes_left_are_fewer_than_the_margin() {
        check(Some(20), &[10, 4], Some(("c0", 6, Some(false))));
        check(Some(19), &[10, 4], Some(("c0", 6, Some(true))));
        check(Some(20), &[10, 5], Some(("c0", 5, Some(false))));
        check(Some(14), &[10, 4], Some(("c0", 6, Some(true))));
        check(Some(5), &[10, 4], Some(("c0", 6, Some(true))));
        check(Some(2), &[1, 1], Some(("c0", 0, Some(false))));
    }

    #[test]
    fn withheld_votes_have_no_share_and_no_leader() {
        let contest = contest(Some(10), &[None, None]);
        assert_eq!(contest.leader, None);
        assert!(contest.candidates.iter().all(|candidate| candidate.share.is_none()));
    }

    #[test]
    fn parties_add_up_over_contests_and_a_tie_is_led_by_nobody() {
        let mut contests: Vec<_> =
            [[5, 3, 3], [1, 4, 2], [2, 2, 0]].map(|votes| contest(None, &votes.map(Some))).into();
        for contest in &mut contests {
            contest.candidates[0].party = Some("Union".into());
            contest.candidates[1].party = Some("Reform".into());
        }
        let seen = |parties: Vec<PartyResult>| {
            parties
                .into_iter()
                .map(|party| (party.party, party.votes, party.contests_led))
                .collect::<Vec<_>>()
        };
        let expected = [("Reform".to_owned(), Some(9), Some(1)), ("Union".to_owned(), Some(8), Some(1))];
        assert_eq!(seen(parties(&contests)), expected);
        assert_eq!(parties(&contests)[1].share, Some(8.0 / 22.0));
        contests[2].candidates[0].votes = None;
        contests[2].derive();
        assert_eq!(seen(parties(&contests))[1], ("Union".to_owned(), None, None));
    }

    #[test]
    fn share_is_unknown_before_the_first_vote() {
        assert_eq!(contest(None, &[Some(0)]).candidates[0].share, None);
        assert_eq!(contest(None, &[Some(1), Some(3)]).candidates[1].share, Some(0.75));
    }
}
