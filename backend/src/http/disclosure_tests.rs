//! Nothing that is withheld leaves by any route or frame.
//!
//! Every number of votes that must stay back under an embargo is one that nothing else can be: cells end in 001, so sums
//! of several end otherwise, and what is shown are sums of other numbers of cells. Few ballots are small numbers, which
//! may stand anywhere: whether their split is shown is read from what each route tells.

mod readers;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use axum::{
    body::{Body, BodyDataStream},
    http::{Method, Request, header},
};
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{ServerMessage, Status},
};
use tokio::sync::mpsc;
use tokio_websockets::Message;
use tower_service::Service;

use self::readers::{ROUTES, Tells};
use super::{
    peer::Peer,
    session::{Resume, Rules, Session},
    testing::Line,
    *,
};
use crate::{
    election::{Definition, demo_map},
    roles::{
        publication::{Before, Publication},
        publisher::record_metrics,
        shelf::Shelf,
        viewer::{Protocol, Viewer, show},
    },
    tally::{Cell, GroupCell, PartitionTally, merge, merge_timeline},
    telemetry::metrics_builder,
};

const CANDIDATES: u32 = 3;
const PLACES: u32 = 4;
const STREAM: &str = "/api/v1/stream";
const SOCKET: &str = "/ws";
const OPENS: &str = "2026-11-03T07:00:00Z";
const BEFORE_THE_CLOSE: &str = "2026-11-03T19:59:59.999Z";
const CLOSES: &str = "2026-11-03T20:00:00Z";
const THRESHOLD: u64 = 10;

/// What may stand behind a route that tells figures; `VERSION` is the newest.
const QUERIES: [&str; 5] = ["", "?version=VERSION", "?version=1", "?contest=k", "?locations=p1,north"];

/// What a route that tells sums alone doesn't name.
const NAMES: [&str; 7] = ["north", "p1", "p2", "p3", "p4", "female", "male"];

