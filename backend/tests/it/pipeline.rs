//! From a vote to HTTP, WebSocket and the aggregate topics, with kill −9 in the middle: every number must be right.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers, Message},
};
use serde_json::Value;
use tallyboard::{
    election,
    journal::{Journal, NewRecord, Topics, embedded::EmbeddedJournal, read_to_end},
    simulate::{Electorate, Expected, Shape, Shares},
    tally::{Cell, PartitionTally, Window, Windows},
};
use tallyboard_shared::{reason::Reason, results::Results};

use crate::{
    batches::{OF_EVERYONE, attributes},
    server::{PATIENCE, Server, Started, demo_definition, free_address, program, run},
    support::{fresh_prefix, kafka_servers},
};

const RECORDS: u64 = 100_000;
const SEED: u64 = 20_261_103;
const SHARES: Shares = Shares { duplicates: 0.05, late: 0.02, invalid: 0.05 };

fn electorate() -> Electorate {
    Electorate::new(election::demo(), SEED, SHARES, Shape::Full)
}

/// `tallyboard simulate` in the background.
fn simulate(to: &[&str], data_dir: &Path) -> Started {
    let mut command = program();
    command.args(["simulate", "--rate", "max", "--count"]).arg(RECORDS.to_string());
    command.args(["--seed", &SEED.to_string(), "--shape", "full"]);
    command.args(["--duplicates", "0.05", "--late", "0.02", "--invalid", "0.05"]);
    command.arg("--data-dir").arg(data_dir).args(to).env("TALLYBOARD_INGEST_TOKEN", crate::server::TOKEN);
    Started::by(&mut command)
}

/// Votes by candidate and place, by their positions in the definition.
fn votes(results: &Results) -> BTreeMap<(usize, usize), u64> {
    let candidates = &results.contests[0].candidates;
    let mut votes = BTreeMap::new();
    for (place, location) in results.locations.iter().enumerate() {
        for (id, count) in location.contests.iter().flat_map(|contest| contest.votes.iter().flatten()) {
            let candidate = candidates.iter().position(|candidate| candidate.id == *id).unwrap();
            votes.insert((candidate, place), *count);
        }
    }
    votes
}

pub(crate) fn check_results(results: &Results, expected: &Expected) {
    assert_eq!(votes(results), expected.votes);
    let total: u64 = expected.votes.values().sum();
    assert_eq!(results.totals.votes, total);
    assert_eq!(results.contests[0].votes, total);
    for (number, candidate) in results.contests[0].candidates.iter().enumerate() {
        let sum = expected
            .votes
            .iter()
            .filter(|((candidate, _), _)| *candidate == number)
            .map(|(_, votes)| votes)
            .sum();
        assert_eq!(candidate.votes, Some(sum), "{}", candidate.id);
    }
    for (number, location) in results.locations.iter().enumerate() {
        let sum: u64 =
            expected.votes.iter().filter(|((_, place), _)| *place == number).map(|(_, votes)| votes).sum();
        assert_eq!(location.votes, sum, "{}", location.id);
    }
    assert!(results.totals.late > 0);
}

/// The newest value of every key, as JSON.
type Rows = BTreeMap<String, Value>;

fn check_rows(candidates: &Rows, turnout: &Rows, results: &Results) {
    assert_eq!(candidates.len(), results.contests[0].candidates.len());
    for candidate in &results.contests[0].candidates {
        let row = &candidates[candidate.id.as_str()];
        assert_eq!(row["total_votes"].as_u64(), candidate.votes);
        assert_eq!(row["candidate_id"], candidate.id.as_str());
        assert_eq!(row["candidate_name"], candidate.name.as_str());
        assert_eq!(row["party_affiliation"].as_str(), candidate.party.as_deref());
        assert_eq!(row["contest_id"], "president");
        assert!(row["version"].as_u64().unwrap() <= results.version);
    }
    assert_eq!(turnout.len(), results.locations.len());
    for location in &results.locations {
        let row = &turnout[location.id.as_str()];
        assert_eq!(
            (row["count"].as_u64(), row["state"].as_str()),
            (Some(location.votes), Some(location.name.as_str()))
        );
        assert_eq!(row["registered_voters"].as_u64(), location.registered_voters);
    }
}

