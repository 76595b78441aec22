//! The news in words: who leads and by how much, then what was counted and what is outstanding.
//!
//! Says no more than the figures do: nobody "wins" here, since that is for the authority that runs the election.

use tallyboard_shared::{
    election::Election,
    results::{CandidateResult, ContestResult, CountStatus, Results},
};

use crate::{format, say, standings, texts::tr};

/// The first line: one sentence.
#[must_use]
pub fn headline(contest: Option<&ContestResult>) -> String {
    let Some(contest) = contest.filter(|contest| contest.votes > 0) else {
        return tr("No votes yet").to_owned();
    };
    if standings::is_withheld(contest) {
        return tr("Results are withheld until the polls close").to_owned();
    }
    let Some(leader) = &contest.leader else {
        return tr("No votes yet").to_owned();
    };
    if leader.margin == 0 {
        return tie(contest);
    }
    let name = contest
        .candidates
        .iter()
        .find(|candidate| candidate.id == leader.candidate_id)
        .map_or(leader.candidate_id.as_str(), |candidate| candidate.name.as_str());
    let margin = format::counted(leader.margin, "vote", "votes");
    if leader.decided == Some(true) {
        say!("{name} can no longer be caught, {margin} ahead", name = name, margin = margin)
    } else {
        say!("{name} leads by {margin}", name = name, margin = margin)
    }
}

fn tie(contest: &ContestResult) -> String {
    let most = contest.candidates.iter().filter_map(|candidate| candidate.votes).max();
    let first: Vec<&CandidateResult> =
        contest.candidates.iter().filter(|candidate| candidate.votes == most).collect();
    let votes = format::counted(most.unwrap_or(0), "vote", "votes");
    match first.as_slice() {
        [one, other] => {
            say!("{one} and {other} are tied at {votes}", one = one.name, other = other.name, votes = votes)
        }
        _ => {
            let candidates = format::counted(first.len() as u64, "candidate is", "candidates are");
            say!("{candidates} tied at {votes}", candidates = candidates, votes = votes)
        }
    }
}

/// The second line: what was counted and what is outstanding.
#[must_use]
pub fn lede(
    results: Option<&Results>,
    contest: Option<&ContestResult>,
    election: Option<&Election>,
    offset_minutes: i32,
) -> String {
    let (Some(results), Some(contest)) = (results, contest) else {
        return before_the_first_vote(results.map(|results| results.status), election, offset_minutes);
    };
    if contest.votes == 0 {
        return before_the_first_vote(Some(results.status), election, offset_minutes);
    }
    let mut sentences = Vec::new();
    // Without a definition nobody gave the contest a name.
    if election.is_none_or(|election| election.defined) {
        sentences.push(format!("{}.", contest.title.trim_end_matches(['.', '?', '!'])));
    }
    let votes = format::counted(contest.votes, "vote", "votes");
    match contest.registered_voters {
        Some(registered) => {
            let outstanding = registered.saturating_sub(contest.votes);
            let turnout = format::percent(ratio(contest.votes, registered));
            sentences.push(say!(
                "{votes} counted, {turnout} turnout so far.",
                votes = votes,
                turnout = turnout
            ));
            sentences.extend(outlook(contest, outstanding, results.status == CountStatus::Closed));
        }
        None => {
            sentences.push(say!("{votes} counted. The size of the electorate is unknown.", votes = votes));
            if results.status == CountStatus::Closed {
                sentences.push(tr("The polls are closed.").to_owned());
            }
        }
    }
    sentences.join(" ")
}

/// What may still change; once the polls are closed nobody can vote any more, whoever hasn't.
fn outlook(contest: &ContestResult, outstanding: u64, closed: bool) -> Vec<String> {
    let decided = contest.leader.as_ref().and_then(|leader| leader.decided);
    if closed {
        return after_close(decided, outstanding);
    }
    let voters = format::counted(outstanding, "registered voter has", "registered voters have");
    vec![match decided {
        Some(true) => say!("{voters} not voted: fewer than the margin.", voters = voters),
        Some(false) => say!("Not decided: {voters} not voted.", voters = voters),
        None => say!("{voters} not voted.", voters = voters),
    }]
}

fn after_close(decided: Option<bool>, outstanding: u64) -> Vec<String> {
    let voters = format::counted(outstanding, "registered voter", "registered voters");
    let outlook = if decided == Some(true) {
        say!("Of {voters} no vote is counted: fewer than the margin.", voters = voters)
    } else {
        say!("Of {voters} no vote is counted; those cast in time may still arrive.", voters = voters)
    };
    vec![tr("The polls are closed.").to_owned(), outlook]
}

