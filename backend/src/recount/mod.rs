//! The recount: folds the votes topic once more and compares with what was published, figure by figure.
//!
//! It reads the newest version from `election_results`, folds each partition of the votes from its first offset up to
//! exactly the version's `inputs`, and compares everything that follows from those votes: the results, the timeline, and
//! the rows of both aggregate topics. What lies behind `inputs` isn't part of the version and is only mentioned.
//!
//! The count tells a voter's votes apart within a partition. The recount looks over all of them: a voter who was
//! counted in two partitions was counted twice, and is a finding like a wrong sum. That takes 12 bytes of memory for
//! each counted vote, besides the voters' sets of the partitions that are being folded, one for each thread.

mod across;
mod compare;
mod contests;
mod count;
mod progress;
mod report;
mod rows;

use std::{collections::BTreeMap, num::NonZero};

use tallyboard_shared::election::Election;

pub use progress::Progress;
pub use report::{Difference, Report, SplitVoter};

use self::{contests::Contests, count::Job};
use crate::{
    journal::{Journal, JournalError, Topics},
    roles::newest::{NewestPublication, newest_publication},
    tally::{FingerprintKey, merge, merge_timeline},
};

/// What a recount needs to know.
#[derive(Clone, Debug)]
pub struct RecountSettings {
    /// The names of the topics.
    pub topics: Topics,
    /// The definition to count by; the one that was published where there is none.
    pub election: Option<Election>,
    /// So many partitions are folded at a time, each on a thread of its own; the calling thread is one of them.
    pub threads: NonZero<usize>,
}

/// Why there is no recount.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// The journal can't be read, or no longer has what was counted.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is nothing to compare with.
    #[error("nothing has been published on {0}")]
    NothingPublished(String),
}

/// Counts again what the newest version counted, and compares.
///
/// A server may go on counting meanwhile.
///
/// # Errors
/// [`RecountError`] where the count can't be done again: a journal that can't be read, a votes topic that is shorter
/// than what was counted or no longer begins at the first offset, or nothing published.
pub fn recount(
    journal: &dyn Journal,
    settings: &RecountSettings,
    progress: &Progress,
) -> Result<Report, RecountError> {
    let topics = &settings.topics;
    let NewestPublication { election: published_by, results: mut published, timeline } =
        newest_publication(journal, &topics.results)?
            .ok_or_else(|| RecountError::NothingPublished(topics.results.clone()))?;
    // Shares and turnout are derived on both sides by the same code.
    published.derive();
    let election = settings.election.as_ref().unwrap_or(&published_by);
    let ends: BTreeMap<_, _> = published.inputs.iter().map(|(partition, end)| (partition.0, *end)).collect();
    let beyond = beyond(journal, &topics.votes, &ends)?;
    progress.expect(ends.values().sum());

    let key = FingerprintKey::random();
    let contests = Contests::default();
    let job =
        Job { journal, topic: &topics.votes, election, ends: &ends, key, contests: &contests, progress };
    let counted = count::all(&job, settings.threads)?;
    let suspects = across::counted_twice(&counted, settings.threads);
    let split_voters = across::locate(&job, suspects, settings.threads)?;

    let tallies = counted.values().map(|partition| &partition.tally);
    let mut recounted = merge(election, tallies.clone(), published.version, published.as_of);
    let mut differences = compare::results(&published, &recounted);
    // Which windows are final follows from the watermark, which is compared by itself.
    recounted.watermark = published.watermark;
    if let Some(timeline) = &timeline {
        differences.extend(compare::timeline(timeline, &merge_timeline(election, tallies, &recounted)));
    }
    let newest_votes = counted.values().filter_map(|partition| partition.tally.newest_ms);
    differences.extend(compare::watermark(&published, newest_votes, election.allowed_lateness_ms));
    let rows = rows::compare(journal, topics, election, &recounted)?;
    differences.extend(rows.differences);
    Ok(Report {
        version: published.version,
        as_of: published.as_of,
        partitions: ends.len(),
        records: ends.values().sum(),
        windows: timeline.as_ref().map(|timeline| timeline.windows.len()),
        votes: recounted.totals.votes,
        rejected: recounted.totals.rejected_sum(),
        beyond,
        rows_compared: rows.compared,
        rows_outrun: rows.outrun,
        rows_behind: rows.behind,
        differences,
        split_voters,
    })
}

/// How many records lie behind `ends`, after making sure that everything before is there.
fn beyond(journal: &dyn Journal, topic: &str, ends: &BTreeMap<u32, u64>) -> Result<u64, JournalError> {
    let bounds = journal.bounds(topic)?;
    let gone =
        |partition, offset, why| JournalError::Gone { topic: topic.to_owned(), partition, offset, why };
    for (partition, end) in ends {
        let there = bounds.get(partition).cloned().unwrap_or_default();
        if there.start > 0 && *end > 0 {
            let why = format!("the log starts at offset {}, so it can't be counted again", there.start);
            return Err(gone(*partition, 0, why));
        }
        if there.end < *end {
            let why = format!(
                "it ends at offset {}, but {end} was counted up to: this is not the topic that was counted, or it lost votes",
                there.end
            );
            return Err(gone(*partition, *end, why));
        }
    }
    let published = |partition| ends.get(partition).copied().unwrap_or_default();
    Ok(bounds.iter().map(|(partition, there)| there.end.saturating_sub(published(partition))).sum())
}
