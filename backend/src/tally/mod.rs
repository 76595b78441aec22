//! The count itself, pure: one partition's records go in, in the order of their offsets, and a tally comes out.
//!
//! Nothing here knows Kafka, a disk, a socket or a clock, so the same records give the same tally wherever and
//! whenever they are folded. Reading order: [`decode()`], [`Roster`], [`Fold`], [`PartitionTally`],
//! [`merge()`].

mod breakdowns;
mod decode;
mod fold;
mod merge;
mod partition_tally;
mod roster;
mod timeline;
mod voters;
mod watermark;

pub use breakdowns::GroupCell;
pub use decode::{Ballot, decode};
pub use fold::{Fold, Outcome, Record, Rules, refuses_simulated};
pub use merge::merge;
pub(crate) use merge::status;
pub use partition_tally::{Cell, Discovered, DiscoveredCandidate, PartitionTally, TallyFormatError};
pub(crate) use roster::IMPLICIT_CONTEST;
pub use roster::{Choice, Roster};
pub use timeline::{Window, Windows, merge_timeline};
pub use voters::{FINGERPRINT_BYTES, FingerprintKey, Voters};
pub use watermark::watermark;
