//! Names beyond the bounds, regions, parties and breakdowns of merged tallies.

use proptest::prelude::*;

use super::*;
use crate::{
    election,
    tally::{Cell, FingerprintKey, Fold, GroupCell, Record, Windows, merge_timeline},
};

/// A tally without votes that discovered these places.
fn places(partition: u32, names: impl Iterator<Item = String>) -> PartitionTally {
    let discovered = Discovered {
        contests: vec!["k".into()],
        candidates: vec![DiscoveredCandidate { id: "c".into(), ..DiscoveredCandidate::default() }],
        locations: names.collect(),
    };
    let tally = PartitionTally::sample(&election::undefined(), partition, 0, Vec::new());
    PartitionTally { discovered: Some(discovered), ..tally }
}

/// One vote at every place.
fn with_votes(tally: PartitionTally) -> PartitionTally {
    let count = tally.discovered.as_ref().map_or(0, |told| told.locations.len());
    let count = u32::try_from(count).unwrap();
    let cells = (0..count).map(|location| Cell { candidate: 0, location, votes: 1 }).collect();
    let sample = PartitionTally::sample(&election::undefined(), tally.partition, count.into(), cells);
    PartitionTally { discovered: tally.discovered, ..sample }
}

#[test]
fn the_names_of_all_partitions_together_keep_the_bounds_of_one() {
    let election = election::undefined();
    let honest = || (0..50_000).map(|number| format!("honest{number}"));
    let flood = |name: &'static str| (0..50_000).map(move |number| format!("{name}{number}"));
    let tallies: Vec<_> = [("a", 0), ("b", 1), ("c", 2)]
        .map(|(name, partition)| with_votes(places(partition, honest().chain(flood(name)))))
        .into();
    let results = merge(&election, tallies.iter(), 1, Timestamp::UNIX_EPOCH);
    assert_eq!(results.locations.len(), 100_000);
    assert_eq!(results.locations.iter().filter(|place| place.name.starts_with("honest")).count(), 50_000);
    // What was counted under a name that nobody is shown is among the rejected.
    assert_eq!(results.totals.votes, 200_000);
    assert_eq!(results.totals.rejected, BTreeMap::from([(Reason::UnknownLocation, 100_000)]));
    let backwards = merge(&election, tallies.iter().rev(), 1, Timestamp::UNIX_EPOCH);
    assert_eq!(backwards, results);
}

#[test]
fn candidates_and_contests_beyond_the_bounds_are_unknown() {
    let election = election::undefined();
    let tally = |partition: u32, contests: u32, candidates: u32| {
        let told = Discovered {
            contests: (0..contests).map(|number| format!("k{partition}-{number}")).collect(),
            candidates: (0..candidates)
                .map(|number| DiscoveredCandidate {
                    contest: number % contests,
                    id: format!("c{partition}-{number}"),
                    ..DiscoveredCandidate::default()
                })
                .collect(),
            locations: vec!["p".into()],
        };
        let cells = (0..candidates).map(|candidate| Cell { candidate, location: 0, votes: 1 }).collect();
        let sample = PartitionTally::sample(&election, partition, candidates.into(), cells);
        PartitionTally { discovered: Some(told), ..sample }
    };
    let many_contests = [tally(0, 60, 60), tally(1, 60, 60)];
    let results = merge(&election, many_contests.iter(), 1, Timestamp::UNIX_EPOCH);
    assert_eq!((results.contests.len(), results.totals.votes), (100, 100));
    assert_eq!(results.totals.rejected, BTreeMap::from([(Reason::UnknownContest, 20)]));
    let many_candidates = [tally(0, 1, 7_000), tally(1, 1, 7_000)];
    let results = merge(&election, many_candidates.iter(), 1, Timestamp::UNIX_EPOCH);
    assert_eq!(results.contests.iter().map(|contest| contest.candidates.len()).sum::<usize>(), 10_000);
    assert_eq!(results.totals.rejected, BTreeMap::from([(Reason::UnknownCandidate, 4_000)]));
    // The timeline shows the votes that the results show.
    let timeline = merge_timeline(&election, many_candidates.iter(), &results);
    let votes =
        timeline.windows.iter().flat_map(|window| window.contests.values()).map(|contest| contest.votes);
    assert_eq!(votes.sum::<u64>(), 10_000);
}

const NESTED: &str = r#"
id = "nested"
title = "Nested"
mode = "test"
breakdowns = ["age_band", "gender"]
contests = [
    { id = "k", title = "K", candidates = [{ id = "a", name = "A", party = "Union" }, { id = "b", name = "B" }] },
    { id = "j", title = "J", candidates = [{ id = "d", name = "D", party = "Union" }] },
]
locations = [
    { id = "country", name = "Country" },
    { id = "north", name = "North", parent = "country" },
    { id = "n1", name = "N1", registered_voters = 30, parent = "north" },
    { id = "n2", name = "N2", registered_voters = 20, parent = "north", contests = ["k"] },
    { id = "s1", name = "S1", registered_voters = 50, parent = "country" },
    { id = "abroad", name = "Abroad", registered_voters = 7 },
]
"#;

