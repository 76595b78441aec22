//! Whatever two versions of the results look like, applying the step between them leads from one to the other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use tallyboard_shared::{
    Timestamp,
    election::Mode,
    ids::{CandidateId, ContestId, ElectionId, LocationId, Partition},
    reason::Reason,
    results::{
        CandidateResult, ContestResult, CountStatus, ElectionRef, LocationContest, LocationResult, Results,
        Totals,
    },
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
    for ((contest, candidate, place), votes) in cells {
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
        let step: Update = serde_json::from_str(&serde_json::to_string(&step).unwrap()).unwrap();
        let mut applied = old;
        applied.apply(&step).unwrap();
        prop_assert_eq!(applied, new);
    }

    #[test]
    fn there_is_no_step_to_results_that_lack_something(old in cells()) {
        prop_assume!(!old.is_empty());
        prop_assert_eq!(Update::between(&results(3, &old, false), &results(4, &Cells::new(), false)), None);
    }
}

#[test]
fn a_step_from_another_version_changes_nothing() {
    let cells = Cells::from([((0, 0, 0), 5)]);
    let step = Update::between(&results(3, &cells, false), &results(4, &cells, false)).unwrap();
    let mut other = results(2, &cells, false);
    assert_eq!(other.apply(&step), Err(Gap { have: 2, need: 3 }));
    assert_eq!(other, results(2, &cells, false));
}
