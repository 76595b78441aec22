//! The tally of one partition: what a counter writes and a publisher merges.
//!
//! On the topic it is one byte of format version, then postcard compressed with LZ4. Only Tallyboard reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tallyboard_shared::{election::Election, reason::Reason};

#[cfg(test)]
use super::timeline::Window;
use super::{
    breakdowns::{self, GroupCell},
    timeline::Windows,
};

/// The first byte of an encoded tally.
const FORMAT: u8 = 2;

/// A tally is far smaller; what claims to be larger is damaged, and isn't given the memory.
const TALLY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// No partition was ever so long; sums over thousands of such partitions still fit.
const OFFSET_MAX: u64 = 1 << 50;

/// Everything that was counted in one partition below `next_offset`.
///
/// Whichever tally of a partition has the highest `next_offset` is right, whoever wrote it. With the voters seen it is
/// the whole state of a fold: [`Fold::resume`](super::Fold::resume) goes on from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTally {
    /// The definition that was counted by.
    pub definition_hash: String,
    /// Which partition of the votes topic.
    pub partition: u32,
    /// The offset of the first record that isn't in here.
    pub next_offset: u64,
    /// Votes, in the order of candidate and place; only where there are any.
    pub cells: Vec<Cell>,
    /// Records that weren't counted, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Votes counted although they came behind the watermark.
    pub late: u64,
    /// The time of the newest vote counted, in milliseconds since 1970; `None` before the first.
    pub newest_ms: Option<i64>,
    /// The votes by window of event time.
    pub timeline: Windows,
    /// The votes by group of voters, in the order of candidate and group; empty where the definition has no breakdowns.
    pub breakdowns: Vec<GroupCell>,
    /// The names behind the numbers, where there is no definition to look them up in.
    pub discovered: Option<Discovered>,
}

/// The votes for one candidate at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Position of the candidate, counted through all contests.
    pub candidate: u32,
    /// Position of the place.
    pub location: u32,
    /// Votes counted.
    pub votes: u64,
}

impl Cell {
    fn position(&self) -> (u32, u32) {
        (self.candidate, self.location)
    }
}

/// What the ballots of a partition named, in the order of appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    /// Ids of contests.
    pub contests: Vec<String>,
    /// Candidates of all contests.
    pub candidates: Vec<DiscoveredCandidate>,
    /// Places, by what the ballots call them.
    pub locations: Vec<String>,
}

/// A candidate as ballots describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveredCandidate {
    /// Position of the contest.
    pub contest: u32,
    /// The candidate's id.
    pub id: String,
    /// The name on the first ballot that carries one.
    pub name: Option<String>,
    /// The party on the first ballot that carries one.
    pub party: Option<String>,
    /// The picture on the first ballot that carries one.
    pub photo_url: Option<String>,
}

/// Why bytes aren't a tally.
#[derive(Debug, thiserror::Error)]
pub enum TallyFormatError {
    /// Written by another version of Tallyboard, or by someone else.
    #[error("unknown format {0:?}")]
    UnknownFormat(Option<u8>),
    /// The claimed size is beyond any tally.
    #[error("claims {0} bytes")]
    TooLarge(usize),
    /// Not LZ4.
    #[error("damaged compression")]
    Compression(#[from] lz4_flex::block::DecompressError),
    /// Not a tally.
    #[error("damaged content")]
    Content(#[from] postcard::Error),
}

impl PartitionTally {
    /// Votes counted. A tally that was read and doesn't fit its election may hold more than there can be.
    #[must_use]
    pub fn votes(&self) -> u64 {
        self.cells.iter().fold(0, |votes, cell| votes.saturating_add(cell.votes))
    }

    /// Records taken, counted or not.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.rejected.values().fold(self.votes(), |records, count| records.saturating_add(*count))
    }

    /// The bytes of the tally; equal tallies have equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let plain =
            postcard::to_stdvec(self).expect("writing to memory can't fail, and every field has a length");
        let mut bytes = vec![FORMAT];
        bytes.extend(lz4_flex::compress_prepend_size(&plain));
        bytes
    }

    /// The newest vote's time less the allowed lateness of `election`, in milliseconds since 1970.
    #[must_use]
    pub fn watermark_ms(&self, election: &Election) -> Option<i64> {
        self.newest_ms.map(|newest| newest.saturating_sub(election.allowed_lateness_ms))
    }

