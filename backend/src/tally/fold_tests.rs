//! The rules at their boundaries.

use std::collections::BTreeSet;

use tallyboard_shared::{Timestamp, election::Election};

use super::*;
use crate::election;

const DEFINITION: &str = r#"
id = "test"
title = "Test"
mode = "live"
opens_at = "2026-11-03T07:00:00Z"
closes_at = "2026-11-03T20:00:00Z"

[[contests]]
id = "president"
title = "President"
candidates = [{ id = "c1", name = "One" }, { id = "c2", name = "Two" }]

[[contests]]
id = "mayor"
title = "Mayor"
candidates = [{ id = "m1", name = "Mayor One" }]

[[locations]]
id = "A"
name = "Alder"
registered_voters = 100

[[locations]]
id = "B"
name = "Brant"
contests = ["president"]
"#;

pub(super) fn defined(change: impl Fn(&str) -> String) -> Election {
    election::Definition::parse(&change(DEFINITION)).unwrap().into_election()
}

pub(super) fn fold(election: &Election) -> Fold {
    Fold::new(election, 0, FingerprintKey::new([1; 16]))
}

struct Ballots {
    fold: Fold,
    offset: u64,
}

impl Ballots {
    fn new(election: &Election) -> Self {
        Self { fold: fold(election), offset: 0 }
    }

    fn cast_record(&mut self, value: &str, timestamp: &str, simulated: bool) -> Outcome {
        let timestamp_ms = Some(timestamp.parse::<Timestamp>().unwrap().as_millisecond());
        let record = Record { offset: self.offset, timestamp_ms, simulated, value: value.as_bytes() };
        self.offset += 1;
        self.fold.record(&record).unwrap()
    }

    fn cast(&mut self, voter: &str, contest: &str, candidate: &str, place: &str, time: &str) -> Outcome {
        let vote = format!(
            r#"{{"voter_id":"{voter}","contest_id":"{contest}","candidate_id":"{candidate}","voting_time":"{time}","location_id":"{place}"}}"#
        );
        self.cast_record(&vote, "2026-11-03T20:00:00Z", false)
    }
}

const NOON: &str = "2026-11-03 12:00:00";
const COUNTED: Outcome = Outcome::Counted { late: false };

fn rejected(reason: Reason) -> Outcome {
    Outcome::Rejected(reason)
}

#[test]
fn the_first_vote_of_a_voter_in_a_contest_wins() {
    let mut ballots = Ballots::new(&defined(str::to_owned));
    assert_eq!(ballots.cast("ada", "president", "c1", "A", NOON), COUNTED);
    assert_eq!(ballots.cast("ada", "president", "c2", "A", NOON), rejected(Reason::DuplicateVoter));
    assert_eq!(ballots.cast("ada", "mayor", "m1", "A", NOON), COUNTED);
    assert_eq!(ballots.cast("ada", "mayor", "m1", "B", NOON), rejected(Reason::NotOnBallot));
    let cells = ballots.fold.tally().cells;
    assert_eq!(
        cells.iter().map(|cell| (cell.candidate, cell.location, cell.votes)).collect::<Vec<_>>(),
        [(0, 0, 1), (2, 0, 1)]
    );
}

#[test]
fn a_rejected_vote_does_not_use_up_the_voter() {
    let mut ballots = Ballots::new(&defined(str::to_owned));
    assert_eq!(ballots.cast("ada", "president", "c9", "A", NOON), rejected(Reason::UnknownCandidate));
    assert_eq!(ballots.cast("ada", "president", "c1", "A", NOON), COUNTED);
}

#[test]
fn names_are_checked_against_the_definition() {
    let mut ballots = Ballots::new(&defined(str::to_owned));
    assert_eq!(ballots.cast("v1", "king", "c1", "A", NOON), rejected(Reason::UnknownContest));
    assert_eq!(ballots.cast("v1", "mayor", "c1", "A", NOON), rejected(Reason::UnknownCandidate));
    assert_eq!(ballots.cast("v1", "president", "c1", "Z", NOON), rejected(Reason::UnknownLocation));
    assert_eq!(ballots.cast("v1", "president", "c1", "Alder", NOON), COUNTED);
    let without_contest =
        r#"{"voter_id":"v2","candidate_id":"c1","voting_time":"2026-11-03 12:00:00","location_id":"A"}"#;
    assert_eq!(
        ballots.cast_record(without_contest, "2026-11-03T12:00:00Z", false),
        rejected(Reason::MissingField)
    );
}

