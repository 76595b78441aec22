//! Tallyboard's backend: from votes in a journal to results in every browser.
//!
//! [`tally`] is the pure count, [`roles`] the three state machines around it, [`journal`] where votes come from and
//! results go to, [`http`] how people see them. `docs/ARCHITECTURE.md` tells how they fit together and which
//! invariants hold.

pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod election;
pub mod export;
pub mod http;
pub mod journal;
pub mod recount;
pub mod roles;
pub mod serve;
pub mod shutdown;
pub mod simulate;
pub mod tally;
pub mod telemetry;
pub mod watch;
