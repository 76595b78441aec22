//! The publisher's shell: waits for its turn, takes the exclusive name, publishes, and steps back when fenced.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tallyboard_shared::{election::Election, results::Results};

use super::{Publisher, rows::Rows};
use crate::{
    journal::{Batch, ExclusiveAppender, Journal, JournalError, Membership, ReadRecord, Reader, Topics},
    roles::{Clock, Pace, RETRY_REST, Shell, newest::newest_publication},
    tally::PartitionTally,
};

/// How long to wait for news of the group in one step.
const NEWS_WAIT: Duration = Duration::from_millis(100);

/// How long to wait for tallies before looking at the clock and the membership.
const READ_WAIT: Duration = Duration::from_millis(10);

/// How often a publisher that waits for the count to catch up says so.
const BEHIND_INTERVAL_MS: i64 = 10_000;

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

/// Publishes whenever the group gives us the tallies.
///
/// A broker that can't be reached is waited for. After any failed append everything is read again before the next:
/// whether it came through is seen in the journal, not guessed. It ends with [`JournalError::Gone`] where the votes
/// topic is shorter than what was published.
pub struct PublisherShell {
    journal: Arc<dyn Journal>,
    settings: PublisherSettings,
    clock: Arc<dyn Clock>,
    membership: Option<Box<dyn Membership>>,
    /// Whether the group has given us the tallies.
    ours: bool,
    office: Option<Office>,
}

impl PublisherShell {
    /// A publisher that isn't a member of the group yet.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, settings: PublisherSettings, clock: Arc<dyn Clock>) -> Self {
        Self { journal, settings, clock, membership: None, ours: false, office: None }
    }
}

impl Shell for PublisherShell {
    fn step(&mut self) -> Result<Pace, JournalError> {
        let error = match self.serve() {
            Ok(pace) => return Ok(pace),
            Err(error) => error,
        };
        self.office = None;
        if let JournalError::Fenced(by) = &error {
            // Whoever has the name was given the partition; it is ours again when the group says so.
            tracing::warn!(by, "another publisher has taken over");
            self.membership = None;
            self.ours = false;
        } else if error.is_transient() {
            tracing::warn!(%error, "the publisher starts again");
        } else {
            return Err(error);
        }
        Ok(Pace::Rest(RETRY_REST))
    }

    /// A publisher has nothing that it would find again when it comes back: whoever is next needn't wait.
    fn finish(&mut self) {
        self.office = None;
        self.membership.take().into_iter().for_each(Membership::leave);
    }
}

impl PublisherShell {
    fn serve(&mut self) -> Result<Pace, JournalError> {
        let membership = match &mut self.membership {
            Some(membership) => membership,
            None => {
                let (group, tallies) = (&self.settings.group, &self.settings.topics.tallies);
                self.membership.insert(self.journal.join(group, tallies)?)
            }
        };
        let wait = if self.ours { Duration::ZERO } else { NEWS_WAIT };
        match membership.poll(wait) {
            Ok(Some(partitions)) => self.ours = partitions.contains(&0),
            Ok(None) => {}
            // Whether we are still a member is unknown; the exclusive name decides who publishes.
            Err(error) if self.ours && error.is_transient() => {
                tracing::debug!(%error, "the publishers' group can't be reached");
            }
            Err(error) => return Err(error),
        }
        if !self.ours {
            self.office = None;
            return Ok(Pace::Go);
        }
        let office = match &mut self.office {
            Some(office) => office,
            None => self.office.insert(Office::take(&self.journal, &self.settings, &self.clock)?),
        };
        office.hold(&self.settings)
    }
}

/// Being the publisher.
struct Office {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    /// How many partitions the votes have, as far as is known.
    partitions: usize,
    publisher: Publisher,
    appender: Box<dyn ExclusiveAppender>,
    rows: Rows,
    reader: Box<dyn Reader>,
    batch: Batch,
    /// Not before then is it said again that the count is behind.
    behind_due_ms: i64,
}

