//! Kafka → results, against a bare librdkafka consumer that only reads the same topic.
//!
//! Both run alone on the machine, in turns, from the moment when they know their partitions: the bare consumer until
//! it has the last record, `tallyboard serve` with all its roles until a WebSocket client has the update that covers
//! the last record. The consumer fetches in batches (`rd_kafka_consume_batch_queue`), the fastest that librdkafka
//! offers; it looks at a message's length and frees it. It has the settings of our reader, or librdkafka's own for what
//! is fetched ahead: whichever is faster is what we are measured by. Before the first run everyone reads once, because a
//! young broker becomes faster.

use std::time::Instant;

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList, bindings as librdkafka,
    consumer::{BaseConsumer, Consumer},
};
use tallyboard::{journal::kafka::READER_PROPERTIES, simulate::Shape};

use crate::{
    feed::Feed,
    say,
    server::Server,
    table::{Row, median, per_second, thousands},
    votes::{PARTITIONS, SHORT, SHORT_COUNT, Votes, forget_results, kafka_servers},
};

/// The properties of librdkafka that say how much is fetched ahead.
const AHEAD_PROPERTIES: [&str; 2] = ["queued.max.messages.kbytes", "fetch.queue.backoff.ms"];

/// As many messages as one call may bring.
const CALL_MAX: usize = 8192;

/// How much a consumer fetches ahead.
#[derive(Clone, Copy)]
enum Ahead {
    /// As much as our reader.
    AsOurs,
    /// As much as librdkafka does where nobody says.
    ByDefault,
}

/// Each is measured so often, in turns.
const RUNS: u32 = 3;

pub(crate) fn run() {
    let (topics, count) = Votes::new(Shape::Short).fill(SHORT, SHORT_COUNT);
    let (mut alike, mut greedy, mut pair, mut ours) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..=RUNS {
        let bare = [(Ahead::AsOurs, 1), (Ahead::ByDefault, 1), (Ahead::ByDefault, 2)]
            .map(|(ahead, consumers)| read(&topics.votes, count, consumers, ahead));
        let counted = counted(SHORT, count);
        say(&format!(
            "run {run}: bare {:.2} s, with more fetched ahead {:.2} s, two of these {:.2} s, Tallyboard {counted:.2} s",
            bare[0], bare[1], bare[2],
        ));
        if run > 0 {
            [&mut alike, &mut greedy, &mut pair].into_iter().zip(bare).for_each(|(all, one)| all.push(one));
            ours.push(counted);
        }
    }
    let rate = |seconds: Vec<f64>| per_second(count, median(seconds));
    let (alone, pair, ours) = (rate(alike).max(rate(greedy)), rate(pair), rate(ours));
    let row = Row::plain("Kafka → results, short votes", format!("{} votes/s", thousands(ours)));
    Row {
        beside: format!("a bare consumer: {} records/s", thousands(alone)),
        ratio: format!("{:.2}", ours / alone),
        aim: "≥ 0.7",
        met: Some(ours >= 0.7 * alone),
        ..row
    }
    .print();
    let row = Row::plain("the same", format!("{} votes/s", thousands(ours)));
    Row {
        beside: format!("two bare consumers that share the partitions: {} records/s", thousands(pair)),
        ratio: format!("{:.2}", ours / pair),
        ..row
    }
    .print();
}

/// Reads `count` records by so many bare consumers, which share the partitions, and returns the seconds.
fn read(topic: &str, count: u64, consumers: u32, ahead: Ahead) -> f64 {
    let started = Instant::now();
    let records: u64 = std::thread::scope(|scope| {
        let share = |number| scope.spawn(move || read_share(topic, number, consumers, ahead));
        let threads: Vec<_> = (0..consumers).map(share).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(records, count);
    started.elapsed().as_secs_f64()
}

/// Reads the partitions of one consumer to their ends.
fn read_share(topic: &str, number: u32, consumers: u32, ahead: Ahead) -> u64 {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka_servers());
    let is_as_ours = |name: &str| matches!(ahead, Ahead::AsOurs) || !AHEAD_PROPERTIES.contains(&name);
    for (name, value) in READER_PROPERTIES.into_iter().filter(|(name, _)| is_as_ours(name)) {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    for partition in (number..PARTITIONS).step_by(consumers as usize) {
        places.add_partition_offset(topic, partition.cast_signed(), Offset::Offset(0)).unwrap();
    }
    consumer.assign(&places).unwrap();
    let (mut records, mut bytes, mut ended) = (0, 0, 0);
    while ended < places.count() {
        let (some, length, ends) = batch(&consumer);
        records += some;
        bytes += length;
        ended += ends;
    }
    assert!(bytes > 0);
    records
}

/// Records, their bytes, and ends of partitions that were there.
#[expect(unsafe_code, reason = "rdkafka has no safe form of the batch call")]
fn batch(consumer: &BaseConsumer) -> (u64, usize, usize) {
    let mut messages = [std::ptr::null_mut(); CALL_MAX];
    // SAFETY: the client lives as long as the borrowed consumer. The queue is released here; a call writes at most as
    // many pointers as there is room for, and returns how many; each is a valid message that belongs to us until it is
    // destroyed, once, behind its last use.
    unsafe {
        let queue = librdkafka::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        // A call waits until it has all that it may bring: so wait for one, and then take what is there.
        let call = |wait_ms, places: &mut [_]| {
            let count =
                librdkafka::rd_kafka_consume_batch_queue(queue, wait_ms, places.as_mut_ptr(), places.len());
            usize::try_from(count).unwrap()
        };
        let mut count = call(100, &mut messages[..1]);
        if count > 0 {
            count += call(0, &mut messages[1..]);
        }
        librdkafka::rd_kafka_queue_destroy(queue);
        let (mut records, mut bytes, mut ends) = (0, 0, 0);
        for message in &messages[..count] {
            match (**message).err {
                librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                    records += 1;
                    bytes += (**message).len;
                }
                librdkafka::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => ends += 1,
                error => panic!("{error:?}"),
            }
            librdkafka::rd_kafka_message_destroy(*message);
        }
        (records, bytes, ends)
    }
}

/// Counts the votes of a prefix by a fresh server, and returns the seconds.
pub(crate) fn counted(prefix: &str, count: u64) -> f64 {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    forget_results(prefix);
    let server = Server::start(directory.path(), &["--kafka", &kafka_servers(), "--topic-prefix", prefix]);
    let covered_at = Feed::connect(&server).covers(count);
    covered_at.duration_since(server.logged_at("counting partitions")).as_secs_f64()
}
