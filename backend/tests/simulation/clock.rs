//! The simulated clock: one time for all, as each process believes it to be.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use tallyboard::roles::Clock;
use tallyboard_shared::Timestamp;

use crate::{ballots::EPOCH_MS, brokers::Brokers};

/// The clock of one process.
pub(crate) struct SimulatedClock {
    brokers: Brokers,
    started_ms: i64,
    /// How far the clock on its wall is off.
    pub(crate) off_by_ms: AtomicI64,
}

impl SimulatedClock {
    pub(crate) fn start(brokers: &Brokers, off_by_ms: i64) -> Self {
        let started_ms = brokers.lock().now_ms;
        Self { brokers: brokers.clone(), started_ms, off_by_ms: AtomicI64::new(off_by_ms) }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let now_ms = EPOCH_MS + self.brokers.lock().now_ms + self.off_by_ms.load(Ordering::Relaxed);
        Timestamp::from_millisecond(now_ms).expect("simulated time is about today")
    }

    fn elapsed_ms(&self) -> i64 {
        self.brokers.lock().now_ms - self.started_ms
    }

    fn patience(&self, _wait: Duration) -> Duration {
        Duration::ZERO
    }
}
