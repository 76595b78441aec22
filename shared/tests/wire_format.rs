//! The golden files of the wire: a change of any message changes a file in `snapshots` that is reviewed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use tallyboard_shared::{
    Timestamp,
    binary::FORMAT,
    election::{Breakdown, Candidate, Contest, Election, Embargo, LatePolicy, Location, Mode},
    ids::{CandidateId, ContestId, ElectionId, LocationId, Partition},
    message::{
        ClientMessage, FeedState, Goodbye, GoodbyeReason, HistoryPoint, PROTOCOL_VERSION, ServerMessage,
        Status, Welcome,
    },
    reason::Reason,
    results::{
        CandidateResult, ContestResult, CountStatus, ElectionRef, GroupResult, LocationContest,
        LocationResult, Results, Totals,
    },
    timeline::{Timeline, TimelineUpdate, Window, WindowContest},
    update::Update,
    vote::{Address, Text, Vote},
};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn election() -> Election {
    Election {
        id: ElectionId::new("general-2026"),
        title: "General election 2026".into(),
        mode: Mode::Test,
        definition_hash: "7f3ac210".into(),
        defined: true,
        opens_at: Some(time("2026-11-03T07:00:00Z")),
        closes_at: None,
        embargo: Embargo::None,
        allowed_lateness_ms: 60_000,
        late_policy: LatePolicy::Count,
        max_clock_skew_ms: 300_000,
        disclosure_threshold: 10,
        timeline_window_ms: 60_000,
        breakdowns: Vec::new(),
        contests: vec![Contest {
            id: ContestId::new("president"),
            title: "President".into(),
            candidates: vec![
                Candidate {
                    id: CandidateId::new("c1"),
                    name: "Ines Okafor".into(),
                    party: Some("Union".into()),
                    color: Some("#0072b2".into()),
                    photo_url: None,
                },
                Candidate {
                    id: CandidateId::new("c2"),
                    name: "Tomas Berglund".into(),
                    party: None,
                    color: None,
                    photo_url: None,
                },
            ],
        }],
        locations: vec![Location {
            id: LocationId::new("AL"),
            name: "Alder".into(),
            registered_voters: Some(80),
            tile: Some([0, 1]),
            contests: vec![ContestId::new("president")],
            parent: None,
        }],
    }
}

fn results(version: u64, votes: u64) -> Results {
    let mut results = Results {
        version,
        election: ElectionRef {
            id: ElectionId::new("general-2026"),
            title: "General election 2026".into(),
            mode: Mode::Test,
            definition_hash: "7f3ac210".into(),
        },
        status: CountStatus::Counting,
        as_of: time("2026-11-03T20:15:00.123Z"),
        watermark: Some(time("2026-11-03T20:14:00Z")),
        totals: Totals {
            votes,
            registered_voters: Some(80),
            turnout: None,
            late: 1,
            rejected: BTreeMap::from([(Reason::DuplicateVoter, 3), (Reason::Malformed, 1)]),
        },
        contests: vec![ContestResult {
            id: ContestId::new("president"),
            title: "President".into(),
            votes,
            registered_voters: Some(80),
            leader: None,
            candidates: vec![
                CandidateResult {
                    id: CandidateId::new("c1"),
                    name: "Ines Okafor".into(),
                    party: Some("Union".into()),
                    color: Some("#0072b2".into()),
                    photo_url: None,
                    votes: Some(votes - 10),
                    share: None,
                },
                CandidateResult {
                    id: CandidateId::new("c2"),
                    name: "Tomas Berglund".into(),
                    party: None,
                    color: None,
                    photo_url: None,
                    votes: Some(10),
                    share: None,
                },
            ],
        }],
        locations: vec![LocationResult {
            id: LocationId::new("AL"),
            name: "Alder".into(),
            votes,
            registered_voters: Some(80),
            turnout: None,
            contests: vec![LocationContest {
                id: ContestId::new("president"),
                votes: Some(BTreeMap::from([
                    (CandidateId::new("c1"), votes - 10),
                    (CandidateId::new("c2"), 10),
                ])),
            }],
        }],
        regions: Vec::new(),
        parties: Vec::new(),
        breakdowns: Vec::new(),
        inputs: BTreeMap::from([(Partition(0), 4), (Partition(1), votes)]),
    };
    results.derive();
    results
}

