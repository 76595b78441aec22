//! Time as the roles see it, so that a simulation can set it.

use std::time::{Duration, Instant};

use tallyboard_shared::Timestamp;

/// A clock on the wall and a stopwatch.
pub trait Clock: Send + Sync {
    /// The time of day, to be written down. It may be set back.
    fn now(&self) -> Timestamp;

    /// Milliseconds since some moment, for pacing. They only grow.
    fn elapsed_ms(&self) -> i64;

    /// How long to wait for another thread of this process that is given `wait`: in a simulation there is only one,
    /// and nobody else moves meanwhile.
    fn patience(&self, wait: Duration) -> Duration {
        wait
    }
}

/// The clock of the machine.
pub struct SystemClock(Instant);

impl SystemClock {
    /// The clock; its stopwatch starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).expect("no process runs for so long")
    }
}
