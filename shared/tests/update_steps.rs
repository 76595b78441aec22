//! Whatever two versions of the results look like, applying the step between them leads from one to the other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use tallyboard_shared::{
    Timestamp,
    election::{Breakdown, Mode},
    ids::{CandidateId, ContestId, ElectionId, LocationId, Partition},
    message::{ClientMessage, ServerMessage},
    reason::Reason,
    results::{
        CandidateResult, ContestResult, CountStatus, ElectionRef, GroupResult, LocationContest,
        LocationResult, Results, Totals,
    },
    timeline::{Timeline, TimelineUpdate, Window, WindowContest},
    update::{Gap, Update},
};

/// Votes by (contest, candidate, place), all small numbers, so that collisions are frequent.
type Cells = BTreeMap<(u8, u8, u8), u64>;

fn cells() -> impl Strategy<Value = Cells> {
    proptest::collection::btree_map((0..2u8, 0..4u8, 0..4u8), 1..50u64, 0..20)
}

fn results(version: u64, cells: &Cells, withheld: bool) -> Results {
    let mut contests = BTreeMap::<u8, BTreeMap<u8, u64>>::new();
    let mut locations = BTreeMap::<u8, BTreeMap<u8, BTreeMap<CandidateId, u64>>>::new();
    let mut regions = BTreeMap::<u8, BTreeMap<u8, BTreeMap<CandidateId, u64>>>::new();
    let mut groups = BTreeMap::<(u8, u8), BTreeMap<CandidateId, u64>>::new();
    for ((contest, candidate, place), votes) in cells {
        let id = CandidateId::new(format!("c{candidate}"));
        let region = regions.entry(place % 2).or_default().entry(*contest).or_default();
        *region.entry(id.clone()).or_default() += votes;
        *groups.entry((*contest, *place)).or_default().entry(id).or_default() += votes;
        *contests.entry(*contest).or_default().entry(*candidate).or_default() += votes;
        let split = locations.entry(*place).or_default().entry(*contest).or_default();
        split.insert(CandidateId::new(format!("c{candidate}")), *votes);
    }
    let mut results = Results {
        version,
        election: ElectionRef {
            id: ElectionId::new("e"),
            title: "E".into(),
            mode: Mode::Test,
            definition_hash: "h".into(),
        },
        status: CountStatus::Counting,
        as_of: Timestamp::from_millisecond(version.try_into().unwrap()).unwrap(),
        watermark: None,
        totals: Totals {
            votes: cells.values().sum(),
            registered_voters: None,
            turnout: None,
            late: 0,
            rejected: BTreeMap::from([(Reason::Malformed, version)]),
        },
        contests: contests.iter().map(|(id, candidates)| contest(*id, candidates, withheld)).collect(),
        locations: locations.iter().map(|(id, contests)| location(*id, contests, withheld)).collect(),
        regions: regions.iter().map(|(id, contests)| location(*id, contests, withheld)).collect(),
        parties: Vec::new(),
        breakdowns: groups.iter().map(|(key, votes)| group(*key, votes, withheld)).collect(),
        inputs: BTreeMap::from([(Partition(0), version), (Partition(1), 7)]),
    };
    results.derive();
    results
}

fn contest(id: u8, candidates: &BTreeMap<u8, u64>, withheld: bool) -> ContestResult {
    let candidates = candidates.iter().map(|(candidate, votes)| CandidateResult {
        id: CandidateId::new(format!("c{candidate}")),
        name: format!("Candidate {candidate}"),
        party: (candidate % 2 == 0).then(|| "Even".into()),
        color: None,
        photo_url: None,
        votes: (!withheld).then_some(*votes),
        share: None,
    });
    ContestResult {
        id: ContestId::new(format!("k{id}")),
        title: format!("Contest {id}"),
        votes: 0,
        registered_voters: None,
        leader: None,
        candidates: candidates.collect(),
    }
}

fn group((contest, group): (u8, u8), votes: &BTreeMap<CandidateId, u64>, withheld: bool) -> GroupResult {
    GroupResult {
        by: Breakdown::Gender,
        group: Breakdown::Gender.groups()[usize::from(group)].into(),
        contest: ContestId::new(format!("k{contest}")),
        votes: votes.values().sum(),
        candidates: (!withheld).then(|| votes.clone()),
    }
}

/// The places of the cells are the windows here.
fn timeline(version: u64, width_ms: i64, cells: &Cells) -> Timeline {
    let mut windows = BTreeMap::<i64, BTreeMap<ContestId, BTreeMap<CandidateId, u64>>>::new();
    for ((contest, candidate, window), votes) in cells {
        let contests = windows.entry(i64::from(*window) * 60_000 / width_ms * width_ms).or_default();
        let candidates = contests.entry(ContestId::new(format!("k{contest}"))).or_default();
        *candidates.entry(CandidateId::new(format!("c{candidate}"))).or_default() += votes;
    }
    let contest =
        |votes: BTreeMap<_, u64>| WindowContest { votes: votes.values().sum(), candidates: Some(votes) };
    let window = |(start, contests): (i64, BTreeMap<_, _>)| Window {
        start: Timestamp::from_millisecond(start).unwrap(),
        is_final: false,
        contests: contests.into_iter().map(|(id, votes)| (id, contest(votes))).collect(),
    };
    let watermark = i64::try_from(version).unwrap() * 30_000;
    let mut timeline = Timeline {
        version,
        watermark: Some(Timestamp::from_millisecond(watermark).unwrap()),
        width_ms,
        windows: windows.into_iter().map(window).collect(),
    };
    timeline.derive();
    timeline
}

