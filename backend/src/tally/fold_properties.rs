//! The fold against a naive count, against itself in pieces, and records that are read together against one by one.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tallyboard_shared::{Timestamp, election::Election};

use super::{
    tests::{defined, fold},
    *,
};
use crate::{election, tally::merge};

/// A vote in small numbers: voter, candidate, place, and whether the record is damaged.
type Small = (u8, u8, u8, bool);

fn write((voter, candidate, place, damaged): Small) -> String {
    let end = if damaged { "" } else { "}" };
    format!(
        r#"{{"voter_id":"v{voter}","candidate_id":"c{candidate}","voting_time":"2026-11-03 12:00:00","location_id":"p{place}"{end}"#
    )
}

/// Times run on with the offset, a minute and a half each, and now and then one is an hour late.
fn take(fold: &mut Fold, log: &[Small]) {
    for small in log {
        let offset = fold.next_offset();
        let minutes = offset * 3 / 2 + 60 - if offset % 7 == 6 { 60 } else { 0 };
        let time = format!("2026-11-03 {:02}:{:02}:00", 8 + minutes / 60, minutes % 60);
        let value = write(*small).replace("2026-11-03 12:00:00", &time).replace(
            "\"voter_id\"",
            "\"contest_id\":\"president\",\"gender\":\"male\",\"registered_age\":44,\"voter_id\"",
        );
        let record = Record { offset, timestamp_ms: None, simulated: false, value: value.as_bytes() };
        assert!(fold.record(&record).is_some());
    }
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
    fn a_fold_that_goes_on_from_its_tally_tells_what_it_would_have_told(
        log in proptest::collection::vec((0..30u8, 0..4u8, 0..3u8, any::<bool>()), 0..100), cut in 0..100usize,
    ) {
        let fixed = defined(|text| text.replace("c1", "c0").replace("\"c2\"", "\"c1\"").replace("\"A\"", "\"p0\"").replace("mode =", "breakdowns = [\"gender\", \"age_band\"]\nmode ="));
        for election in [election::undefined(), fixed] {
            let (before, after) = log.split_at(cut.min(log.len()));
            let mut whole = fold(&election);
            take(&mut whole, &log);
            let mut first = fold(&election);
            take(&mut first, before);
            let tally = PartitionTally::decode(&first.tally().encode()).unwrap();
            let mut second = Fold::resume(&election, &tally, first.voters).unwrap();
            prop_assert_eq!(second.tally().encode(), tally.encode());
            take(&mut second, after);
            prop_assert_eq!(second.tally().encode(), whole.tally().encode());
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

    /// With names, contests and descriptions that are new in the middle of what is read together, and repetitions.
    #[test]
    fn records_that_are_read_together_are_judged_like_one_after_the_other(
        log in proptest::collection::vec((0..40u8, 0..3u8, 0..4u8, 0..3u8, 0..8u8, 0..12u8), 0..200),
    ) {
        let fixed = defined(|text| text.replace("c1", "c0").replace("\"A\"", "\"p0\"").replace("\"mayor\"", "\"k1\""));
        for election in [election::undefined(), fixed] {
            let values: Vec<_> = log.iter().map(|(voter, contest, candidate, place, told, odd)| {
                let contest = ["president", "k1", "k2"][usize::from(*contest)];
                let tell = |bit: u8, text: &str| if told & bit == 0 { "" } else { text }.to_owned();
                let [name, party, photo] = [
                    tell(1, &format!(r#","candidate_name":"N{voter}""#)),
                    tell(2, &format!(r#","party_affiliation":"P{voter}""#)),
                    tell(4, &format!(r#","photo_url":"/{voter}""#)),
                ];
                let end = if *odd == 0 { "" } else { "}" };
                format!(
                    r#"{{"voter_id":"v{voter}","contest_id":"{contest}","candidate_id":"c{candidate}","voting_time":"2026-11-03 12:{:02}:00","location_id":"p{place}"{name}{party}{photo}{end}"#,
                    odd * 5,
                )
            }).collect();
            // Now and then a record comes that was there before.
            let offsets = (0u64..).zip(&log).map(|(n, fields)| n.saturating_sub(if fields.5 == 1 { 3 } else { 0 }));
            let records: Vec<_> = offsets
                .zip(&values)
                .map(|(offset, value)| Record { offset, timestamp_ms: None, simulated: false, value: value.as_bytes() })
                .collect();
            let (mut one_by_one, mut together) = (fold(&election), fold(&election));
            one_by_one.keep_fingerprints();
            together.keep_fingerprints();
            let mut outcomes = Vec::new();
            together.records(records.iter().copied(), |record, outcome| outcomes.push((record.offset, outcome)));
            let expected: Vec<_> = records
                .iter()
                .filter_map(|record| Some((record.offset, one_by_one.record(record)?)))
                .collect();
            prop_assert_eq!(outcomes, expected);
            prop_assert_eq!(together.fingerprints(), one_by_one.fingerprints());
            prop_assert_eq!(together.tally().encode(), one_by_one.tally().encode());
        }
    }
}
