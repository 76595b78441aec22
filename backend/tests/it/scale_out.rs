//! Roles in processes of their own over one Kafka: members join, leave, die and come back from the dead.
//!
//! However that goes, no vote is lost or counted twice, versions grow by one, viewers agree, and a recount agrees too.

use std::time::{Duration, Instant};

use tallyboard::{
    election,
    journal::{Journal, Topics, kafka::KafkaJournal, read_to_end},
    simulate::{Electorate, Shape, Shares},
};
use tallyboard_shared::results::Results;

use crate::{
    pipeline::check_results,
    server::{PATIENCE, Server, Started, demo_definition, free_address, program, run},
    support::{fresh_prefix, kafka_servers, kafka_settings},
};

const SEED: u64 = 7;
const SHARES: Shares = Shares { duplicates: 0.05, late: 0.02, invalid: 0.05 };

/// Longer than the group waits before it gives a silent member's partitions away (6 s).
const LONGER_THAN_A_SESSION: Duration = Duration::from_secs(9);

/// An election whose processes each have a role.
struct Night {
    directory: tempfile::TempDir,
    kafka: [String; 4],
    topics: Topics,
}

impl Night {
    fn new() -> Self {
        let prefix = fresh_prefix();
        let kafka = ["--kafka", &kafka_servers(), "--topic-prefix", &prefix].map(str::to_owned);
        Self { directory: tempfile::tempdir().unwrap(), kafka, topics: Topics::new(&prefix) }
    }

    /// Starts a process; under a name that was there before it comes back with its data directory.
    fn start(&self, name: &str, role: &str) -> Server {
        let data_dir = self.directory.path().join(name);
        std::fs::create_dir_all(&data_dir).unwrap();
        let definition = demo_definition();
        let mut arguments: Vec<_> = self.kafka.iter().map(String::as_str).collect();
        arguments.extend(["--role", role, "--election", definition.to_str().unwrap()]);
        Server::start(&data_dir, &free_address(), &arguments)
    }

    fn send(&self, records: u64, rate: &str) -> Started {
        let mut command = program();
        command.args(["simulate", "--seed", &SEED.to_string(), "--rate", rate]);
        command.args(["--count", &records.to_string()]);
        command.args(["--duplicates", "0.05", "--late", "0.02", "--invalid", "0.05", "--data-dir"]);
        Started::by(command.arg(self.directory.path().join("sender")).args(&self.kafka))
    }

    /// Waits until the viewers show everything that was sent, and checks all that must hold then.
    fn ends_well(&self, sender: &mut Started, viewers: &mut [Server], records: u64) {
        assert!(sender.wait().unwrap().success());
        let electorate = Electorate::new(election::demo(), SEED, SHARES, Shape::Short);
        let expected = electorate.expected(0..records);
        let shown: Vec<_> = viewers.iter_mut().map(|viewer| viewer.results_of(records)).collect();
        for results in &shown {
            check_results(results, &expected);
            assert_eq!(results.totals.rejected, expected.rejected);
            assert_eq!(results.inputs.values().sum::<u64>(), records);
        }
        let version = shown.iter().map(|results| results.version).max().unwrap();
        for viewer in viewers {
            let at_version = |results: Results| results.version >= version;
            viewer.wait_for("the same version", |viewer| viewer.results().is_some_and(at_version));
        }
        self.versions_grow_by_one();
        let mut arguments = vec!["recount"];
        arguments.extend(self.kafka.iter().map(String::as_str));
        let (status, text) = run(&arguments);
        assert!(status.success(), "{text}");
    }

    fn versions_grow_by_one(&self) {
        let journal = KafkaJournal::new(kafka_settings()).unwrap();
        let journal: &dyn Journal = &journal;
        let mut versions = Vec::new();
        read_to_end(journal, &self.topics.results, 0, 0..u64::MAX, |record| {
            versions.push(std::str::from_utf8(record.key).unwrap().parse::<u64>().unwrap());
        })
        .unwrap();
        let first = versions[0];
        assert_eq!(versions, (first..first + versions.len() as u64).collect::<Vec<_>>());
    }
}

