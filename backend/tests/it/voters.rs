//! Nothing that a full run puts out says who has voted: every route, message, export, record, log line and file is read,
//! but for the votes themselves and `rejected_votes`, which keep what was sent.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use tallyboard::{
    journal::{Journal, NewRecord, Topics, kafka::KafkaJournal, read_to_end},
    tally::PartitionTally,
};
use tallyboard_shared::{Timestamp, message::ServerMessage};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    api::events,
    server::{Browser, Server, TOKEN, run},
    support::{fresh_prefix, kafka_servers, kafka_settings},
    watch::Watcher,
    web::{demo_definition_site, post},
};

/// In everything that says who somebody is.
const MARK: &str = "zzprivate";

/// Votes that are counted.
const COUNTED: u64 = 30;

/// A vote with all that the seeds' records tell of a voter.
fn ballot(voter: u64, candidate: &str, place: &str) -> Value {
    let who = format!("{MARK}-{voter}");
    json!({
        "voter_id": who, "voter_name": who, "date_of_birth": who, "nationality": who, "registration_number": who,
        "address": { "street": who, "city": who, "state": place, "country": who, "postcode": who },
        "email": who, "phone_number": who, "cell_number": who, "picture": who, "gender": "female",
        "registered_age": 44, "candidate_id": candidate, "voting_time": Timestamp::now(), "vote": 1,
    })
}

/// Records that are rejected, each for another reason.
fn rejected() -> Vec<String> {
    let with = |field: &str, value: Value| {
        let mut ballot = ballot(7000, "okafor", "AL");
        ballot[field] = value;
        ballot.to_string()
    };
    vec![
        ballot(0, "haddad", "AL").to_string(),
        ballot(7001, "nobody", "AL").to_string(),
        ballot(7002, "okafor", "Nowhere").to_string(),
        with("vote", json!(2)),
        with("voting_time", json!(MARK)),
        with("voting_time", json!("2099-01-01 00:00:00")),
        with("contest_id", json!("no-such-contest")),
        with("candidate_id", Value::Null),
        with("biography", json!("x".repeat(70_000))),
        format!("{{\"voter_id\":\"{MARK}"),
    ]
}

/// Where what was put out is held against [`MARK`].
#[derive(Default)]
struct Outputs {
    kinds: BTreeSet<String>,
    bytes: usize,
}

impl Outputs {
    #[track_caller]
    fn add(&mut self, what: &str, output: impl AsRef<[u8]>) {
        let output = output.as_ref();
        let text = String::from_utf8_lossy(output);
        let line = text.lines().find(|line| line.contains(MARK));
        assert_eq!(line, None, "{what} says who has voted");
        self.kinds.insert(what.to_owned());
        self.bytes += output.len();
    }

    fn messages(&mut self, what: &str, mut next: impl FnMut() -> ServerMessage) {
        loop {
            let message = next();
            self.add(what, serde_json::to_string(&message).unwrap());
            let votes = match message {
                ServerMessage::Welcome(welcome) => welcome.results.map_or(0, |results| results.totals.votes),
                ServerMessage::Update(update) => update.totals.votes,
                ServerMessage::Status(_) | ServerMessage::Goodbye(_) => 0,
            };
            if votes >= COUNTED {
                return;
            }
        }
    }

    /// Every route that answers, with what may stand behind it, as the document names them.
    fn routes(&mut self, server: &Server) {
        let document: Value = serde_json::from_str(&server.get("/api/openapi.json").unwrap().1).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            if item.get("get").is_none() || path == "/api/v1/stream" {
                continue;
            }
            for query in ["", "?contest=president", "?locations=AL", "?version=1", "?version=new"] {
                let address = format!("{path}{query}").replace("{id}", "AL");
                self.add(path, server.get(&address).unwrap().1);
            }
        }
    }

    fn topic(&mut self, journal: &KafkaJournal, topic: &str) {
        for (partition, bounds) in journal.bounds(topic).unwrap() {
            read_to_end(journal, topic, partition, bounds, |record| {
                self.add(topic, record.key);
                self.add(topic, record.value);
                // Tallies are compressed.
                if let Ok(tally) = PartitionTally::decode(record.value) {
                    self.add("tallies", format!("{tally:?}"));
                }
            })
            .unwrap();
        }
    }

    fn files(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else {
                self.add("files", std::fs::read(&path).unwrap());
            }
        }
    }
}