#[test]
fn regions_add_up_their_parts_at_every_level() {
    let election = election::Definition::parse(NESTED).unwrap().into_election();
    let cells = [(0, 2, 10), (0, 3, 4), (0, 5, 1), (1, 1, 2), (1, 4, 5), (2, 2, 12)];
    let cells = cells.map(|(candidate, location, votes)| Cell { candidate, location, votes });
    let tally = PartitionTally::sample(&election, 0, 40, cells.to_vec());
    assert!(tally.fits(&election));
    let results = merge(&election, [&tally].into_iter(), 1, Timestamp::UNIX_EPOCH);
    let split = |region: &LocationResult| {
        let contests = region.contests.iter().map(|contest| {
            let votes = contest.votes.iter().flatten().map(|(id, votes)| format!("{id}{votes}"));
            format!("{} {}", contest.id, votes.collect::<Vec<_>>().join(" "))
        });
        contests.collect::<Vec<_>>().join(", ")
    };
    let seen: Vec<_> = results
        .regions
        .iter()
        .map(|region| (region.id.as_str(), region.votes, region.registered_voters, split(region)))
        .collect();
    let expected = [
        ("country", 23, Some(100), "j d12, k a14 b7".to_owned()),
        ("north", 18, Some(50), "j d12, k a14 b2".to_owned()),
    ];
    assert_eq!(seen, expected);
    assert_eq!(results.regions[1].turnout, Some(0.36));
    // A place that only stands for its parts doesn't make the electorate unknown.
    assert_eq!(results.totals.registered_voters, Some(107));
    assert_eq!(results.contests[0].registered_voters, Some(107));
    assert_eq!(results.contests[1].registered_voters, Some(87));
    assert_eq!((results.parties[0].votes, results.parties[0].contests_led), (Some(27), Some(2)));
}

#[test]
fn groups_are_counted_in_every_contest_and_add_up_over_partitions() {
    let election = election::Definition::parse(NESTED).unwrap().into_election();
    let vote = |voter: &str, contest: &str, candidate: &str, place: &str, more: &str| {
        format!(
            r#"{{"voter_id":"{voter}","contest_id":"{contest}","candidate_id":"{candidate}","location_id":"{place}","voting_time":"2026-11-03 12:00:00"{more}}}"#
        )
    };
    let votes = [
        vote("v1", "k", "a", "n1", r#","gender":"female","registered_age":30"#),
        vote("v1", "j", "d", "n1", r#","gender":"female","registered_age":30"#),
        vote("v2", "k", "b", "n2", r#","gender":"female""#),
        vote("v3", "k", "b", "n2", ""),
        vote("v3", "k", "b", "n2", r#","gender":"male""#),
    ];
    let tallies = [0u32, 1].map(|partition| {
        let mut fold = Fold::new(&election, partition, FingerprintKey::new([1; 16]));
        for (offset, value) in (0..).zip(&votes) {
            let record = Record { offset, timestamp_ms: None, simulated: false, value: value.as_bytes() };
            assert!(fold.record(&record).is_some());
        }
        fold.tally()
    });
    assert!(tallies.iter().all(|tally| tally.fits(&election)));
    let results = merge(&election, tallies.iter(), 1, Timestamp::UNIX_EPOCH);
    let seen: Vec<_> = results
        .breakdowns
        .iter()
        .map(|group| {
            let votes = group.candidates.iter().flatten().map(|(id, votes)| format!("{id}{votes}"));
            let by = serde_json::to_value(group.by).unwrap();
            format!(
                "{} {} {}: {}",
                by.as_str().unwrap(),
                group.contest,
                group.group,
                votes.collect::<String>()
            )
        })
        .collect();
    let expected = [
        "gender j female: d2",
        "gender k female: a2b2",
        "gender k unknown: b2",
        "age_band j 25_34: d2",
        "age_band k 25_34: a2",
        "age_band k unknown: b4",
    ];
    assert_eq!(seen, expected);
}

proptest! {
    /// Whatever a tally holds: where it fits, it can be merged.
    #[test]
    fn a_tally_that_fits_never_breaks_the_merge(
        cells in proptest::collection::vec((0..5u32, 0..8u32, 0..9u64), 0..6),
        last_cell in prop_oneof![0..9u64, Just(u64::MAX)],
        groups in proptest::collection::vec((0..5u32, 0..14u32, prop_oneof![0..9u64, Just(u64::MAX)]), 0..6),
        windows in proptest::collection::vec((any::<i64>(), 0..5u32, 0..9u64), 0..4),
        (width_ms, next_offset, newest_ms, late) in
            (prop_oneof![Just(60_000), any::<i64>()], prop_oneof![0..99u64, any::<u64>()], any::<Option<i64>>(), 0..9u64),
    ) {
        let election = election::Definition::parse(NESTED).unwrap().into_election();
        let cell = |(candidate, location, votes)| Cell { candidate, location, votes };
        let sample = PartitionTally::sample(&election, 0, next_offset, cells.into_iter().map(cell).collect());
        let mut broken = sample.clone();
        if let Some(cell) = broken.cells.last_mut() {
            cell.votes = last_cell;
        }
        let tallies = [
            broken,
            PartitionTally { late, newest_ms, ..sample.clone() },
            PartitionTally {
                breakdowns: groups.into_iter().map(|(candidate, group, votes)| GroupCell { candidate, group, votes }).collect(),
                ..sample.clone()
            },
            PartitionTally {
                timeline: Windows {
                    width_ms,
                    windows: windows.into_iter().map(|(number, candidate, votes)| crate::tally::Window { number, votes: vec![(candidate, votes)] }).collect(),
                },
                ..sample.clone()
            },
            sample,
        ];
        for tally in tallies.iter().filter(|tally| tally.fits(&election)) {
            let results = merge(&election, [tally, tally].into_iter(), 1, Timestamp::UNIX_EPOCH);
            let timeline = merge_timeline(&election, [tally].into_iter(), &results);
            let contests = timeline.windows.iter().flat_map(|window| window.contests.values());
            prop_assert_eq!(2 * contests.map(|contest| contest.votes).sum::<u64>(), results.totals.votes);
        }
    }
}
