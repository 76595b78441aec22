//! What may leave the server: the one place where figures are withheld (DESIGN §6).
//!
//! Under an embargo no candidate's figures are shown until the polls have closed. A place's split by candidate is
//! withheld while it has fewer ballots than the threshold, so that nobody's vote can be read off a small place.
//! Turnout is always shown.

use tallyboard_shared::{
    election::{Election, Embargo},
    results::{CountStatus, Results},
};

/// The results as anyone may see them.
#[must_use]
pub fn disclose(election: &Election, mut results: Results) -> Results {
    let embargoed = election.embargo == Embargo::UntilClose && results.status != CountStatus::Closed;
    if embargoed {
        for contest in &mut results.contests {
            contest.candidates.iter_mut().for_each(|candidate| candidate.votes = None);
        }
    }
    for location in &mut results.locations {
        for contest in &mut location.contests {
            // By contest: few may have voted in one although many did in another.
            let ballots: u64 = contest.votes.iter().flatten().map(|(_, votes)| votes).sum();
            if embargoed || ballots < election.disclosure_threshold {
                contest.votes = None;
            }
        }
    }
    results.derive();
    results
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::Timestamp;

    use super::*;
    use crate::{
        election::Definition,
        tally::{Cell, PartitionTally, merge},
    };

    fn results(embargo: &str, as_of: &str, votes: u64) -> (Election, Results) {
        let text = format!(
            "id = \"e\"\ntitle = \"E\"\nmode = \"test\"\nembargo = \"{embargo}\"\ncloses_at = \"2026-11-03T20:00:00Z\"
            disclosure_threshold = 10
            contests = [
                {{ id = \"k\", title = \"K\", candidates = [{{ id = \"c\", name = \"C\" }}] }},
                {{ id = \"l\", title = \"L\", candidates = [{{ id = \"d\", name = \"D\" }}] }},
            ]
            locations = [{{ id = \"p\", name = \"P\", registered_voters = 100 }}]"
        );
        let election = Definition::parse(&text).unwrap().into_election();
        let cells = [(0, votes), (1, 1)].map(|(candidate, votes)| Cell { candidate, location: 0, votes });
        let tally = PartitionTally::sample(&election, 0, votes + 1, cells.to_vec());
        let as_of: Timestamp = as_of.parse().unwrap();
        let results = merge(&election, [&tally].into_iter(), 1, as_of);
        (election, results)
    }

    #[track_caller]
    fn check(embargo: &str, as_of: &str, votes: u64, candidate: bool, split: bool) {
        let (election, results) = results(embargo, as_of, votes);
        let shown = disclose(&election, results);
        assert_eq!(shown.contests[0].candidates[0].votes.is_some(), candidate);
        assert_eq!(shown.contests[0].leader.is_some(), candidate);
        assert_eq!(shown.locations[0].contests[0].votes.is_some(), split);
        assert_eq!(shown.locations[0].contests[1].votes, None, "one vote in a contest is always withheld");
        assert_eq!((shown.totals.votes, shown.locations[0].votes), (votes + 1, votes));
        assert!(shown.totals.turnout.is_some());
    }

    #[test]
    fn an_embargo_ends_when_the_polls_close() {
        check("until_close", "2026-11-03T19:59:59.999Z", 50, false, false);
        check("until_close", "2026-11-03T20:00:00Z", 50, true, true);
        check("none", "2026-11-03T19:59:59.999Z", 50, true, true);
    }

    #[test]
    fn the_split_of_a_small_place_is_withheld() {
        check("none", "2026-11-03T12:00:00Z", 9, true, false);
        check("none", "2026-11-03T12:00:00Z", 10, true, true);
    }
}
