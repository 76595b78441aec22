//! Small results for the tests of this crate.

use std::collections::BTreeMap;

use tallyboard_shared::{
    Timestamp,
    election::{Election, Embargo, LatePolicy, Mode},
    ids::{CandidateId, ContestId, ElectionId, LocationId, Partition},
    message::{PROTOCOL_VERSION, ServerMessage, Welcome},
    results::{
        CandidateResult, ContestResult, CountStatus, ElectionRef, LocationContest, LocationResult, Results,
        Totals,
    },
};

pub(crate) fn time(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_793_736_900 + i64::try_from(seconds).unwrap()).unwrap()
}

pub(crate) fn contest(registered_voters: Option<u64>, votes: &[Option<u64>]) -> ContestResult {
    let mut results = results(1, registered_voters, votes);
    results.contests.remove(0)
}

pub(crate) fn election() -> Election {
    Election {
        id: ElectionId::new("e"),
        title: "General election".into(),
        mode: Mode::Simulation,
        definition_hash: "7f3ac210".into(),
        defined: true,
        opens_at: Some(time(0)),
        closes_at: Some(time(3_600)),
        embargo: Embargo::None,
        allowed_lateness_ms: 60_000,
        late_policy: LatePolicy::Count,
        max_clock_skew_ms: 300_000,
        disclosure_threshold: 10,
        timeline_window_ms: 60_000,
        breakdowns: Vec::new(),
        contests: Vec::new(),
        locations: Vec::new(),
    }
}

pub(crate) fn results(version: u64, registered_voters: Option<u64>, votes: &[Option<u64>]) -> Results {
    let sum = votes.iter().flatten().sum();
    let candidate = |(number, votes): (usize, &Option<u64>)| CandidateResult {
        id: CandidateId::new(format!("c{number}")),
        name: format!("Candidate {number}"),
        party: None,
        color: None,
        photo_url: None,
        votes: *votes,
        share: None,
    };
    let split: BTreeMap<_, _> = votes
        .iter()
        .enumerate()
        .filter_map(|(number, votes)| Some((CandidateId::new(format!("c{number}")), (*votes)?)))
        .collect();
    let mut results = Results {
        version,
        election: ElectionRef {
            id: ElectionId::new("e"),
            title: "General election".into(),
            mode: Mode::Simulation,
            definition_hash: "7f3ac210".into(),
        },
        status: CountStatus::Counting,
        as_of: time(version),
        watermark: None,
        totals: Totals { votes: sum, registered_voters, ..Totals::default() },
        contests: vec![ContestResult {
            id: ContestId::new("president"),
            title: "President".into(),
            votes: sum,
            registered_voters,
            leader: None,
            candidates: votes.iter().enumerate().map(candidate).collect(),
        }],
        locations: vec![LocationResult {
            id: LocationId::new("AL"),
            name: "Alder".into(),
            votes: sum,
            registered_voters,
            turnout: None,
            contests: vec![LocationContest {
                id: ContestId::new("president"),
                votes: votes.iter().all(Option::is_some).then_some(split),
            }],
        }],
        regions: Vec::new(),
        parties: Vec::new(),
        breakdowns: Vec::new(),
        inputs: BTreeMap::from([(Partition(0), sum)]),
    };
    results.derive();
    results
}

pub(crate) fn welcome(results: Option<Results>) -> ServerMessage {
    ServerMessage::Welcome(Box::new(Welcome {
        protocol: PROTOCOL_VERSION,
        election: election(),
        results,
        history: Vec::new(),
    }))
}
