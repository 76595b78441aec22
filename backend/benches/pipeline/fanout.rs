//! Fan-out: one server, and as many browsers as the system lets a process open, 20,000 at most, at 4 updates a second.
//!
//! The browsers are tasks of this process, which is another than the server's, each with a connection of its own. The
//! election is the demonstration's with 40 places and 100 votes a second, so that most places change from one update to
//! the next. The clock of an update is its `as_of`, when the publisher made it, and ends when a browser has read it.
//!
//! Memory by browser is what the server has grown by since nobody was connected. Then one in twenty browsers stops
//! reading. At last all connections break at once, and all come back within five seconds, at random times, with the
//! version that they had.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use rand::RngExt;
use tallyboard_shared::{
    Timestamp,
    message::{PROTOCOL_BINARY, PROTOCOL_JSON},
};
use tokio::{net::TcpSocket, task::AbortHandle};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{
    PATIENCE, say,
    server::Server,
    table::{Row, milliseconds, thousands},
};

pub(crate) const BROWSERS_MAX: u64 = 20_000;
/// What this process and the server have open besides.
pub(crate) const OTHER_FILES: u64 = 1_100;
/// 4 updates a second.
const INTERVAL: &str = "250ms";
const VOTES: &str = "100/s";
const SETTLE: Duration = Duration::from_secs(5);
const MEASURE: Duration = Duration::from_secs(20);
/// So many connect within a second at first.
pub(crate) const CONNECTS_PER_SECOND: u32 = 1_500;
/// All come back within so many milliseconds after the connections broke.
const JITTER_MS: u64 = 5_000;
/// One of so many stops reading.
const SLOW: u64 = 20;
/// An address has about 28,000 ports; those of closed connections rest for a minute.
const PER_ADDRESS: u64 = 5_000;
/// The clients' buffers; the default of 128 KiB is for few connections.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// What the browsers see.
pub(crate) struct Seen {
    /// Updates by whole milliseconds; the last for all that took longer.
    latencies: Vec<AtomicU64>,
    bytes: AtomicU64,
    pub(crate) welcomed: AtomicU64,
    /// How long the first message took.
    waits: Mutex<Vec<Duration>>,
    /// The newest version and when it was made.
    newest: Mutex<(u64, Timestamp)>,
}

impl Seen {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            latencies: (0..60_000).map(|_| AtomicU64::new(0)).collect(),
            bytes: AtomicU64::new(0),
            welcomed: AtomicU64::new(0),
            waits: Mutex::default(),
            newest: Mutex::new((0, Timestamp::UNIX_EPOCH)),
        })
    }

    pub(crate) fn forget(&self) {
        self.latencies.iter().for_each(|latency| latency.store(0, Ordering::Relaxed));
        self.bytes.store(0, Ordering::Relaxed);
    }

    fn message(&self, message: &Message) {
        let Some((version, as_of)) = update(message) else { return };
        let latency_ms = Timestamp::now().as_millisecond() - as_of.as_millisecond();
        let bucket = usize::try_from(latency_ms).unwrap_or(0).min(self.latencies.len() - 1);
        self.latencies[bucket].fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
        if let Ok(mut newest) = self.newest.try_lock() {
            *newest = (*newest).max((version, as_of));
        }
    }

    pub(crate) fn updates(&self) -> u64 {
        self.latencies.iter().map(|latency| latency.load(Ordering::Relaxed)).sum()
    }

    fn percentile(&self, per_mille: u64) -> Duration {
        let rank = self.updates() * per_mille / 1000;
        let mut passed = 0;
        let found = self.latencies.iter().position(|latency| {
            passed += latency.load(Ordering::Relaxed);
            passed >= rank.max(1)
        });
        Duration::from_millis(found.unwrap_or(0) as u64)
    }

    fn distribution(&self) -> String {
        let [half, most, all] = [500, 990, 1000].map(|part| milliseconds(self.percentile(part)));
        format!("p50 {half}, p99 {most}, max {all}")
    }
}

