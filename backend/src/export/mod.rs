//! Results as files for other programs: a table, our own JSON, and the common format for election results.
//!
//! What comes here has been disclosed; every file bears the version, its time and the election's mode. Figures that are
//! withheld or unknown are left out, never 0.

mod csv;
mod nist;

use tallyboard_shared::{
    election::{Election, Mode},
    results::{CountStatus, Results},
};

use crate::roles::disclosure::Disclosed;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table: RFC 4180, a row a candidate and place, safe to open in a spreadsheet.
    Csv,
    /// As `GET /api/v1/results` answers.
    Json,
    /// NIST SP 1500-100 version 2, as JSON.
    Nist,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Nist];

    /// The route that answers results in this format.
    #[must_use]
    pub fn route(self) -> &'static str {
        match self {
            Self::Csv => "/api/v1/results.csv",
            Self::Json => "/api/v1/results",
            Self::Nist => "/api/v1/results.nist.json",
        }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json | Self::Nist => "application/json",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Nist => "nist.json",
        }
    }

    /// A name for the file: election and version, in characters that every file system takes.
    #[must_use]
    pub fn file_name(self, results: &Results) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let election = results.election.id.as_str();
        let election: String = election.chars().take(64).map(|c| if is_plain(c) { c } else { '_' }).collect();
        format!("{election}-v{}.{}", results.version, self.extension())
    }

    /// Writes results that were counted by `election`, or only a part of them, whose sums stay those of the whole.
    #[must_use]
    pub fn write(
        self,
        election: &Election,
        whole: &Disclosed<Results>,
        part: Option<&Disclosed<Results>>,
    ) -> Vec<u8> {
        let results = part.unwrap_or(whole);
        match self {
            Self::Csv => csv::write(results),
            Self::Json => serde_json::to_vec(results).expect("results have only text keys"),
            Self::Nist => nist::write(election, whole, results),
        }
    }
}

/// A mode as it is on every wire.
fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Simulation => "simulation",
        Mode::Test => "test",
        Mode::Live => "live",
    }
}

/// A status as it is on every wire.
fn status(status: CountStatus) -> &'static str {
    match status {
        CountStatus::BeforeOpen => "before_open",
        CountStatus::Counting => "counting",
        CountStatus::Closed => "closed",
    }
}

#[cfg(test)]
mod samples {
    use tallyboard_shared::{Timestamp, election::Election, results::Results};

    use crate::{
        election::Definition,
        roles::disclosure::{Disclosed, disclose},
        tally::{Cell, PartitionTally, merge},
    };

    const DEFINITION: &str = r##"
id = "harbor 2024/1"
title = "Harbor"
mode = "test"
opens_at = "2024-11-05T07:00:00Z"
closes_at = "2024-11-05T20:00:00Z"
disclosure_threshold = 10
contests = [
    { id = "council", title = "Council", candidates = [
        { id = "ada", name = "=HYPERLINK(\"http://evil\")", party = "Harbor, List", color = "#0072b2" },
        { id = "ben", name = "Ben \"B\" Okoro" },
    ] },
    { id = "mayor", title = "Mayor", candidates = [{ id = "cy", name = "Cy", party = "Harbor, List" }] },
]
locations = [
    { id = "all", name = "Harbor" },
    { id = "N", name = "North Quay", registered_voters = 100, parent = "all" },
    { id = "S", name = "-South", registered_voters = 50, parent = "all" },
]
"##;

    /// 30 and 12 votes in N, 4 in S: too few to show; `status` follows from the time.
    pub(super) fn sample(as_of: &str) -> (Election, Disclosed<Results>) {
        let election = Definition::parse(DEFINITION).unwrap().into_election();
        let cell = |candidate, location, votes| Cell { candidate, location, votes };
        let cells = vec![cell(0, 1, 30), cell(1, 1, 12), cell(0, 2, 4), cell(2, 1, 20)];
        let tally = PartitionTally::sample(&election, 0, 66, cells);
        let as_of: Timestamp = as_of.parse().unwrap();
        let results = merge(&election, [&tally].into_iter(), 7, as_of);
        let results = disclose(&election, results);
        (election, results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        for known in [Mode::Simulation, Mode::Test, Mode::Live] {
            assert_eq!(serde_json::to_value(known).unwrap(), mode(known));
        }
        for known in [CountStatus::BeforeOpen, CountStatus::Counting, CountStatus::Closed] {
            assert_eq!(serde_json::to_value(known).unwrap(), status(known));
        }
    }

    #[test]
    fn a_file_is_named_by_election_and_version() {
        let (_, results) = samples::sample("2024-11-05T12:00:00Z");
        assert_eq!(Format::Nist.file_name(&results), "harbor_2024_1-v7.nist.json");
    }
}
