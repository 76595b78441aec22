//! The table of places: its rows, their order, the search and the pages.
//!
//! Only the rows of one page ever reach the screen, however many places there are.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, HashSet},
};

use tallyboard_shared::{
    ids::{CandidateId, ContestId, LocationId},
    results::{LocationContest, LocationResult, Results},
};

use crate::{
    format,
    order::sort_by,
    standings::{Standing, Tone},
    table::{Cell, Row, Table},
    texts::tr,
};

/// How many rows a page may have; the first unless the reader chooses.
pub const PAGE_LENS: [usize; 4] = [8, 20, 50, 100];

/// So many candidates have a column, those with the most votes: more wouldn't fit beside each other.
pub const COLUMNS_MAX: usize = 5;

/// One place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceRow {
    /// The place.
    pub id: LocationId,
    /// For people.
    pub name: String,
    /// Who is first there.
    pub lead: Lead,
    /// Ballots counted.
    pub votes: u64,
    /// The electorate; `None`: unknown.
    pub registered_voters: Option<u64>,
    /// Ballots over electorate, 0 to 1.
    pub turnout: Option<f64>,
    /// Of the votes there, 0 to 1: those of the first candidates of the whole, in their order. Empty where nobody has a vote,
    /// and where the split is withheld.
    pub shares: Vec<f64>,
}

impl PlaceRow {
    /// The share of the candidate at `position` of the whole; `None` where it isn't known.
    #[must_use]
    pub fn share(&self, position: usize) -> Option<f64> {
        self.shares.get(position).copied()
    }

    /// Whether nobody who has a column has more votes here than the candidate at `position` of the whole.
    #[must_use]
    pub fn is_most(&self, position: usize) -> bool {
        self.share(position)
            .is_some_and(|share| share > 0.0 && self.shares.iter().all(|other| *other <= share))
    }
}

/// What the table says of the places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Who leads, and how many have voted.
    #[default]
    Turnout,
    /// The share of each candidate.
    Candidates,
}

/// Who is first in a place.
#[derive(Clone, Debug, PartialEq)]
pub enum Lead {
    /// No votes in this contest.
    Nobody,
    /// The split is withheld.
    Withheld,
    /// Several with the same number.
    Tied,
    /// One.
    Led {
        /// For people.
        name: String,
        /// The candidate's color.
        tone: Tone,
        /// Points of percent ahead of the second.
        margin_points: f64,
    },
}

/// A column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The name.
    Name,
    /// The margin of the first.
    Lead,
    /// Ballots counted.
    Votes,
    /// The electorate.
    Registered,
    /// Ballots over electorate.
    Turnout,
    /// The share of the candidate at this rank of the whole, counted from 0.
    Share(usize),
}

/// What the reader asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// Which columns there are.
    pub view: View,
    /// Sorted by.
    pub column: Column,
    /// Greatest first.
    pub descending: bool,
    /// A part of the name.
    pub search: String,
    /// Counted from 0.
    pub page: usize,
    /// Rows on a page, one of [`PAGE_LENS`].
    pub page_len: usize,
}

impl Default for Arrangement {
    fn default() -> Self {
        Self {
            view: View::default(),
            column: Column::Name,
            descending: false,
            search: String::new(),
            page: 0,
            page_len: PAGE_LENS[0],
        }
    }
}

impl Arrangement {
    /// Sorts by a column; by the same one again: the other way round. Figures begin with the greatest.
    pub fn sort_by(&mut self, column: Column) {
        self.descending = if self.column == column { !self.descending } else { column != Column::Name };
        self.column = column;
        self.page = 0;
    }

    /// Shows other columns; what was sorted by one that isn't there any longer is sorted by name.
    pub fn look_at(&mut self, view: View) {
        let stays = match self.column {
            Column::Name | Column::Votes => true,
            Column::Lead | Column::Registered | Column::Turnout => view == View::Turnout,
            Column::Share(_) => view == View::Candidates,
        };
        if !stays {
            (self.column, self.descending) = (Column::Name, false);
        }
        self.view = view;
    }

    /// Has pages of another length; the first row that is shown stays in sight.
    pub fn cut_by(&mut self, page_len: usize) {
        let first = self.page * self.page_len;
        self.page_len = page_len;
        self.page = first / page_len.max(1);
    }
}

/// What is on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<PlaceRow>,
    /// Counted from 0; not past the last.
    pub page: usize,
    /// At least 1.
    pub page_count: usize,
    /// Rows that match the search.
    pub matching: usize,
}

/// The places in which votes are cast: a region that only sums up its parts isn't one.
#[must_use]
pub fn counted(results: &Results) -> Vec<&LocationResult> {
    let regions: HashSet<_> = results.regions.iter().map(|region| &region.id).collect();
    results.locations.iter().filter(|place| place.votes > 0 || !regions.contains(&place.id)).collect()
}

/// The rows of a contest, in the order of the results.
#[must_use]
pub fn rows<'a>(
    locations: impl IntoIterator<Item = &'a LocationResult>,
    contest: Option<&ContestId>,
    standings: &[Standing],
) -> Vec<PlaceRow> {
    let by_id: HashMap<&CandidateId, &Standing> =
        standings.iter().map(|standing| (&standing.id, standing)).collect();
    locations
        .into_iter()
        .map(|place| PlaceRow {
            id: place.id.clone(),
            name: place.name.clone(),
            lead: place
                .contests
                .iter()
                .find(|split| Some(&split.id) == contest && place.votes > 0)
                .map_or(Lead::Nobody, |split| lead(split, &by_id)),
            votes: place.votes,
            registered_voters: place.registered_voters,
            turnout: place.turnout,
            shares: split_in(place, contest).map_or_else(Vec::new, |votes| shares(votes, standings)),
        })
        .collect()
}