/// The fields of a vote that is counted, with some of them written anew; a field written as nothing is left out.
fn vote_with(changes: &[(&str, &str)]) -> String {
    let sound = [
        ("voter_id", "\"v\""),
        ("contest_id", "\"president\""),
        ("candidate_id", "\"c1\""),
        ("voting_time", "\"2026-11-03T12:00:00Z\""),
        ("location_id", "\"A\""),
    ];
    let mut fields: std::collections::BTreeMap<_, _> = sound.into();
    fields.extend(changes.iter().copied());
    fields.retain(|_, value| !value.is_empty());
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// For every reason: records on either side of its boundary, the first counted, the second rejected.
fn boundaries() -> Vec<(Reason, String, String)> {
    let one = |name: &str, value: &str| vote_with(&[(name, value)]);
    let pair =
        |reason, name: &str, counted: &str, rejected: &str| (reason, one(name, counted), one(name, rejected));
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    let room = 64 * 1024 - one("email", "\"\"").len();
    vec![
        pair(Reason::Malformed, "voting_time", "\"2026-11-03 12:00:00\"", "\"2026-11-03 12:00\""),
        pair(Reason::Malformed, "voter_id", "\"7\"", "7"),
        (Reason::Malformed, vote_with(&[]), vote_with(&[]).replace('}', "")),
        pair(Reason::MissingField, "voter_id", "\" \"", "\"\""),
        pair(Reason::MissingField, "location_id", "\"A\"", "null"),
        // There are two contests.
        pair(Reason::MissingField, "contest_id", "\"president\"", ""),
        pair(Reason::TooLarge, "email", &text(room), &text(room + 1)),
        pair(Reason::TooLarge, "voter_id", &text(256), &text(257)),
        pair(Reason::InvalidWeight, "vote", "1", "-1"),
        pair(Reason::InvalidWeight, "vote", "1", "2"),
        pair(Reason::InvalidWeight, "vote", "null", "0"),
        pair(Reason::MissingField, "contest_id", "\"president\"", "\"\""),
        pair(Reason::MissingField, "candidate_id", "\"c1\"", "\"\""),
        pair(Reason::MissingField, "voting_time", "\"2026-11-03T12:00:00Z\"", "null"),
        pair(Reason::UnknownContest, "contest_id", "\"president\"", "\"President\""),
        pair(Reason::UnknownCandidate, "candidate_id", "\"c2\"", "\"m1\""),
        pair(Reason::UnknownLocation, "location_id", "\"Brant\"", "\"brant\""),
        (
            Reason::NotOnBallot,
            vote_with(&[("location_id", "\"B\"")]),
            vote_with(&[("location_id", "\"B\""), ("contest_id", "\"mayor\""), ("candidate_id", "\"m1\"")]),
        ),
        (
            Reason::DuplicateVoter,
            vote_with(&[("voter_id", "\"ada\""), ("contest_id", "\"mayor\""), ("candidate_id", "\"m1\"")]),
            vote_with(&[("voter_id", "\"ada\""), ("candidate_id", "\"c2\"")]),
        ),
        pair(Reason::BeforeOpen, "voting_time", "\"2026-11-03T07:00:00Z\"", "\"2026-11-03T06:59:59.999Z\""),
        pair(Reason::AfterClose, "voting_time", "\"2026-11-03T19:59:59.999Z\"", "\"2026-11-03T20:00:00Z\""),
        pair(Reason::FutureTime, "voting_time", "\"2026-11-03T19:55:00Z\"", "\"2026-11-03T19:55:00.001Z\""),
        pair(Reason::Late, "voting_time", "\"2026-11-03T11:59:00Z\"", "\"2026-11-03T11:58:59.999Z\""),
    ]
}

#[test]
fn every_reason_is_given_behind_its_boundary_and_not_before_it() {
    let mut seen = BTreeSet::from([Reason::SimulatedInLive]);
    for (reason, counted, broken) in boundaries() {
        seen.insert(reason);
        // The rule of late votes would cover those before the opening, the skew those after the closing.
        let election = defined(|text| match reason {
            Reason::Late => format!("late_policy = \"reject\"\n{text}"),
            _ => text.to_owned(),
        });
        let written =
            if reason == Reason::FutureTime { "2026-11-03T19:50:00Z" } else { "2026-11-03T19:59:00Z" };
        let mut ballots = Ballots::new(&election);
        assert_eq!(ballots.cast("ada", "president", "c1", "A", NOON), COUNTED);
        let outcome = ballots.cast_record(&counted, written, false);
        assert!(matches!(outcome, Outcome::Counted { .. }), "{reason}: {outcome:?} {counted}");
        let before = ballots.fold.tally();
        assert_eq!(ballots.cast_record(&broken, written, false), rejected(reason), "{broken}");
        // A rejection leaves a number and nothing else.
        let mut after = ballots.fold.tally();
        assert_eq!(after.rejected.remove(&reason), Some(1));
        assert_eq!(after, PartitionTally { next_offset: before.next_offset + 1, ..before });
    }
    let mut ballots = Ballots::new(&defined(str::to_owned));
    let vote = vote_with(&[]);
    assert_eq!(ballots.cast_record(&vote, "2026-11-03T12:00:00Z", true), rejected(Reason::SimulatedInLive));
    assert_eq!(ballots.cast_record(&vote, "2026-11-03T12:00:00Z", false), COUNTED);
    assert_eq!(seen.len(), Reason::ALL.len(), "{seen:?}");
}

#[test]
fn where_a_record_breaks_several_rules_the_first_of_them_is_told() {
    let mut ballots = Ballots::new(&defined(|text| format!("late_policy = \"reject\"\n{text}")));
    assert_eq!(ballots.cast("ada", "president", "c1", "A", NOON), COUNTED);
    let mut fields = vec![
        ("voter_id", "\"ada\""),
        ("voting_time", "\"2026-11-03T06:00:00Z\""),
        ("location_id", "\"Z\""),
        ("candidate_id", "\"Z\""),
        ("contest_id", "\"Z\""),
        ("vote", "2"),
    ];
    let mut told = Vec::new();
    let mut simulated = true;
    while let Outcome::Rejected(reason) =
        ballots.cast_record(&vote_with(&fields), "2026-11-03T12:00:00Z", simulated)
    {
        told.push(reason);
        match reason {
            Reason::SimulatedInLive => simulated = false,
            Reason::BeforeOpen => fields[1].1 = "\"2026-11-03T08:00:00Z\"",
            Reason::Late => fields[1].1 = "\"2026-11-03T12:00:00Z\"",
            Reason::DuplicateVoter => fields[0].1 = "\"bo\"",
            _ => {
                fields.pop();
            }
        }
    }
    let order = [
        Reason::InvalidWeight,
        Reason::SimulatedInLive,
        Reason::BeforeOpen,
        Reason::UnknownContest,
        Reason::UnknownCandidate,
        Reason::UnknownLocation,
        Reason::Late,
        Reason::DuplicateVoter,
    ];
    assert_eq!(told, order);
}

#[test]
fn polls_open_at_the_moment_and_close_before_it() {
    let mut ballots = Ballots::new(&defined(str::to_owned));
    let times = [
        ("2026-11-03T06:59:59.999Z", rejected(Reason::BeforeOpen)),
        ("2026-11-03T07:00:00Z", COUNTED),
        ("2026-11-03T19:59:59.999Z", COUNTED),
        ("2026-11-03T20:00:00Z", rejected(Reason::AfterClose)),
    ];
    for (number, (time, outcome)) in times.into_iter().enumerate() {
        assert_eq!(ballots.cast(&format!("v{number}"), "president", "c1", "A", time), outcome, "{time}");
    }
}

#[test]
fn the_future_is_measured_against_the_record_and_not_the_clock() {
    let mut ballots = Ballots::new(&defined(|text| format!("max_clock_skew = \"5m\"\n{text}")));
    let vote = |voter: &str, time: &str| {
        format!(
            r#"{{"voter_id":"{voter}","contest_id":"mayor","candidate_id":"m1","voting_time":"{time}","location_id":"A"}}"#
        )
    };
    let written = "2026-11-03T12:00:00Z";
    let far = vote("v1", "2026-11-03T12:05:00.001Z");
    assert_eq!(ballots.cast_record(&far, written, false), rejected(Reason::FutureTime));
    assert_eq!(ballots.cast_record(&vote("v1", "2026-11-03T12:05:00Z"), written, false), COUNTED);
    // Where the journal doesn't say when a record was written, nothing lies in its future.
    let far = vote("v2", "2026-11-03T19:59:59.999Z");
    let record = Record { offset: 2, timestamp_ms: None, simulated: false, value: far.as_bytes() };
    assert_eq!(ballots.fold.record(&record), Some(COUNTED));
}

#[test]
fn a_record_that_is_written_at_the_end_of_time_does_no_harm() {
    let mut ballots = Ballots::new(&defined(str::to_owned));
    for (offset, timestamp_ms) in [(0, i64::MAX), (1, i64::MIN)] {
        let vote = vote_with(&[("voter_id", &format!("\"{offset}\""))]);
        let record =
            Record { offset, timestamp_ms: Some(timestamp_ms), simulated: false, value: vote.as_bytes() };
        let expected = if offset == 0 { COUNTED } else { rejected(Reason::FutureTime) };
        assert_eq!(ballots.fold.record(&record), Some(expected));
    }
}

#[test]
fn late_votes_are_counted_and_flagged_or_rejected_by_policy() {
    let early = "2026-11-03 11:58:59";
    let mut counting = Ballots::new(&defined(str::to_owned));
    assert_eq!(counting.cast("v1", "president", "c1", "A", NOON), COUNTED);
    assert_eq!(counting.cast("v2", "president", "c1", "A", "2026-11-03 11:59:00"), COUNTED);
    assert_eq!(counting.cast("v3", "president", "c1", "A", early), Outcome::Counted { late: true });
    assert_eq!((counting.fold.tally().late, counting.fold.tally().cells[0].votes), (1, 3));

    let mut rejecting = Ballots::new(&defined(|text| format!("late_policy = \"reject\"\n{text}")));
    assert_eq!(rejecting.cast("v1", "president", "c1", "A", NOON), COUNTED);
    assert_eq!(rejecting.cast("v3", "president", "c1", "A", early), rejected(Reason::Late));
}

#[test]
fn a_live_election_refuses_simulated_votes() {
    let vote = r#"{"voter_id":"v","contest_id":"mayor","candidate_id":"m1","voting_time":"2026-11-03 12:00:00","location_id":"A"}"#;
    let cast = |election: &Election| Ballots::new(election).cast_record(vote, "2026-11-03T12:00:00Z", true);
    assert_eq!(cast(&defined(str::to_owned)), rejected(Reason::SimulatedInLive));
    assert_eq!(cast(&defined(|text| text.replace("\"live\"", "\"test\""))), COUNTED);
}

#[test]
fn without_a_definition_names_come_from_the_votes_up_to_the_bounds() {
    let mut ballots = Ballots::new(&election::undefined());
    for number in 0..10_000 {
        assert_eq!(ballots.cast(&format!("v{number}"), "k", &format!("c{number}"), "A", NOON), COUNTED);
    }
    assert_eq!(ballots.cast("one more", "k", "c10000", "A", NOON), rejected(Reason::UnknownCandidate));
    assert_eq!(ballots.cast("one more", "k", "c9999", "A", NOON), COUNTED);
    let discovered = ballots.fold.tally().discovered.unwrap();
    assert_eq!((discovered.candidates.len(), discovered.locations), (10_000, vec!["A".to_owned()]));
}

#[test]
fn names_from_votes_are_bounded_in_number_and_in_length() {
    let mut ballots = Ballots::new(&election::undefined());
    let id = |length: usize| "x".repeat(length);
    assert_eq!(ballots.cast("v", "k", &id(129), "A", NOON), rejected(Reason::UnknownCandidate));
    assert_eq!(ballots.cast("v", "k", "c", &id(129), NOON), rejected(Reason::UnknownLocation));
    assert_eq!(ballots.cast("v", &id(129), "c", "A", NOON), rejected(Reason::UnknownContest));
    assert_eq!(ballots.cast("v", &id(128), &id(128), &id(128), NOON), COUNTED);
    for number in 1..100 {
        assert_eq!(ballots.cast("v", &format!("k{number}"), "c", "A", NOON), COUNTED);
    }
    assert_eq!(ballots.cast("v", "k100", "c", "A", NOON), rejected(Reason::UnknownContest));
    for number in 2..100_000 {
        assert_eq!(ballots.cast(&format!("v{number}"), "k1", "c", &format!("p{number}"), NOON), COUNTED);
    }
    assert_eq!(ballots.cast("w", "k1", "c", "one more", NOON), rejected(Reason::UnknownLocation));
    assert_eq!(ballots.cast("w", "k1", "c", "p99999", NOON), COUNTED);
}

#[test]
fn descriptions_that_are_too_long_are_not_taken_up() {
    let mut ballots = Ballots::new(&election::undefined());
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    for (voter, name, photo) in [("\"a\"", 257, 1025), ("\"b\"", 256, 1024), ("\"c\"", 1, 1)] {
        let fields = [("voter_id", voter), ("candidate_name", &text(name)), ("photo_url", &text(photo))];
        assert_eq!(ballots.cast_record(&vote_with(&fields), "2026-11-03T12:00:00Z", false), COUNTED);
    }
    let known = ballots.fold.tally().discovered.unwrap().candidates.remove(0);
    assert_eq!((known.name.unwrap().len(), known.photo_url.unwrap().len()), (256, 1024));
}

#[test]
fn only_counted_votes_bring_new_names() {
    let mut ballots = Ballots::new(&election::undefined());
    assert_eq!(ballots.cast("ada", "k", "c1", "A", NOON), COUNTED);
    for number in 0..10_000 {
        let junk = format!("junk{number}");
        assert_eq!(ballots.cast("ada", "k", &junk, &junk, NOON), rejected(Reason::DuplicateVoter));
    }
    assert_eq!(ballots.cast("bo", "k", "c2", "B", NOON), COUNTED);
    let discovered = ballots.fold.tally().discovered.unwrap();
    assert_eq!((discovered.candidates.len(), discovered.locations.len()), (2, 2));
}
