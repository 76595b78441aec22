//! Which partitions are ours, and which of our workers counts which.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::CounterSettings;
use crate::{
    journal::{Journal, JournalError, Membership},
    roles::{Clock, Pace, RETRY_REST, Shell},
};

/// How long to wait for news of the group in one step.
const NEWS_WAIT: Duration = Duration::from_millis(100);

/// How often progress is reported to the group.
const REPORT_INTERVAL_MS: i64 = 5000;

/// Where the sharer leaves a worker's newest share of the partitions; an older one that wasn't taken yet is of no use.
pub(super) type Assigned = Arc<Mutex<Option<BTreeSet<u32>>>>;

/// How far each partition is counted, for reports.
pub(super) type Progress = Arc<Mutex<BTreeMap<u32, u64>>>;

/// A member of the counters' group, who shares its partitions among the workers.
pub(super) struct Sharer {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) settings: Arc<CounterSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) workers: Vec<Assigned>,
    pub(super) progress: Progress,
    pub(super) membership: Option<Box<dyn Membership>>,
    pub(super) report_due_ms: i64,
}

impl Shell for Sharer {
    fn step(&mut self) -> Result<Pace, JournalError> {
        match self.share() {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the counters' group can't be reached");
                return Ok(Pace::Rest(RETRY_REST));
            }
            Err(JournalError::Fenced(by)) => {
                // What we count meanwhile may be counted by another too: that does no harm.
                tracing::warn!(by, "the counters' group goes on without us; joining it anew");
                self.membership = None;
                return Ok(Pace::Rest(RETRY_REST));
            }
            Err(error) => return Err(error),
        }
        self.report();
        Ok(Pace::Go)
    }
}

impl Sharer {
    fn share(&mut self) -> Result<(), JournalError> {
        let membership = match &mut self.membership {
            Some(membership) => membership,
            None => {
                self.membership.insert(self.journal.join(&self.settings.group, &self.settings.topics.votes)?)
            }
        };
        let Some(ours) = membership.poll(NEWS_WAIT)? else {
            return Ok(());
        };
        tracing::info!(partitions = ?ours, "counting partitions");
        for (number, worker) in self.workers.iter().enumerate() {
            let share = ours.iter().copied().filter(|p| *p as usize % self.workers.len() == number);
            *worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(share.collect());
        }
        Ok(())
    }

    fn report(&mut self) {
        let now_ms = self.clock.elapsed_ms();
        if let Some(membership) = &mut self.membership
            && now_ms >= self.report_due_ms
        {
            self.report_due_ms = now_ms + REPORT_INTERVAL_MS;
            membership.report(&self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