/// Version and time of an update; `None` of any other message.
fn update(message: &Message) -> Option<(u64, Timestamp)> {
    match message {
        // The format, the number of the message, and then its fields.
        Message::Binary(frame) => {
            let fields = frame.strip_prefix(&[tallyboard_shared::binary::FORMAT, 1])?;
            let ((version, _previous, as_of), _) =
                postcard::take_from_bytes::<(u64, u64, Timestamp)>(fields).ok()?;
            Some((version, as_of))
        }
        Message::Text(text) => {
            let fields = text.strip_prefix(r#"{"type":"update","version":"#)?;
            let version = fields.split(',').next()?.parse().ok()?;
            let as_of = fields.split_once(r#""as_of":""#)?.1.split('"').next()?.parse().ok()?;
            Some((version, as_of))
        }
        _ => None,
    }
}

/// How a crowd comes.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) protocol: &'static str,
    /// The first of the addresses that they come from.
    pub(crate) network: u8,
    pub(crate) resume: Option<(u64, Timestamp)>,
    /// Whether they read what they are sent.
    pub(crate) reads: bool,
}

/// A browser, from its connection to its end.
async fn browse(server: SocketAddr, number: u64, way: Way, seen: Arc<Seen>) {
    let started = Instant::now();
    let path = match way.resume {
        Some((version, as_of)) => format!("/ws?resume={version}&as_of={as_of}"),
        None => "/ws".into(),
    };
    let mut request = format!("ws://{server}{path}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", way.protocol.parse().unwrap());
    let socket = TcpSocket::new_v4().unwrap();
    let host = u8::try_from(1 + number / PER_ADDRESS).unwrap();
    socket.bind((Ipv4Addr::new(127, 0, way.network, host), 0).into()).unwrap();
    if !way.reads {
        socket.set_recv_buffer_size(4096).unwrap();
    }
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES).write_buffer_size(0);
    let stream = socket.connect(server).await.expect("a connection");
    let (mut socket, _) =
        client_async_with_config(request, stream, Some(config)).await.expect("the server takes it");
    let first = socket.next().await.expect("a message").expect("a message");
    seen.waits.lock().unwrap().push(started.elapsed());
    seen.welcomed.fetch_add(1, Ordering::Relaxed);
    seen.message(&first);
    if !way.reads {
        std::future::pending::<()>().await;
    }
    while let Some(Ok(message)) = socket.next().await {
        seen.message(&message);
    }
}

/// Browsers that are there as long as this is.
pub(crate) struct Crowd(Vec<AbortHandle>);