/// Reads a topic to its end with a plain consumer that knows nothing of Tallyboard.
fn read_in_kafka(topic: &str, mut each: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka_servers())
        .set("group.id", fresh_prefix())
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut open: BTreeSet<i32> =
        metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
    let mut start = TopicPartitionList::new();
    for partition in &open {
        start.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&start).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !open.is_empty() {
        assert!(Instant::now() < deadline, "{topic} doesn't end");
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => each(&message),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => {}
        }
    }
}

fn rows_in_kafka(topic: &str) -> Rows {
    let mut rows = Rows::new();
    read_in_kafka(topic, |message| {
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        rows.insert(key, serde_json::from_slice(message.payload().unwrap()).unwrap());
    });
    rows
}

/// Every rejected vote lies on its topic, byte for byte, and says where it came from and why.
fn check_rejected(topics: &Topics, expected: &BTreeMap<Reason, u64>) {
    type Rejected = (String, Option<Vec<u8>>, Option<Vec<u8>>);
    let mut rejected = BTreeMap::<(i32, i64), Rejected>::new();
    read_in_kafka(&topics.rejected, |message| {
        let headers = message.headers().unwrap().iter();
        let headers: BTreeMap<_, _> =
            headers.map(|header| (header.key, std::str::from_utf8(header.value.unwrap()).unwrap())).collect();
        assert_eq!(headers["source_topic"], topics.votes);
        assert!(headers["source_timestamp"].parse::<i64>().unwrap() > 0);
        let source =
            (headers["source_partition"].parse().unwrap(), headers["source_offset"].parse().unwrap());
        let content = (
            headers["reason"].to_owned(),
            message.key().map(<[u8]>::to_vec),
            message.payload().map(<[u8]>::to_vec),
        );
        // After a crash the same record may lie there twice.
        if let Some(before) = rejected.insert(source, content.clone()) {
            assert_eq!(before, content);
        }
    });
    let mut by_reason = BTreeMap::<String, u64>::new();
    rejected.values().for_each(|(reason, _, _)| *by_reason.entry(reason.clone()).or_default() += 1);
    let expected = expected.iter().map(|(reason, count)| (reason.code().to_owned(), *count));
    assert_eq!(by_reason, expected.collect());
    read_in_kafka(&topics.votes, |vote| {
        if let Some((_, key, value)) = rejected.remove(&(vote.partition(), vote.offset())) {
            assert_eq!((key.as_deref(), value.as_deref()), (vote.key(), vote.payload()));
        }
    });
    assert!(rejected.is_empty(), "{} that no vote stands behind", rejected.len());
}

fn rows_in_directory(data_dir: &Path, topic: &str) -> Rows {
    let journal = EmbeddedJournal::open(&data_dir.join("journal")).unwrap();
    let mut rows = Rows::new();
    read_to_end(&journal, topic, 0, 0..u64::MAX, |record| {
        let key = String::from_utf8(record.key.to_vec()).unwrap();
        rows.insert(key, serde_json::from_slice(record.value).unwrap());
    })
    .unwrap();
    rows
}

/// Sends everything, kills the server in the middle, and returns what the next one and a browser show in the end.
fn survive(
    server_arguments: &[&str],
    to: impl Fn(&str) -> Vec<String>,
    records: u64,
    data_dir: &Path,
) -> (Server, Results) {
    let address = free_address();
    let server_arguments = [server_arguments, &["--checkpoint-interval", "200ms"]].concat();
    let mut server = Server::start(data_dir, &address, &server_arguments);
    let mut browser = server.connect();
    let to = to(&address);
    let sender_dir = data_dir.join("sender");
    let mut sender = simulate(&to.iter().map(String::as_str).collect::<Vec<_>>(), &sender_dir);
    let before = server.results_of(RECORDS / 5);
    let seen = browser.results_at(before.version);
    assert!(seen.totals.votes >= before.totals.votes);
    // However fast the votes came: the next one is to go on from a checkpoint.
    let checkpoints = data_dir.join("checkpoints");
    server.wait_for("a checkpoint", |_| {
        let files = std::fs::read_dir(&checkpoints).into_iter().flatten().flatten();
        files.map(|file| file.path()).any(|path| path.extension().is_some_and(|kind| kind == "tally"))
    });
    let newest = server.results().unwrap().version;
    server.kill();

    let mut server = Server::start(data_dir, &address, &server_arguments);
    server.wait_for("readiness", |server| server.get("/readyz").is_some_and(|(status, _)| status == 200));
    assert!(server.results().unwrap().version >= newest, "an old version passes for the newest");
    let mut browser = server.connect();
    let results = server.results_of(records);
    assert!(server.log().contains("going on from a checkpoint"), "{}", server.log());
    assert!(sender.wait().unwrap().success());
    // Whatever is still on its way would show in a further version.
    server.wait_for("a quiet count", |server| {
        let (_, status) = server.get("/readyz").unwrap();
        let version = server.results().unwrap().version;
        std::thread::sleep(Duration::from_millis(500));
        status == "ready\n" && server.results().unwrap().version == version
    });
    let last = server.results().unwrap();
    assert!(last.version >= results.version && last.version > before.version, "versions go on growing");
    assert_eq!(browser.results_at(last.version), last, "the browser shows what HTTP says");
    (server, last)
}

