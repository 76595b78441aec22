//! Sessions over channels in place of sockets.

use tallyboard_shared::{
    election::Election,
    message::{FeedState, ServerMessage, Status},
    results::Results,
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::*;
use crate::{
    election,
    http::testing::Line,
    roles::{
        disclosure::disclose,
        viewer::{Shown, Step},
    },
    tally::merge,
};

const RULES: Rules = Rules { ping_interval: Duration::from_secs(3600), messages_per_second: 20 };

/// The client's end.
struct Client {
    to_server: mpsc::Sender<Result<Message, Error>>,
    from_server: mpsc::Receiver<Message>,
    protocol: Protocol,
    session: JoinHandle<()>,
}

struct Server {
    feed: Arc<Feed>,
    stop: Stop,
}

impl Server {
    fn new() -> Self {
        let status = Status {
            state: FeedState::Live,
            now: Timestamp::UNIX_EPOCH,
            version: None,
            lag: Some(0),
            stale_since: None,
        };
        Self { feed: Arc::new(Feed::new(Arc::new(election::demo()), status)), stop: Stop::default() }
    }

    /// One that has shown these versions.
    fn at(versions: std::ops::RangeInclusive<u64>) -> Self {
        let server = Self::new();
        server.show(shown(*versions.start()), Frame::Start);
        versions.skip(1).for_each(|version| server.step(version));
        server
    }

    fn step(&self, version: u64) {
        let update = results(version - 1).step_to(&results(version)).unwrap();
        self.show(shown(version), Frame::Step(Arc::new(Step::new(update))));
    }

    fn show(&self, shown: Shown, frame: Frame) {
        self.feed.remember(&shown, &frame);
        self.feed.show(shown, frame);
    }

    fn client(&self, protocol: Protocol, resume: Option<Resume>, rules: Rules) -> Client {
        let (line, to_server, from_server) = Line::new(1);
        let session = Session::new(line, protocol, &self.feed, rules);
        let stop = self.stop.clone();
        let session = tokio::spawn(async move { drop(session.run(resume, &stop).await) });
        Client { to_server, from_server, protocol, session }
    }

    fn connect(&self) -> Client {
        self.client(Protocol::Json, None, RULES)
    }
}

impl Client {
    async fn raw(&mut self) -> Option<Message> {
        timeout(Duration::from_secs(60), self.from_server.recv()).await.expect("the server says something")
    }

    /// The next message; the close code as an error.
    async fn next(&mut self) -> Result<ServerMessage, u16> {
        let message = self.raw().await.expect("a close before the end");
        if let Some((code, _)) = message.as_close() {
            return Err(code.into());
        }
        Ok(match self.protocol {
            Protocol::Json => serde_json::from_str(message.as_text().unwrap()).unwrap(),
            Protocol::Binary => ServerMessage::from_binary(message.as_payload()).unwrap(),
        })
    }

    /// What the next messages are, and their versions.
    async fn kinds(&mut self, number: usize) -> Vec<(&'static str, u64)> {
        let mut kinds = Vec::new();
        for _ in 0..number {
            kinds.push(match self.next().await.unwrap() {
                ServerMessage::Welcome(welcome) => {
                    ("welcome", welcome.results.map_or(0, |results| results.version))
                }
                ServerMessage::Update(update) => ("update", update.version),
                ServerMessage::Status(_) => ("status", 0),
                ServerMessage::Goodbye(_) => ("goodbye", 0),
            });
        }
        kinds
    }

    async fn say(&self, message: Message) {
        self.to_server.send(Ok(message)).await.unwrap();
    }

    /// The goodbye and the code of a session that ends.
    async fn end(mut self) -> (Option<GoodbyeReason>, u16) {
        let mut reason = None;
        let code = loop {
            match self.next().await {
                Ok(ServerMessage::Goodbye(goodbye)) => reason = Some(goodbye.reason),
                Ok(_) => {}
                Err(code) => break code,
            }
        };
        self.session.await.unwrap();
        (reason, code)
    }
}

fn election() -> Election {
    election::demo()
}

fn results(version: u64) -> Disclosed<Results> {
    let as_of = Timestamp::from_second(version.cast_signed()).unwrap();
    disclose(&election(), merge(&election(), std::iter::empty(), version, as_of))
}

fn shown(version: u64) -> Shown {
    Shown::new(Arc::new(election()), Some(results(version)), Arc::from([]), None)
}

fn resume(version: u64) -> Option<Resume> {
    Some(Resume { version, as_of: results(version).as_of })
}

fn text(message: &ClientMessage) -> Message {
    Message::text(serde_json::to_string(message).unwrap())
}

#[tokio::test]
async fn a_session_is_a_welcome_and_every_step_in_both_protocols() {
    let server = Server::at(1..=3);
    for protocol in [Protocol::Json, Protocol::Binary] {
        let mut client = server.client(protocol, None, RULES);
        let newest = server.feed.shown().version();
        assert_eq!(client.kinds(2).await, [("welcome", newest), ("status", 0)]);
        server.step(newest + 1);
        server.step(newest + 2);
        assert_eq!(client.kinds(2).await, [("update", newest + 1), ("update", newest + 2)]);
    }
}

#[tokio::test]
async fn everyone_is_sent_the_same_bytes() {
    let server = Server::at(1..=3);
    let (mut one, mut other) = (server.connect(), server.connect());
    for _ in 0..2 {
        let (one, other) = (one.raw().await.unwrap(), other.raw().await.unwrap());
        assert_eq!(one.as_payload().to_vec(), other.as_payload().to_vec());
    }
    server.step(4);
    let (one, other) = (one.raw().await.unwrap(), other.raw().await.unwrap());
    assert_eq!(one.as_payload().as_ptr(), other.as_payload().as_ptr(), "encoded once, and not copied");
}

#[tokio::test]
async fn who_comes_back_is_sent_only_what_was_missed() {
    let server = Server::at(5..=9);
    for protocol in [Protocol::Json, Protocol::Binary] {
        let mut client = server.client(protocol, resume(7), RULES);
        assert_eq!(client.kinds(3).await, [("update", 8), ("update", 9), ("status", 0)]);
        let mut client = server.client(protocol, resume(9), RULES);
        assert_eq!(client.kinds(1).await, [("status", 0)]);
    }
    server.step(10);
    let mut client = server.connect();
    assert_eq!(client.kinds(2).await, [("welcome", 10), ("status", 0)]);
    client.say(text(&ClientMessage::Resume { version: 8 })).await;
    assert_eq!(client.kinds(2).await, [("update", 9), ("update", 10)]);
    server.step(11);
    assert_eq!(client.kinds(1).await, [("update", 11)]);
}

#[tokio::test]
async fn who_cannot_be_told_what_was_missed_starts_over() {
    let server = Server::at(5..=9);
    let of_another_count = Some(Resume { version: 7, as_of: results(8).as_of });
    for resume in [resume(4), resume(10), of_another_count] {
        assert_eq!(server.client(Protocol::Json, resume, RULES).kinds(2).await[0], ("welcome", 9));
    }
    // More has been missed than there is.
    let welcome = server.feed.shown().welcome(Protocol::Json).len() as u64;
    (10..10 + welcome / 100).for_each(|version| server.step(version));
    let newest = server.feed.shown().version();
    assert!(server.feed.since(6, None).is_some());
    assert_eq!(server.client(Protocol::Json, resume(6), RULES).kinds(1).await, [("welcome", newest)]);
    assert_eq!(server.client(Protocol::Json, resume(newest - 1), RULES).kinds(1).await, [("update", newest)]);
}

#[tokio::test]
async fn a_slow_client_is_given_the_newest_results_in_place_of_what_it_missed() {
    let server = Server::at(1..=1);
    let mut client = server.connect();
    assert_eq!(client.kinds(2).await, [("welcome", 1), ("status", 0)]);
    for version in 2..=1000 {
        server.step(version);
        // The session runs into its client, who takes nothing.
        tokio::task::yield_now().await;
    }
    let mut taken = Vec::new();
    while taken.last().is_none_or(|(_, version)| *version < 1000) {
        taken.extend(client.kinds(1).await);
    }
    assert!(taken.len() < 100, "{} messages lay waiting", taken.len());
    assert!(taken.iter().any(|(kind, _)| *kind == "welcome"));
    server.step(1001);
    assert_eq!(client.kinds(1).await, [("update", 1001)]);
}

#[tokio::test]
async fn a_client_that_misses_two_pings_is_let_go() {
    let rules = Rules { ping_interval: Duration::from_millis(5), ..RULES };
    let mut client = Server::at(1..=1).client(Protocol::Json, None, rules);
    client.kinds(2).await;
    let mut pings = 0;
    let goodbye = loop {
        let message = client.raw().await.unwrap();
        if !message.is_ping() {
            break message;
        }
        pings += 1;
    };
    assert!(goodbye.as_text().unwrap().contains("unresponsive"));
    assert_eq!((pings, client.end().await), (2, (None, 1008)));
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let rules = Rules { ping_interval: Duration::from_millis(5), messages_per_second: u32::MAX };
    let server = Server::at(1..=1);
    let mut client = server.client(Protocol::Json, None, rules);
    client.kinds(2).await;
    for _ in 0..20 {
        let ping = client.raw().await.unwrap();
        assert!(ping.is_ping());
        client.say(Message::pong(ping.into_payload())).await;
    }
    server.stop.raise();
    let goodbye = loop {
        let message = client.raw().await.unwrap();
        if !message.is_ping() {
            break message;
        }
    };
    assert!(goodbye.as_text().unwrap().contains("restart"));
}

#[tokio::test]
async fn a_flood_ends_the_session() {
    let client = Server::at(1..=1).client(Protocol::Json, None, RULES);
    let to_server = client.to_server.clone();
    let flood = async move {
        // Once the session has ended nobody takes them.
        while to_server.send(Ok(Message::pong(Bytes::new()))).await.is_ok() {}
    };
    let flood = tokio::spawn(flood);
    assert_eq!(client.end().await, (Some(GoodbyeReason::Policy), 1008));
    flood.await.unwrap();
}

#[tokio::test]
async fn what_is_no_message_ends_the_session() {
    let ping = ClientMessage::Ping;
    let cases = [
        (Protocol::Json, Message::text("{")),
        (Protocol::Json, Message::text("")),
        (Protocol::Json, Message::binary(ping.to_binary())),
        (Protocol::Binary, text(&ping)),
        (Protocol::Binary, Message::binary(vec![0xff; 64])),
    ];
    for (protocol, message) in cases {
        let client = Server::at(1..=1).client(protocol, None, RULES);
        client.say(message).await;
        assert_eq!(client.end().await, (Some(GoodbyeReason::Policy), 1008));
    }
    let client = Server::at(1..=1).connect();
    client.to_server.send(Err(Error::PayloadTooLong { len: 2, max_len: 1 })).await.unwrap();
    assert_eq!(client.end().await, (None, 1009));
}

#[tokio::test]
async fn a_ping_is_answered_by_a_status() {
    let server = Server::at(1..=1);
    let mut client = server.client(Protocol::Binary, None, RULES);
    client.kinds(2).await;
    client.say(Message::binary(ClientMessage::Ping.to_binary())).await;
    assert_eq!(client.kinds(1).await, [("status", 0)]);
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let server = Server::at(1..=1);
    let clients = [server.connect(), server.client(Protocol::Binary, None, RULES)];
    server.stop.raise();
    for client in clients {
        assert_eq!(client.end().await, (Some(GoodbyeReason::Restart), 1012));
    }
}

#[tokio::test]
async fn a_session_ends_with_its_client() {
    let client = Server::at(1..=1).connect();
    drop((client.to_server, client.from_server));
    timeout(Duration::from_secs(60), client.session).await.unwrap().unwrap();
}
