//! Counting beside browsers: how fast the same votes are counted with nobody connected, and while browsers follow at 4
//! updates a second.
//!
//! The browsers follow a viewer, a process of its own, and are there before the count begins: as on an evening on which the
//! count is restarted. A server with all roles then counts a topic of Kafka from its beginning. The rate is taken from when
//! a fifth is counted to the last version before the end, by what each version covers and when the publisher made it. Both
//! are measured in turns. Server, viewer, broker and browsers share the cores, so what viewer and browsers take is told
//! beside it.

use std::time::{Duration, Instant};

use tallyboard::simulate::Shape;
use tallyboard_shared::{Timestamp, message::PROTOCOL_JSON};

use crate::{
    fanout::{
        BROWSERS_MAX, CONNECTS_PER_SECOND, OTHER_FILES, Seen, Way, all_are_there, cpu, crowd, raise_limits,
    },
    feed::Feed,
    say,
    server::Server,
    table::{Row, median, per_second, thousands},
    votes::{SHORT, SHORT_COUNT, Votes, forget_results, kafka_servers, make_topics},
};

const SIZES: [u64; 3] = [1_000, 5_000, BROWSERS_MAX];
const RUNS: usize = 3;

/// One count.
struct Measured {
    /// Votes a second.
    rate: f64,
    /// Processor time by wall time: of the server, of the viewer, and of the browsers.
    cores: [f64; 3],
    /// Updates that a browser read in a second.
    updates: f64,
}

pub(crate) fn run() {
    let files = raise_limits();
    let (_, count) = Votes::new(Shape::Short).fill(SHORT, SHORT_COUNT);
    for size in SIZES.map(|size| size.min(files.saturating_sub(OTHER_FILES))) {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for run in 1..=RUNS {
            alone.push(counted(count, 0));
            beside.push(counted(count, size));
            let last = |all: &[Measured]| thousands(all[run - 1].rate);
            say(&format!("run {run}: alone {}/s, beside {size} {}/s", last(&alone), last(&beside)));
        }
        let of = |all: &[Measured], figure: fn(&Measured) -> f64| median(all.iter().map(figure).collect());
        let (free, slowed) = (of(&alone, |one| one.rate), of(&beside, |one| one.rate));
        let browsers = thousands(per_second(size, 1.0));
        let what = format!("counting from Kafka beside {browsers} browsers");
        Row {
            beside: format!("nobody connected: {} votes/s", thousands(free)),
            ratio: format!("{:.2}", slowed / free),
            ..Row::with_aim(&what, format!("{} votes/s", thousands(slowed)), "≥ 0.9", slowed >= 0.9 * free)
        }
        .print();
        let figure = format!(
            "server {:.2} cores, viewer {:.2}, browsers {:.2}; {:.1} updates/s each",
            of(&beside, |one| one.cores[0]),
            of(&beside, |one| one.cores[1]),
            of(&beside, |one| one.cores[2]),
            of(&beside, |one| one.updates),
        );
        let beside = format!("nobody connected: server {:.2} cores", of(&alone, |one| one.cores[0]));
        Row { beside, ..Row::plain("the processor time of all meanwhile", figure) }.print();
    }
}

/// Counts all votes by a fresh server, beside so many browsers.
fn counted(count: u64, size: u64) -> Measured {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    forget_results(SHORT);
    make_topics(SHORT);
    let servers = kafka_servers();
    let kafka = ["--kafka", &servers, "--topic-prefix", SHORT, "--publish-interval", "250ms"];
    let limits = ["--max-connections-per-address", "30000", "--max-connections", "30000", "--role", "viewer"];
    let viewer = Server::start(&directory.path().join("viewer"), &[&kafka[..], &limits].concat());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let seen = Seen::new();
    let way = Way { protocol: PROTOCOL_JSON, network: 1, resume: None, reads: true };
    let entered = runtime.enter();
    let step = Duration::from_secs(1) / CONNECTS_PER_SECOND;
    let wait = |number| step * u32::try_from(number).unwrap();
    let _browsers = crowd(viewer.address.parse().unwrap(), size, way, &seen, wait);
    drop(entered);
    runtime.block_on(all_are_there(&seen, size));

    let server = Server::start(&directory.path().join("server"), &kafka);
    let mut feed = Feed::connect(&server);
    let mut inputs = std::collections::BTreeMap::new();
    let mut next = || {
        let frame = feed.next();
        inputs.extend(frame.inputs());
        (inputs.values().sum::<u64>(), frame.as_of())
    };
    let first = loop {
        if let (covered, Some(as_of)) = next()
            && covered >= count / 5
        {
            break (covered, as_of);
        }
    };
    seen.forget();
    let spent = || [server.cpu(), viewer.cpu(), cpu("self")];
    let started = (Instant::now(), spent());
    let mut last = first;
    let mut ended = (Duration::ZERO, started.1);
    loop {
        let (covered, Some(as_of)) = next() else { continue };
        if covered >= count {
            break;
        }
        last = (covered, as_of);
        ended = (started.0.elapsed(), spent());
    }
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let wall = ended.0.as_secs_f64();
    assert!(wall > 0.5, "the count is too quick to be measured");
    let mut spent = ended.1.into_iter().zip(started.1).map(|(ended, started)| ended - started);
    Measured {
        rate: per_second(last.0 - first.0, seconds(first.1, last.1)),
        cores: std::array::from_fn(|_| spent.next().expect("one for each").as_secs_f64() / wall),
        updates: per_second(seen.updates(), wall) / per_second(size.max(1), 1.0),
    }
}