#[test]
fn kafka_counts_every_vote_through_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let (servers, prefix, definition) = (kafka_servers(), fresh_prefix(), demo_definition());
    let common = ["--kafka", &servers, "--topic-prefix", &prefix];
    let mut arguments = common.to_vec();
    arguments.extend(["--election", definition.to_str().unwrap()]);
    let to = |_: &str| common.map(str::to_owned).to_vec();
    let (mut server, results) = survive(&arguments, to, RECORDS, directory.path());
    let expected = electorate().expected(0..RECORDS);
    check_results(&results, &expected);
    assert_eq!(results.totals.rejected, expected.rejected);
    assert_eq!(results.inputs.values().sum::<u64>(), RECORDS);
    assert!(server.stop().success());
    let topics = Topics::new(&prefix);
    check_rows(&rows_in_kafka(&topics.candidates), &rows_in_kafka(&topics.turnout), &results);
    // The dashboards of others have no library for any other codec, and take the end of a transaction for a row.
    for topic in [&topics.candidates, &topics.turnout] {
        let found = attributes(topic);
        assert!(!found.is_empty() && found.iter().all(|found| OF_EVERYONE.contains(found)), "{found:?}");
    }
    check_rejected(&topics, &expected.rejected);
}

#[test]
fn the_embedded_journal_counts_every_vote_through_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let definition = demo_definition();
    let arguments = ["--election", definition.to_str().unwrap()];
    // What breaks a rule is refused by the ingest already; only second votes reach the count.
    let mut expected = electorate().expected(0..RECORDS);
    expected.rejected.retain(|reason, _| *reason == Reason::DuplicateVoter);
    let records = expected.votes.values().chain(expected.rejected.values()).sum();
    let to = |address: &str| vec!["--to".to_owned(), format!("http://{address}")];
    let (mut server, results) = survive(&arguments, to, records, directory.path());
    check_results(&results, &expected);
    // A batch that was stored but not answered before the kill was sent again: its votes are second votes then.
    let twice = results.totals.rejected[&Reason::DuplicateVoter] - expected.rejected[&Reason::DuplicateVoter];
    assert!(twice <= 3000, "{twice} votes were repeated");
    assert!(server.stop().success());
    let topics = Topics::new("");
    let rows = |topic: &str| rows_in_directory(directory.path(), topic);
    check_rows(&rows(&topics.candidates), &rows(&topics.turnout), &results);
}

#[test]
fn a_server_stops_cleanly_and_goes_on_with_the_same_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    let arguments = ["--simulate", "3000/s"];
    let mut server = Server::start(directory.path(), &address, &arguments);
    server.results_of(3000);
    assert!(server.stop().success(), "{}", server.log());
    let quiet =
        Server::start(directory.path(), &address, &["--election", demo_definition().to_str().unwrap()]);
    let mut quiet = quiet;
    let last = quiet.results_of(3000);
    let offsets: u64 = last.inputs.values().sum();
    let again = quiet.results_of(offsets);
    assert_eq!(again.totals.votes + again.totals.rejected_sum(), again.inputs.values().sum::<u64>());
}

