//! The counter's shell: threads that read, fold and hand their tallies to one that appends.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{self, Receiver, SyncSender},
    },
    time::{Duration, Instant},
};

use tallyboard_shared::election::Election;

use super::Counter;
use crate::{
    journal::{Batch, Journal, JournalError, NewRecord, Reader, Topics},
    roles::{RETRY_WAIT, Stopwatch},
    shutdown::Stop,
    tally::{FingerprintKey, Outcome},
};

/// How long a thread waits for votes before it looks at its tallies and at the stop flag.
const READ_WAIT: Duration = Duration::from_millis(20);

/// How often progress is reported to the group.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// What a counter needs to know.
pub struct CounterSettings {
    /// The rules.
    pub election: Arc<Election>,
    /// The names of the topics.
    pub topics: Topics,
    /// The group whose members share the partitions.
    pub group: String,
    /// A tally is told at most so often.
    pub publish_interval: Duration,
}

/// Counts the partitions that the group gives us, until stopped.
///
/// A broker that can't be reached is waited for. Partitions that the group takes away, after a silence too, are
/// counted anew when they come back: the tallies that were told stay right meanwhile.
///
/// # Errors
/// [`JournalError::Gone`] where the log no longer has the records that the count would start from: an undercount is
/// never silent. Other errors where the journal can't be used at all.
pub fn run(journal: &dyn Journal, settings: &CounterSettings, stop: &Stop) -> Result<(), JournalError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let key = FingerprintKey::random();
    let outbox = Outbox::default();
    let progress = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        let teller = scope.spawn(|| {
            let _guard = stop.guard();
            tell(journal, &settings.topics.tallies, &outbox, stop)
        });
        let mut workers = Vec::new();
        let mut shares = Vec::new();
        for _ in 0..threads {
            // One assignment is under way at a time; a worker looks for the next within a read.
            let (share_tx, share_rx) = mpsc::sync_channel(1);
            shares.push(share_tx);
            let worker = Worker { journal, settings, outbox: &outbox, progress: &progress, key };
            workers.push(scope.spawn(move || {
                let _guard = stop.guard();
                worker.run(&share_rx, stop)
            }));
        }
        let sharing = stop.guard();
        let mut result = share_out(journal, settings, &shares, &progress, stop);
        drop(sharing);
        for thread in workers.into_iter().chain([teller]) {
            result = result.and(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        result
    })
}

