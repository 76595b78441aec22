//! Votes to count, and the Kafka that they lie in.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use tallyboard::{
    election::Definition,
    journal::{
        Journal, NewRecord, Topics,
        kafka::{KafkaJournal, KafkaSettings},
    },
    simulate::{Electorate, Shape, Shares, Source},
};
use tallyboard_shared::Timestamp;

use crate::{PATIENCE, say};

/// Short votes, many: for rates, memory and restarts.
pub(crate) const SHORT: &str = "bench-short-";

/// How many of them.
pub(crate) const SHORT_COUNT: u64 = 10_000_000;

/// Sent and waited for at once.
const BATCH: u64 = 20_000;

/// As many as a new votes topic has.
pub(crate) const PARTITIONS: u32 = 12;

/// The bootstrap servers of the Kafka to measure on.
pub(crate) fn kafka_servers() -> String {
    std::env::var("TALLYBOARD_TEST_KAFKA")
        .expect("TALLYBOARD_TEST_KAFKA names no Kafka: run this by `cargo xtask bench`, which starts one")
}

fn kafka_journal() -> KafkaJournal {
    let instance_id = format!("bench-{}", std::process::id());
    let settings = KafkaSettings { bootstrap_servers: kafka_servers(), properties: Vec::new(), instance_id };
    KafkaJournal::new(settings).unwrap()
}

/// Asks again until the answer is there: a broker takes a moment to know what it has just made.
fn insist<T, E: std::fmt::Display>(mut ask: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Makes the topics of a prefix, where they are missing.
pub(crate) fn make_topics(prefix: &str) -> Topics {
    let topics = Topics::new(prefix);
    let journal = kafka_journal();
    insist(|| journal.ensure_topics(&topics.specs(PARTITIONS)));
    insist(|| journal.bounds(&topics.votes));
    topics
}

/// Where the votes of a prefix end, by partition.
pub(crate) fn ends(topics: &Topics) -> BTreeMap<u32, u64> {
    let bounds = insist(|| kafka_journal().bounds(&topics.votes));
    bounds.into_iter().map(|(partition, bounds)| (partition, bounds.end)).collect()
}

/// Deletes what was published of a prefix's votes, so that they are counted as if for the first time.
pub(crate) fn forget_results(prefix: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka_servers()).create().unwrap();
    let topics = Topics::new(prefix);
    let specs = topics.specs(PARTITIONS);
    let others: Vec<_> =
        specs.iter().map(|spec| spec.name.as_str()).filter(|name| *name != topics.votes).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deleted = admin.delete_topics(&others, &AdminOptions::new());
    // A topic that isn't there is forgotten already.
    drop(runtime.block_on(deleted).unwrap());
    let journal = kafka_journal();
    insist(|| match others.iter().find(|name| journal.bounds(name).is_ok()) {
        Some(name) => Err(format!("{name} isn't deleted")),
        None => Ok(()),
    });
}

/// The definition of the demonstration with twenty times the voters, so that nobody has to vote twice in a benchmark,
/// and without what the page shows besides the count: map and breakdowns.
pub(crate) fn large_definition() -> String {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("elections/marenne.toml");
    let text = std::fs::read_to_string(demo).unwrap();
    let shown = |line: &&str| !line.starts_with("map = ") && !line.starts_with("breakdowns = ");
    let lines = text.lines().filter(shown).map(|line| match line.strip_prefix("registered_voters = ") {
        Some(number) => {
            let number: u64 = number.replace('_', "").parse().unwrap();
            format!("registered_voters = {}\n", number * 20)
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// Made-up votes of the large republic, each of another voter, as the pipelines of others write them: without headers.
pub(crate) struct Votes(Electorate);

impl Votes {
    pub(crate) fn new(shape: Shape) -> Self {
        let election = Definition::parse(&large_definition()).unwrap().into_election();
        Self(Electorate::new(election, 1, Shares::default(), shape))
    }

    pub(crate) fn records(&self, numbers: std::ops::Range<u64>) -> Vec<NewRecord> {
        let now = Timestamp::now();
        let record = |number| {
            let record = self.0.record(number, now).expect("there are enough voters");
            NewRecord { headers: Vec::new(), ..record }
        };
        numbers.map(record).collect()
    }

    /// Makes sure that the topics of `prefix` hold at least `count` votes; how many there are.
    pub(crate) fn fill(&self, prefix: &str, count: u64) -> (Topics, u64) {
        let topics = make_topics(prefix);
        let there: u64 = ends(&topics).values().sum();
        if there >= count {
            return (topics, there);
        }
        say(&format!("sending {} votes to {}", count - there, topics.votes));
        let journal = kafka_journal();
        for first in (there..count).step_by(usize::try_from(BATCH).unwrap()) {
            let batch = self.records(first..(first + BATCH).min(count));
            journal.append(&topics.votes, batch).unwrap();
        }
        (topics, count)
    }
}
