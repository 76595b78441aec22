//! The fold of one partition: record by record, in the order of their offsets.
//!
//! The first valid vote of a voter in a contest wins. The offset always advances: whatever a record holds, it ends
//! as a counted vote or as a rejection with a reason.

use hashbrown::HashMap;
use tallyboard_shared::{
    election::{Election, LatePolicy, Mode},
    reason::Reason,
};

use super::{
    breakdowns::{Breakdowns, Groups},
    decode::{Ballot, decode},
    partition_tally::{Cell, PartitionTally},
    roster::{Choice, Roster},
    timeline::Timeline,
    voters::{self, Fingerprint, FingerprintKey, Voters},
};

/// A record of the votes topic, as far as the count looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: u64,
    /// The journal's timestamp of it, in milliseconds since 1970; `None` where it has none.
    pub timestamp_ms: Option<i64>,
    /// Whether it carries the simulation header.
    pub simulated: bool,
    /// The vote.
    pub value: &'a [u8],
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Counted.
    Counted {
        /// Whether it came behind the watermark.
        late: bool,
    },
    /// Not counted.
    Rejected(Reason),
}

/// What a record says: a ballot by number, from which everything is counted.
#[derive(Clone, Copy)]
struct Reading {
    cast_at_ms: i64,
    choice: Choice,
    voter: Fingerprint,
    groups: Groups,
}

/// The rules that depend neither on names nor on what came before.
#[derive(Debug)]
pub struct Rules {
    refuses_simulated: bool,
    opens_at_ms: i64,
    closes_at_ms: i64,
    max_clock_skew_ms: i64,
    allowed_lateness_ms: i64,
    rejects_late: bool,
}

/// The state of one partition's count.
pub struct Fold {
    rules: Rules,
    definition_hash: String,
    partition: u32,
    next_offset: u64,
    roster: Roster,
    voters: Voters,
    /// Votes by (candidate, place).
    cells: HashMap<(u32, u32), u64>,
    rejected: [u64; Reason::ALL.len()],
    late: u64,
    newest_ms: Option<i64>,
    timeline: Timeline,
    breakdowns: Breakdowns,
    /// Of voters counted and not handed over yet; [`None`] where nobody wants them.
    fingerprints: Option<Vec<u8>>,
}

impl Fold {
    /// An empty count of `partition`, to be fed from its first offset.
    #[must_use]
    pub fn new(election: &Election, partition: u32, key: FingerprintKey) -> Self {
        Self {
            rules: Rules::new(election),
            definition_hash: election.definition_hash.clone(),
            partition,
            next_offset: 0,
            roster: Roster::new(election),
            voters: Voters::new(key),
            cells: HashMap::new(),
            rejected: [0; Reason::ALL.len()],
            late: 0,
            newest_ms: None,
            timeline: Timeline::new(election.timeline_window_ms),
            breakdowns: Breakdowns::new(&election.breakdowns),
            fingerprints: None,
        }
    }

    /// The count that told `tally` and had seen `voters`, to go on with the record behind: what it tells from here on is
    /// what it would have told.
    ///
    /// [`None`] where the tally isn't one of `election`.
    #[must_use]
    pub fn resume(election: &Election, tally: &PartitionTally, voters: Voters) -> Option<Self> {
        if !tally.fits(election) {
            return None;
        }
        let mut timeline = Timeline::new(election.timeline_window_ms);
        timeline.extend(&tally.timeline, Some);
        let cells = tally.cells.iter().map(|cell| ((cell.candidate, cell.location), cell.votes));
        Some(Self {
            rules: Rules::new(election),
            definition_hash: tally.definition_hash.clone(),
            partition: tally.partition,
            next_offset: tally.next_offset,
            roster: Roster::resume(election, tally.discovered.as_ref()),
            voters,
            cells: cells.collect(),
            rejected: Reason::ALL.map(|reason| tally.rejected.get(&reason).copied().unwrap_or(0)),
            late: tally.late,
            newest_ms: tally.newest_ms,
            timeline,
            breakdowns: Breakdowns::resume(&election.breakdowns, &tally.breakdowns),
            fingerprints: None,
        })
    }