/// Shares the partitions that are ours among the workers.
fn share_out(
    journal: &dyn Journal,
    settings: &CounterSettings,
    workers: &[SyncSender<BTreeSet<u32>>],
    progress: &Mutex<BTreeMap<u32, u64>>,
    stop: &Stop,
) -> Result<(), JournalError> {
    let mut membership = journal.join(&settings.group, &settings.topics.votes)?;
    let mut reported = Instant::now();
    while !stop.is_raised() {
        match membership.poll(Duration::from_millis(100)) {
            Ok(Some(ours)) => {
                tracing::info!(partitions = ?ours, "counting partitions");
                for (number, worker) in workers.iter().enumerate() {
                    let share =
                        ours.iter().copied().filter(|p| *p as usize % workers.len() == number).collect();
                    if worker.send(share).is_err() {
                        // The worker has failed and raised the flag; its error is told by its thread.
                        return Ok(());
                    }
                }
            }
            Ok(None) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the counters' group can't be reached");
                std::thread::sleep(RETRY_WAIT);
            }
            Err(error) => return Err(error),
        }
        if reported.elapsed() >= REPORT_INTERVAL {
            reported = Instant::now();
            membership.report(&progress.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
    Ok(())
}

/// Counts a share of the partitions.
struct Worker<'a> {
    journal: &'a dyn Journal,
    settings: &'a CounterSettings,
    outbox: &'a Outbox,
    progress: &'a Mutex<BTreeMap<u32, u64>>,
    key: FingerprintKey,
}

impl Worker<'_> {
    fn run(&self, shares: &Receiver<BTreeSet<u32>>, stop: &Stop) -> Result<(), JournalError> {
        let mut counters = BTreeMap::<u32, Counter>::new();
        let mut reader: Option<Box<dyn Reader>> = None;
        let mut batch = Batch::default();
        let stopwatch = Stopwatch::start();
        while !stop.is_raised() {
            if let Ok(share) = shares.try_recv() {
                self.take_over(&mut counters, &share);
                reader = self.reader(&counters, stop)?;
            }
            let Some(reader) = reader.as_mut() else {
                std::thread::sleep(READ_WAIT);
                continue;
            };
            match reader.next(&mut batch, READ_WAIT) {
                Ok(()) => count(&mut counters, &batch),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "votes can't be read");
                    std::thread::sleep(RETRY_WAIT);
                }
                Err(error) => return Err(error),
            }
            self.tell(&mut counters, stopwatch.elapsed_ms());
        }
        Ok(())
    }

    /// Partitions that stay keep their counters; those that are new start from their first offset.
    fn take_over(&self, counters: &mut BTreeMap<u32, Counter>, share: &BTreeSet<u32>) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        counters.retain(|partition, _| {
            let stays = share.contains(partition);
            if !stays {
                progress.remove(partition);
            }
            stays
        });
        drop(progress);
        let interval = i64::try_from(self.settings.publish_interval.as_millis()).unwrap_or(i64::MAX);
        for partition in share {
            counters
                .entry(*partition)
                .or_insert_with(|| Counter::new(&self.settings.election, *partition, self.key, interval));
        }
    }

    /// A reader of the partitions, from where their counters stand.
    fn reader(
        &self,
        counters: &BTreeMap<u32, Counter>,
        stop: &Stop,
    ) -> Result<Option<Box<dyn Reader>>, JournalError> {
        if counters.is_empty() {
            return Ok(None);
        }
        let topic = &self.settings.topics.votes;
        while !stop.is_raised() {
            match self.journal.bounds(topic) {
                Ok(bounds) => {
                    for (partition, counter) in counters {
                        let first = bounds.get(partition).map_or(0, |bounds| bounds.start);
                        if first > counter.next_offset() {
                            return Err(JournalError::Gone {
                                topic: topic.clone(),
                                partition: *partition,
                                offset: counter.next_offset(),
                                why: format!(
                                    "the log starts at offset {first}, so the votes at {}..{first} can't be counted",
                                    counter.next_offset()
                                ),
                            });
                        }
                    }
                    let starts =
                        counters.iter().map(|(partition, counter)| (*partition, counter.next_offset()));
                    return self.journal.read(topic, &starts.collect()).map(Some);
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the votes topic can't be reached");
                    std::thread::sleep(RETRY_WAIT);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn tell(&self, counters: &mut BTreeMap<u32, Counter>, now_ms: i64) {
        for (partition, counter) in counters {
            if let Some(tally) = counter.tick(now_ms) {
                self.outbox.put(*partition, tally);
                let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
                progress.insert(*partition, counter.next_offset());
            }
        }
    }
}

fn count(counters: &mut BTreeMap<u32, Counter>, batch: &Batch) {
    let (mut counted, mut rejected) = (0u64, 0u64);
    for record in batch.iter() {
        // A record of a partition that has just been taken away is somebody else's.
        let Some(counter) = counters.get_mut(&record.position.partition) else {
            continue;
        };
        match counter.record(&record) {
            Some(Outcome::Counted { .. }) => counted += 1,
            Some(Outcome::Rejected(_)) => rejected += 1,
            None => {}
        }
    }
    metrics::counter!("tallyboard_votes_folded_total", "outcome" => "counted").increment(counted);
    metrics::counter!("tallyboard_votes_folded_total", "outcome" => "rejected").increment(rejected);
}

/// The tallies that wait to be appended: the newest of each partition, so there are never more than partitions.
#[derive(Default)]
struct Outbox {
    newest: Mutex<BTreeMap<u32, Vec<u8>>>,
    changed: Condvar,
}

impl Outbox {
    fn put(&self, partition: u32, tally: Vec<u8>) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, tally);
        self.changed.notify_one();
    }

    fn take_all(&self, wait: Duration) -> BTreeMap<u32, Vec<u8>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut newest, _) = self
            .changed
            .wait_timeout_while(newest, wait, |newest| newest.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *newest)
    }

    /// What couldn't be appended waits on, unless there is a newer tally of the partition by now.
    fn put_back(&self, tallies: BTreeMap<u32, Vec<u8>>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, tally) in tallies {
            newest.entry(partition).or_insert(tally);
        }
    }
}

/// Appends the tallies, again and again until the journal takes them.
fn tell(journal: &dyn Journal, topic: &str, outbox: &Outbox, stop: &Stop) -> Result<(), JournalError> {
    while !stop.is_raised() {
        let tallies = outbox.take_all(Duration::from_millis(100));
        if tallies.is_empty() {
            continue;
        }
        let records =
            tallies.iter().map(|(partition, tally)| NewRecord::new(partition.to_string(), tally.as_slice()));
        match journal.append(topic, records.collect()) {
            Ok(_) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "tallies can't be appended");
                outbox.put_back(tallies);
                std::thread::sleep(RETRY_WAIT);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
