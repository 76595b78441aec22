//! The publisher's shell: waits for its turn, takes the exclusive name, publishes, and steps back when fenced.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use tallyboard_shared::{Timestamp, election::Election, results::Results};

use super::{Publisher, SNAPSHOT_EVERY};
use crate::{
    journal::{
        Batch, ExclusiveAppender, Journal, JournalError, Membership, ReadRecord, Reader, Topics, read_to_end,
    },
    roles::{RETRY_WAIT, Stopwatch, publication::PublicationRecord},
    shutdown::Stop,
    tally::PartitionTally,
};

/// How long to wait for tallies before looking at the clock, the membership and the stop flag.
const READ_WAIT: Duration = Duration::from_millis(10);

/// How often a publisher that waits for the count to catch up says so.
const BEHIND_INTERVAL: Duration = Duration::from_secs(10);

/// What a publisher needs to know.
pub struct PublisherSettings {
    /// The rules.
    pub election: Arc<Election>,
    /// The names of the topics.
    pub topics: Topics,
    /// The group whose one member publishes; also the exclusive name.
    pub group: String,
    /// A version is published at most so often.
    pub publish_interval: Duration,
}

/// Publishes whenever the group gives us the tallies, until stopped.
///
/// A broker that can't be reached is waited for. After any failed append everything is read again before the next:
/// whether it came through is seen in the journal, not guessed.
///
/// # Errors
/// [`JournalError::Gone`] where the votes topic is shorter than what was published; others where the journal can't
/// be used at all.
pub fn run(journal: &dyn Journal, settings: &PublisherSettings, stop: &Stop) -> Result<(), JournalError> {
    let mut membership = journal.join(&settings.group, &settings.topics.tallies)?;
    let mut ours = false;
    while !stop.is_raised() {
        let outcome = if ours {
            Office::take(journal, settings).and_then(|office| office.hold(&mut *membership, stop))
        } else {
            membership
                .poll(Duration::from_millis(100))
                .map(|news| news.is_some_and(|partitions| partitions.contains(&0)))
        };
        match outcome {
            Ok(still_ours) => ours = still_ours,
            Err(JournalError::Fenced(by)) => {
                // Whoever has the name was given the partition; it is ours again when the group says so.
                tracing::warn!(by, "another publisher has taken over");
                membership = journal.join(&settings.group, &settings.topics.tallies)?;
                ours = false;
                std::thread::sleep(RETRY_WAIT);
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the publisher starts again");
                std::thread::sleep(RETRY_WAIT);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Being the publisher.
struct Office<'a> {
    journal: &'a dyn Journal,
    /// How many partitions the votes have, as far as is known.
    partitions: usize,
    settings: &'a PublisherSettings,
    publisher: Publisher,
    appender: Box<dyn ExclusiveAppender>,
    reader: Box<dyn Reader>,
    stopwatch: Stopwatch,
}

impl<'a> Office<'a> {
    fn take(journal: &'a dyn Journal, settings: &'a PublisherSettings) -> Result<Self, JournalError> {
        // First of all, so that nothing is appended by anyone else after it was read here.
        let appender = journal.exclusive(&settings.group)?;
        let last = last_results(journal, &settings.topics.results)?;
        if let Some(last) = &last {
            check_votes(journal, &settings.topics.votes, last)?;
        }
        tracing::info!(version = last.as_ref().map(|last| last.version), "publishing");
        let tallies = &settings.topics.tallies;
        let first = journal.bounds(tallies)?.get(&0).map_or(0, |bounds| bounds.start);
        let reader = journal.read(tallies, &BTreeMap::from([(0, first)]))?;
        let interval = i64::try_from(settings.publish_interval.as_millis()).unwrap_or(i64::MAX);
        let publisher = Publisher::resume((*settings.election).clone(), last, interval);
        let stopwatch = Stopwatch::start();
        let partitions = journal.bounds(&settings.topics.votes)?.len();
        Ok(Self { journal, partitions, settings, publisher, appender, reader, stopwatch })
    }

    /// Publishes until stopped or until the partition is somebody else's: then the answer is false.
    fn hold(mut self, membership: &mut dyn Membership, stop: &Stop) -> Result<bool, JournalError> {
        let mut batch = Batch::default();
        let mut told_behind: Option<Instant> = None;
        while !stop.is_raised() {
            match membership.poll(Duration::ZERO) {
                Ok(Some(partitions)) if !partitions.contains(&0) => return Ok(false),
                Ok(_) => {}
                // Whether we are still a member is unknown; the exclusive name decides who publishes.
                Err(error) if error.is_transient() => {
                    tracing::debug!(%error, "the publishers' group can't be reached");
                }
                Err(error) => return Err(error),
            }
            match self.reader.next(&mut batch, READ_WAIT) {
                Ok(()) => {}
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "tallies can't be read");
                    std::thread::sleep(RETRY_WAIT);
                    continue;
                }
                Err(error) => return Err(error),
            }
            for record in batch.iter() {
                self.tally(&record)?;
            }
            if let ControlFlow::Continue(()) = self.publish()? {
                continue;
            }
            if let Some((partition, counted, needed)) = self.publisher.behind()
                && told_behind.is_none_or(|told| told.elapsed() >= BEHIND_INTERVAL)
            {
                told_behind = Some(Instant::now());
                tracing::info!(%partition, counted, needed, "waiting until everything published is counted again");
            }
        }
        Ok(true)
    }

    fn tally(&mut self, record: &ReadRecord<'_>) -> Result<(), JournalError> {
        let offset = record.position.offset;
        let tally = match PartitionTally::decode(record.value) {
            Ok(tally) => tally,
            Err(error) => {
                tracing::warn!(%error, offset, "not a tally");
                return Ok(());
            }
        };
        if tally.partition as usize >= self.partitions {
            // Perhaps it was added meanwhile.
            self.partitions = self.journal.bounds(&self.settings.topics.votes)?.len();
        }
        if tally.partition as usize >= self.partitions {
            tracing::warn!(partition = tally.partition, offset, "a tally of a partition that doesn't exist");
            return Ok(());
        }
        self.publisher.tally(tally);
        Ok(())
    }

    fn publish(&mut self) -> Result<ControlFlow<()>, JournalError> {
        let Some(publication) = self.publisher.tick(Timestamp::now(), self.stopwatch.elapsed_ms()) else {
            return Ok(ControlFlow::Break(()));
        };
        let started = Instant::now();
        self.appender.append_all(publication.records(&self.settings.topics))?;
        metrics::histogram!("tallyboard_publish_seconds").record(started.elapsed().as_secs_f64());
        record_metrics(&publication.results);
        self.publisher.published(publication, self.stopwatch.elapsed_ms());
        Ok(ControlFlow::Continue(()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
fn record_metrics(results: &Results) {
    metrics::gauge!("tallyboard_results_version").set(results.version as f64);
    metrics::gauge!("tallyboard_votes_counted").set(results.totals.votes as f64);
    for (reason, count) in &results.totals.rejected {
        metrics::gauge!("tallyboard_votes_rejected", "reason" => reason.code()).set(*count as f64);
    }
}

/// The results that were published last.
///
/// # Errors
/// [`JournalError::Unfit`] where the newest publication can't be understood: going on from an older one would give
/// its number away a second time.
fn last_results(journal: &dyn Journal, topic: &str) -> Result<Option<Results>, JournalError> {
    let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
    // In Kafka every publication is followed by its transaction's marker, and some were aborted.
    let mut reach = u64::from(SNAPSHOT_EVERY) * 3;
    loop {
        let start = bounds.end.saturating_sub(reach).max(bounds.start);
        let mut last: Option<Results> = None;
        let mut unclear: Option<String> = None;
        read_to_end(journal, topic, 0, start, |record| {
            let understood = match serde_json::from_slice(record.value) {
                Ok(PublicationRecord::Snapshot { results, .. }) => {
                    last = Some(*results);
                    Ok(())
                }
                Ok(PublicationRecord::Delta { update }) => match last.as_mut() {
                    Some(last) => last.apply(&update).map_err(|gap| format!("it doesn't follow: {gap:?}")),
                    None => Ok(()),
                },
                Err(error) => Err(error.to_string()),
            };
            unclear = understood.err().map(|why| format!("offset {}: {why}", record.position.offset));
        })?;
        if let Some(unclear) = unclear {
            let why = format!(
                "the newest publication can't be understood by this version of Tallyboard ({unclear})"
            );
            return Err(JournalError::Unfit { topic: topic.to_owned(), why });
        }
        if last.is_some() || start == bounds.start {
            return Ok(last);
        }
        reach = reach.saturating_mul(4);
    }
}

/// Votes that were counted must still be there: a shorter topic is another one.
fn check_votes(journal: &dyn Journal, topic: &str, last: &Results) -> Result<(), JournalError> {
    let bounds = journal.bounds(topic)?;
    for (partition, counted) in &last.inputs {
        let end = bounds.get(&partition.0).map_or(0, |bounds| bounds.end);
        if end < *counted {
            return Err(JournalError::Gone {
                topic: topic.to_owned(),
                partition: partition.0,
                offset: *counted,
                why: format!(
                    "it ends at offset {end}, but version {} was counted up to {counted}: this is not the topic that \
                     was counted, or it lost votes. Use another --topic-prefix to start anew",
                    last.version
                ),
            });
        }
    }
    Ok(())
}
