//! The three roles: counter, publisher, viewer.
//!
//! Each is a pure state machine (its own module, no journal, no clock) and a thin shell (`run` inside it) that feeds
//! it from the journal and carries out what it says. The roles know each other only by what lies in the journal.

pub mod counter;
pub mod disclosure;
pub mod publication;
pub mod publisher;
pub mod viewer;

use std::time::{Duration, Instant};

/// How long a shell waits before it tries again what failed for a passing reason.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// Time that only runs forward, for pacing: the clock on the wall may be set.
#[derive(Clone, Copy)]
struct Stopwatch(Instant);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed_ms(self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).expect("no process runs for so long")
    }
}