    /// Keeps the fingerprints of voters counted from now on, for [`Fold::take_fingerprints`].
    pub fn keep_fingerprints(&mut self) {
        self.fingerprints = Some(Vec::new());
    }

    /// The fingerprints that were kept and not taken yet, [`FINGERPRINT_BYTES`](super::FINGERPRINT_BYTES) each.
    #[must_use]
    pub fn fingerprints(&self) -> &[u8] {
        self.fingerprints.as_deref().unwrap_or_default()
    }

    /// Hands over the fingerprints that were kept.
    pub fn take_fingerprints(&mut self) -> Vec<u8> {
        self.fingerprints.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The offset of the record that comes next.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Passes over offsets below `offset`, at which there is no record and never will be.
    pub fn pass_to(&mut self, offset: u64) {
        self.next_offset = self.next_offset.max(offset);
    }

    /// Takes one record; offsets only grow, and one that was taken before is passed over as [`None`].
    pub fn record(&mut self, record: &Record<'_>) -> Option<Outcome> {
        self.take(record, None)
    }

    /// Takes records as [`Fold::record`] does, one after the other, and tells `each` what became of it.
    ///
    /// Some are read together before the first of them is judged, so that the memory where their voters are looked for
    /// is fetched at once; with 100 million voters seen the count waits for it most of the time otherwise.
    pub fn records<'a, T: Copy + Into<Record<'a>>>(
        &mut self,
        records: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&T, Outcome),
    ) {
        let mut records = records.into_iter();
        let mut together = Vec::with_capacity(voters::TOGETHER);
        loop {
            together.extend(records.by_ref().take(voters::TOGETHER).map(|found| {
                let reading = self.read_ahead(&found.into());
                (found, reading)
            }));
            if together.is_empty() {
                return;
            }
            // At one go: a processor waits for several loads at once only where little else stands between them.
            for (_, reading) in &together {
                if let Some(Ok(Reading { voter, .. })) = reading {
                    self.voters.touch(voter);
                }
            }
            for (found, reading) in together.drain(..) {
                if let Some(outcome) = self.take(&found.into(), reading) {
                    each(&found, outcome);
                }
            }
        }
    }

    /// What a record says, where no record before it could change that.
    fn read_ahead(&self, record: &Record<'_>) -> Option<Result<Reading, Reason>> {
        match self.read(record) {
            Ok((ballot, reading)) => self.roster.knows(reading.choice, &ballot).then_some(Ok(reading)),
            Err(reason) => self.roster.is_final().then_some(Err(reason)),
        }
    }

    fn take(&mut self, record: &Record<'_>, reading: Option<Result<Reading, Reason>>) -> Option<Outcome> {
        if record.offset < self.next_offset {
            return None;
        }
        self.next_offset = record.offset + 1;
        let counted = match reading {
            Some(reading) => reading.and_then(|reading| self.judge(&reading)),
            None => self.read_and_judge(record),
        };
        Some(match counted {
            Ok(late) => Outcome::Counted { late },
            Err(reason) => {
                self.rejected[reason as usize] += 1;
                Outcome::Rejected(reason)
            }
        })
    }

    fn read_and_judge(&mut self, record: &Record<'_>) -> Result<bool, Reason> {
        let (ballot, reading) = self.read(record)?;
        let late = self.judge(&reading)?;
        self.roster.take_up(reading.choice, &ballot);
        Ok(late)
    }