fn election(embargo: &str) -> Election {
    let text = format!(
        "id = \"e\"\ntitle = \"E\"\nmode = \"test\"\nembargo = \"{embargo}\"
        opens_at = \"{OPENS}\"\ncloses_at = \"{CLOSES}\"
        disclosure_threshold = {THRESHOLD}\nbreakdowns = [\"gender\"]
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

/// Votes by candidate and place; the places are those behind the region, whose parts the first two are. There women
/// voted, and elsewhere men.
type Votes = Vec<Vec<u64>>;

fn votes() -> impl Strategy<Value = Votes> {
    let cell = (100_000u64..1_000_000).prop_map(|thousands| thousands * 1000 + 1);
    proptest::collection::vec(proptest::collection::vec(cell, PLACES as usize), CANDIDATES as usize)
}

/// Votes that only grow, by little.
fn few_votes() -> impl Strategy<Value = Vec<Votes>> {
    let more =
        proptest::collection::vec(proptest::collection::vec(0u64..6, PLACES as usize), CANDIDATES as usize);
    proptest::collection::vec(more, 1..4).prop_map(|versions| {
        let mut sums = vec![vec![0; PLACES as usize]; CANDIDATES as usize];
        let add = |more: Votes| {
            sums.iter_mut().flatten().zip(more.iter().flatten()).for_each(|(sum, more)| *sum += more);
            sums.clone()
        };
        versions.into_iter().map(add).collect()
    })
}

fn tally(election: &Election, votes: &Votes) -> PartitionTally {
    let by_place = |(candidate, places): (u32, &Vec<u64>)| {
        let cells =
            (1..).zip(places.clone()).map(move |(location, votes)| Cell { candidate, location, votes });
        cells.filter(|cell| cell.votes > 0).collect::<Vec<_>>()
    };
    let by_group = |(candidate, places): (u32, &Vec<u64>)| {
        let groups = (0..).zip([places[..2].iter().sum(), places[2..].iter().sum()]);
        let cells = groups.map(move |(group, votes)| GroupCell { candidate, group, votes });
        cells.filter(|cell| cell.votes > 0).collect::<Vec<_>>()
    };
    let ballots = votes.iter().flatten().sum();
    let cells = (0..).zip(votes).flat_map(by_place).collect();
    let mut tally = PartitionTally::sample(election, 0, ballots, cells);
    tally.breakdowns = (0..).zip(votes).flat_map(by_group).collect();
    assert!(ballots == 0 || tally.fits(election));
    tally
}

/// Versions one after the other: the first as a snapshot, the others as steps.
fn publications(election: &Election, versions: &[Votes], as_of: Timestamp) -> Vec<Publication> {
    let mut publications: Vec<Publication> = Vec::new();
    for (version, votes) in (1..).zip(versions) {
        let tally = tally(election, votes);
        let results = merge(election, [&tally].into_iter(), version, as_of);
        let timeline = merge_timeline(election, [&tally].into_iter(), &results);
        let before = publications.last().map_or_else(Before::default, |before| Before {
            results: Some(&before.results),
            timeline: Some(&before.timeline),
            rows: true,
        });
        publications.push(Publication::new(election, before, results, timeline, false));
    }
    publications
}

/// What must stay back under an embargo: every figure of a candidate, of a place, of the region (and with it of the
/// women), and in all.
fn secrets(votes: &Votes) -> HashSet<u64> {
    let of_candidates = votes.iter().map(|places| places.iter().sum());
    let of_region = votes.iter().map(|places| places[0] + places[1]);
    votes.iter().flatten().copied().chain(of_candidates).chain(of_region).collect()
}

/// And of the men.
fn secrets_of_groups(votes: &Votes) -> HashSet<u64> {
    votes.iter().map(|places| places[2] + places[3]).collect()
}

/// Whose split may be shown: of whom there are enough ballots, also in what is left to be subtracted.
fn may_be_shown(votes: &Votes) -> BTreeSet<String> {
    let ballots = |place: usize| votes.iter().map(|places| places[place]).sum::<u64>();
    let places: Vec<_> = (0..PLACES as usize).map(ballots).collect();
    let is_few = |ballots: u64| (1..THRESHOLD).contains(&ballots);
    let (women, men) = (places[0] + places[1], places[2] + places[3]);
    let hidden = places[..2].iter().filter(|ballots| **ballots < THRESHOLD).sum();
    let shown = (1..).zip(&places).map(|(place, ballots)| (format!("place p{place}"), *ballots >= THRESHOLD));
    let shown = shown.chain([
        ("region north".to_owned(), women >= THRESHOLD && !is_few(hidden)),
        ("group female".to_owned(), women >= THRESHOLD && !is_few(men)),
        ("group male".to_owned(), men >= THRESHOLD && !is_few(women)),
    ]);
    shown.filter(|(_, is_shown)| *is_shown).map(|(name, _)| name).collect()
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
async fn ask(router: &Router, method: Method, path: &str, last_event: Option<&str>) -> Response {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "t");
    if let Some(last_event) = last_event {
        request = request.header("last-event-id", last_event);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let place = Places::new(1, 1).take(None).unwrap();
    request.extensions_mut().insert(Peer { address: [127, 0, 0, 1].into(), _place: Arc::new(place) });
    router.clone().call(request).await.unwrap()
}

/// The stream of events, from what `last_event` names.
async fn stream(router: &Router, last_event: Option<&str>) -> BodyDataStream {
    ask(router, Method::GET, STREAM, last_event).await.into_body().into_data_stream()
}

/// Status and body of an answer that ends.
async fn answer(router: &Router, method: Method, path: &str) -> (StatusCode, String) {
    let response = ask(router, method, path, None).await;
    let status = response.status();
    let body: Vec<_> = response.into_body().into_data_stream().map(|piece| piece.unwrap()).collect().await;
    (status, String::from_utf8(body.concat()).unwrap())
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

/// Routes and their methods, by the document that is made from the router: each of them is in the table.
async fn documented(router: &Router) -> BTreeMap<String, Method> {
    let (_, document) = answer(router, Method::GET, "/api/openapi.json").await;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let method =
        |item: &serde_json::Value| if item.get("get").is_some() { Method::GET } else { Method::POST };
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeMap<_, _> = paths.iter().map(|(path, item)| (path.clone(), method(item))).collect();
    let known: Vec<_> = ROUTES.iter().map(|(route, _)| *route).collect();
    assert_eq!(documented.keys().collect::<Vec<_>>(), known, "the table has every route, in their order");
    documented
}

/// A client of the WebSocket.
struct Client {
    from_server: mpsc::Receiver<Message>,
    protocol: Protocol,
    /// Without it the session would end.
    _to_server: mpsc::Sender<Result<Message, tokio_websockets::Error>>,
}

impl Client {
    fn connect(feed: &Arc<Feed>, protocol: Protocol, resume: Option<Resume>) -> Self {
        let rules = Rules { ping_interval: std::time::Duration::from_secs(3600), messages_per_second: 1 };
        let (line, to_server, from_server) = Line::new(64);
        let session = Session::new(line, protocol, feed, rules);
        tokio::spawn(async move { drop(session.run(resume, &Stop::default()).await) });
        Self { from_server, protocol, _to_server: to_server }
    }

    /// The messages that are there by now, as JSON.
    async fn taken(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        let mut pauses = 0;
        // The session runs while this one makes way for it.
        while pauses < 10 {
            tokio::task::yield_now().await;
            match self.from_server.try_recv() {
                Ok(message) => taken.push(as_json(self.protocol, &message)),
                Err(_) => pauses += 1,
            }
        }
        taken
    }
}

fn as_json(protocol: Protocol, frame: &Message) -> String {
    match protocol {
        Protocol::Json => frame.as_text().unwrap().to_owned(),
        Protocol::Binary => {
            serde_json::to_string(&ServerMessage::from_binary(frame.as_payload()).unwrap()).unwrap()
        }
    }
}

/// What somebody is told.
struct Told {
    route: &'static str,
    path: String,
    text: String,
}

/// What everyone is told, by route and frame, while these versions are published one after the other.
fn told(election: &Election, versions: &[Votes], as_of: Timestamp) -> Vec<Told> {
    let recorder = metrics_builder().unwrap().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(told_and_measured(election, versions, as_of, recorder.handle()))
    })
}

async fn told_and_measured(
    election: &Election,
    versions: &[Votes],
    as_of: Timestamp,
    metrics: PrometheusHandle,
) -> Vec<Told> {
    let publications = publications(election, versions, as_of);
    let feed = Arc::new(Feed::new(Arc::new(election.clone()), status(1)));
    let shelf = Arc::new(Shelf::of(&publications, 1));
    let archive = Arc::new(Archive::new(shelf, "election_results".to_owned(), Arc::clone(&feed)));
    let app = testing::app_of(Arc::clone(&feed), Some(archive), None, metrics).with_map(Some(demo_map()));
    let router = app.router();
    let documented = documented(&router).await;
    let mut viewer = Viewer::new();
    let mut told = Vec::new();
    let mut tell = |route, path: &str, text| told.push(Told { route, path: path.to_owned(), text });
    let mut follower = stream(&router, None).await;
    let protocols = [Protocol::Json, Protocol::Binary];
    let mut followers = protocols.map(|protocol| Client::connect(&feed, protocol, None));
    for publication in publications {
        let version = publication.results.version;
        record_metrics(&publication.results, 1);
        assert_eq!(viewer.take(publication.record), Ok(true), "every version is new");
        let change = viewer.show().expect("a version was taken");
        show(&feed, &viewer, change);
        let first = format!("1@{as_of}");
        let mut live = vec![
            (STREAM, "what comes", events(&mut follower).await),
            (STREAM, "what was missed", events(&mut stream(&router, Some(&first)).await).await),
            (STREAM, "what is there", events(&mut stream(&router, None).await).await),
        ];
        for client in &mut followers {
            live.push((SOCKET, "what comes", client.taken().await));
        }
        for protocol in protocols {
            let resume = Some(Resume { version: 1, as_of });
            let mut client = Client::connect(&feed, protocol, resume);
            live.push((SOCKET, "what was missed", client.taken().await));
            let mut client = Client::connect(&feed, protocol, None);
            live.push((SOCKET, "what is there", client.taken().await));
        }
        for (route, what, messages) in live {
            let numbered = format!("\"version\":{version},");
            let has_come = version == 1 || messages.iter().any(|message| message.contains(&numbered));
            assert!(has_come, "{route}, {what}, version {version}: {messages:?}");
            messages.into_iter().for_each(|message| tell(route, what, message));
        }
        let by_request = ROUTES.into_iter().filter(|(route, _)| ![STREAM, SOCKET].contains(route));
        for (route, tells) in by_request {
            let queries = if matches!(tells, Tells::Nothing) { &QUERIES[..1] } else { &QUERIES };
            let places = if route.contains("{id}") { &["p1", "north"][..] } else { &[""] };
            for (place, query) in
                places.iter().flat_map(|place| queries.iter().map(move |query| (place, query)))
            {
                let path =
                    format!("{route}{query}").replace("VERSION", &version.to_string()).replace("{id}", place);
                let method = documented[route].clone();
                let (status, text) = answer(&router, method.clone(), &path).await;
                assert!(status == 200 || method == Method::POST, "{path}: {status} {text}");
                tell(route, &path, text);
            }
        }
    }
    told
}

/// That routes that tell nothing of the votes, or sums alone, do so.
fn check_what_is_told(told: &[Told]) {
    let mut first = BTreeMap::new();
    for Told { route, path, text } in told {
        match ROUTES.iter().find(|(known, _)| known == route).unwrap().1 {
            Tells::Nothing => assert_eq!(*first.entry(path).or_insert(text), text, "{path}"),
            Tells::Sums => {
                let words: BTreeSet<_> = text.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
                let named: Vec<_> = NAMES.into_iter().filter(|name| words.contains(name)).collect();
                assert_eq!(named, [""; 0], "{path}: {text}");
            }
            Tells::Splits(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_figure_under_an_embargo_leaves_by_any_route_or_frame(versions in proptest::collection::vec(votes(), 1..4)) {
        let told = told(&election("until_close"), &versions, BEFORE_THE_CLOSE.parse().unwrap());
        check_what_is_told(&told);
        for Told { route, path, text } in told {
            let numbers = numbers(&text);
            for votes in &versions {
                let mut leaked = secrets(votes);
                leaked.extend(secrets_of_groups(votes));
                leaked.retain(|one| numbers.contains(one));
                prop_assert!(leaked.is_empty(), "{route} {path} tells {leaked:?}: {text}");
            }
        }
    }

    /// That the other test can fail: after the close, and without an embargo, the same figures are there.
    #[test]
    fn figures_that_may_be_seen_are_found_by_the_same_look(votes in votes()) {
        for (embargo, as_of) in [("until_close", CLOSES), ("none", BEFORE_THE_CLOSE)] {
            let told = told(&election(embargo), std::slice::from_ref(&votes), as_of.parse().unwrap());
            for route in ["/api/v1/results", "/api/v1/results.csv", "/api/v1/results.nist.json", STREAM, SOCKET] {
                let mut expected = secrets(&votes);
                if ![".csv", ".json"].iter().any(|end| route.ends_with(end)) {
                    expected.extend(secrets_of_groups(&votes));
                }
                for Told { path, text, .. } in told.iter().filter(|told| told.route == route) {
                    let is_whole = !path.contains("locations=") && !text.contains("\"type\":\"status\"");
                    let numbers = numbers(text);
                    let is_there = expected.iter().all(|one| numbers.contains(one));
                    prop_assert!(is_there || !is_whole || text.contains("\"results\":null"), "{path}: {text}");
                }
            }
            let (_, metrics) = told.iter().map(|told| (told.route, &told.text)).find(|(route, _)| *route == "/metrics").unwrap();
            let counted: u64 = votes.iter().flatten().sum();
            prop_assert!(metrics.contains(&format!("tallyboard_votes_counted {counted}")), "{metrics}");
        }
    }

    /// By every route that has splits at all, those of enough ballots leave, and those of few don't.
    #[test]
    fn no_split_of_few_ballots_leaves_by_any_route_or_frame(versions in few_votes()) {
        let told = told(&election("none"), &versions, BEFORE_THE_CLOSE.parse().unwrap());
        check_what_is_told(&told);
        let may = (1..).zip(&versions).flat_map(|(version, votes)| {
            may_be_shown(votes).into_iter().map(move |name| (version, name))
        });
        let may: BTreeSet<(u64, String)> = may.collect();
        for (route, tells) in ROUTES {
            let Tells::Splits(read) = tells else { continue };
            let mut seen = BTreeSet::new();
            for Told { path, text, .. } in told.iter().filter(|told| told.route == route) {
                let shown = read(text);
                prop_assert!(shown.is_subset(&may), "{route} {path} shows {shown:?} and not only {may:?}: {text}");
                seen.extend(shown);
            }
            let has = |name: &str| match route {
                "/api/v1/locations/{id}/history" => ["place p1", "region north"].contains(&name),
                "/api/v1/results.csv" | "/api/v1/results.nist.json" => !name.starts_with("group"),
                _ => true,
            };
            let expected: BTreeSet<_> = may.iter().filter(|(_, name)| has(name)).cloned().collect();
            prop_assert_eq!(seen, expected, "{}", route);
        }
    }
}
