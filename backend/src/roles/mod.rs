//! The three roles: counter, publisher, viewer.
//!
//! Each is a pure state machine (its own module, no journal, no clock) and thin [`Shell`]s that feed it from the
//! journal and carry out what it says. The roles know each other only by what lies in the journal.

mod clock;
pub mod counter;
pub mod disclosure;
pub mod earlier;
pub mod newest;
pub mod publication;
pub mod publisher;
#[cfg(test)]
pub(crate) mod shelf;
mod shell;
pub mod viewer;

use std::time::Duration;

pub use clock::{Clock, SystemClock};
pub use shell::{Pace, Shell, drive};

/// How long a shell rests before it tries again what failed for a passing reason.
const RETRY_REST: Duration = Duration::from_millis(500);