impl Crowd {
    fn leave(&mut self, number: u64) {
        self.0.drain(..usize::try_from(number).unwrap()).for_each(|browser| browser.abort());
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Lets so many browsers come, each after a wait of its own.
pub(crate) fn crowd(
    server: SocketAddr,
    size: u64,
    way: Way,
    seen: &Arc<Seen>,
    wait: impl Fn(u64) -> Duration,
) -> Crowd {
    let browser = |number| {
        let (wait, seen) = (wait(number), Arc::clone(seen));
        let browser = async move {
            tokio::time::sleep(wait).await;
            browse(server, number, way, seen).await;
        };
        tokio::spawn(browser).abort_handle()
    };
    Crowd((0..size).map(browser).collect())
}

pub(crate) async fn all_are_there(seen: &Seen, size: u64) {
    let deadline = Instant::now() + PATIENCE;
    while seen.welcomed.load(Ordering::Relaxed) < size {
        assert!(Instant::now() < deadline, "{} of {size} are there", seen.welcomed.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many files may be open from now on: root may have more, everybody else has what there is.
pub(crate) fn raise_limits() -> u64 {
    drop(rlimit::setrlimit(rlimit::Resource::NOFILE, 65_536, 65_536));
    rlimit::increase_nofile_limit(u64::MAX).unwrap()
}

pub(crate) fn run() {
    let files = raise_limits();
    let size = BROWSERS_MAX.min(files.saturating_sub(OTHER_FILES));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (protocol, network) in [(PROTOCOL_JSON, 1), (PROTOCOL_BINARY, 2)] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let arguments = ["--simulate", VOTES, "--publish-interval", INTERVAL];
        let limits = ["--max-connections-per-address", "30000", "--max-connections", "30000"];
        let server = Server::start(directory.path(), &[arguments, limits].concat());
        server.wait_for("results", || server.get("/api/v1/results").is_some());
        runtime.block_on(measure(&server, size, Way { protocol, network, resume: None, reads: true }));
    }
}

async fn measure(server: &Server, size: u64, way: Way) {
    let address = server.address.parse().unwrap();
    let named = |what: &str| format!("{} browsers, `{}`: {what}", thousands_of(size), way.protocol);
    let seen = Seen::new();
    // Whatever the first of them needs isn't by browser.
    let first = crowd(address, 1, way, &seen, |_| Duration::ZERO);
    tokio::time::sleep(SETTLE).await;
    let (before, _) = server.memory();
    say(&format!("{size} browsers connect"));
    let step = Duration::from_secs(1) / CONNECTS_PER_SECOND;
    let mut browsers = crowd(address, size, way, &seen, |number| step * u32::try_from(number).unwrap());
    all_are_there(&seen, size + 1).await;
    tokio::time::sleep(SETTLE).await;
    seen.forget();
    let (started, server_before, own_before) = (Instant::now(), server.cpu(), cpu("self"));
    tokio::time::sleep(MEASURE).await;
    let share =
        |spent: Duration| format!("{:.2} cores", spent.as_secs_f64() / started.elapsed().as_secs_f64());
    let (of_server, of_browsers) = (share(server.cpu() - server_before), share(cpu("self") - own_before));
    let p99 = seen.percentile(990);
    let what = named("an update's way to each");
    Row::with_aim(&what, seen.distribution(), "p99 ≤ 500 ms", p99 <= Duration::from_millis(500)).print();
    let per_update = seen.bytes.load(Ordering::Relaxed) / seen.updates().max(1);
    let per_second = thousands_of(seen.updates() / MEASURE.as_secs());
    let figure = format!("{of_server}; {per_second} updates/s of {per_update} bytes");
    let beside = format!("the browsers on the same cores: {of_browsers}");
    Row { beside, ..Row::plain(&named("the server's time"), figure) }.print();
    let (after, most) = server.memory();
    let per_browser = |bytes: u64| bytes.saturating_sub(before) / size;
    let figure = format!(
        "{} bytes a browser, {} at most",
        thousands_of(per_browser(after)),
        thousands_of(per_browser(most))
    );
    Row::with_aim(&named("memory"), figure, "≤ 20 KB", per_browser(after) <= 20_480).print();

    say("some stop reading");
    let leaving = size / SLOW;
    browsers.leave(leaving);
    // Their places are free by then.
    tokio::time::sleep(SETTLE).await;
    let still = Way { reads: false, network: way.network + 10, ..way };
    let slow = crowd(address, leaving, still, &seen, |_| Duration::ZERO);
    tokio::time::sleep(SETTLE).await;
    seen.forget();
    tokio::time::sleep(MEASURE).await;
    let (with_slow, _) = server.memory();
    let what = named("the same, while one in twenty doesn't read");
    let figure = seen.distribution();
    let beside = format!("memory: {} KB more", thousands_of(with_slow.saturating_sub(after) / 1024));
    let met = seen.percentile(990) <= Duration::from_millis(500);
    Row { beside, ..Row::with_aim(&what, figure, "p99 ≤ 500 ms", met) }.print();

    say("all connections break, and all come back");
    let newest = *seen.newest.lock().unwrap();
    drop((first, browsers, slow));
    let seen = Seen::new();
    let back = Way { resume: Some(newest), network: way.network + 20, ..way };
    let started = Instant::now();
    let jitter = |_| Duration::from_millis(rand::rng().random_range(0..JITTER_MS));
    let _browsers = crowd(address, size, back, &seen, jitter);
    all_are_there(&seen, size).await;
    let all = started.elapsed();
    let mut waits = seen.waits.lock().unwrap().clone();
    waits.sort();
    let [half, most] = [50, 99].map(|percent| milliseconds(crate::table::percentile(&waits, percent)));
    let what = named("all reconnect within 5 s, and are sent what they missed");
    Row::plain(&what, format!("p50 {half}, p99 {most}; all after {:.1} s", all.as_secs_f64())).print();
}

/// The processor time of a process, all threads together.
pub(crate) fn cpu(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may hold anything; user and system time are the 14th and 15th field of all.
    let fields = stat.rsplit_once(") ").unwrap().1;
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>();
    // A hundredth of a second each, on every system that has /proc.
    Duration::from_millis(ticks * 10)
}

fn thousands_of(number: u64) -> String {
    thousands(crate::table::per_second(number, 1.0))
}
