//! The figures of a chart as a table: for the screen, and as a CSV file that says where it is from.

use jiff::Timestamp;
use tallyboard_shared::{election::Mode, results::Results};

use crate::{format, texts::tr};

/// Rows that are shown on the screen; the file has all.
pub const ROWS_MAX: usize = 40;

/// Figures in rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the rows are and what their first column is called.
    pub first: &'static str,
    /// The other columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What the row is about.
    pub name: Cell,
    /// Where there is more about it.
    pub href: Option<String>,
    /// One cell for every column.
    pub cells: Vec<Cell>,
}

impl Row {
    /// A row of [`Table::of_versions`], with the time at which the version was made, in milliseconds since 1970.
    #[must_use]
    pub fn of_version(version: u64, as_of_ms: i64, cells: impl Iterator<Item = Cell>) -> Self {
        let cells = std::iter::once(Cell::Time(as_of_ms)).chain(cells).collect();
        Self { name: Cell::Count(Some(version)), href: None, cells }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number; `None`: unknown or withheld.
    Count(Option<u64>),
    /// A number with a sign.
    Difference(i64),
    /// A share of 0 to 1; `None`: unknown or withheld.
    Share(Option<f64>),
    /// A moment, in milliseconds since 1970.
    Time(i64),
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// For the screen.
    #[must_use]
    pub fn words(&self, offset_minutes: i32) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => format::count_or_dash(*count),
            Self::Difference(difference) => format::difference(*difference),
            Self::Share(share) => format::percent(*share),
            Self::Time(time_ms) => moment(*time_ms)
                .map_or_else(|| format::UNKNOWN.to_owned(), |time| format::clock(time, offset_minutes)),
        }
    }

    /// Whether it is a figure.
    #[must_use]
    pub fn is_figure(&self) -> bool {
        !matches!(self, Self::Text(_))
    }

    /// For a file: whole, and without anything that a spreadsheet would calculate.
    fn raw(&self) -> String {
        match self {
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.map(|count| count.to_string()).unwrap_or_default(),
            Self::Difference(difference) => difference.to_string(),
            Self::Share(share) => share.map(|share| format!("{share:.6}")).unwrap_or_default(),
            Self::Time(time_ms) => moment(*time_ms).map(|time| time.to_string()).unwrap_or_default(),
        }
    }
}

fn moment(time_ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(time_ms).ok()
}

/// Where figures are from: on everything that leaves the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The election's id.
    pub election: String,
    /// For people.
    pub title: String,
    /// Whether the votes are real.
    pub mode: Mode,
    /// The version.
    pub version: u64,
    /// When it was made.
    pub as_of: Timestamp,
}

impl Stamp {
    /// The stamp of these results.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        Self {
            election: results.election.id.to_string(),
            title: results.election.title.clone(),
            mode: results.election.mode,
            version: results.version,
            as_of: results.as_of,
        }
    }

    /// The name of a file, without what no file system likes.
    #[must_use]
    pub fn file_name(&self, what: &str, extension: &str) -> String {
        let plain = |text: &str| -> String {
            text.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect()
        };
        format!("{}-{}-v{}.{extension}", plain(&self.election), plain(what), self.version)
    }

    /// One line under a picture, with the time of UTC: whoever sees the picture may be anywhere.
    #[must_use]
    pub fn line(&self) -> String {
        let mode = match self.mode {
            Mode::Simulation | Mode::Test => format!("{} · ", self.mode_words().to_uppercase()),
            Mode::Live => String::new(),
        };
        format!("{mode}{} · {} UTC", self.title, format::replayed(self.version, self.as_of, 0))
    }

    fn mode_words(&self) -> &'static str {
        match self.mode {
            Mode::Simulation => tr("simulation"),
            Mode::Test => tr("test"),
            Mode::Live => tr("live"),
        }
    }
}

impl Table {
    /// A table with a row for each version: times alone don't tell those of one second apart.
    #[must_use]
    pub fn of_versions(columns: impl Iterator<Item = String>, rows: Vec<Row>) -> Self {
        let columns = std::iter::once(tr("Published at").to_owned()).chain(columns).collect();
        Self { first: tr("At version"), columns, rows }
    }

