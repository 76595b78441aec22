//! What a recount found, as values and as text.

use std::fmt;

use tallyboard_shared::Timestamp;

use crate::journal::Position;

/// What a recount found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The version that was counted again.
    pub version: u64,
    /// When it was published.
    pub as_of: Timestamp,
    /// Partitions of the votes topic in it.
    pub partitions: usize,
    /// Offsets in it.
    pub records: u64,
    /// Windows of the published timeline; `None` where none was published, and so none compared.
    pub windows: Option<usize>,
    /// Votes counted by the recount.
    pub votes: u64,
    /// Records not counted by the recount.
    pub rejected: u64,
    /// Offsets behind those of the version.
    pub beyond: u64,
    /// Rows of the aggregate topics that were compared.
    pub rows_compared: usize,
    /// Rows of which only newer versions are left, because the count went on meanwhile.
    pub rows_outrun: usize,
    /// Rows that are as they were before, because their publisher was stopped before it wrote them.
    pub rows_behind: usize,
    /// Every figure that isn't the same.
    pub differences: Vec<Difference>,
    /// Voters who were counted in several partitions.
    pub split_voters: Vec<SplitVoter>,
}

/// A figure that isn't the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which figure: its place in the results, such as `locations/OH/contests/president/votes/c1`, or the topic, key
    /// and field of a row.
    pub figure: String,
    /// As published; `None` where it isn't there.
    pub published: Option<String>,
    /// As counted again; `None` where it isn't there.
    pub recounted: Option<String>,
}

/// A voter whose votes in one contest were counted in several partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitVoter {
    /// The first vote in each, by partition.
    pub first_votes: Vec<Position>,
}

impl Report {
    /// Whether the published results are what the votes say.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.split_voters.is_empty()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        write!(
            f,
            "{}: published {}, recounted {}",
            self.figure,
            value(&self.published),
            value(&self.recounted)
        )
    }
}

impl fmt::Display for SplitVoter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a voter was counted in several partitions, at")?;
        for (number, vote) in self.first_votes.iter().enumerate() {
            let separator = if number == 0 { "" } else { " and" };
            write!(f, "{separator} partition {} offset {}", vote.partition, vote.offset)?;
        }
        Ok(())
    }
}

/// A line for each finding, then the verdict.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "version {} of {}: {} records in {} partitions, {} votes counted, {} records not counted; {} windows of the timeline, {} rows of the aggregate topics",
            self.version,
            self.as_of,
            self.records,
            self.partitions,
            self.votes,
            self.rejected,
            self.windows.unwrap_or_default(),
            self.rows_compared
        )?;
        if self.windows.is_none() {
            writeln!(f, "no timeline was published, and none was compared")?;
        }
        if self.beyond > 0 {
            writeln!(f, "{} offsets lie behind this version and weren't counted", self.beyond)?;
        }
        if self.rows_outrun > 0 {
            writeln!(f, "{} rows of the aggregate topics are newer and weren't compared", self.rows_outrun)?;
        }
        if self.rows_behind > 0 {
            writeln!(
                f,
                "{} rows of the aggregate topics are as they were before: the publisher was stopped between the version and its rows; the next one writes all rows again",
                self.rows_behind
            )?;
        }
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        for voter in &self.split_voters {
            writeln!(f, "{voter}")?;
        }
        if self.is_equal() {
            write!(f, "equal")
        } else {
            let (figures, voters) = (self.differences.len(), self.split_voters.len());
            write!(f, "DIFFERENT: {figures} figures, {voters} voters counted twice")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_every_finding_and_ends_with_the_verdict() {
        let mut report = Report {
            version: 7,
            as_of: Timestamp::UNIX_EPOCH,
            partitions: 2,
            records: 10,
            windows: None,
            votes: 8,
            rejected: 2,
            beyond: 0,
            rows_compared: 5,
            rows_outrun: 0,
            rows_behind: 0,
            differences: Vec::new(),
            split_voters: Vec::new(),
        };
        assert!(report.to_string().ends_with("\nequal"), "{report}");
        report.differences.push(Difference {
            figure: "totals/votes".into(),
            published: Some("9".into()),
            recounted: Some("8".into()),
        });
        let first_votes = vec![Position { partition: 0, offset: 3 }, Position { partition: 1, offset: 4 }];
        report.split_voters.push(SplitVoter { first_votes });
        let text = report.to_string();
        assert!(text.contains("totals/votes: published 9, recounted 8\n"), "{text}");
        assert!(text.contains("at partition 0 offset 3 and partition 1 offset 4\n"), "{text}");
        assert!(text.ends_with("DIFFERENT: 1 figures, 1 voters counted twice"), "{text}");
    }
}