    /// Whether every number in the tally stands for something: foreign tallies must not reach the sums.
    #[must_use]
    pub fn fits(&self, election: &Election) -> bool {
        let names = match (&self.discovered, election.defined) {
            (None, true) => Some((
                election.contests.iter().map(|contest| contest.candidates.len()).sum(),
                election.locations.len(),
            )),
            (Some(told), false) => told.names(),
            _ => None,
        };
        let Some((candidates, locations)) = names else { return false };
        let Some(votes) = sum(self.cells.iter().map(|cell| cell.votes)) else { return false };
        let records = sum(self.rejected.values().copied()).and_then(|rejected| rejected.checked_add(votes));
        let inside =
            |cell: &Cell| (cell.candidate as usize) < candidates && (cell.location as usize) < locations;
        self.definition_hash == election.definition_hash
            && self.next_offset <= OFFSET_MAX
            // Every record below the next offset was counted or rejected once, at most.
            && records.is_some_and(|records| records <= self.next_offset)
            && self.late <= votes
            && self.newest_ms.is_some() == (votes > 0)
            && self.cells.iter().all(inside)
            && self.cells.is_sorted_by(|one, next| one.position() < next.position())
            && self.timeline.fit(election.timeline_window_ms, candidates, votes)
            && breakdowns::fit(&self.breakdowns, &election.breakdowns, candidates, votes)
    }

    /// Reads a tally.
    ///
    /// # Errors
    /// [`TallyFormatError`] where the bytes are foreign or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, TallyFormatError> {
        let Some((&FORMAT, compressed)) = bytes.split_first() else {
            return Err(TallyFormatError::UnknownFormat(bytes.first().copied()));
        };
        let (size, _) = lz4_flex::block::uncompressed_size(compressed)?;
        if size > TALLY_BYTES_MAX {
            return Err(TallyFormatError::TooLarge(size));
        }
        Ok(postcard::from_bytes(&lz4_flex::decompress_size_prepended(compressed)?)?)
    }
}

impl Discovered {
    /// How many candidates and places there are; `None` where a candidate stands in no contest.
    fn names(&self) -> Option<(usize, usize)> {
        let stands = |candidate: &DiscoveredCandidate| (candidate.contest as usize) < self.contests.len();
        self.candidates.iter().all(stands).then_some((self.candidates.len(), self.locations.len()))
    }
}

fn sum(mut counts: impl Iterator<Item = u64>) -> Option<u64> {
    counts.try_fold(0, u64::checked_add)
}

#[cfg(test)]
impl PartitionTally {
    /// The tally of votes that were all cast in 1970, in the first of its windows, by voters of whom nothing is known.
    pub(crate) fn sample(election: &Election, partition: u32, next_offset: u64, cells: Vec<Cell>) -> Self {
        let mut candidates = BTreeMap::<u32, u64>::new();
        for cell in &cells {
            *candidates.entry(cell.candidate).or_default() += cell.votes;
        }
        let votes: Vec<_> = candidates.into_iter().collect();
        let mut groups = 0;
        let mut breakdowns = Vec::new();
        for kind in &election.breakdowns {
            groups += u32::try_from(kind.groups().len()).unwrap();
            let last = groups - 1;
            breakdowns.extend(votes.iter().map(|(candidate, votes)| GroupCell {
                candidate: *candidate,
                group: last,
                votes: *votes,
            }));
        }
        let windows = (!votes.is_empty()).then_some(Window { number: 0, votes });
        Self {
            definition_hash: election.definition_hash.clone(),
            partition,
            next_offset,
            newest_ms: (!cells.is_empty()).then_some(0),
            cells,
            rejected: BTreeMap::new(),
            late: 0,
            timeline: Windows {
                width_ms: election.timeline_window_ms,
                windows: windows.into_iter().collect(),
            },
            breakdowns,
            discovered: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> PartitionTally {
        PartitionTally {
            definition_hash: "7f3a".into(),
            partition: 3,
            next_offset: 12,
            cells: vec![Cell { candidate: 0, location: 1, votes: 9 }],
            rejected: BTreeMap::from([(Reason::DuplicateVoter, 2)]),
            late: 1,
            newest_ms: Some(-5),
            timeline: Windows { width_ms: 60_000, windows: vec![Window { number: -1, votes: vec![(0, 9)] }] },
            breakdowns: vec![GroupCell { candidate: 0, group: 3, votes: 9 }],
            discovered: Some(Discovered { contests: vec!["election".into()], ..Discovered::default() }),
        }
    }

    #[test]
    fn a_tally_survives_the_topic() {
        assert_eq!(PartitionTally::decode(&tally().encode()).unwrap(), tally());
    }

    #[test]
    fn foreign_and_damaged_bytes_are_errors() {
        let whole = tally().encode();
        for length in 0..whole.len() {
            assert!(PartitionTally::decode(&whole[..length]).is_err(), "{length}");
        }
        assert!(PartitionTally::decode(b"{}").is_err());
        assert!(matches!(
            PartitionTally::decode(&[FORMAT, 255, 255, 255, 255, 0]),
            Err(TallyFormatError::TooLarge(_))
        ));
    }
}
