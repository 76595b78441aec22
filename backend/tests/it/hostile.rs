//! Strangers who mean harm: rubbish, dawdling, floods and everything too large. The server stays up, its memory bounded,
//! and an honest client is served all the while.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tallyboard_shared::message::ServerMessage;

use crate::{
    server::{Browser, PATIENCE, Server, TOKEN},
    web::{Site, demo_definition_site, demo_site, post, vote},
};

/// More memory than this for all that strangers do is a leak; the demonstration takes about 60 MB.
const MEMORY_KB_MAX: u64 = 400_000;

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: tallyboard\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client that was there before, to be asked whether it is still served.
struct Honest {
    browser: Browser,
    voters: u32,
}

impl Honest {
    fn connect(site: &Site) -> Self {
        let mut browser = site.server.connect();
        assert!(matches!(browser.next(), Ok(ServerMessage::Welcome(_))));
        Self { browser, voters: 0 }
    }

    /// Votes, and waits for the version that counts it.
    fn is_served(&mut self, site: &Site) {
        self.voters += 1;
        let voter = format!("honest-{}", self.voters);
        let (status, receipt) = post(&site.server, TOKEN, &vote(&voter, "okafor", "AL"));
        assert_eq!(status, 200, "{receipt}");
        let deadline = Instant::now() + PATIENCE;
        let votes = |browser: &Browser| browser.results.as_ref().map_or(0, |results| results.totals.votes);
        while votes(&self.browser) < u64::from(self.voters) {
            self.browser.next().unwrap();
            assert!(Instant::now() < deadline, "vote {} isn't shown:\n{}", self.voters, site.server.log());
        }
    }
}

/// What must hold whatever was done.
fn is_sound(site: &Site, honest: &mut Honest) {
    honest.is_served(site);
    assert_eq!(site.server.get("/livez").unwrap().0, 200);
    let log = site.server.log();
    assert!(!log.contains("panicked"), "{log}");
    if let Some(memory_kb) = site.server.memory_kb() {
        assert!(memory_kb < MEMORY_KB_MAX, "{memory_kb} KB");
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes until the server closes. That it resets the connection is an end too.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answer,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return answer,
            Err(error) => panic!("the server doesn't close: {error}"),
        }
    }
}

/// The status of the answer to some bytes; `None` where the server only closes.
fn status(server: &Server, request: &[u8]) -> Option<u16> {
    let mut stream = connect(server);
    // The server may have closed before it has read everything.
    drop(stream.write_all(request));
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).unwrap().strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// A WebSocket without a client library in the way; `None` where the server refuses.
fn raw_socket(server: &Server) -> Option<TcpStream> {
    let mut stream = connect(server);
    stream.write_all(HANDSHAKE.as_bytes()).ok()?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    head.starts_with(b"HTTP/1.1 101").then_some(stream)
}

/// A frame as a client writes it, masked with zeros.
fn frame(first: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        126..65536 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The code of the close frame at the end of what a server sent.
fn close_code(sent: &[u8]) -> Option<u16> {
    let position = sent.windows(2).rposition(|pair| pair[0] == 0x88 && pair[1] >= 2)?;
    Some(u16::from_be_bytes(sent.get(position + 2..position + 4)?.try_into().unwrap()))
}

fn mutate(random: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..random.random_range(1..8) {
        let position = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[position] = random.random(),
            1 => bytes.insert(position, random.random()),
            2 => bytes.truncate(position.max(1)),
            _ => {
                let part = bytes[position..].to_vec();
                bytes.extend(part);
            }
        }
    }
}

#[test]
fn rubbish_is_answered_or_cut_off_and_harms_nobody() {
    let site = demo_site();
    let mut honest = Honest::connect(&site);
    let mut random = StdRng::seed_from_u64(4);
    let requests = [
        HANDSHAKE.to_owned(),
        "GET /api/v1/results?locations=AL&contest=president&version=1 HTTP/1.1\r\nHost: t\r\n\r\n".into(),
        format!("POST /api/v1/votes HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 7\r\n\r\nrubbish"),
        "GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip, br\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
    ];
    for _ in 0..400 {
        let mut request = requests.choose(&mut random).unwrap().clone().into_bytes();
        mutate(&mut random, &mut request);
        let mut stream = connect(&site.server);
        drop(stream.write_all(&request));
        // The server must not wait for more than it will get.
        drop(stream.shutdown(Shutdown::Write));
        read_to_end(&mut stream);
    }
    let ping = br#"{"type":"ping"}"#;
    let frames = [
        frame(0x81, ping.len() as u64, ping),
        frame(0x82, 300, &[7; 300]),
        frame(0x89, 5, b"hello"),
        frame(0x88, 2, &1000u16.to_be_bytes()),
        [frame(0x01, 4, b"{\"ty"), frame(0x89, 0, b""), frame(0x80, 4, b"pe\":")].concat(),
    ];
    for _ in 0..400 {
        let mut stream = raw_socket(&site.server).unwrap();
        let mut sent = frames.choose(&mut random).unwrap().clone();
        mutate(&mut random, &mut sent);
        drop(stream.write_all(&sent));
        drop(stream.shutdown(Shutdown::Write));
        read_to_end(&mut stream);
    }
    is_sound(&site, &mut honest);
}

