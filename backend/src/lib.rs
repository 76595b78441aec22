//! Tallyboard's backend: from votes in a journal to results in every browser.
//!
//! [`tally`] is the pure count, [`roles`] the three state machines around it, [`journal`] where votes come from and
//! results go to, [`http`] how people see them. `docs/ARCHITECTURE.md` tells how they fit together and which
//! invariants hold.

pub mod election;
pub mod journal;
pub mod roles;
pub mod shutdown;
pub mod tally;