fn before_the_first_vote(
    status: Option<CountStatus>,
    election: Option<&Election>,
    offset_minutes: i32,
) -> String {
    let time = |time| format::day_and_time(time, offset_minutes);
    let opens_at = election.and_then(|election| election.opens_at);
    let closes_at = election.and_then(|election| election.closes_at);
    match (status, opens_at, closes_at) {
        (Some(CountStatus::BeforeOpen), Some(opens_at), _) => {
            say!("The polls open on {time}.", time = time(opens_at))
        }
        (Some(CountStatus::Closed), _, Some(closes_at)) => {
            say!("The polls closed on {time}.", time = time(closes_at))
        }
        _ => tr("The figures appear here as soon as the first vote is counted.").to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    #[track_caller]
    fn check(registered: Option<u64>, votes: &[Option<u64>], expected_headline: &str, expected_lede: &str) {
        let results = samples::results(1, registered, votes);
        let contest = results.contests.first();
        assert_eq!(headline(contest), expected_headline);
        let seen = lede(Some(&results), contest, Some(&samples::election()), 0);
        assert_eq!(seen.replace('\u{202f}', " "), expected_lede);
    }

    #[test]
    fn the_leader_and_what_is_outstanding() {
        check(
            Some(20_000),
            &[Some(3_000), Some(7_000)],
            "Candidate 1 leads by 4,000 votes",
            "President. 10,000 votes counted, 50.0 % turnout so far. Not decided: 10,000 registered voters have not \
             voted.",
        );
        check(
            Some(12),
            &[Some(9), Some(2)],
            "Candidate 0 can no longer be caught, 7 votes ahead",
            "President. 11 votes counted, 91.7 % turnout so far. 1 registered voter has not voted: fewer than the \
             margin.",
        );
        check(
            None,
            &[Some(1)],
            "Candidate 0 leads by 1 vote",
            "President. 1 vote counted. The size of the electorate is unknown.",
        );
    }

    #[test]
    fn after_the_polls_closed_nobody_can_vote_any_more() {
        let said = |registered, votes: &[Option<u64>]| {
            let mut results = samples::results(1, registered, votes);
            results.status = CountStatus::Closed;
            lede(Some(&results), results.contests.first(), None, 0).replace('\u{202f}', " ")
        };
        assert_eq!(
            said(Some(100), &[Some(40), Some(30)]),
            "President. 70 votes counted, 70.0 % turnout so far. The polls are closed. Of 30 registered voters no vote is \
             counted; those cast in time may still arrive."
        );
        assert_eq!(
            said(Some(12), &[Some(9), Some(2)]),
            "President. 11 votes counted, 91.7 % turnout so far. The polls are closed. Of 1 registered voter no vote is \
             counted: fewer than the margin."
        );
        assert_eq!(
            said(None, &[Some(3)]),
            "President. 3 votes counted. The size of the electorate is unknown. The polls are closed."
        );
    }

    #[test]
    fn a_contest_without_a_definition_has_no_name() {
        let results = samples::results(1, None, &[Some(2)]);
        let election = Election { defined: false, ..samples::election() };
        let lede = lede(Some(&results), results.contests.first(), Some(&election), 0);
        assert_eq!(lede, "2 votes counted. The size of the electorate is unknown.");
    }

    #[test]
    fn ties() {
        let unknown = "President. 10 votes counted. The size of the electorate is unknown.";
        check(None, &[Some(5), Some(5)], "Candidate 0 and Candidate 1 are tied at 5 votes", unknown);
        let votes = [Some(3), Some(1), Some(3), Some(3)];
        check(None, &votes, "3 candidates are tied at 3 votes", unknown);
    }

    #[test]
    fn before_the_first_vote_nobody_leads() {
        let appear = "The figures appear here as soon as the first vote is counted.";
        check(Some(10), &[Some(0), Some(0)], "No votes yet", appear);
        assert_eq!(headline(None), "No votes yet");
        let mut results = samples::results(1, None, &[Some(0)]);
        results.status = CountStatus::BeforeOpen;
        let lede = lede(Some(&results), None, Some(&samples::election()), 0);
        assert_eq!(lede, "The polls open on 3 November 2026, 20:15.");
    }

    #[test]
    fn withheld_figures_are_not_hinted_at() {
        let mut results = samples::results(1, Some(100), &[None, None]);
        results.contests[0].votes = 40;
        let contest = results.contests.first();
        assert_eq!(headline(contest), "Results are withheld until the polls close");
        let lede = lede(Some(&results), contest, None, 0).replace('\u{202f}', " ");
        assert_eq!(
            lede,
            "President. 40 votes counted, 40.0 % turnout so far. 60 registered voters have not voted."
        );
    }
}
