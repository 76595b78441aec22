//! A real result, ballot by ballot: a table of votes per place and candidate becomes a stream of votes in a random
//! order that counts to the same table.

use std::{collections::BTreeMap, io::Read};

use tallyboard_shared::{
    Timestamp,
    vote::{Address, Text, Vote},
};

use super::{Source, mix, uuid};
use crate::journal::{NewRecord, SIMULATION_HEADER};

/// A table beyond this has more ballots than any election that was ever held.
const BALLOTS_MAX: u64 = 1_000_000_000;

/// Which columns of the table mean what.
#[derive(Clone, Debug)]
pub struct TableColumns {
    /// The place.
    pub location: String,
    /// The electorate; may be missing in the table.
    pub registered: String,
    /// First and last of the columns with votes; [`None`]: all others.
    pub candidates: Option<(String, String)>,
}

/// A table of results.
#[derive(Debug)]
pub struct ResultTable {
    /// The candidates or parties, by their columns.
    pub candidates: Vec<String>,
    /// The places, in the order of the table.
    pub locations: Vec<TableLocation>,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct TableLocation {
    /// The place.
    pub name: String,
    /// Its electorate.
    pub registered_voters: Option<u64>,
    /// Votes by candidate.
    pub votes: Vec<u64>,
}

/// Why a table can't be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Not CSV.
    #[error("the table can't be read")]
    Csv(#[from] csv::Error),
    /// A column that is needed isn't there.
    #[error("the table has no column `{0}`; it has: {1}")]
    NoColumn(String, String),
    /// No column with votes.
    #[error("the table has no column with votes")]
    NoCandidates,
    /// Something that isn't a count.
    #[error("line {line}, column `{column}`: `{value}` is not a number of votes")]
    NotANumber {
        /// Counted from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// What stands there.
        value: String,
    },
    /// A place twice.
    #[error("line {line}: the place `{name}` stands there twice")]
    Twice {
        /// Counted from 1.
        line: u64,
        /// The place.
        name: String,
    },
    /// More ballots than can be replayed.
    #[error("the table has {0} ballots; at most {BALLOTS_MAX} can be replayed")]
    TooMany(u64),
}

impl ResultTable {
    /// Reads a table with a header line.
    ///
    /// # Errors
    /// [`TableError`], naming line and column.
    pub fn read(from: impl Read, columns: &TableColumns) -> Result<Self, TableError> {
        let mut reader = csv::Reader::from_reader(from);
        let header = reader.headers()?.clone();
        let find = |name: &str| header.iter().position(|column| column.trim() == name);
        let need = |name: &String| {
            let all = || header.iter().collect::<Vec<_>>().join(", ");
            find(name).ok_or_else(|| TableError::NoColumn(name.clone(), all()))
        };
        let location = need(&columns.location)?;
        let registered = find(&columns.registered);
        let votes: Vec<usize> = match &columns.candidates {
            Some((first, last)) => (need(first)?..=need(last)?).collect(),
            None => (0..header.len())
                .filter(|column| *column != location && Some(*column) != registered)
                .collect(),
        };
        if votes.is_empty() {
            return Err(TableError::NoCandidates);
        }
        let mut locations = BTreeMap::new();
        let mut table = Self {
            candidates: votes.iter().map(|column| header[*column].trim().to_owned()).collect(),
            locations: Vec::new(),
        };
        for record in reader.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let number = |column: usize| {
                let value = record.get(column).unwrap_or_default().trim();
                value.replace([',', '_'], "").parse::<u64>().map_err(|_| TableError::NotANumber {
                    line,
                    column: header[column].to_owned(),
                    value: value.to_owned(),
                })
            };
            let name = record.get(location).unwrap_or_default().trim().to_owned();
            if locations.insert(name.clone(), line).is_some() {
                return Err(TableError::Twice { line, name });
            }
            table.locations.push(TableLocation {
                name,
                registered_voters: registered.map(number).transpose()?,
                votes: votes.iter().map(|column| number(*column)).collect::<Result<_, _>>()?,
            });
        }
        Ok(table)
    }

    /// Makes the table smaller: every number of votes times `scale`, rounded down; electorates too.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "smaller than what it is made from"
    )]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn scaled(mut self, scale: f64) -> Self {
        if scale < 1.0 {
            let smaller = |count: u64| (count as f64 * scale) as u64;
            for location in &mut self.locations {
                location.registered_voters = location.registered_voters.map(smaller);
                location.votes.iter_mut().for_each(|votes| *votes = smaller(*votes));
            }
        }
        self
    }

    /// The ballots of the table, in an order drawn from the seed.
    ///
    /// # Errors
    /// [`TableError::TooMany`].
    pub fn ballots(&self, seed: u64) -> Result<Ballots<'_>, TableError> {
        let total = self.locations.iter().flat_map(|location| &location.votes).sum();
        if total > BALLOTS_MAX {
            return Err(TableError::TooMany(total));
        }
        let width = self.candidates.len();
        let mut order = Vec::with_capacity(usize::try_from(total).expect("bounded above"));
        for (row, location) in self.locations.iter().enumerate() {
            for (column, votes) in location.votes.iter().enumerate() {
                let cell = u32::try_from(row * width + column).expect("a table has fewer cells than ballots");
                order.extend((0..*votes).map(|_| cell));
            }
        }
        // Fisher–Yates, with draws that depend on the seed alone.
        for position in (1..order.len()).rev() {
            let other = mix(seed, position as u64) % (position as u64 + 1);
            order.swap(position, usize::try_from(other).expect("not beyond the position"));
        }
        Ok(Ballots { table: self, seed, order })
    }
}

