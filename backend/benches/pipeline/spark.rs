//! Kafka → results, against the job of the existing pipelines in Spark Structured Streaming (engines/spark).
//!
//! The same broker, the same topic of whole records, in turns. Spark gets the better terms: a Java machine that has
//! run both queries on other votes before, no limit on a micro-batch (so that everything is one), as many shuffle
//! partitions as cores, and a clock that starts with the first micro-batch, not with the job. Tallyboard's starts
//! when a fresh process knows its partitions, and ends when a WebSocket client has the update that covers all.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tallyboard::simulate::Shape;
use tallyboard_shared::Timestamp;

use crate::{
    consume::counted,
    say,
    table::{Row, median, per_second, thousands},
    votes::{Votes, forget_results, kafka_servers, make_topics},
};

const PREFIX: &str = "bench-full-";
const COUNT: u64 = 2_000_000;

/// What the Java machine warms up on.
pub(crate) const WARM_UP: &str = "bench-warm-";
pub(crate) const WARM_UP_COUNT: u64 = 200_000;

const RUNS: u32 = 3;

pub(crate) fn run() {
    let votes = Votes::new(Shape::Full);
    votes.fill(WARM_UP, WARM_UP_COUNT);
    let (_, count) = votes.fill(PREFIX, COUNT);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        forget_results(PREFIX);
        make_topics(PREFIX);
        theirs.push(Spark::start(PREFIX).counts(count));
        ours.push(counted(PREFIX, count));
        let last = |figures: &[f64]| figures[figures.len() - 1];
        say(&format!("run {run}: Spark {:.2} s, Tallyboard {:.2} s", last(&theirs), last(&ours)));
    }
    let rate = |seconds: Vec<f64>| per_second(count, median(seconds));
    let (theirs, ours) = (rate(theirs), rate(ours));
    let row = Row::plain("Kafka → results, the seeds' records", format!("{} votes/s", thousands(ours)));
    Row {
        beside: format!("the seeds' job in Spark: {} votes/s", thousands(theirs)),
        ratio: format!("{:.1}", ours / theirs),
        aim: "≥ 10",
        met: Some(ours >= 10.0 * theirs),
        ..row
    }
    .print();
}

/// A running job; killed when it goes out of scope.
pub(crate) struct Spark {
    child: Child,
    progress: BufReader<ChildStdout>,
    _checkpoints: tempfile::TempDir,
}

/// From which moment to which a query was at work, and on how many records.
struct Work {
    from: Timestamp,
    to: Timestamp,
    records: u64,
}

impl Spark {
    /// Starts the job on the topics of a prefix, warmed up.
    pub(crate) fn start(prefix: &str) -> Self {
        let setting = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is missing: run this by `cargo xtask bench`, which sets Spark up")
            })
        };
        let checkpoints = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let log = std::fs::File::create(checkpoints.path().join("log.txt")).unwrap();
        let mut command = Command::new(setting("TALLYBOARD_SPARK_SUBMIT"));
        command.args(["--master", "local[*]", "--driver-memory", "4g", "--conf", "spark.ui.enabled=false"]);
        command.args(["--jars", &setting("TALLYBOARD_SPARK_JARS")]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../engines/spark/votes.py"));
        command.args(["--kafka", &kafka_servers(), "--topic-prefix", prefix, "--progress"]);
        command.arg("--checkpoints").arg(checkpoints.path());
        command.args(["--warm-up", &format!("{WARM_UP}votes_topic")]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let progress = BufReader::new(child.stdout.take().unwrap());
        Self { child, progress, _checkpoints: checkpoints }
    }

    /// The next report of a micro-batch.
    pub(crate) fn progress(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let length = self.progress.read_line(&mut line).unwrap();
            if length == 0 {
                let log = std::fs::read_to_string(self._checkpoints.path().join("log.txt"));
                panic!("Spark ended:\n{}", log.unwrap_or_default());
            }
            if let Ok(report) = serde_json::from_str(&line) {
                return report;
            }
        }
    }

    /// Waits until both queries have taken `count` records; the seconds from the first micro-batch to the last.
    fn counts(mut self, count: u64) -> f64 {
        let mut queries = BTreeMap::<String, Work>::new();
        while queries.len() < 2 || queries.values().any(|work| work.records < count) {
            let report = self.progress();
            let records = report["numInputRows"].as_u64().unwrap();
            if records == 0 {
                continue;
            }
            let from: Timestamp = report["timestamp"].as_str().unwrap().parse().unwrap();
            let took = Duration::from_millis(report["durationMs"]["triggerExecution"].as_u64().unwrap());
            let to = from + took;
            let name = report["name"].as_str().unwrap().to_owned();
            let work = queries.entry(name).or_insert(Work { from, to, records: 0 });
            work.to = to;
            work.records += records;
        }
        let from = queries.values().map(|work| work.from).min().unwrap();
        let to = queries.values().map(|work| work.to).max().unwrap();
        to.duration_since(from).as_secs_f64()
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        // spark-submit becomes the Java machine, which takes its Python along.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
