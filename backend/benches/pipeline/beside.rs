//! Counting beside browsers: how fast the same votes are counted with nobody connected, and while browsers follow at 4
//! updates a second.
//!
//! A server with all roles counts a topic of Kafka from its beginning. The browsers connect while it does, and the rate is
//! taken from when all are there and two fifths are counted to the last version before the end, by what each version
//! covers and when the publisher made it. Both are measured in turns. Server, broker and browsers share the
//! cores, so what the browsers themselves take is told beside it.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tallyboard::simulate::Shape;
use tallyboard_shared::{Timestamp, message::PROTOCOL_JSON};

use crate::{
    fanout::{Seen, Way, cpu, crowd, raise_limits},
    feed::Feed,
    say,
    server::Server,
    table::{Row, median, per_second, thousands},
    votes::{SHORT, SHORT_COUNT, Votes, forget_results, kafka_servers},
};

const SIZES: [u64; 2] = [1_000, 5_000];
const RUNS: usize = 3;
/// All come within so long.
const CONNECTING: Duration = Duration::from_millis(1_500);

/// One count.
struct Measured {
    /// Votes a second.
    rate: f64,
    /// Processor time by wall time: of the server, and of the browsers.
    cores: [f64; 2],
    /// Updates that a browser read in a second.
    updates: f64,
}

pub(crate) fn run() {
    raise_limits();
    let (_, count) = Votes::new(Shape::Short).fill(SHORT, SHORT_COUNT);
    for size in SIZES {
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
            "server {:.2} cores, browsers {:.2}; {:.1} updates/s each",
            of(&beside, |one| one.cores[0]),
            of(&beside, |one| one.cores[1]),
            of(&beside, |one| one.updates),
        );
        let beside = format!("nobody connected: server {:.2} cores", of(&alone, |one| one.cores[0]));
        Row { beside, ..Row::plain("the processor time of both meanwhile", figure) }.print();
    }
}

/// Counts all votes by a fresh server, beside so many browsers.
fn counted(count: u64, size: u64) -> Measured {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    forget_results(SHORT);
    let servers = kafka_servers();
    let kafka = ["--kafka", &servers, "--topic-prefix", SHORT, "--publish-interval", "250ms"];
    let limits = ["--max-connections-per-address", "30000", "--max-connections", "30000"];
    let server = Server::start(directory.path(), &[&kafka[..], &limits].concat());
    let mut feed = Feed::connect(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let seen = Seen::new();
    let way = Way { protocol: PROTOCOL_JSON, network: 1, resume: None, reads: true };
    let _entered = runtime.enter();
    let wait = |number| CONNECTING * u32::try_from(number).unwrap() / u32::try_from(size.max(1)).unwrap();
    let _browsers = crowd(server.address.parse().unwrap(), size, way, &seen, wait);

    let mut inputs = std::collections::BTreeMap::new();
    let mut next = || {
        let frame = feed.next();
        inputs.extend(frame.inputs());
        (inputs.values().sum::<u64>(), frame.as_of())
    };
    let first = loop {
        if let (covered, Some(as_of)) = next()
            && covered >= count * 2 / 5
            && seen.welcomed.load(Ordering::Relaxed) == size
        {
            break (covered, as_of);
        }
    };
    assert!(first.0 <= count * 3 / 4, "the browsers came too late: too little is left to be counted");
    seen.forget();
    let started = (Instant::now(), server.cpu(), cpu("self"));
    let mut last = first;
    let mut ended = (started.0.elapsed(), server.cpu(), cpu("self"));
    loop {
        let (covered, Some(as_of)) = next() else { continue };
        if covered >= count {
            break;
        }
        last = (covered, as_of);
        ended = (started.0.elapsed(), server.cpu(), cpu("self"));
    }
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let wall = ended.0.as_secs_f64();
    assert!(wall > 0.5, "the count is too quick to be measured");
    Measured {
        rate: per_second(last.0 - first.0, seconds(first.1, last.1)),
        cores: [ended.1 - started.1, ended.2 - started.2].map(|spent| spent.as_secs_f64() / wall),
        updates: per_second(seen.updates(), wall) / per_second(size.max(1), 1.0),
    }
}