fn check<T>(name: &str, message: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    insta::assert_snapshot!(name, serde_json::to_string_pretty(message).unwrap());
    let round_trip: T = serde_json::from_str(&serde_json::to_string(message).unwrap()).unwrap();
    assert_eq!(&round_trip, message);
}

/// A message of the WebSocket, which must also come through the binary subprotocol as it is.
fn check_frame(name: &str, message: &ServerMessage) {
    check(name, message);
    let frame = message.to_binary();
    assert_eq!(ServerMessage::from_binary(&frame).as_ref(), Ok(message));
    let json = serde_json::to_vec(message).unwrap();
    assert!(frame.len() * 2 < json.len(), "{} bytes, and {} as JSON", frame.len(), json.len());
    for cut in 0..frame.len() {
        assert!(ServerMessage::from_binary(&frame[..cut]).is_err(), "{cut} bytes of {name}");
    }
}

#[test]
fn welcome() {
    let results = results(1234, 40);
    let history = vec![HistoryPoint::of(&results)];
    let welcome =
        Welcome { protocol: PROTOCOL_VERSION, election: election(), results: Some(results), history };
    check_frame("welcome", &ServerMessage::Welcome(Box::new(welcome)));
}

#[test]
fn welcome_before_the_first_publication() {
    let mut election = election();
    election.embargo = Embargo::UntilClose;
    election.defined = false;
    election.contests.clear();
    election.locations.clear();
    let welcome = Welcome { protocol: PROTOCOL_VERSION, election, results: None, history: Vec::new() };
    check_frame("welcome_before_the_first_publication", &ServerMessage::Welcome(Box::new(welcome)));
}

#[test]
fn update() {
    let update = Update::between(&results(1234, 40), &results(1235, 41)).unwrap();
    check_frame("update", &ServerMessage::Update(Box::new(update)));
}

fn with_regions_and_groups(version: u64, votes: u64) -> Results {
    let mut results = results(version, votes);
    results.regions = vec![LocationResult {
        id: LocationId::new("country"),
        name: "Country".into(),
        ..results.locations[0].clone()
    }];
    let group = |by: Breakdown, group: &str, votes: u64, split: Option<u64>| GroupResult {
        by,
        group: group.into(),
        contest: ContestId::new("president"),
        votes,
        candidates: split.map(|first| {
            BTreeMap::from([(CandidateId::new("c1"), first), (CandidateId::new("c2"), votes - first)])
        }),
    };
    // Three votes are too few to be shown, and too few to be left over beside a split that is.
    results.breakdowns = vec![
        group(Breakdown::Gender, "female", votes - 15, Some(votes - 20)),
        group(Breakdown::Gender, "male", 12, None),
        group(Breakdown::Gender, "unknown", 3, None),
        group(Breakdown::AgeBand, "65_plus", votes, Some(votes - 10)),
    ];
    results.derive();
    results
}

#[test]
fn results_with_regions_and_groups() {
    check("results", &with_regions_and_groups(1234, 40));
    let update =
        Update::between(&with_regions_and_groups(1234, 40), &with_regions_and_groups(1235, 41)).unwrap();
    check_frame("update_with_regions_and_groups", &ServerMessage::Update(Box::new(update)));
}

fn timeline(version: u64, votes: u64) -> Timeline {
    let window = |start, first, second| Window {
        start: time(start),
        is_final: false,
        contests: BTreeMap::from([(
            ContestId::new("president"),
            WindowContest {
                votes: first + second,
                candidates: Some(BTreeMap::from([
                    (CandidateId::new("c1"), first),
                    (CandidateId::new("c2"), second),
                ])),
            },
        )]),
    };
    let mut timeline = Timeline {
        version,
        watermark: Some(time("2026-11-03T20:14:00Z")),
        width_ms: 60_000,
        windows: vec![window("2026-11-03T20:13:00Z", 22, 8), window("2026-11-03T20:14:00Z", votes - 2, 2)],
    };
    timeline.derive();
    timeline
}

