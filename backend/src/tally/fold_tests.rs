//! The rules at their boundaries, and the fold against a naive count.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tallyboard_shared::{Timestamp, election::Election};

use super::*;
use crate::{election, tally::merge};

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

fn defined(change: impl Fn(&str) -> String) -> Election {
    election::Definition::parse(&change(DEFINITION)).unwrap().into_election()
}

fn fold(election: &Election) -> Fold {
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

/// A vote in small numbers: voter, candidate, place, and whether the record is damaged.
type Small = (u8, u8, u8, bool);

fn write((voter, candidate, place, damaged): Small) -> String {
    let end = if damaged { "" } else { "}" };
    format!(
        r#"{{"voter_id":"v{voter}","candidate_id":"c{candidate}","voting_time":"2026-11-03 12:00:00","location_id":"p{place}"{end}"#
    )
}

fn tallies(election: &Election, log: &[Small], partitions: u32) -> Vec<PartitionTally> {
    let mut folds: Vec<_> =
        (0..partitions).map(|number| Fold::new(election, number, FingerprintKey::new([9; 16]))).collect();
    for small in log {
        let fold = &mut folds[usize::from(small.0) % partitions as usize];
        let value = write(*small);
        let record = Record {
            offset: fold.next_offset(),
            timestamp_ms: None,
            simulated: false,
            value: value.as_bytes(),
        };
        assert!(fold.record(&record).is_some());
        // Redelivery changes nothing.
        assert_eq!(fold.record(&record), None);
    }
    folds.iter().map(Fold::tally).collect()
}

proptest! {
    #[test]
    fn every_first_valid_vote_is_counted_once_however_the_log_is_partitioned(
        log in proptest::collection::vec((0..30u8, 0..4u8, 0..3u8, any::<bool>()), 0..200),
    ) {
        let election = election::undefined();
        let (mut seen, mut votes) = (BTreeSet::new(), std::collections::BTreeMap::<(u8, u8), u64>::new());
        let mut damaged_count = 0;
        for (voter, candidate, place, damaged) in &log {
            if *damaged {
                damaged_count += 1;
            } else if seen.insert(*voter) {
                *votes.entry((*candidate, *place)).or_default() += 1;
            }
        }
        for partitions in [1, 3] {
            let tallies = tallies(&election, &log, partitions);
            let results = merge(&election, tallies.iter(), 1, Timestamp::UNIX_EPOCH);
            let counted: std::collections::BTreeMap<_, _> = results.locations.iter().flat_map(|place| {
                place.contests.iter().flat_map(|contest| contest.votes.iter().flatten()).map(|(candidate, votes)| {
                    let number = |id: &str| id[1..].parse::<u8>().unwrap();
                    ((number(candidate.as_str()), number(place.id.as_str())), *votes)
                })
            }).collect();
            prop_assert_eq!(&counted, &votes);
            prop_assert_eq!(results.totals.votes, seen.len() as u64);
            let rejected = results.totals.rejected;
            prop_assert_eq!(rejected.get(&Reason::Malformed).copied().unwrap_or(0), damaged_count);
            let offsets: u64 = results.inputs.values().sum();
            prop_assert_eq!(results.totals.votes + rejected.values().sum::<u64>(), offsets);
        }
    }

    #[test]
    fn the_same_records_give_the_same_tally_byte_for_byte(
        log in proptest::collection::vec((0..30u8, 0..4u8, 0..3u8, any::<bool>()), 0..100),
    ) {
        let election = election::undefined();
        let bytes = |tallies: Vec<PartitionTally>| tallies.iter().map(PartitionTally::encode).collect::<Vec<_>>();
        prop_assert_eq!(bytes(tallies(&election, &log, 2)), bytes(tallies(&election, &log, 2)));
    }
}
