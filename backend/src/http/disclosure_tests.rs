//! Nothing that is withheld leaves by any route or frame.
//!
//! Every number of votes that must stay back is one that nothing else can be: cells end in 001, so sums of several end
//! otherwise, and what is shown are sums of other numbers of cells.

use std::collections::{BTreeSet, HashSet};

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, header},
};
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{ServerMessage, Status},
    results::Results,
    update::Update,
};
use tower_service::Service;

use super::{peer::Peer, *};
use crate::{
    election::Definition,
    roles::{
        publication::PublicationRecord,
        publisher::record_metrics,
        viewer::{Frame, Protocol, Viewer, show},
    },
    tally::{Cell, PartitionTally, merge, merge_timeline},
    telemetry::metrics_builder,
};

const CANDIDATES: u32 = 3;
const PLACES: u32 = 4;
const STREAM: &str = "/api/v1/stream";
const CLOSING: &str = "2026-11-03T20:00:00Z";

/// What may stand behind a route; `VERSION` is the newest.
const QUERIES: [&str; 4] = ["", "?version=VERSION", "?contest=k", "?locations=p1,north"];

fn election(embargo: &str) -> Election {
    let text = format!(
        "id = \"e\"\ntitle = \"E\"\nmode = \"test\"\nembargo = \"{embargo}\"\ncloses_at = \"{CLOSING}\"
        disclosure_threshold = 10\nbreakdowns = [\"gender\"]
        contests = [{{ id = \"k\", title = \"K\", candidates = [
            {{ id = \"a\", name = \"A\", party = \"P\" }}, {{ id = \"b\", name = \"B\", party = \"Q\" }},
            {{ id = \"c\", name = \"C\", party = \"R\" }},
        ] }}]
        locations = [
            {{ id = \"north\", name = \"North\" }},
            {{ id = \"p1\", name = \"P1\", parent = \"north\" }}, {{ id = \"p2\", name = \"P2\", parent = \"north\" }},
            {{ id = \"p3\", name = \"P3\" }}, {{ id = \"p4\", name = \"P4\" }},
        ]"
    );
    Definition::parse(&text).unwrap().into_election()
}

/// Votes by candidate and place; the places are those behind the region.
type Votes = Vec<Vec<u64>>;

fn votes() -> impl Strategy<Value = Votes> {
    let cell = (100_000u64..1_000_000).prop_map(|thousands| thousands * 1000 + 1);
    proptest::collection::vec(proptest::collection::vec(cell, PLACES as usize), CANDIDATES as usize)
}

struct Published {
    results: Results,
    record: PublicationRecord,
}

fn published(election: &Election, version: u64, votes: &Votes, as_of: Timestamp) -> Published {
    let mut cells = Vec::new();
    for (location, candidate) in (0..PLACES).flat_map(|place| (0..CANDIDATES).map(move |one| (place, one))) {
        let votes = votes[candidate as usize][location as usize];
        if votes > 0 {
            cells.push(Cell { candidate, location: location + 1, votes });
        }
    }
    let ballots = cells.iter().map(|cell| cell.votes).sum();
    let tally = PartitionTally::sample(election, 0, ballots, cells);
    let results = merge(election, [&tally].into_iter(), version, as_of);
    let timeline = merge_timeline(election, [&tally].into_iter(), &results);
    let record = PublicationRecord::Snapshot {
        election: Box::new(election.clone()),
        results: Box::new(results.clone()),
        timeline: Some(Box::new(timeline)),
    };
    Published { results, record }
}

/// What must stay back under an embargo: every figure of a candidate, wherever it stands.
fn secrets(votes: &Votes) -> HashSet<u64> {
    let of_candidates = votes.iter().map(|places| places.iter().sum());
    let of_region = votes.iter().map(|places| places[0] + places[1]);
    votes.iter().flatten().copied().chain(of_candidates).chain(of_region).collect()
}

/// The numbers in a text.
fn numbers(text: &str) -> BTreeSet<u64> {
    text.split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn status(version: u64) -> Status {
    Status {
        state: FeedState::Live,
        now: Timestamp::UNIX_EPOCH,
        version: Some(version),
        lag: Some(0),
        stale_since: None,
    }
}

/// An answer, to a client that has what `last_event` names.
async fn get(router: &Router, path: &str, last_event: Option<&str>) -> BodyDataStream {
    let mut request = Request::get(path).header(header::HOST, "t");
    if let Some(last_event) = last_event {
        request = request.header("last-event-id", last_event);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let place = Places::new(1, 1).take(None).unwrap();
    request.extensions_mut().insert(Peer { address: [127, 0, 0, 1].into(), _place: Arc::new(place) });
    router.clone().call(request).await.unwrap().into_body().into_data_stream()
}

/// The body of an answer that ends.
async fn body(router: &Router, path: &str) -> String {
    let body: Vec<_> = get(router, path, None).await.map(|piece| piece.unwrap()).collect().await;
    String::from_utf8(body.concat()).unwrap()
}

/// The messages that are there by now in an answer without end.
async fn events(stream: &mut BodyDataStream) -> Vec<String> {
    let mut text = Vec::new();
    while let Some(Some(piece)) = stream.next().now_or_never() {
        text.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

/// Every route that answers, by the document that is made from the router.
async fn routes_that_answer(router: &Router) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(&body(router, "/api/openapi.json").await).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let paths: Vec<_> =
        paths.iter().filter(|(_, item)| item.get("get").is_some()).map(|(path, _)| path.clone()).collect();
    for known in ["/api/v1/results", "/api/v1/results.csv", "/api/v1/timeline", STREAM] {
        assert!(paths.iter().any(|path| path == known), "{known} isn't among {paths:?}");
    }
    // Where a route wants a place it is told one.
    paths.into_iter().filter(|path| path != STREAM).map(|path| path.replace("{id}", "p1")).collect()
}

/// What everyone is told, by route and frame, while these versions are published one after the other.
fn told(election: &Election, versions: &[Votes], as_of: Timestamp) -> Vec<(String, String)> {
    let recorder = metrics_builder().unwrap().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        told_and_measured(election, versions, as_of, recorder.handle())
    })
}

fn told_and_measured(
    election: &Election,
    versions: &[Votes],
    as_of: Timestamp,
    metrics: PrometheusHandle,
) -> Vec<(String, String)> {
    let feed = Arc::new(Feed::new(Arc::new(election.clone()), status(1)));
    let router = testing::app_of(Arc::clone(&feed), None, metrics).router();
    let mut subscription = feed.subscribe();
    let mut viewer = Viewer::new();
    let mut told = Vec::new();
    let mut tell = |what: &str, text: String| told.push((what.to_owned(), text));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let routes = runtime.block_on(routes_that_answer(&router));
    let mut stream = runtime.block_on(get(&router, STREAM, None));
    let mut before: Option<Results> = None;
    for (version, votes) in (1..).zip(versions) {
        let Published { results, record } = published(election, version, votes, as_of);
        // The first as a snapshot, the others as steps.
        let record = match before.replace(results.clone()) {
            None => record,
            Some(before) => {
                let update = Box::new(Update::between(&before, &results).unwrap());
                PublicationRecord::Delta { update, timeline: None }
            }
        };
        record_metrics(&results, 1);
        let change = viewer.publication(record).unwrap().expect("every version is new");
        show(&feed, &viewer, change);
        let known = format!("1@{as_of}");
        let mut again = runtime.block_on(get(&router, STREAM, Some(&known)));
        for (what, stream) in [("event", &mut stream), ("event that was missed", &mut again)] {
            let events = runtime.block_on(events(stream));
            let is_new =
                |event: &String| event.starts_with(&format!("{{\"type\":\"update\",\"version\":{version},"));
            assert!(version == 1 || events.iter().any(is_new), "{what} of version {version}: {events:?}");
            events.into_iter().for_each(|event| tell(what, event));
        }
        for (route, query) in routes.iter().flat_map(|route| QUERIES.map(|query| (route, query))) {
            let path = format!("{route}{query}").replace("VERSION", &version.to_string());
            tell(&path, runtime.block_on(body(&router, &path)));
        }
        for protocol in [Protocol::Json, Protocol::Binary] {
            tell("welcome", as_json(protocol, &feed.shown().welcome(protocol)));
            for step in feed.since(1, None).unwrap() {
                tell("step", as_json(protocol, &step.message.bytes(protocol)));
            }
        }
        while let Ok(frame) = subscription.frames.try_recv() {
            let message = match &frame {
                Frame::Start => continue,
                Frame::Step(step) => &step.message,
                Frame::Status(status) => status,
            };
            tell("frame", as_json(Protocol::Json, &message.bytes(Protocol::Json)));
        }
    }
    told
}

fn as_json(protocol: Protocol, frame: &[u8]) -> String {
    match protocol {
        Protocol::Json => String::from_utf8(frame.to_vec()).unwrap(),
        Protocol::Binary => serde_json::to_string(&ServerMessage::from_binary(frame).unwrap()).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_figure_under_an_embargo_leaves_by_any_route_or_frame(versions in proptest::collection::vec(votes(), 1..4)) {
        let before: Timestamp = "2026-11-03T19:59:59.999Z".parse().unwrap();
        for (what, text) in told(&election("until_close"), &versions, before) {
            let numbers = numbers(&text);
            for votes in &versions {
                let leaked: Vec<_> = secrets(votes).into_iter().filter(|one| numbers.contains(one)).collect();
                prop_assert!(leaked.is_empty(), "{what} tells {leaked:?}: {text}");
            }
        }
    }

    /// That the other test can fail: after the close, and without an embargo, the same figures are there.
    #[test]
    fn figures_that_may_be_seen_are_found_by_the_same_look(votes in votes()) {
        let (before, after) = ("2026-11-03T19:59:59.999Z".parse().unwrap(), CLOSING.parse().unwrap());
        for (embargo, as_of) in [("until_close", after), ("none", before)] {
            let told = told(&election(embargo), std::slice::from_ref(&votes), as_of);
            for path in ["/api/v1/results", "/api/v1/results?contest=k", "welcome", "event"] {
                let (_, text) = told.iter().find(|(what, _)| what == path).unwrap();
                let numbers = numbers(text);
                prop_assert!(secrets(&votes).iter().all(|one| numbers.contains(one)), "{path}: {text}");
            }
            let (_, metrics) = told.iter().find(|(what, _)| what == "/metrics").unwrap();
            let counted: u64 = votes.iter().flatten().sum();
            prop_assert!(metrics.contains(&format!("tallyboard_votes_counted {counted}")), "{metrics}");
        }
    }

    /// Splits of few ballots stay back in every frame and route that has results.
    #[test]
    fn no_split_of_few_ballots_leaves_by_any_route_or_frame(
        versions in proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(0u64..6, 4), 3), 1..4),
    ) {
        let before: Timestamp = "2026-11-03T19:59:59.999Z".parse().unwrap();
        // Votes only grow.
        let mut sums = vec![vec![0; 4]; 3];
        let versions: Vec<_> = versions
            .into_iter()
            .map(|votes| {
                sums.iter_mut().flatten().zip(votes.iter().flatten()).for_each(|(sum, votes)| *sum += votes);
                sums.clone()
            })
            .collect();
        for (what, text) in told(&election("none"), &versions, before) {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
            for results in [&value, &value["results"]] {
                for place in results["locations"].as_array().into_iter().flatten() {
                    for contest in place["contests"].as_array().into_iter().flatten() {
                        // An update has only the part that changed: its place tells how many ballots there are.
                        let few = place["votes"].as_u64().unwrap_or(u64::MAX) < 10;
                        prop_assert!(!few || contest["votes"].is_null(), "{what}: {text}");
                    }
                }
            }
        }
    }
}