impl Office {
    fn take(
        journal: &Arc<dyn Journal>,
        settings: &PublisherSettings,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, JournalError> {
        // First of all, so that nothing is appended by anyone else after it was read here.
        let appender = journal.exclusive(&settings.group)?;
        let last = newest_publication(&**journal, &settings.topics.results)?.map(|newest| newest.results);
        if let Some(last) = &last {
            check_votes(&**journal, &settings.topics.votes, last)?;
        }
        tracing::info!(version = last.as_ref().map(|last| last.version), "publishing");
        let tallies = &settings.topics.tallies;
        let first = journal.bounds(tallies)?.get(&0).map_or(0, |bounds| bounds.start);
        let reader = journal.read(tallies, &BTreeMap::from([(0, first)]))?;
        let interval = i64::try_from(settings.publish_interval.as_millis()).unwrap_or(i64::MAX);
        let publisher = Publisher::resume((*settings.election).clone(), last, interval);
        let partitions = journal.bounds(&settings.topics.votes)?.len();
        Ok(Self {
            journal: Arc::clone(journal),
            clock: Arc::clone(clock),
            partitions,
            publisher,
            appender,
            rows: Rows::default(),
            reader,
            batch: Batch::default(),
            behind_due_ms: i64::MIN,
        })
    }

    /// Takes the tallies that came, and publishes where something is to be said.
    fn hold(&mut self, settings: &PublisherSettings) -> Result<Pace, JournalError> {
        match self.reader.next(&mut self.batch, READ_WAIT) {
            Ok(()) => {}
            // What was read until now stays good, and the reader goes on by itself.
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "tallies can't be read");
                return Ok(Pace::Rest(RETRY_REST));
            }
            Err(error) => return Err(error),
        }
        let batch = std::mem::take(&mut self.batch);
        for record in batch.iter() {
            self.tally(&record, &settings.topics.votes)?;
        }
        self.batch = batch;
        self.ask_for_ends(&settings.topics.votes)?;
        if self.rows.are_disturbed(&*self.journal, self.clock.elapsed_ms())? {
            self.publisher.rows_were_disturbed();
        }
        if !self.publish(&settings.topics)? {
            self.say_behind();
        }
        Ok(Pace::Go)
    }

    fn ask_for_ends(&mut self, votes: &str) -> Result<(), JournalError> {
        // The moment before the question: what the answer misses came later.
        let asked_ms = self.clock.elapsed_ms();
        if !self.publisher.wants_ends(asked_ms) {
            return Ok(());
        }
        let ends = match self.journal.bounds(votes) {
            Ok(bounds) => bounds.into_iter().map(|(partition, bounds)| (partition, bounds.end)).collect(),
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "the votes topic can't be asked how long it is");
                BTreeMap::new()
            }
            Err(error) => return Err(error),
        };
        self.publisher.ends(ends, asked_ms);
        Ok(())
    }

    fn say_behind(&mut self) {
        let now_ms = self.clock.elapsed_ms();
        if let Some((partition, counted, needed)) = self.publisher.behind()
            && now_ms >= self.behind_due_ms
        {
            self.behind_due_ms = now_ms + BEHIND_INTERVAL_MS;
            tracing::info!(%partition, counted, needed, "waiting until everything published is counted again");
        }
    }

    fn tally(&mut self, record: &ReadRecord<'_>, votes: &str) -> Result<(), JournalError> {
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
            self.partitions = self.journal.bounds(votes)?.len();
        }
        if tally.partition as usize >= self.partitions {
            tracing::warn!(partition = tally.partition, offset, "a tally of a partition that doesn't exist");
            return Ok(());
        }
        self.publisher.tally(tally, self.clock.elapsed_ms());
        Ok(())
    }

    /// Whether something was published.
    fn publish(&mut self, topics: &Topics) -> Result<bool, JournalError> {
        let started_ms = self.clock.elapsed_ms();
        let Some(publication) = self.publisher.tick(self.clock.now(), started_ms) else {
            return Ok(false);
        };
        self.appender.append_all(vec![(topics.results.clone(), publication.version())])?;
        record_metrics(&publication.results, self.clock.elapsed_ms() - started_ms);
        let were_alone = self.rows.append(&mut *self.appender, publication.rows(topics))?;
        self.publisher.published(publication, started_ms);
        if !were_alone {
            self.publisher.rows_were_disturbed();
        }
        Ok(true)
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
pub(crate) fn record_metrics(results: &Results, append_ms: i64) {
    metrics::histogram!("tallyboard_publish_seconds").record(append_ms as f64 / 1000.0);
    metrics::gauge!("tallyboard_results_version").set(results.version as f64);
    metrics::gauge!("tallyboard_votes_counted").set(results.totals.votes as f64);
    for (reason, count) in &results.totals.rejected {
        metrics::gauge!("tallyboard_votes_rejected", "reason" => reason.code()).set(*count as f64);
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