fn location(id: u8, contests: &BTreeMap<u8, BTreeMap<CandidateId, u64>>, withheld: bool) -> LocationResult {
    LocationResult {
        id: LocationId::new(format!("p{id}")),
        name: format!("Place {id}"),
        votes: contests.values().map(|votes| votes.values().sum()).max().unwrap_or(0),
        registered_voters: None,
        turnout: None,
        contests: contests
            .iter()
            .map(|(contest, votes)| LocationContest {
                id: ContestId::new(format!("k{contest}")),
                votes: (!withheld).then(|| votes.clone()),
            })
            .collect(),
    }
}

proptest! {
    /// Whatever was done to a frame, reading it ends, and with no more memory than its length is worth.
    #[test]
    fn a_damaged_frame_is_read_or_refused(
        cells in cells(), damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let step = Update::between(&results(3, &Cells::new(), false), &results(5, &cells, false)).unwrap();
        let mut frame = ServerMessage::Update(Box::new(step)).to_binary();
        for (position, byte) in damage {
            let position = position.index(frame.len());
            frame[position] = byte;
        }
        // Damage that leaves a message behind changes a figure, and can't be told from one.
        drop(ServerMessage::from_binary(&frame));
        drop(ClientMessage::from_binary(&frame));
    }

    #[test]
    fn applying_the_step_between_two_versions_leads_to_the_second(
        old in cells(), added in cells(), was_withheld: bool, is_withheld: bool,
    ) {
        let mut grown = old.clone();
        for (cell, votes) in added {
            *grown.entry(cell).or_default() += votes;
        }
        let (old, new) = (results(3, &old, was_withheld), results(5, &grown, is_withheld));
        let step = Update::between(&old, &new).unwrap();
        let frame = ServerMessage::Update(Box::new(step.clone())).to_binary();
        prop_assert_eq!(ServerMessage::from_binary(&frame), Ok(ServerMessage::Update(Box::new(step.clone()))));
        let step: Update = serde_json::from_str(&serde_json::to_string(&step).unwrap()).unwrap();
        let mut applied = old;
        applied.apply(&step).unwrap();
        prop_assert_eq!(applied, new);
    }

    #[test]
    fn applying_the_step_between_two_timelines_leads_to_the_second(
        old in cells(), added in cells(), coarser: bool,
    ) {
        let mut grown = old.clone();
        for (cell, votes) in added {
            *grown.entry(cell).or_default() += votes;
        }
        let old = timeline(3, 60_000, &old);
        let new = timeline(5, if coarser { 120_000 } else { 60_000 }, &grown);
        let step = TimelineUpdate::between(Some(&old), &new);
        let step: Option<TimelineUpdate> =
            serde_json::from_str(&serde_json::to_string(&step).unwrap()).unwrap();
        let mut applied = old.clone();
        applied.apply(step.as_ref(), new.version, new.watermark);
        prop_assert_eq!(&applied, &new);
        for window in step.iter().filter(|step| !step.whole).flat_map(|step| &step.windows) {
            prop_assert!(!old.windows.contains(window), "unchanged windows are not told again");
        }
    }

    #[test]
    fn a_timeline_that_lacks_something_is_told_whole(old in cells()) {
        prop_assume!(!old.is_empty());
        let fewer: Cells = old.iter().skip(1).map(|(cell, votes)| (*cell, *votes)).collect();
        let (old, new) = (timeline(3, 60_000, &old), timeline(4, 60_000, &fewer));
        prop_assert!(TimelineUpdate::between(Some(&old), &new).unwrap().whole);
        prop_assert!(TimelineUpdate::between(None, &old).unwrap().whole);
    }

    #[test]
    fn there_is_no_step_to_results_that_lack_something(old in cells()) {
        prop_assume!(!old.is_empty());
        prop_assert_eq!(Update::between(&results(3, &old, false), &results(4, &Cells::new(), false)), None);
    }
}

#[test]
fn a_window_is_final_once_the_watermark_has_passed_it() {
    let cells = Cells::from([((0, 0, 0), 5), ((0, 0, 1), 5), ((0, 0, 2), 5)]);
    let mut timeline = timeline(4, 60_000, &cells);
    let finals =
        |timeline: &Timeline| timeline.windows.iter().map(|window| window.is_final).collect::<Vec<_>>();
    assert_eq!(finals(&timeline), [true, true, false]);
    timeline.apply(None, 5, Timestamp::from_millisecond(179_999).ok());
    assert_eq!(finals(&timeline), [true, true, false]);
    timeline.apply(None, 6, Timestamp::from_millisecond(180_000).ok());
    assert_eq!((finals(&timeline), timeline.version), (vec![true, true, true], 6));
}

#[test]
fn a_step_from_another_version_changes_nothing() {
    let cells = Cells::from([((0, 0, 0), 5)]);
    let step = Update::between(&results(3, &cells, false), &results(4, &cells, false)).unwrap();
    let mut other = results(2, &cells, false);
    assert_eq!(other.apply(&step), Err(Gap { have: 2, need: 3 }));
    assert_eq!(other, results(2, &cells, false));
}
