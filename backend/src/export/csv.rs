//! Results as a table: RFC 4180, and safe to open in a spreadsheet.

use std::borrow::Cow;

use csv::{Terminator, Writer, WriterBuilder};
use tallyboard_shared::results::{ContestResult, LocationResult, Results};

use super::{mode, status};

/// The columns. The first five are the same in every row, so that a part of the table still says what it is.
const HEADER: [&str; 16] = [
    "version",
    "as_of",
    "mode",
    "status",
    "election_id",
    "contest_id",
    "contest",
    "level",
    "location_id",
    "location",
    "registered_voters",
    "ballots",
    "candidate_id",
    "candidate",
    "party",
    "votes",
];

/// A spreadsheet takes a cell that begins so for a formula.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Writes disclosed results: a row a candidate for the whole election, then for each region and place.
///
/// In a place, candidates without votes have no row, and a contest whose split is withheld has one row without a
/// candidate and without votes.
pub(super) fn write(results: &Results) -> Vec<u8> {
    let mut table = Table {
        writer: WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new()),
        same: [
            results.version.to_string(),
            results.as_of.to_string(),
            mode(results.election.mode).into(),
            status(results.status).into(),
            text(results.election.id.as_str()).into_owned(),
        ],
    };
    table.row(HEADER.map(Cow::from));
    for contest in &results.contests {
        let figures = [number(contest.registered_voters), contest.votes.to_string()];
        for candidate in &contest.candidates {
            let party = candidate.party.as_deref().unwrap_or_default();
            let chosen = [candidate.id.as_str(), &candidate.name, party];
            table.votes(contest, ["election", "", ""], &figures, chosen, candidate.votes);
        }
    }
    for region in &results.regions {
        table.place(results, region, "region");
    }
    for location in &results.locations {
        table.place(results, location, "location");
    }
    table.writer.into_inner().expect("writing to memory never fails")
}

struct Table {
    writer: Writer<Vec<u8>>,
    same: [String; 5],
}

impl Table {
    fn row(&mut self, cells: [Cow<'_, str>; 16]) {
        self.writer.write_record(cells.iter().map(|cell| &**cell)).expect("writing to memory never fails");
    }

    fn place(&mut self, results: &Results, place: &LocationResult, level: &str) {
        let figures = [number(place.registered_voters), place.votes.to_string()];
        let at = [level, place.id.as_str(), &place.name];
        for split in &place.contests {
            let Some(contest) = results.contests.iter().find(|contest| contest.id == split.id) else {
                continue;
            };
            let Some(votes) = &split.votes else {
                self.votes(contest, at, &figures, ["", "", ""], None);
                continue;
            };
            for candidate in &contest.candidates {
                let Some(votes) = votes.get(&candidate.id) else { continue };
                let party = candidate.party.as_deref().unwrap_or_default();
                let chosen = [candidate.id.as_str(), &candidate.name, party];
                self.votes(contest, at, &figures, chosen, Some(*votes));
            }
        }
    }

    fn votes(
        &mut self,
        contest: &ContestResult,
        [level, location_id, location]: [&str; 3],
        [registered, ballots]: &[String; 2],
        [candidate_id, candidate, party]: [&str; 3],
        votes: Option<u64>,
    ) {
        let same = self.same.clone();
        let [version, as_of, mode, status, election] = same.map(Cow::from);
        self.row([
            version,
            as_of,
            mode,
            status,
            election,
            text(contest.id.as_str()),
            text(&contest.title),
            level.into(),
            text(location_id),
            text(location),
            registered.into(),
            ballots.into(),
            text(candidate_id),
            text(candidate),
            text(party),
            number(votes).into(),
        ]);
    }
}

/// A text that no spreadsheet takes for a formula.
fn text(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA_STARTS) { format!("'{text}").into() } else { text.into() }
}

fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::samples::sample;

    #[test]
    fn a_table_has_a_row_a_candidate_and_place_and_no_formulas() {
        let (_, results) = sample("2024-11-05T12:00:00Z");
        let table = String::from_utf8(write(&results)).unwrap();
        let mut lines = table.split("\r\n");
        assert_eq!(lines.next().unwrap(), HEADER.join(","));
        let same = "7,2024-11-05T12:00:00Z,test,counting,harbor 2024/1,";
        let seen: Vec<_> = lines.map(|line| line.strip_prefix(same).unwrap_or(line)).collect();
        let ada = "ada,\"'=HYPERLINK(\"\"http://evil\"\")\",\"Harbor, List\"";
        let ben = "ben,\"Ben \"\"B\"\" Okoro\",";
        let cy = "cy,Cy,\"Harbor, List\"";
        // With S, which is withheld, the region would give it away; and the region is no place with voters of its own.
        let expected = [
            format!("council,Council,election,,,150,46,{ada},34"),
            format!("council,Council,election,,,150,46,{ben},12"),
            format!("mayor,Mayor,election,,,150,20,{cy},20"),
            "council,Council,region,all,Harbor,150,46,,,,".into(),
            format!("mayor,Mayor,region,all,Harbor,150,46,{cy},20"),
            format!("council,Council,location,N,North Quay,100,42,{ada},30"),
            format!("council,Council,location,N,North Quay,100,42,{ben},12"),
            format!("mayor,Mayor,location,N,North Quay,100,42,{cy},20"),
            "council,Council,location,S,'-South,50,4,,,,".into(),
            String::new(),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_cell_is_a_formula_for_nobody() {
        for start in FORMULA_STARTS {
            assert_eq!(text(&format!("{start}1")), format!("'{start}1"));
        }
        assert_eq!(text("Ada-Lou"), "Ada-Lou");
        assert_eq!(text(""), "");
    }
}