#[test]
fn what_is_too_large_is_refused() {
    let site = demo_site();
    let mut honest = Honest::connect(&site);
    let get = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nHost: t\r\n{headers}\r\n");
    let large = "x".repeat(1_000_000);
    let many = "a: b\r\n".repeat(10_000);
    let refused = [400, 414, 431];
    for request in [
        get(&format!("/{large}"), ""),
        get("/", &format!("cookie: {large}\r\n")),
        get("/", &format!("{large}: x\r\n")),
        get("/", &many),
    ] {
        let status = status(&site.server, request.as_bytes());
        assert!(status.is_none_or(|status| refused.contains(&status)), "{status:?}");
    }
    let long_names = get(&format!("/api/v1/results?locations={}", "AL,".repeat(15_000)), "");
    assert_eq!(status(&site.server, long_names.as_bytes()), Some(400));
    let announced = format!(
        "POST /api/v1/votes HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 99999999999\r\n\r\n"
    );
    assert_eq!(status(&site.server, announced.as_bytes()), Some(413));
    for (sent, code) in [
        (frame(0x82, 1 << 40, &[0; 1000]), 1009),
        (frame(0x82, 5000, &[0; 5000]), 1009),
        // Each fragment is short enough, and there is no end of them.
        ([frame(0x02, 1000, &[0; 1000]), frame(0x00, 1000, &[0; 1000]).repeat(100)].concat(), 1009),
        (frame(0x89, 0, b"").repeat(500), 1008),
        (frame(0x81, 15, br#"{"type":"ping"}"#).repeat(500), 1008),
        (frame(0x8f, 0, b""), 1002),
    ] {
        let mut stream = raw_socket(&site.server).unwrap();
        drop(stream.write_all(&sent));
        let answer = read_to_end(&mut stream);
        assert_eq!(close_code(&answer), Some(code), "{:?}", &sent[..20.min(sent.len())]);
    }
    is_sound(&site, &mut honest);
}

/// Writes some bytes again and again until the server has enough of it; what it answers, and after how long.
fn dawdle(mut stream: TcpStream, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        assert!(started.elapsed() < PATIENCE, "the server has endless patience");
        match stream.read(&mut buffer) {
            Ok(0) => return (answer, started.elapsed()),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                drop(stream.write_all(bytes));
            }
            Err(_) => return (answer, started.elapsed()),
        }
    }
}

#[test]
fn whoever_dawdles_is_cut_off() {
    let site = demo_site();
    let mut honest = Honest::connect(&site);
    let body = format!(
        "POST /api/v1/votes HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100000\r\n\r\n"
    );
    let started = |head: &str| {
        let mut stream = connect(&site.server);
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let idle: Vec<_> =
        (0..300).map(|number| started(if number % 2 == 0 { "" } else { "GET / HT" })).collect();
    std::thread::scope(|scope| {
        let slow_head = scope.spawn(|| dawdle(started("GET / HTTP/1.1\r\nx: "), b"x"));
        let slow_body = scope.spawn(|| dawdle(started(&body), b" "));
        // It takes what is sent, and answers no ping.
        let silent = scope.spawn(|| dawdle(raw_socket(&site.server).unwrap(), b""));
        while !(slow_head.is_finished() && slow_body.is_finished() && silent.is_finished()) {
            honest.is_served(&site);
        }
        let (answer, _) = slow_head.join().unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", answer.escape_ascii());
        for mut stream in idle {
            assert!(read_to_end(&mut stream).is_empty());
        }
        let (answer, _) = slow_body.join().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("timed_out"), "{answer}");
        let (sent, after) = silent.join().unwrap();
        assert_eq!(close_code(&sent), Some(1008));
        assert!(after > Duration::from_secs(40), "two pings were waited for, not {after:?}");
    });
    is_sound(&site, &mut honest);
}

#[test]
fn one_address_cannot_take_all_places() {
    let site = demo_definition_site(&["--max-connections-per-address", "200", "--max-connections", "2000"]);
    let mut honest = Honest::connect(&site);
    // Some are needed for the other tests, which run beside this one.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let attempts = files.saturating_sub(1000).clamp(600, 10_000);
    let (mut open, mut told, mut dropped) = (Vec::new(), 0, 0);
    for _ in 0..attempts {
        // Nobody is asked for an answer before the next comes.
        let mut stream = connect(&site.server);
        drop(stream.write_all(HANDSHAKE.as_bytes()));
        open.push(stream);
    }
    let mut held = Vec::new();
    for mut stream in open {
        let mut head = [0; 12];
        match stream.read_exact(&mut head) {
            Ok(()) if head.ends_with(b"101") => held.push(stream),
            Ok(()) if head.ends_with(b"429") => told += 1,
            Ok(()) => panic!("{}", head.escape_ascii()),
            Err(_) => dropped += 1,
        }
    }
    // The honest one has the address too.
    assert_eq!((held.len(), told + dropped), (199, attempts - 199), "{told} were told, {dropped} dropped");
    assert!(told > 0);
    drop(held);
    is_sound(&site, &mut honest);
    let metrics = site.server.get("/metrics").unwrap().1;
    assert!(metrics.contains("tallyboard_connections_refused_total"), "{metrics}");
    assert!(site.server.connect().next().is_ok(), "places are given back");
}
