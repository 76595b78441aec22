//! From a vote's append to the frame that covers it, at 10,000 whole records a second over a minute.
//!
//! A vote's clock starts when the producer is handed the record, so it waits with it for its batch (5 ms at most, as
//! librdkafka and Java have it by default). It ends when a WebSocket client has received the first message whose
//! `inputs` lie beyond the vote's offset: then it is in the figures on the page. The distribution is over all votes. A
//! frame covers many votes; that of the oldest of each frame is told beside it, as the stricter measure.
//!
//! Spark's clock ends when a consumer of `aggregated_votes_per_candidate` has received rows whose sum covers the vote,
//! with the votes counted in the order of their append. The first seconds belong to nobody.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{DeliveryResult, Message},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};
use tallyboard::{
    journal::{NewRecord, Topics},
    simulate::Shape,
};
use tallyboard_shared::Timestamp;

use crate::{
    PATIENCE,
    feed::{Feed, Frame},
    say,
    server::Server,
    spark::{Spark, WARM_UP, WARM_UP_COUNT},
    table::{Row, milliseconds, percentile},
    votes::{PARTITIONS, Votes, kafka_servers, make_topics},
};

const RATE: u64 = 10_000;
/// Measured for so long, and before that so long for warming up.
const SECONDS: u64 = 60;
const LEAD_SECONDS: u64 = 10;
const COUNT: u64 = RATE * (SECONDS + LEAD_SECONDS);
/// A record has so many bytes.
const LENGTH: usize = 1200;
/// Records are handed over so often.
const TICK: Duration = Duration::from_millis(2);

/// Named in the row; `serve` has 100 ms by default.
const LOW_LATENCY: &str = "10ms";

pub(crate) fn run() {
    let votes = Votes::new(Shape::Full);
    let mut records = votes.records(0..COUNT);
    records.iter_mut().for_each(|record| to_length(&mut record.value));
    tallyboard(&records, "append → frame, at the default interval", &[], 150);
    let low = ["--publish-interval", LOW_LATENCY];
    let what = format!("append → frame, with `--publish-interval {LOW_LATENCY}`");
    tallyboard(&records, &what, &low, 50);
    votes.fill(WARM_UP, WARM_UP_COUNT);
    spark(&records);
}