fn split_in<'a>(
    place: &'a LocationResult,
    contest: Option<&ContestId>,
) -> Option<&'a BTreeMap<CandidateId, u64>> {
    place.contests.iter().find(|split| Some(&split.id) == contest)?.votes.as_ref()
}

fn shares(votes: &BTreeMap<CandidateId, u64>, standings: &[Standing]) -> Vec<f64> {
    let sum: u64 = votes.values().sum();
    if sum == 0 {
        return Vec::new();
    }
    let of = |standing: &Standing| votes.get(&standing.id).copied().unwrap_or(0);
    standings.iter().take(COLUMNS_MAX).map(|standing| points(of(standing), sum) / 100.0).collect()
}

fn lead(split: &LocationContest, standings: &HashMap<&CandidateId, &Standing>) -> Lead {
    let Some(votes) = &split.votes else {
        return Lead::Withheld;
    };
    let (mut first, mut second) = (None::<(&CandidateId, u64)>, 0);
    for (candidate, votes) in votes {
        match first {
            Some((_, most)) if *votes <= most => second = second.max(*votes),
            _ => {
                second = first.map_or(0, |(_, most)| most);
                first = Some((candidate, *votes));
            }
        }
    }
    match first {
        None | Some((_, 0)) => Lead::Nobody,
        Some((_, most)) if most == second => Lead::Tied,
        Some((candidate, most)) => {
            let sum: u64 = votes.values().sum();
            let standing = standings.get(candidate);
            Lead::Led {
                name: standing.map_or_else(|| candidate.to_string(), |standing| standing.short_name.clone()),
                tone: standing.map_or(Tone::Rest, |standing| standing.tone.clone()),
                margin_points: points(most - second, sum),
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn points(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64 * 100.0
}

/// Who leads a place, for people.
#[must_use]
pub fn lead_words(lead: &Lead) -> String {
    match lead {
        Lead::Nobody => format::UNKNOWN.to_owned(),
        Lead::Withheld => tr("withheld").to_owned(),
        Lead::Tied => tr("tied").to_owned(),
        Lead::Led { name, margin_points, .. } => format!("{name} +{}", format::decimal(*margin_points)),
    }
}

/// All rows as they are, as a table.
#[must_use]
pub fn table(rows: &[PlaceRow], href: impl Fn(&LocationId) -> String) -> Table {
    let row = |row: &PlaceRow| Row {
        name: Cell::text(&*row.name),
        href: Some(href(&row.id)),
        cells: vec![
            Cell::text(lead_words(&row.lead)),
            Cell::Count(Some(row.votes)),
            Cell::Count(row.registered_voters),
            Cell::Share(row.turnout),
        ],
    };
    let columns =
        [tr("Leads by"), tr("Ballots"), tr("Registered"), tr("Turnout")].map(str::to_owned).to_vec();
    Table { first: tr("Place"), columns, rows: rows.iter().map(row).collect() }
}

/// Searches, sorts and cuts out the page.
#[must_use]
pub fn arrange(mut rows: Vec<PlaceRow>, arrangement: &Arrangement) -> Page {
    let needle = arrangement.search.trim().to_lowercase();
    if !needle.is_empty() {
        rows.retain(|row| {
            row.name.to_lowercase().contains(&needle) || row.id.as_str().to_lowercase() == needle
        });
    }
    sort_by(&mut rows, |one, other| {
        ordering(one, other, arrangement.column, arrangement.descending)
            .then_with(|| one.name.cmp(&other.name))
    });
    let matching = rows.len();
    let page_len = arrangement.page_len.max(1);
    let page_count = matching.div_ceil(page_len).max(1);
    let page = arrangement.page.min(page_count - 1);
    Page { rows: rows.into_iter().skip(page * page_len).take(page_len).collect(), page, page_count, matching }
}

fn ordering(one: &PlaceRow, other: &PlaceRow, column: Column, descending: bool) -> Ordering {
    let margin = |row: &PlaceRow| match &row.lead {
        Lead::Led { margin_points, .. } => Some(*margin_points),
        Lead::Tied => Some(0.0),
        Lead::Nobody | Lead::Withheld => None,
    };
    match column {
        Column::Name => directed(one.name.cmp(&other.name), descending),
        Column::Votes => directed(one.votes.cmp(&other.votes), descending),
        Column::Registered => {
            unknown_last(one.registered_voters, other.registered_voters, descending, u64::cmp)
        }
        Column::Turnout => unknown_last(one.turnout, other.turnout, descending, f64::total_cmp),
        Column::Lead => unknown_last(margin(one), margin(other), descending, f64::total_cmp),
        Column::Share(position) => {
            unknown_last(one.share(position), other.share(position), descending, f64::total_cmp)
        }
    }
}

fn directed(ordering: Ordering, descending: bool) -> Ordering {
    if descending { ordering.reverse() } else { ordering }
}

/// What is unknown stands last in both directions.
fn unknown_last<T>(
    one: Option<T>,
    other: Option<T>,
    descending: bool,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => directed(compare(&one, &other), descending),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

#[cfg(test)]
#[path = "places/tests.rs"]
mod tests;
