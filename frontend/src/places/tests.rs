//! The table of places: what its rows say, and in which order they stand.

use super::*;
use crate::{board::samples, standings};

fn row(name: &str, votes: u64, turnout: Option<f64>) -> PlaceRow {
    PlaceRow {
        id: LocationId::new(&name[..2]),
        name: name.to_owned(),
        lead: Lead::Nobody,
        votes,
        registered_voters: None,
        turnout,
        shares: turnout.map(|turnout| 1.0 - turnout).into_iter().collect(),
    }
}

#[track_caller]
fn check(column: Column, descending: bool, search: &str, expected: &[&str]) {
    let rows = vec![
        row("Brant", 30, Some(0.5)),
        row("Alder", 10, None),
        row("Corve", 20, Some(0.7)),
        row("Estra", 20, Some(0.1)),
    ];
    let arrangement = Arrangement { column, descending, search: search.to_owned(), ..Arrangement::default() };
    let page = arrange(rows, &arrangement);
    let names: Vec<_> = page.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, expected);
}

#[test]
fn rows_are_sorted_with_the_unknown_last() {
    check(Column::Name, false, "", &["Alder", "Brant", "Corve", "Estra"]);
    check(Column::Name, true, "", &["Estra", "Corve", "Brant", "Alder"]);
    check(Column::Votes, true, "", &["Brant", "Corve", "Estra", "Alder"]);
    check(Column::Turnout, true, "", &["Corve", "Brant", "Estra", "Alder"]);
    check(Column::Turnout, false, "", &["Estra", "Brant", "Corve", "Alder"]);
    check(Column::Share(0), true, "", &["Estra", "Brant", "Corve", "Alder"]);
    check(Column::Share(1), true, "", &["Alder", "Brant", "Corve", "Estra"]);
}

#[test]
fn the_search_finds_parts_of_names_and_whole_ids() {
    check(Column::Name, false, " R", &["Alder", "Brant", "Corve", "Estra"]);
    check(Column::Name, false, "OR", &["Corve"]);
    check(Column::Name, false, "al", &["Alder"]);
    check(Column::Name, false, "nowhere", &[]);
}

#[test]
fn pages_end_where_the_rows_end() {
    let rows: Vec<_> = (0..30).map(|number| row(&format!("{number:02}"), number, None)).collect();
    let mut arrangement = Arrangement { page: 3, ..Arrangement::default() };
    let page = arrange(rows.clone(), &arrangement);
    assert_eq!((page.rows.len(), page.page_count, page.matching), (6, 4, 30));
    arrangement.page = 99;
    assert_eq!(arrange(rows, &arrangement).page, 3);
    assert_eq!(arrange(Vec::new(), &arrangement).page_count, 1);
}

#[test]
fn longer_pages_begin_with_the_row_that_was_first_or_before_it() {
    let mut arrangement = Arrangement { page: 3, ..Arrangement::default() };
    arrangement.cut_by(20);
    assert_eq!((arrangement.page, arrangement.page_len), (1, 20), "row 24 is on the second page");
    arrangement.cut_by(8);
    assert_eq!(arrangement.page, 2);
}

#[test]
fn nothing_is_sorted_by_a_column_that_is_out_of_sight() {
    let sorted = |column, view| {
        let mut arrangement = Arrangement { column, descending: true, ..Arrangement::default() };
        arrangement.look_at(view);
        (arrangement.column, arrangement.descending)
    };
    assert_eq!(sorted(Column::Turnout, View::Candidates), (Column::Name, false));
    assert_eq!(sorted(Column::Share(1), View::Turnout), (Column::Name, false));
    assert_eq!(sorted(Column::Votes, View::Candidates), (Column::Votes, true));
}

#[test]
fn shares_in_a_place_are_those_of_the_first_candidates_of_the_whole() {
    let shares = |votes: &[Option<u64>]| {
        let results = samples::results(1, None, votes);
        let standings = standings::ranked(&results.contests[0]);
        let rows = rows(&results.locations, Some(&ContestId::new("president")), &standings);
        rows[0].shares.clone()
    };
    assert_eq!(shares(&[Some(1), Some(3)]), [0.75, 0.25]);
    assert_eq!(shares(&[Some(1); 8]).len(), COLUMNS_MAX);
    let row = PlaceRow { shares: vec![0.4, 0.6, 0.6], ..row("Brant", 5, None) };
    assert_eq!([0, 1, 2, 3].map(|position| row.is_most(position)), [false, true, true, false]);
    assert!(shares(&[None, None]).is_empty() && shares(&[Some(0)]).is_empty());
}

#[test]
fn sorting_twice_turns_the_order_round() {
    let mut arrangement = Arrangement::default();
    arrangement.sort_by(Column::Votes);
    assert!(arrangement.descending);
    arrangement.sort_by(Column::Votes);
    assert!(!arrangement.descending);
    arrangement.sort_by(Column::Name);
    assert!(!arrangement.descending);
}

#[track_caller]
fn check_lead(votes: &[Option<u64>], expected: &Lead) {
    let mut results = samples::results(1, None, votes);
    results.locations[0].votes = 8;
    let standings = standings::ranked(&results.contests[0]);
    let contest = ContestId::new("president");
    assert_eq!(&rows(&results.locations, Some(&contest), &standings)[0].lead, expected);
}

#[test]
fn a_region_that_only_sums_up_is_no_place() {
    let mut results = samples::results(1, None, &[Some(3)]);
    let place =
        |id: &str, votes| LocationResult { id: LocationId::new(id), votes, ..results.locations[0].clone() };
    let (region, mixed) = (place("R", 0), place("M", 2));
    results.locations.extend([region.clone(), mixed.clone()]);
    results.regions = vec![region, mixed];
    let ids: Vec<_> = counted(&results).into_iter().map(|place| place.id.to_string()).collect();
    assert_eq!(ids, ["AL", "M"]);
}

#[test]
fn a_table_of_places_leads_to_them() {
    let table = table(&[row("Brant", 30, Some(0.5))], |place| format!("to {place}"));
    assert_eq!(table.rows[0].href.as_deref(), Some("to Br"));
    let cells = [Cell::text("—"), Cell::Count(Some(30)), Cell::Count(None), Cell::Share(Some(0.5))];
    assert_eq!(table.rows[0].cells, cells);
}

#[test]
fn who_leads_a_place() {
    check_lead(&[Some(0), Some(0)], &Lead::Nobody);
    check_lead(&[Some(4), Some(4)], &Lead::Tied);
    check_lead(&[None, None], &Lead::Withheld);
    let led = Lead::Led { name: "Candidate 1".into(), tone: Tone::Palette(1), margin_points: 50.0 };
    check_lead(&[Some(1), Some(3)], &led);
}
