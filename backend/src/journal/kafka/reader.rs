//! Reading partitions from given offsets, outside of any group, committed records only.

use std::{
    collections::BTreeMap,
    ffi::CStr,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    ASK_TIMEOUT, KafkaSettings,
    fetched::{Fetched, FetchedQueue},
    setup, signed, unavailable, unsigned,
};
use crate::journal::{Batch, JournalError, Position, ReadRecord, Reader};

/// The properties of librdkafka by which partitions are read, before those of the operator.
pub const READER_PROPERTIES: [(&str, &str); 8] = [
    // librdkafka wants a name although no group is joined.
    ("group.id", "tallyboard-reader"),
    ("enable.auto.commit", "false"),
    ("isolation.level", "read_committed"),
    ("enable.partition.eof", "true"),
    // An offset that is gone is an error, never silently another one.
    ("auto.offset.reset", "error"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.queue.backoff.ms", "5"),
    // Per client, not per partition: bounds the memory of what is fetched ahead. Some 15 ms of a count at full speed.
    // librdkafka keeps half a kilobyte beside each record; more cost memory and was never faster, a quarter was slower:
    // docs/benchmarks.md, "What is fetched ahead".
    ("queued.max.messages.kbytes", "4096"),
];

pub(super) struct KafkaReader {
    fetched: FetchedQueue<Events>,
    topic: String,
    /// An error that came behind records; those are handed out first.
    pending: Option<JournalError>,
}

/// [`SIMULATION_HEADER`](crate::journal::SIMULATION_HEADER) as C writes it.
const SIMULATION_HEADER_C: &CStr = c"tallyboard-simulation";

/// What librdkafka tells besides records.
struct Events;

impl ClientContext for Events {
    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is news, not an error, and comes thousands of times a second.
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            tracing::warn!(%error, reason, "a reader's connection");
        }
    }
}

impl ConsumerContext for Events {}

impl KafkaReader {
    pub(super) fn new(
        settings: &KafkaSettings,
        topic: &str,
        starts: &BTreeMap<u32, u64>,
    ) -> Result<Self, JournalError> {
        let config = settings.client(&READER_PROPERTIES);
        let consumer: BaseConsumer<Events> =
            config.create_with_context(Events).map_err(|error| setup(&error))?;
        // Before the partitions are assigned, so that nothing goes the other way.
        let fetched = FetchedQueue::new(consumer, topic, starts.keys().map(|partition| signed(*partition)));
        let mut places = TopicPartitionList::with_capacity(starts.len());
        for (partition, offset) in starts {
            let offset = Offset::Offset(i64::try_from(*offset).expect("offsets are 63 bits"));
            places.add_partition_offset(topic, signed(*partition), offset).map_err(|error| setup(&error))?;
        }
        fetched.assign(&places).map_err(|error| setup(&error))?;
        Ok(Self { fetched, topic: topic.to_owned(), pending: None })
    }

    /// The partition whose position lies outside of what the broker has: the error doesn't name it.
    fn out_of_range(&self) -> Option<(u32, u64)> {
        let assigned = self.fetched.assignment().ok()?;
        assigned.elements().into_iter().find_map(|element| {
            let asked = element.offset().to_raw()?;
            let marks = self.fetched.fetch_watermarks(&self.topic, element.partition(), ASK_TIMEOUT).ok()?;
            let outside = asked < marks.0 || asked > marks.1;
            outside.then(|| (unsigned(element.partition()), u64::try_from(asked).unwrap_or(0)))
        })
    }

    fn failed(&self, error: &KafkaError) -> JournalError {
        let gone = [RDKafkaErrorCode::OffsetOutOfRange, RDKafkaErrorCode::AutoOffsetReset];
        match error.rdkafka_error_code() {
            Some(code) if gone.contains(&code) => {
                let (partition, offset) = self.out_of_range().unwrap_or_default();
                JournalError::Gone { topic: self.topic.clone(), partition, offset, why: error.to_string() }
            }
            _ => unavailable(error),
        }
    }
}

fn push(batch: &mut Batch, message: &Fetched<'_>) {
    batch.push(&ReadRecord {
        position: Position {
            partition: unsigned(message.partition()),
            offset: u64::try_from(message.offset()).expect("a record that was read has an offset"),
        },
        timestamp_ms: message.timestamp_ms(),
        simulated: batch.asks_for_origin() && message.has_header(SIMULATION_HEADER_C),
        key: message.key(),
        value: message.value(),
    });
}

impl Reader for KafkaReader {
    fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), JournalError> {
        batch.clear();
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        // The log and the state of connections; messages have a queue of their own.
        if let Some(Err(error)) = self.fetched.poll(Duration::ZERO) {
            return Err(self.failed(&error));
        }
        let deadline = Instant::now() + wait;
        let mut failure = None;
        while !batch.is_full() && failure.is_none() {
            // With something in hand only what is there already is added.
            let patience = if batch.is_empty() {
                deadline.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            let taken = self.fetched.take(patience, |message| match message {
                Ok(message) => push(batch, &message),
                Err((RDKafkaErrorCode::PartitionEOF, end)) => {
                    let next_offset = u64::try_from(end.offset()).expect("a partition ends at an offset");
                    batch.mark_end(unsigned(end.partition()), next_offset);
                }
                Err((error, _)) => {
                    failure.get_or_insert(KafkaError::MessageConsumption(error));
                }
            });
            // The news that a partition has ended isn't what is waited for.
            let waits = batch.is_empty() && Instant::now() < deadline;
            if taken == 0 && !waits {
                break;
            }
        }
        let failure = failure.map(|error| self.failed(&error));
        match failure {
            Some(error) if batch.is_empty() => return Err(error),
            failure => self.pending = failure,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::SIMULATION_HEADER;

    #[test]
    fn both_names_of_the_simulation_header_are_the_same() {
        assert_eq!(SIMULATION_HEADER_C.to_str(), Ok(SIMULATION_HEADER));
    }
}