impl Drop for Night {
    #[expect(clippy::print_stdout, reason = "a failed test shows what it printed")]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        // What each of them said is the only trace of a failure that depends on the moment.
        for entry in std::fs::read_dir(self.directory.path()).unwrap().flatten() {
            let log = std::fs::read_to_string(entry.path().join("log.txt")).unwrap_or_default();
            println!("== {}\n{log}", entry.path().display());
        }
    }
}

/// Whether this process is the one that publishes, by its own figures.
fn publishes(server: &Server) -> bool {
    server.get("/metrics").is_some_and(|(_, metrics)| metrics.contains("tallyboard_results_version"))
}

/// Waits until one of the two publishes, and tells them apart: the publisher, then the other.
fn publisher_first(one: Server, other: Server) -> (Server, Server) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match (publishes(&one), publishes(&other)) {
            (true, _) => return (one, other),
            (_, true) => return (other, one),
            _ => assert!(Instant::now() < deadline, "nobody publishes:\n{}{}", one.log(), other.log()),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn counters_that_join_leave_and_die_lose_nothing_and_count_nothing_twice() {
    const RECORDS: u64 = 60_000;
    let night = Night::new();
    let first = night.start("counter-1", "counter");
    let _publisher = night.start("publisher", "publisher");
    let mut viewers = [night.start("viewer-1", "viewer"), night.start("viewer-2", "viewer")];
    let mut sender = night.send(RECORDS, "4000/s");
    viewers[0].results_of(2000);
    let second = night.start("counter-2", "counter");
    let mut third = night.start("counter-3", "counter");
    viewers[0].results_of(12_000);
    assert!(third.stop().success());
    viewers[0].results_of(20_000);
    second.kill();
    let _second = night.start("counter-2", "counter");
    viewers[0].results_of(30_000);
    first.signal("STOP");
    std::thread::sleep(LONGER_THAN_A_SESSION);
    let _third = night.start("counter-3", "counter");
    first.signal("CONT");
    night.ends_well(&mut sender, &mut viewers, RECORDS);
}

#[test]
fn publishers_that_die_or_come_back_from_the_dead_number_every_version_once() {
    const RECORDS: u64 = 90_000;
    let night = Night::new();
    let _counters = [night.start("counter-1", "counter"), night.start("counter-2", "counter")];
    let mut viewers = [night.start("viewer-1", "viewer"), night.start("viewer-2", "viewer")];
    let mut sender = night.send(RECORDS, "3000/s");
    let (one, other) = (night.start("publisher-1", "publisher"), night.start("publisher-2", "publisher"));
    let (publisher, waiting) = publisher_first(one, other);
    let counted = viewers[0].results_of(3000);
    publisher.kill();
    // Whoever comes may be the one that waited, or a third: somebody goes on with the numbers.
    let third = night.start("publisher-3", "publisher");
    let (zombie, mut waiting) = publisher_first(waiting, third);
    let records = counted.totals.votes + counted.totals.rejected_sum();
    let resumed = viewers[0].results_of(records + 5000);
    assert!(resumed.version > counted.version);
    // Frozen in the middle of its work, it wakes up as a zombie while another publishes.
    zombie.signal("STOP");
    waiting.wait_for("a successor", publishes);
    std::thread::sleep(Duration::from_secs(2));
    zombie.signal("CONT");
    night.ends_well(&mut sender, &mut viewers, RECORDS);
}

#[test]
fn a_counter_whose_name_is_somebody_elses_goes_on_under_another() {
    const RECORDS: u64 = 10_000;
    let night = Night::new();
    let mut first = night.start("counter-1", "counter");
    let _publisher = night.start("publisher", "publisher");
    let mut viewers = [night.start("viewer", "viewer")];
    first.wait_for("a share", |first| first.log().contains("counting partitions"));
    // As a copied data directory would: the broker fences whoever had the name before.
    let copy = night.directory.path().join("counter-2");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(night.directory.path().join("counter-1/instance-id"), copy.join("instance-id")).unwrap();
    let mut second = night.start("counter-2", "counter");
    first.wait_for("the loss of the name", |first| first.log().contains("joining it anew"));
    let mut sender = night.send(RECORDS, "2000/s");
    night.ends_well(&mut sender, &mut viewers, RECORDS);
    for counter in [&mut first, &mut second] {
        assert!(counter.stop().success(), "{}", counter.log());
    }
}