/// Lengthens a vote by a field that nobody reads.
fn to_length(value: &mut Vec<u8>) {
    let missing = LENGTH.checked_sub(value.len() + br#","remark":"""#.len()).expect("records are shorter");
    assert_eq!(value.pop(), Some(b'}'), "a vote is a JSON object");
    value.extend_from_slice(br#","remark":""#);
    value.extend(std::iter::repeat_n(b'x', missing));
    value.extend_from_slice(br#""}"#);
}

/// A prefix that no other run uses.
fn fresh_prefix() -> String {
    format!("bench-latency-{}-", Timestamp::now().as_microsecond())
}

fn tallyboard(records: &[NewRecord], what: &str, arguments: &[&str], aim_ms: u64) {
    let prefix = fresh_prefix();
    let topics = make_topics(&prefix);
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let servers = kafka_servers();
    let mut all = vec!["--kafka", &servers, "--topic-prefix", &prefix];
    all.extend_from_slice(arguments);
    let server = Server::start(directory.path(), &all);
    server.wait_for("an assignment", || server.log().contains("counting partitions"));
    let mut feed = Feed::connect(&server);
    let (appended, frames) = std::thread::scope(|scope| {
        let frames = scope.spawn(move || {
            let mut frames = Vec::new();
            let mut inputs = BTreeMap::new();
            while inputs.values().sum::<u64>() < COUNT {
                let frame = feed.next();
                inputs.extend(frame.inputs());
                frames.push(frame);
            }
            frames
        });
        (produce(records, &topics), frames.join().unwrap())
    });
    let (every, oldest) = latencies(&appended, &frames);
    let p99 = percentile(&every, 99);
    let beside = format!("the oldest vote of each frame: {}", distribution(&oldest));
    let met = p99 <= Duration::from_millis(aim_ms);
    let aim = format!("p99 ≤ {aim_ms} ms");
    say(&format!("{what}: {}; {beside}", distribution(&every)));
    Row { beside, ..Row::with_aim(what, distribution(&every), &aim, met) }.print();
}

fn distribution(sorted: &[Duration]) -> String {
    let [half, most, all] = [50, 99, 100].map(|percent| milliseconds(percentile(sorted, percent)));
    format!("p50 {half}, p99 {most}, max {all}")
}

/// When the producer was handed the record at an offset, by partition.
type Appended = Vec<BTreeMap<u64, Timestamp>>;

/// Notes where each record went and when it was handed over.
#[derive(Clone)]
struct Notes(Arc<Mutex<Appended>>);

impl ClientContext for Notes {}

impl ProducerContext for Notes {
    type DeliveryOpaque = Box<Timestamp>;

    fn delivery(&self, result: &DeliveryResult<'_>, handed_over: Box<Timestamp>) {
        let message = result.as_ref().unwrap_or_else(|(error, _)| panic!("{error}"));
        let (partition, offset) = (message.partition(), message.offset());
        let mut notes = self.0.lock().unwrap();
        notes[usize::try_from(partition).unwrap()].insert(u64::try_from(offset).unwrap(), *handed_over);
    }
}

/// Sends the records at the rate.
fn produce(records: &[NewRecord], topics: &Topics) -> Appended {
    let notes = Notes(Arc::new(Mutex::new(vec![BTreeMap::new(); PARTITIONS as usize])));
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka_servers()).set("partitioner", "murmur2_random");
    config.set("acks", "all").set("enable.idempotence", "true").set("compression.type", "lz4");
    let producer: ThreadedProducer<Notes> = config.create_with_context(notes.clone()).unwrap();
    let started = Instant::now();
    let mut left = records;
    while !left.is_empty() {
        let sent = records.len() - left.len();
        let due = usize::try_from(started.elapsed().as_micros() * u128::from(RATE) / 1_000_000).unwrap();
        let (now, later) = left.split_at(due.saturating_sub(sent).min(left.len()));
        for record in now {
            let opaque = Box::new(Timestamp::now());
            let key = record.key.as_deref().unwrap();
            let message = BaseRecord::with_opaque_to(&topics.votes, opaque).key(key);
            producer.send(message.payload(record.value.as_slice())).map_err(|(error, _)| error).unwrap();
        }
        left = later;
        std::thread::sleep(TICK);
    }
    producer.flush(PATIENCE).unwrap();
    drop(producer);
    let noted = std::mem::take(&mut *notes.0.lock().unwrap());
    assert_eq!(noted.iter().map(BTreeMap::len).sum::<usize>(), records.len());
    noted
}

/// When what is measured begins.
fn measured_from(appended: &Appended) -> Timestamp {
    let first = appended.iter().filter_map(|partition| partition.values().next()).min();
    *first.unwrap() + Duration::from_secs(LEAD_SECONDS)
}

/// The time from append to frame, of every vote and of the oldest of each frame; both sorted.
fn latencies(appended: &Appended, frames: &[Frame]) -> (Vec<Duration>, Vec<Duration>) {
    let from = measured_from(appended);
    let mut covered = vec![0; appended.len()];
    let (mut every, mut oldest) = (Vec::new(), Vec::new());
    for frame in frames {
        let known = every.len();
        for (partition, next) in frame.inputs() {
            let partition: usize = partition.parse().unwrap();
            let votes = appended[partition].range(covered[partition]..next);
            let votes = votes.filter(|(_, handed_over)| **handed_over >= from);
            every.extend(votes.map(|(_, handed_over)| between(*handed_over, frame.at)));
            covered[partition] = next;
        }
        oldest.extend(every[known..].iter().max());
    }
    every.sort();
    oldest.sort();
    (every, oldest)
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).expect("a vote is counted after it was cast")
}

fn spark(records: &[NewRecord]) {
    let prefix = fresh_prefix();
    let topics = make_topics(&prefix);
    let mut spark = Spark::start(&prefix);
    // Micro-batches come once there is something: a first vote, which isn't measured, shows that the stream is up.
    produce(&records[..1], &topics);
    spark.progress();
    let (appended, sums) = std::thread::scope(|scope| {
        let sums = scope.spawn(|| sums(&topics.candidates, COUNT));
        (produce(&records[1..], &topics), sums.join().unwrap())
    });
    let from = measured_from(&appended);
    let mut votes: Vec<_> = appended.iter().flat_map(|partition| partition.values().copied()).collect();
    votes.sort();
    let mut every = Vec::new();
    let mut covered = 1;
    for (at, sum) in sums {
        let newly = votes[covered - 1..sum - 1].iter().filter(|handed_over| **handed_over >= from);
        every.extend(newly.map(|handed_over| between(*handed_over, at)));
        covered = sum;
    }
    every.sort();
    say(&format!("Spark: {}", distribution(&every)));
    Row::plain("append → aggregate topic, the seeds' job in Spark", distribution(&every)).print();
}

/// How the sum of the rows of the candidates' topic grew, and when.
fn sums(topic: &str, count: u64) -> Vec<(Timestamp, usize)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka_servers()).set("group.id", "bench-spark");
    config.set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&places).unwrap();
    let mut rows = BTreeMap::<Vec<u8>, u64>::new();
    let mut sums = vec![(Timestamp::now(), 1)];
    while rows.values().sum::<u64>() < count {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let (message, at) = (message.unwrap(), Timestamp::now());
        let row: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        rows.insert(message.key().unwrap().to_vec(), row["total_votes"].as_u64().unwrap());
        let sum = usize::try_from(rows.values().sum::<u64>()).unwrap();
        if sum > sums[sums.len() - 1].1 {
            sums.push((at, sum));
        }
    }
    sums
}
