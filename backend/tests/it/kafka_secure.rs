//! Kafka with TLS and a password: `SASL_SSL` with PLAIN, on a listener of the broker that the other tests use.
//!
//! It is named by `TALLYBOARD_TEST_KAFKA_SECURE`; `cargo xtask test` builds the program with TLS, and starts the broker so.

use tallyboard::journal::{Journal, Topics, kafka::KafkaJournal};

use crate::{
    secure::certificate,
    server::{Server, TOKEN, demo_definition, free_address, program},
    support::{fresh_prefix, kafka_settings},
    web::{post, vote},
};

/// As in xtask/src/kafka/config.rs.
const PASSWORD: &str = "only-for-tests";

/// What leads to the broker with this password, for whoever trusts this authority.
fn arguments(prefix: &str, password: &str, authority: &str) -> Vec<String> {
    let servers = std::env::var("TALLYBOARD_TEST_KAFKA_SECURE").expect(
        "TALLYBOARD_TEST_KAFKA_SECURE names no Kafka: run the tests by `cargo xtask test`, which starts one",
    );
    let mut arguments = ["--kafka", &servers, "--topic-prefix", prefix].map(str::to_owned).to_vec();
    for (name, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "tallyboard"),
        ("sasl.password", password),
        ("ssl.ca.location", &certificate(authority)),
    ] {
        arguments.extend(["--kafka-property".to_owned(), format!("{name}={value}")]);
    }
    arguments
}

fn start(directory: &tempfile::TempDir, arguments: &[String]) -> Server {
    let definition = demo_definition();
    let mut all = vec!["--election", definition.to_str().unwrap()];
    all.extend(arguments.iter().map(String::as_str));
    Server::start(directory.path(), &free_address(), &all)
}

#[test]
fn votes_go_in_and_results_come_out_over_tls_with_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = fresh_prefix();
    let arguments = arguments(&prefix, PASSWORD, "localhost.pem");
    let mut server = start(&directory, &arguments);
    server.wait_for("readiness", |server| server.get("/readyz").is_some_and(|(status, _)| status == 200));
    let votes: Vec<_> = (0..20).map(|voter| vote(&format!("v{voter}"), "okafor", "AL")).collect();
    assert_eq!(post(&server, TOKEN, &votes.join("\n")).0, 200);
    let mut sender = program();
    sender.args(["simulate", "--count", "80", "--rate", "max", "--data-dir"]);
    assert!(sender.arg(directory.path().join("sender")).args(&arguments).status().unwrap().success());
    let results = server.results_of(100);
    assert_eq!(results.totals.votes, 100);
    assert!(server.stop().success());
    // What came and went by the listener with TLS lies where everyone else finds it.
    let journal = KafkaJournal::new(kafka_settings()).unwrap();
    let topics = Topics::new(&prefix);
    let records =
        |topic: &str| journal.bounds(topic).unwrap().into_values().map(|bounds| bounds.end).sum::<u64>();
    assert_eq!(records(&topics.votes), 100);
    assert!(records(&topics.results) > 0 && records(&topics.candidates) > 0);
    assert!(!server.log().contains(PASSWORD));
}

#[test]
fn a_wrong_password_or_an_unknown_authority_is_said_and_the_process_lives() {
    for (password, authority, sentence) in [
        ("a-wrong-password", "localhost.pem", "Authentication failed"),
        (PASSWORD, "stranger.pem", "certificate verify failed"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut server = start(&directory, &arguments(&fresh_prefix(), password, authority));
        server.wait_for("a reason", |server| server.log().contains(sentence));
        server.wait_for("patience", |server| server.log().contains("waiting for the journal"));
        assert_eq!(server.get("/livez").unwrap().0, 200);
        assert_eq!(server.get("/readyz").unwrap().0, 503);
        assert!(!server.log().contains(password), "{}", server.log());
        assert!(server.stop().success());
    }
}