    /// The whole table as CSV (RFC 4180): every row says its version, time and mode.
    #[must_use]
    pub fn csv(&self, stamp: &Stamp) -> String {
        let names = std::iter::once(self.first.to_owned()).chain(self.columns.iter().cloned());
        let stamped = [tr("Version"), tr("Published"), tr("Kind of election")].map(str::to_owned);
        let mut text = line(names.chain(stamped));
        for row in &self.rows {
            let cells = std::iter::once(&row.name).chain(&row.cells).map(Cell::raw);
            let stamp = [stamp.version.to_string(), stamp.as_of.to_string(), stamp.mode_words().to_owned()];
            text.push_str(&line(cells.chain(stamp)));
        }
        text
    }
}

fn line(fields: impl Iterator<Item = String>) -> String {
    let quoted: Vec<_> = fields
        .map(|field| {
            if field.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", field.replace('"', "\"\""))
            } else {
                field
            }
        })
        .collect();
    quoted.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    fn stamp() -> Stamp {
        Stamp::of(&samples::results(7, None, &[Some(1)]))
    }

    #[test]
    fn a_file_has_whole_figures_and_says_where_they_are_from() {
        let row = |name: &str, cells| Row { name: Cell::text(name), href: None, cells };
        let table = Table {
            first: "Candidate",
            columns: vec!["Votes".into(), "Share".into(), "Lead".into()],
            rows: vec![
                row(
                    "Ana, \"the\" One",
                    vec![Cell::Count(Some(1_200)), Cell::Share(Some(0.25)), Cell::Difference(-3)],
                ),
                row("=1+1", vec![Cell::Count(None), Cell::Share(None), Cell::Time(0)]),
            ],
        };
        let expected = "Candidate,Votes,Share,Lead,Version,Published,Kind of election\r\n\
                        \"Ana, \"\"the\"\" One\",1200,0.250000,-3,7,2026-11-03T20:15:07Z,simulation\r\n\
                        '=1+1,,,1970-01-01T00:00:00Z,7,2026-11-03T20:15:07Z,simulation\r\n";
        assert_eq!(table.csv(&stamp()), expected);
    }

    #[test]
    fn versions_of_one_second_are_told_apart() {
        let row = |version| Row::of_version(version, 1_000, std::iter::once(Cell::Share(Some(0.5))));
        let table = Table::of_versions(std::iter::once("Ada".to_owned()), vec![row(1_204), row(1_203)]);
        let names: Vec<_> = table.rows.iter().map(|row| row.name.words(0)).collect();
        assert_eq!(names, ["1,204", "1,203"]);
        let csv = table.csv(&stamp());
        let columns: Vec<_> = csv.lines().next().unwrap().split(',').collect();
        assert_eq!(columns[..3], ["At version", "Published at", "Ada"]);
        let names: std::collections::BTreeSet<_> = columns.iter().collect();
        assert_eq!(names.len(), columns.len(), "no two columns have the same name");
        assert!(csv.contains("\r\n1203,1970-01-01T00:00:01Z,0.500000,"), "{csv}");
    }

    #[test]
    fn what_is_unknown_is_a_dash_on_the_screen() {
        let words = [
            Cell::Count(None),
            Cell::Share(None),
            Cell::Count(Some(1_200)),
            Cell::Difference(4),
            Cell::Time(0),
        ]
        .map(|cell| cell.words(60));
        assert_eq!(words, ["—", "—", "1,200", "+4", "01:00:00"]);
    }

    #[test]
    fn pictures_and_files_are_named_after_their_version() {
        let stamp = Stamp { election: "e 1/2".into(), ..stamp() };
        assert_eq!(stamp.file_name("votes", "csv"), "e-1-2-votes-v7.csv");
        assert_eq!(
            stamp.line(),
            "SIMULATION · General election · Version 7 of 3 November 2026, 20:15:07 UTC"
        );
    }
}