#[test]
fn timelines() {
    check("timeline", &timeline(1234, 10));
    let mut withheld = timeline(1234, 10);
    for contest in withheld.windows.iter_mut().flat_map(|window| window.contests.values_mut()) {
        contest.candidates = None;
    }
    check("timeline_withheld", &withheld);
    let step = TimelineUpdate::between(Some(&timeline(1234, 10)), &timeline(1235, 11)).unwrap();
    check("timeline_update", &step);
    check("timeline_update_whole", &TimelineUpdate::between(None, &timeline(1235, 11)).unwrap());
}

#[test]
fn records_of_earlier_versions_are_read() {
    let mut results = serde_json::to_value(results(1, 40)).unwrap();
    for added in ["regions", "parties", "breakdowns"] {
        results.as_object_mut().unwrap().remove(added);
    }
    results["something_of_a_later_version"] = serde_json::json!({"a": [1]});
    let mut read: Results = serde_json::from_value(results).unwrap();
    read.derive();
    assert_eq!(read, self::results(1, 40));
    let mut election = serde_json::to_value(election()).unwrap();
    for added in ["timeline_window_ms", "breakdowns"] {
        election.as_object_mut().unwrap().remove(added);
    }
    assert_eq!(serde_json::from_value::<Election>(election).unwrap(), self::election());
}

#[test]
fn status() {
    let now = time("2026-11-03T20:15:02Z");
    let status =
        Status { state: FeedState::CatchingUp, now, version: Some(1235), lag: Some(17), stale_since: None };
    check_frame("status", &ServerMessage::Status(status));
    let stale = Status { state: FeedState::Stale, now, version: None, lag: None, stale_since: Some(now) };
    check_frame("status_stale", &ServerMessage::Status(stale));
}

#[test]
fn goodbye() {
    let goodbye = Goodbye { reason: GoodbyeReason::Restart, message: "the server is stopping".into() };
    check_frame("goodbye", &ServerMessage::Goodbye(goodbye));
}

#[test]
fn client_messages() {
    for (name, message) in
        [("resume", ClientMessage::Resume { version: 1234 }), ("ping", ClientMessage::Ping)]
    {
        check(name, &message);
        assert_eq!(ClientMessage::from_binary(&message.to_binary()), Ok(message));
    }
}

/// Postcard's frames have no names: a change that doesn't show here needs no new [`FORMAT`].
#[test]
fn a_binary_frame_does_not_change_unseen() {
    let update =
        Update::between(&with_regions_and_groups(1234, 40), &with_regions_and_groups(1235, 41)).unwrap();
    let frames = [
        ServerMessage::Welcome(Box::new(Welcome {
            protocol: PROTOCOL_VERSION,
            election: election(),
            results: Some(with_regions_and_groups(1234, 40)),
            history: vec![HistoryPoint::of(&results(1234, 40))],
        })),
        ServerMessage::Update(Box::new(update)),
    ];
    let dump = frames.iter().map(|frame| frame.to_binary().escape_ascii().to_string());
    insta::assert_snapshot!("binary", format!("format {FORMAT}\n{}", dump.collect::<Vec<_>>().join("\n")));
}

#[test]
fn vote() {
    let vote = Vote {
        voter_id: Some(Text::from("d1a8")),
        candidate_id: Some(Text::from("c1")),
        voting_time: Some(Text::from("2026-11-03 08:15:00")),
        address: Some(Address { state: Some(Text::from("Ohio")) }),
        vote: Some(1),
        candidate_name: Some(Text::from("Ines Okafor")),
        ..Vote::default()
    };
    let json = serde_json::to_string_pretty(&vote).unwrap();
    insta::assert_snapshot!("vote", json);
    assert_eq!(serde_json::from_str::<Vote<'_>>(&json).unwrap(), vote);
}