/// The next message on a WebSocket, in either protocol.
fn next(browser: &mut Browser) -> ServerMessage {
    loop {
        match browser.socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Binary(bytes) => return ServerMessage::from_binary(&bytes).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn no_output_of_a_full_run_says_who_has_voted() {
    let (servers, prefix) = (kafka_servers(), fresh_prefix());
    let kafka = ["--kafka", &servers, "--topic-prefix", &prefix];
    let more = ["--log", "trace", "--checkpoint-interval", "100ms"];
    let mut site = demo_definition_site(&[&kafka[..], &more].concat());
    let server = &site.server;
    let mut outputs = Outputs::default();
    let mut json = server.try_connect(&[("sec-websocket-protocol", "tallyboard.v1.json")]).unwrap();
    let mut binary = server.try_connect(&[("sec-websocket-protocol", "tallyboard.v1.bin")]).unwrap();
    let mut stream = events(server, None);
    let mut watcher = Watcher::start(&["--from", &server.url("")]);

    // By HTTP, where most of what is wrong is refused; and on the topic, where it is rejected.
    let mut lines: Vec<_> = (0..COUNTED / 2).map(|voter| ballot(voter, "okafor", "AL").to_string()).collect();
    lines.extend(rejected());
    let (status, receipt) = post(server, TOKEN, &lines.join("\n"));
    assert_eq!(status, 200, "{receipt}");
    outputs.add("receipts", receipt.to_string());
    outputs.add("receipts", post(server, TOKEN, &lines[..1].join("\n")).1.to_string());
    outputs.add("receipts", post(server, MARK, &lines[0]).1.to_string());
    let journal = KafkaJournal::new(kafka_settings()).unwrap();
    let topics = Topics::new(&prefix);
    let mut values: Vec<_> =
        (COUNTED / 2..COUNTED).map(|voter| ballot(voter, "haddad", "BR").to_string()).collect();
    values.extend(rejected());
    let key = |value: &str| {
        let vote: Value = serde_json::from_str(value).unwrap_or_default();
        vote["voter_id"].as_str().unwrap_or(MARK).to_owned()
    };
    let records: Vec<_> = values.iter().map(|value| NewRecord::new(key(value), value.as_str())).collect();
    let refused = receipt["refused"].as_u64().unwrap();
    let stored = lines.len() as u64 - refused + records.len() as u64;
    journal.append(&topics.votes, records).unwrap();
    let results = site.server.results_of(stored);
    assert_eq!(results.totals.votes, COUNTED);
    assert!(refused >= 7 && results.totals.rejected.len() >= 7, "{:?}", results.totals.rejected);

    outputs.messages("frames", || next(&mut json));
    outputs.messages("binary frames", || next(&mut binary));
    outputs.messages("events", || serde_json::from_value(stream.next().unwrap().1).unwrap());
    outputs.add("watch", watcher.line_with(&[&format!("votes {COUNTED}")]));
    outputs.routes(&site.server);
    for format in ["csv", "json", "nist"] {
        for from in [&["--from", &site.server.url("")][..], &kafka] {
            let (status, text) = run(&[&["export", "--format", format], from].concat());
            assert!(status.success(), "{text}");
            outputs.add("exports", text);
        }
    }
    let (_, report) = run(&[&["recount"], &kafka[..]].concat());
    outputs.add("recount", report);
    for topic in [&topics.results, &topics.candidates, &topics.turnout, &topics.tallies] {
        outputs.topic(&journal, topic);
    }
    let checkpoints = site.directory.path().join("checkpoints");
    site.server.wait_for("checkpoints", |_| checkpoints.read_dir().is_ok_and(|files| files.count() > 1));
    assert!(site.server.stop().success());
    // The log is one of the files.
    outputs.files(site.directory.path());
    let log = site.server.log();
    assert!(log.contains("TRACE") && log.contains("votes by HTTP"), "everything was logged");
    for kind in ["frames", "binary frames", "events", "exports", "recount", "tallies", "files", "/metrics"] {
        assert!(outputs.kinds.contains(kind), "{kind} isn't among {:?}", outputs.kinds);
    }
    assert!(outputs.kinds.len() > 25 && outputs.bytes > 100_000, "{:?}", outputs.kinds);
    // That the look finds what is there: votes and rejected ones are kept as they were sent.
    for topic in [&topics.votes, &topics.rejected] {
        let mut found = 0;
        for (partition, bounds) in journal.bounds(topic).unwrap() {
            read_to_end(&journal, topic, partition, bounds, |record| {
                found += usize::from(String::from_utf8_lossy(record.value).contains(MARK));
            })
            .unwrap();
        }
        assert!(found >= 7, "{topic}: {found}");
    }
}
