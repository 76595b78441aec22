//! The Kafka adapter: the only place that knows rdkafka.
//!
//! Reading and group membership are apart: a membership learns which partitions are ours and fetches nothing, a
//! reader is told partitions and offsets and belongs to no group. So a rebalance never disturbs a position, and
//! committed offsets are progress reports only.

mod append;
mod fetched;
mod membership;
mod reader;
mod topics;

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    topic_partition_list::TopicPartitionListElem,
};

pub use self::reader::READER_PROPERTIES;
use self::{
    append::{KafkaAppender, KafkaProducer},
    membership::KafkaMembership,
    reader::KafkaReader,
};
use super::{ExclusiveAppender, Journal, JournalError, Membership, NewRecord, Position, Reader, TopicSpec};

/// How long a broker may take to answer a question.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How to reach Kafka.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, several with commas in between.
    pub bootstrap_servers: String,
    /// Properties of librdkafka that win over ours.
    pub properties: Vec<(String, String)>,
    /// Names this process to the broker over restarts, so that it gets its partitions back at once.
    pub instance_id: String,
}

/// A journal in Kafka.
pub struct KafkaJournal {
    settings: KafkaSettings,
    producer: KafkaProducer,
    /// Asks for offsets.
    inquirer: BaseConsumer,
    /// How often our name in a group was somebody else's.
    name_losses: Arc<AtomicU32>,
}

impl KafkaJournal {
    /// Sets up the clients; the brokers aren't waited for.
    ///
    /// # Errors
    /// [`JournalError::Setup`] where librdkafka refuses the settings.
    pub fn new(settings: KafkaSettings) -> Result<Self, JournalError> {
        let producer = KafkaProducer::new(&settings)?;
        let inquirer = settings
            .client(&[("group.id", "tallyboard-inquirer")])
            .create()
            .map_err(|error| setup(&error))?;
        Ok(Self { settings, producer, inquirer, name_losses: Arc::default() })
    }

    /// The offset of each of a topic's partitions at a place: two of these questions take one answer per broker each,
    /// where librdkafka's watermarks take two per partition.
    fn offsets(&self, topic: &str, count: u32, place: Offset) -> Result<Vec<u64>, JournalError> {
        let mut places = TopicPartitionList::with_capacity(count as usize);
        places.add_partition_range(topic, 0, signed(count) - 1);
        places.set_all_offsets(place).map_err(|error| setup(&error))?;
        let places =
            self.inquirer.offsets_for_times(places, ASK_TIMEOUT).map_err(|error| unavailable(&error))?;
        let offset = |element: &TopicPartitionListElem<'_>| {
            element.error().map_err(|error| unavailable(&error))?;
            let offset = element.offset().to_raw().and_then(|offset| u64::try_from(offset).ok());
            offset.ok_or_else(|| {
                let partition = element.partition();
                JournalError::Unavailable(format!(
                    "{topic}/{partition} has no {place:?}: its broker doesn't say"
                ))
            })
        };
        places.elements().iter().map(offset).collect()
    }

    fn partitions(&self, topic: &str) -> Result<u32, JournalError> {
        let metadata =
            self.inquirer.fetch_metadata(Some(topic), ASK_TIMEOUT).map_err(|error| unavailable(&error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        let count = found.map_or(0, |found| found.partitions().len());
        if count == 0 {
            return Err(JournalError::Unavailable(format!("the brokers don't know the topic {topic}")));
        }
        Ok(u32::try_from(count).expect("partitions are few"))
    }
}

impl KafkaSettings {
    /// The settings of a client: what all share, then its own, then what the operator asked for.
    fn client(&self, own: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        config.set("client.id", "tallyboard");
        config.set("reconnect.backoff.max.ms", "2000");
        for (name, value) in own {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }
}

fn setup(error: &KafkaError) -> JournalError {
    JournalError::Setup(error.to_string())
}

fn unavailable(error: &KafkaError) -> JournalError {
    JournalError::Unavailable(error.to_string())
}

/// A partition as librdkafka counts them.
fn signed(partition: u32) -> i32 {
    i32::try_from(partition).expect("Kafka's partitions fit")
}

fn unsigned(partition: i32) -> u32 {
    u32::try_from(partition).expect("a partition that exists isn't negative")
}

impl Journal for KafkaJournal {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<String>, JournalError> {
        topics::ensure(&self.settings, topics)
    }

    fn bounds(&self, topic: &str) -> Result<BTreeMap<u32, Range<u64>>, JournalError> {
        let count = self.partitions(topic)?;
        let starts = self.offsets(topic, count, Offset::Beginning)?;
        let ends = self.offsets(topic, count, Offset::End)?;
        Ok((0..).zip(starts.into_iter().zip(ends).map(|(start, end)| start..end)).collect())
    }

    fn append(&self, topic: &str, records: Vec<NewRecord>) -> Result<Vec<Position>, JournalError> {
        self.producer.append(records.iter().map(|record| (topic, record)))
    }

    fn exclusive(&self, name: &str) -> Result<Box<dyn ExclusiveAppender>, JournalError> {
        Ok(Box::new(KafkaAppender::new(&self.settings, name)?))
    }

    fn read(&self, topic: &str, starts: &BTreeMap<u32, u64>) -> Result<Box<dyn Reader>, JournalError> {
        Ok(Box::new(KafkaReader::new(&self.settings, topic, starts)?))
    }

    fn join(&self, group: &str, topic: &str) -> Result<Box<dyn Membership>, JournalError> {
        Ok(Box::new(KafkaMembership::new(&self.settings, group, topic, &self.name_losses)?))
    }
}
