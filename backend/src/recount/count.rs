//! Folding all partitions, several at a time.

use std::{
    collections::BTreeMap,
    num::NonZero,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tallyboard_shared::election::Election;

use super::{Progress, contests::Contests};
use crate::{
    journal::{Batch, Journal, JournalError},
    tally::{FINGERPRINT_BYTES, FingerprintKey, Fold, Outcome, PartitionTally, refuses_simulated},
};

/// How long a read waits for records that are there already.
const READ_WAIT: Duration = Duration::from_millis(200);

/// How long nothing may come before the recount gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be folded.
pub(super) struct Job<'a> {
    pub(super) journal: &'a dyn Journal,
    pub(super) topic: &'a str,
    pub(super) election: &'a Election,
    /// Where to end in each partition: the first offset that isn't counted.
    pub(super) ends: &'a BTreeMap<u32, u64>,
    /// One for all partitions, so that fingerprints can be compared.
    pub(super) key: FingerprintKey,
    /// One for all partitions too, for where there is no definition.
    pub(super) contests: &'a Contests,
    pub(super) progress: &'a Progress,
}

/// Stands for a voter in a contest.
pub(super) type Fingerprint = [u8; FINGERPRINT_BYTES];

/// What was counted in a partition.
pub(super) struct Counted {
    pub(super) tally: PartitionTally,
    voters: Vec<u8>,
}

impl Counted {
    /// Those of all counted votes, sorted.
    pub(super) fn voters(&self) -> &[Fingerprint] {
        self.voters.as_chunks().0
    }
}

/// Counts every partition.
pub(super) fn all(job: &Job<'_>, threads: NonZero<usize>) -> Result<BTreeMap<u32, Counted>, JournalError> {
    in_parallel(job.ends, threads, |partition, end| {
        let mut named = Vec::new();
        let mut fold = fold(job, partition, end, |_, voter| {
            if !job.election.defined {
                named.extend_from_slice(voter);
            }
        })?;
        let tally = fold.tally();
        let mut voters = if job.election.defined { fold.take_fingerprints() } else { named };
        // The set of voters goes first, and then what the list has to spare: the others still need memory.
        drop(fold);
        voters.as_chunks_mut::<FINGERPRINT_BYTES>().0.sort_unstable();
        voters.shrink_to_fit();
        Ok(Counted { tally, voters })
    })
}

/// Works on the partitions, the longest first, each on one of the threads.
pub(super) fn in_parallel<T: Send>(
    ends: &BTreeMap<u32, u64>,
    threads: NonZero<usize>,
    work: impl Fn(u32, u64) -> Result<T, JournalError> + Sync,
) -> Result<BTreeMap<u32, T>, JournalError> {
    let mut waiting: Vec<_> = ends.iter().map(|(partition, end)| (*end, *partition)).collect();
    waiting.sort_unstable();
    let waiting = Mutex::new(waiting);
    let done = Mutex::new(Ok(BTreeMap::new()));
    let worker = || {
        while let Some((end, partition)) = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            let outcome = work(partition, end);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match (outcome, done.as_mut()) {
                (Ok(result), Ok(results)) => drop(results.insert(partition, result)),
                (Err(error), Ok(_)) => *done = Err(error),
                (_, Err(_)) => {}
            }
            if done.is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let others = threads.get().min(ends.len()).saturating_sub(1);
        for _ in 0..others {
            scope.spawn(worker);
        }
        worker();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Folds a partition up to `end`, telling every counted vote's offset and voter. With a definition the fold keeps the
/// fingerprints; without one those that it has can't be compared with those of other partitions.
pub(super) fn fold(
    job: &Job<'_>,
    partition: u32,
    end: u64,
    mut counted: impl FnMut(u64, &Fingerprint),
) -> Result<Fold, JournalError> {
    let mut fold = Fold::new(job.election, partition, job.key);
    if job.election.defined {
        fold.keep_fingerprints();
    }
    let mut contests = job.contests.of_a_partition();
    if end == 0 {
        return Ok(fold);
    }
    let mut reader = job.journal.read(job.topic, &BTreeMap::from([(partition, 0)]))?;
    let mut batch = Batch::asking_for_origin(refuses_simulated(job.election));
    let mut patience = Instant::now() + PATIENCE;
    // The last offsets may be a transaction's markers, of which a reader sees nothing.
    let mut reached = false;
    while !reached {
        match reader.next(&mut batch, READ_WAIT) {
            Ok(()) => {}
            Err(error) if error.is_transient() => tracing::debug!(%error, partition, "reading goes on"),
            Err(error) => return Err(error),
        }
        let before = fold.next_offset();
        let kept_before = fold.fingerprints().len();
        let mut votes = Vec::new();
        let records = batch.iter().take_while(|record| record.position.offset < end);
        fold.records(records, |record, outcome| {
            if let Outcome::Counted { .. } = outcome {
                votes.push(*record);
            }
        });
        let mut kept = fold.fingerprints()[kept_before..].as_chunks().0.iter();
        for vote in votes {
            let voter = match kept.next() {
                Some(voter) => *voter,
                None => contests.fingerprint(job.key, vote.value),
            };
            counted(vote.position.offset, &voter);
        }
        reached |= batch.iter().last().is_some_and(|record| record.position.offset >= end);
        job.progress.advance(fold.next_offset() - before);
        reached |= fold.next_offset() >= end || batch.reaches_end(partition);
        if !batch.is_empty() {
            patience = Instant::now() + PATIENCE;
        } else if !reached && Instant::now() > patience {
            let why = format!("{}/{partition} can't be read up to offset {end}", job.topic);
            return Err(JournalError::Unavailable(why));
        }
    }
    job.progress.advance(end - fold.next_offset().min(end));
    Ok(fold)
}