    fn read<'a>(&self, record: &Record<'a>) -> Result<(Ballot<'a>, Reading), Reason> {
        let ballot = decode(record.value)?;
        self.rules.check(&ballot, record.timestamp_ms, record.simulated)?;
        let choice = self.roster.choice(&ballot)?;
        let voter = self.voters.fingerprint(choice.contest, ballot.voter_id.as_str());
        let groups = self.breakdowns.groups_of(&ballot);
        let reading = Reading { cast_at_ms: ballot.cast_at_ms, choice, voter, groups };
        Ok((ballot, reading))
    }

    fn judge(&mut self, reading: &Reading) -> Result<bool, Reason> {
        let Reading { cast_at_ms, choice, voter, groups } = *reading;
        let late = self.watermark_ms().is_some_and(|watermark| cast_at_ms < watermark);
        if late && self.rules.rejects_late {
            return Err(Reason::Late);
        }
        if !self.voters.take_up(voter) {
            return Err(Reason::DuplicateVoter);
        }
        if let Some(kept) = &mut self.fingerprints {
            kept.extend_from_slice(&voters::bytes(voter));
        }
        *self.cells.entry((choice.candidate, choice.location)).or_default() += 1;
        self.timeline.count(cast_at_ms, choice.candidate);
        self.breakdowns.count(choice.candidate, groups);
        self.late += u64::from(late);
        self.newest_ms = self.newest_ms.max(Some(cast_at_ms));
        Ok(late)
    }

    fn watermark_ms(&self) -> Option<i64> {
        self.newest_ms.map(|newest| newest.saturating_sub(self.rules.allowed_lateness_ms))
    }

    /// The tally of everything that was taken so far: the same records give the same tally, byte for byte.
    #[must_use]
    pub fn tally(&self) -> PartitionTally {
        let mut cells: Vec<_> = self
            .cells
            .iter()
            .map(|((candidate, location), votes)| Cell {
                candidate: *candidate,
                location: *location,
                votes: *votes,
            })
            .collect();
        cells.sort_unstable_by_key(|cell| (cell.candidate, cell.location));
        let rejected = Reason::ALL.into_iter().zip(self.rejected).filter(|(_, count)| *count > 0);
        PartitionTally {
            definition_hash: self.definition_hash.clone(),
            partition: self.partition,
            next_offset: self.next_offset,
            cells,
            rejected: rejected.collect(),
            late: self.late,
            newest_ms: self.newest_ms,
            timeline: self.timeline.windows(),
            breakdowns: self.breakdowns.cells(),
            discovered: self.roster.discovered().cloned(),
        }
    }
}

/// Whether made-up votes aren't counted, so that a record's origin makes a difference.
#[must_use]
pub fn refuses_simulated(election: &Election) -> bool {
    election.mode == Mode::Live
}

impl Rules {
    /// The rules of an election.
    #[must_use]
    pub fn new(election: &Election) -> Self {
        Self {
            refuses_simulated: refuses_simulated(election),
            opens_at_ms: election.opens_at.map_or(i64::MIN, |time| time.as_millisecond()),
            closes_at_ms: election.closes_at.map_or(i64::MAX, |time| time.as_millisecond()),
            max_clock_skew_ms: election.max_clock_skew_ms,
            allowed_lateness_ms: election.allowed_lateness_ms,
            rejects_late: election.late_policy == LatePolicy::Reject,
        }
    }

    /// Whether a ballot may be counted, by its time and origin.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(
        &self,
        ballot: &Ballot<'_>,
        timestamp_ms: Option<i64>,
        simulated: bool,
    ) -> Result<(), Reason> {
        if self.refuses_simulated && simulated {
            return Err(Reason::SimulatedInLive);
        }
        if ballot.cast_at_ms < self.opens_at_ms {
            return Err(Reason::BeforeOpen);
        }
        if ballot.cast_at_ms >= self.closes_at_ms {
            return Err(Reason::AfterClose);
        }
        // Against the record's own time, not the clock: a recount must come to the same answer.
        let latest = timestamp_ms.map(|time| time.saturating_add(self.max_clock_skew_ms));
        if latest.is_some_and(|latest| ballot.cast_at_ms > latest) {
            return Err(Reason::FutureTime);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "fold_properties.rs"]
mod properties;

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
