//! Reading partitions from given offsets, outside of any group, committed records only.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers, Message},
};

use super::{ASK_TIMEOUT, KafkaSettings, setup, signed, unavailable, unsigned};
use crate::journal::{Batch, JournalError, Position, ReadRecord, Reader, SIMULATION_HEADER};

pub(super) struct KafkaReader {
    consumer: BaseConsumer<Events>,
    topic: String,
    /// An error that came behind records; those are handed out first.
    pending: Option<JournalError>,
}

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
        let config = settings.client(&[
            // librdkafka wants a name although no group is joined.
            ("group.id", "tallyboard-reader"),
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("enable.partition.eof", "true"),
            // An offset that is gone is an error, never silently another one.
            ("auto.offset.reset", "error"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.queue.backoff.ms", "20"),
            // Per client, not per partition: bounds the memory of what is fetched ahead.
            ("queued.max.messages.kbytes", "65536"),
        ]);
        let consumer: BaseConsumer<Events> =
            config.create_with_context(Events).map_err(|error| setup(&error))?;
        let mut places = TopicPartitionList::with_capacity(starts.len());
        for (partition, offset) in starts {
            let offset = Offset::Offset(i64::try_from(*offset).expect("offsets are 63 bits"));
            places.add_partition_offset(topic, signed(*partition), offset).map_err(|error| setup(&error))?;
        }
        consumer.assign(&places).map_err(|error| setup(&error))?;
        Ok(Self { consumer, topic: topic.to_owned(), pending: None })
    }

    /// The partition whose position lies outside of what the broker has: the error doesn't name it.
    fn out_of_range(&self) -> Option<(u32, u64)> {
        let assigned = self.consumer.assignment().ok()?;
        assigned.elements().into_iter().find_map(|element| {
            let asked = element.offset().to_raw()?;
            let marks = self.consumer.fetch_watermarks(&self.topic, element.partition(), ASK_TIMEOUT).ok()?;
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

fn push(batch: &mut Batch, message: &BorrowedMessage<'_>) {
    let simulated =
        message.headers().is_some_and(|headers| headers.iter().any(|header| header.key == SIMULATION_HEADER));
    batch.push(&ReadRecord {
        position: Position {
            partition: unsigned(message.partition()),
            offset: u64::try_from(message.offset()).expect("a record that was read has an offset"),
        },
        timestamp_ms: message.timestamp().to_millis(),
        simulated,
        key: message.key().unwrap_or_default(),
        value: message.payload().unwrap_or_default(),
    });
}

impl Reader for KafkaReader {
    fn next(&mut self, batch: &mut Batch, wait: Duration) -> Result<(), JournalError> {
        batch.clear();
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        let deadline = Instant::now() + wait;
        while !batch.is_full() {
            // With something in hand only what is there already is added.
            let patience = if batch.is_empty() {
                deadline.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            match self.consumer.poll(patience) {
                Some(Ok(message)) => push(batch, &message),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    batch.ends.insert(unsigned(partition));
                }
                Some(Err(error)) => {
                    let error = self.failed(&error);
                    if batch.is_empty() {
                        return Err(error);
                    }
                    self.pending = Some(error);
                    return Ok(());
                }
                // `poll` also returns early when it served an event.
                None if batch.is_empty() && Instant::now() < deadline => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
