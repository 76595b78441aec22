//! What crosses Tallyboard's wires, and nothing else: ids, the vote, results and messages.
//!
//! The backend and the dashboard share this crate, so both agree on names and on the arithmetic that is
//! derived from counts (shares, turnout, leaders). It does no I/O, reads no clock and formats nothing for people.
//!
//! Reading order: [`ids`], [`vote`], [`election`], [`results`], [`update`], [`timeline`], [`versions`], [`message`].
//!
//! Wire policy: unknown fields are ignored by readers, absent figures are `null` and never 0, and the golden
//! files in `tests/snapshots` show every message, so that a change of the wire is seen in review.

pub mod binary;
pub mod election;
pub mod ids;
pub mod message;
pub mod moment;
pub mod reason;
pub mod results;
pub mod timeline;
pub mod update;
pub mod versions;
pub mod vote;

/// A moment in UTC; RFC 3339 on the wire.
pub use jiff::Timestamp;