#[test]
fn a_publication_that_cannot_be_understood_stops_the_publisher_instead_of_resetting_the_version() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), &free_address(), &["--simulate", "3000/s"]);
    let version = server.results_of(1000).version;
    assert!(server.stop().success());
    let journal = EmbeddedJournal::open(&directory.path().join("journal")).unwrap();
    let topics = Topics::new("");
    let rubbish =
        NewRecord::new((version + 1).to_string(), r#"{"type":"delta","update":{"version":"later"}}"#);
    journal.append(&topics.results, vec![rubbish]).unwrap();
    drop(journal);
    let data = directory.path().to_str().unwrap();
    let definition = demo_definition();
    let address = free_address();
    let arguments =
        ["serve", "--listen", &address, "--data-dir", data, "--election", definition.to_str().unwrap()];
    let (status, text) = run(&arguments);
    assert!(!status.success() && text.contains("can't be understood by this version"), "{text}");
}

#[test]
fn a_checkpoint_of_another_log_is_refuted_by_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let definition = demo_definition();
    let arguments = ["--election", definition.to_str().unwrap(), "--simulate", "5000/s"];
    let mut server = Server::start(directory.path(), &free_address(), &arguments);
    server.results_of(5000);
    assert!(server.stop().success());
    // The same number of votes, but others: as if the topic had been deleted and made anew.
    let votes = Topics::new("").votes;
    let path = directory.path().join("journal");
    let ends: BTreeMap<u32, u64> = {
        let journal = EmbeddedJournal::open(&path).unwrap();
        journal
            .bounds(&votes)
            .unwrap()
            .into_iter()
            .map(|(partition, bounds)| (partition, bounds.end))
            .collect()
    };
    std::fs::remove_dir_all(&path).unwrap();
    let journal = EmbeddedJournal::open(&path).unwrap();
    journal.ensure_topics(&Topics::new("").specs(12)).unwrap();
    let mut number = 0u64;
    while journal.bounds(&votes).unwrap().iter().any(|(partition, bounds)| bounds.end <= ends[partition]) {
        let rubbish = (0..1000).map(|n| NewRecord::new(format!("other {}", number + n), "rubbish"));
        journal.append(&votes, rubbish.collect()).unwrap();
        number += 1000;
    }
    drop(journal);
    let quiet = &arguments[..2];
    let mut server = Server::start(directory.path(), &free_address(), quiet);
    let results = server.results_of(number);
    assert_eq!((results.totals.votes, results.totals.rejected[&Reason::Malformed]), (0, number));
    assert!(server.log().contains("it was counted from another log"), "{}", server.log());
}

#[test]
fn rubbish_among_the_tallies_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), &free_address(), &["--simulate", "3000/s"]);
    let before = server.results_of(1000);
    assert!(server.stop().success());
    let tally = |partition: u32, votes: u64, next_offset: u64| PartitionTally {
        definition_hash: before.election.definition_hash.clone(),
        partition,
        next_offset,
        cells: vec![Cell { candidate: 0, location: 0, votes }],
        rejected: BTreeMap::new(),
        late: 0,
        newest_ms: Some(0),
        timeline: Windows { width_ms: 60_000, windows: vec![Window { number: 0, votes: vec![(0, votes)] }] },
        breakdowns: Vec::new(),
        discovered: None,
    };
    let journal = EmbeddedJournal::open(&directory.path().join("journal")).unwrap();
    // A partition that doesn't exist, more votes than records, sums beyond every number, and no tally at all.
    let rubbish = [tally(77, 5, 5).encode(), tally(0, u64::MAX, u64::MAX).encode(), b"rubbish".to_vec()];
    let records =
        rubbish.into_iter().enumerate().map(|(n, value)| NewRecord::new(n.to_string(), value)).collect();
    journal.append(&Topics::new("").tallies, records).unwrap();
    drop(journal);
    let definition = demo_definition();
    let arguments = ["--election", definition.to_str().unwrap()];
    let mut server = Server::start(directory.path(), &free_address(), &arguments);
    let records = before.inputs.values().sum();
    let after = server.results_of(records);
    assert_eq!(after.totals.votes + after.totals.rejected_sum(), after.inputs.values().sum::<u64>());
    assert_eq!(after.inputs.len(), 12);
}