/// The ballots of a table, shuffled.
pub struct Ballots<'a> {
    table: &'a ResultTable,
    seed: u64,
    /// Cell by ballot: row × columns + column.
    order: Vec<u32>,
}

impl Ballots<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.order.len() as u64
    }
}

impl Source for Ballots<'_> {
    fn record(&self, number: u64, now: Timestamp) -> Option<NewRecord> {
        let cell = *self.order.get(usize::try_from(number).ok()?)? as usize;
        let width = self.table.candidates.len();
        let (location, candidate) =
            (&self.table.locations[cell / width], &self.table.candidates[cell % width]);
        let voter_id = uuid(self.seed, number);
        let vote = Vote {
            voter_id: Some(voter_id.as_str().into()),
            candidate_id: Some(candidate.as_str().into()),
            voting_time: Some(Text::from(now.strftime("%Y-%m-%d %H:%M:%S").to_string())),
            address: Some(Address { state: Some(location.name.as_str().into()) }),
            vote: Some(1),
            ..Vote::default()
        };
        let value = serde_json::to_vec(&vote).expect("a vote has only text keys");
        let headers = vec![(SIMULATION_HEADER.to_owned(), Vec::new())];
        Some(NewRecord { key: Some(voter_id.into_bytes()), value, headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::decode;

    const TABLE: &str =
        "id,place,electorate,Red,Blue,Other\n1,North,100,30,20,1\n2,\"South, East\",\"1,200\",0,7,0\n";

    fn columns(candidates: Option<(&str, &str)>) -> TableColumns {
        TableColumns {
            location: "place".into(),
            registered: "electorate".into(),
            candidates: candidates.map(|(first, last)| (first.into(), last.into())),
        }
    }

    #[test]
    fn a_table_becomes_ballots_that_count_to_the_table() {
        let table = ResultTable::read(TABLE.as_bytes(), &columns(Some(("Red", "Other")))).unwrap();
        assert_eq!(table.locations[1].registered_voters, Some(1200));
        let ballots = table.ballots(9).unwrap();
        assert_eq!(ballots.count(), 58);
        let mut counted = BTreeMap::<(String, String), u64>::new();
        let mut voters = std::collections::BTreeSet::new();
        for number in 0..58 {
            let record = ballots.record(number, Timestamp::UNIX_EPOCH).unwrap();
            let ballot = decode(&record.value).unwrap();
            voters.insert(ballot.voter_id.as_str().to_owned());
            let cell = (ballot.location.as_str().to_owned(), ballot.candidate_id.as_str().to_owned());
            *counted.entry(cell).or_default() += 1;
        }
        assert_eq!(ballots.record(58, Timestamp::UNIX_EPOCH), None);
        assert_eq!(voters.len(), 58);
        let votes: Vec<_> =
            counted.iter().map(|((place, who), votes)| (place.as_str(), who.as_str(), *votes)).collect();
        let expected =
            [("North", "Blue", 20), ("North", "Other", 1), ("North", "Red", 30), ("South, East", "Blue", 7)];
        assert_eq!(votes, expected);
    }

    #[test]
    fn a_smaller_scale_rounds_every_cell_down() {
        let table =
            ResultTable::read(TABLE.as_bytes(), &columns(Some(("Red", "Other")))).unwrap().scaled(0.1);
        assert_eq!(table.locations[0].votes, [3, 2, 0]);
        assert_eq!(table.locations[1].registered_voters, Some(120));
    }

    #[test]
    fn errors_name_line_and_column() {
        let error =
            |table: &str, columns| ResultTable::read(table.as_bytes(), &columns).unwrap_err().to_string();
        assert!(error(TABLE, columns(Some(("Red", "Green")))).contains("no column `Green`"));
        assert!(error("place,Red\nNorth,many\n", columns(None)).contains("line 2, column `Red`: `many`"));
        assert!(error("place,Red\nNorth,1\nNorth,2\n", columns(None)).contains("line 3: the place `North`"));
        assert!(error("place\nNorth\n", columns(None)).contains("no column with votes"));
        let table = ResultTable::read("place,Red\nN,999999999999\n".as_bytes(), &columns(None)).unwrap();
        assert!(matches!(table.ballots(1), Err(TableError::TooMany(_))));
    }
}
