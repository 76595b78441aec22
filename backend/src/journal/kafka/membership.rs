//! Group membership: which partitions are ours. Fetches nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::KafkaError,
};

use super::{KafkaSettings, setup, signed, unavailable, unsigned};
use crate::journal::{JournalError, Membership};

/// How long a member that leaves waits for the coordinator, and then until its partitions are revoked; where no broker
/// answers it gives up then.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// How long a member that leaves waits for the next event.
const LEAVE_POLL: Duration = Duration::from_millis(100);

pub(super) struct KafkaMembership {
    consumer: BaseConsumer<Assignment>,
    group: String,
    topic: String,
    told: Option<BTreeSet<u32>>,
    losses: Arc<AtomicU32>,
}

/// The partitions that the group has given us; `None` before the first assignment.
#[derive(Default)]
struct Assignment(Mutex<Option<BTreeSet<u32>>>);

impl ClientContext for Assignment {}

impl ConsumerContext for Assignment {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = ours.get_or_insert_default();
        match rebalance {
            Rebalance::Assign(partitions) => {
                ours.extend(numbers(partitions));
                if let Err(error) = consumer.pause(partitions) {
                    tracing::warn!(%error, "partitions of a membership can't be paused; they are fetched in vain");
                }
            }
            Rebalance::Revoke(partitions) => numbers(partitions).for_each(|partition| {
                ours.remove(&partition);
            }),
            Rebalance::Error(error) => tracing::warn!(%error, "the group couldn't be rebalanced"),
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> impl Iterator<Item = u32> {
    partitions
        .elements()
        .into_iter()
        .map(|element| unsigned(element.partition()))
        .collect::<Vec<_>>()
        .into_iter()
}

impl KafkaMembership {
    /// `losses` counts how often our name turned out to be somebody else's.
    ///
    /// A copied data directory is a reason for that. A coordinator that is cut off in the middle of a join is another:
    /// then the somebody is our own second attempt. Either way a new name ends the dispute.
    pub(super) fn new(
        settings: &KafkaSettings,
        group: &str,
        topic: &str,
        losses: &Arc<AtomicU32>,
    ) -> Result<Self, JournalError> {
        let mut instance = format!("{group}-{}", settings.instance_id);
        let lost = losses.load(Ordering::Relaxed);
        if lost > 0 {
            instance += &format!("-{}-{lost}", std::process::id());
        }
        let config = settings.client(&[
            ("group.id", group),
            // A process that comes back under its name gets its partitions without waiting for the time-out.
            ("group.instance.id", &instance),
            // A partition that stays keeps being counted while others move.
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "1500"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "latest"),
            ("queued.min.messages", "1"),
            ("fetch.message.max.bytes", "1024"),
            ("topic.metadata.refresh.interval.ms", "10000"),
        ]);
        let consumer: BaseConsumer<Assignment> =
            config.create_with_context(Assignment::default()).map_err(|error| setup(&error))?;
        consumer.subscribe(&[topic]).map_err(|error| setup(&error))?;
        let (group, topic) = (group.to_owned(), topic.to_owned());
        Ok(Self { consumer, group, topic, told: None, losses: Arc::clone(losses) })
    }
}

impl Membership for KafkaMembership {
    fn poll(&mut self, wait: Duration) -> Result<Option<BTreeSet<u32>>, JournalError> {
        let deadline = Instant::now() + wait;
        loop {
            // A record that slipped in before the pause is of no interest here.
            if let Some(Err(error)) = self.consumer.poll(deadline.saturating_duration_since(Instant::now())) {
                return Err(match error {
                    // Our name is somebody else's now; this client is of no use any more.
                    KafkaError::MessageConsumptionFatal(_) => {
                        self.losses.fetch_add(1, Ordering::Relaxed);
                        JournalError::Fenced(error.to_string())
                    }
                    _ => unavailable(&error),
                });
            }
            let ours = self.consumer.context().0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if ours.is_some() && ours != self.told {
                self.told.clone_from(&ours);
                return Ok(ours);
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    fn report(&mut self, next_offsets: &BTreeMap<u32, u64>) {
        let mut places = TopicPartitionList::with_capacity(next_offsets.len());
        for (partition, offset) in next_offsets {
            let offset = Offset::Offset(i64::try_from(*offset).expect("offsets are 63 bits"));
            if let Err(error) = places.add_partition_offset(&self.topic, signed(*partition), offset) {
                tracing::debug!(%error, "progress can't be reported");
            }
        }
        // Progress that isn't reported is only missing in tools that show lag.
        if let Err(error) = self.consumer.commit(&places, CommitMode::Async) {
            tracing::debug!(%error, "progress can't be reported");
        }
    }

    /// A member with a name of its own that merely ends says nothing to the coordinator; one that gives up its
    /// subscription first leaves. One that is alone stays: nobody waits for its share, and where a group is empty the
    /// brokers let whoever comes wait for others.
    fn leave(self: Box<Self>) {
        let members = self
            .consumer
            .fetch_group_list(Some(&self.group), LEAVE_PATIENCE)
            .map(|list| list.groups().iter().map(|group| group.members().len()).sum::<usize>());
        if !members.is_ok_and(|members| members > 1) {
            return;
        }
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE_PATIENCE;
        let has_share = || {
            let ours = self.consumer.context().0.lock().unwrap_or_else(PoisonError::into_inner);
            ours.as_ref().is_some_and(|ours| !ours.is_empty())
        };
        while has_share() && Instant::now() < deadline {
            // What comes is the revocation, or an error that makes no difference any more.
            drop(self.consumer.poll(LEAVE_POLL));
        }
        // The request to leave follows the revocation; the end of the client waits for its answer once it is sent.
        drop(self.consumer.poll(LEAVE_POLL));
    }
}
