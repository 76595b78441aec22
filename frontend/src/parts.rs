//! Parts of a whole, ready to be drawn: candidates, parties, groups of voters, places. What bars and donuts show.

use std::collections::BTreeMap;

use tallyboard_shared::{
    election::Breakdown,
    ids::{CandidateId, ContestId},
    results::{GroupResult, LocationResult, Results},
};

use crate::{
    format,
    order::{sort_by, sort_greatest_first},
    say,
    standings::{PALETTE_LEN, Standing, Tone},
    table::{Cell, Row, Table},
    texts::{self, tr},
};

/// One part.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What a click on it leads to.
    pub key: String,
    /// For people.
    pub name: String,
    /// For labels in charts.
    pub label: String,
    /// The color.
    pub tone: Tone,
    /// Votes; `None` while withheld.
    pub votes: Option<u64>,
    /// Of all parts together, 0 to 1; `None` before the first vote and while withheld.
    pub share: Option<f64>,
}

impl From<&Standing> for Part {
    fn from(standing: &Standing) -> Self {
        Self {
            key: standing.id.to_string(),
            name: standing.name.clone(),
            label: standing.short_name.clone(),
            tone: standing.tone.clone(),
            votes: standing.votes,
            share: standing.share,
        }
    }
}

/// Standings as parts.
#[must_use]
pub fn of_standings(standings: &[Standing]) -> Vec<Part> {
    standings.iter().map(Part::from).collect()
}

/// The votes of one contest by party, most first; candidates without a party stand for themselves.
#[must_use]
pub fn by_party(standings: &[Standing]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for standing in standings {
        let name = standing.party.as_deref().unwrap_or(&standing.name);
        match parts.iter_mut().find(|part| part.name == name) {
            Some(part) => {
                part.votes = part.votes.zip(standing.votes).map(|(one, other)| one + other);
                part.share = part.share.zip(standing.share).map(|(one, other)| one + other);
            }
            None => parts.push(Part {
                key: String::new(),
                name: name.to_owned(),
                label: format::label(name),
                ..Part::from(standing)
            }),
        }
    }
    sort_greatest_first(&mut parts, |part| part.votes);
    parts
}

/// Parts as a table.
#[must_use]
pub fn table(first: &'static str, parts: &[Part]) -> Table {
    let row = |part: &Part| Row {
        name: Cell::text(&*part.name),
        href: None,
        cells: vec![Cell::Count(part.votes), Cell::Share(part.share)],
    };
    Table {
        first,
        columns: [tr("Votes"), tr("Share")].map(str::to_owned).to_vec(),
        rows: parts.iter().map(row).collect(),
    }
}

/// What parts say: the greatest of them.
#[must_use]
pub fn says(parts: &[Part]) -> String {
    let known: u64 = parts.iter().filter_map(|part| part.votes).sum();
    if known == 0 {
        return tr("No votes yet.").to_owned();
    }
    let mut largest: Vec<_> = parts.iter().filter(|part| part.votes > Some(0)).collect();
    sort_greatest_first(&mut largest, |part| part.votes);
    let list: Vec<_> =
        largest.iter().take(3).map(|part| format!("{} {}", part.name, format::percent(part.share))).collect();
    let of = format::counted(known, "vote", "votes");
    match largest.len() {
        len if len > 3 => {
            let more = format::counted(len as u64 - 3, "more", "more");
            say!("Of {votes}: {list}; {more}.", votes = of, list = texts::list(&list), more = more)
        }
        _ => say!("Of {votes}: {list}.", votes = of, list = texts::list(&list)),
    }
}

/// The votes of a contest by group of voters, of everyone or of one candidate; empty where there is no such breakdown.
#[must_use]
pub fn by_group(
    results: &Results,
    contest: &ContestId,
    by: Breakdown,
    voters_of: Option<&CandidateId>,
) -> Vec<Part> {
    let known: Vec<&GroupResult> =
        results.breakdowns.iter().filter(|group| group.by == by && group.contest == *contest).collect();
    let votes_of = |group: &GroupResult| match voters_of {
        None => Some(group.votes),
        Some(candidate) => group.candidates.as_ref().map(|votes| votes.get(candidate).copied().unwrap_or(0)),
    };
    let sum: Option<u64> = known.iter().map(|group| votes_of(group)).sum();
    known
        .iter()
        .map(|group| {
            let position = by.groups().iter().position(|code| *code == group.group);
            let name = group_name(&group.group);
            let votes = votes_of(group);
            Part {
                key: group.group.clone(),
                name: name.to_owned(),
                label: name.to_owned(),
                tone: match (group.group.as_str(), position) {
                    ("unknown", _) | (_, None) => Tone::Rest,
                    // What has an order needs no colors.
                    _ if by == Breakdown::AgeBand => Tone::Ink,
                    // Groups aren't candidates: their colors come from the other end of the palette.
                    (_, Some(position)) => Tone::Palette((PALETTE_LEN - 3 + position) % PALETTE_LEN),
                },
                votes,
                share: votes.zip(sum).and_then(|(votes, sum)| ratio(votes, sum)),
            }
        })
        .collect()
}

/// Why there is nothing to draw of the groups; `None` where there is.
#[must_use]
pub fn groups_blank(groups: &[Part]) -> Option<&'static str> {
    if groups.iter().any(|group| group.votes.is_none()) {
        return Some(tr("Withheld."));
    }
    groups.iter().all(|group| group.votes == Some(0)).then(|| tr("No votes yet."))
}

/// A group of voters for people.
fn group_name(code: &str) -> &str {
    match code {
        "female" => tr("Women"),
        "male" => tr("Men"),
        "other" => tr("Other"),
        "unknown" => tr("Not said"),
        "under_18" => tr("Under 18"),
        "18_24" => "18–24",
        "25_34" => "25–34",
        "35_44" => "35–44",
        "45_54" => "45–54",
        "55_64" => "55–64",
        "65_plus" => tr("65 and over"),
        other => other,
    }
}

/// The groups with the share of each candidate in them.
#[must_use]
pub fn group_table(results: &Results, contest: &ContestId, by: Breakdown, standings: &[Standing]) -> Table {
    let groups = results.breakdowns.iter().filter(|group| group.by == by && group.contest == *contest);
    let row = |group: &GroupResult| {
        let share = |standing: &Standing| {
            let votes = group.candidates.as_ref()?.get(&standing.id).copied().unwrap_or(0);
            ratio(votes, group.votes)
        };
        let shares = standings.iter().map(|standing| Cell::Share(share(standing)));
        Row {
            name: Cell::text(group_name(&group.group)),
            href: None,
            cells: std::iter::once(Cell::Count(Some(group.votes))).chain(shares).collect(),
        }
    };
    let names = standings.iter().map(|standing| standing.name.clone());
    Table {
        first: tr("Group"),
        columns: std::iter::once(tr("Votes").to_owned()).chain(names).collect(),
        rows: groups.map(row).collect(),
    }
}

/// A place and how its votes are split.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The place's id.
    pub key: String,
    /// For people.
    pub name: String,
    /// Votes of the contest there; `None` while the split is withheld.
    pub votes: Option<u64>,
    /// For each standing, its share, 0 to 1.
    pub shares: Vec<Option<f64>>,
}

/// The places with votes in a contest, most votes first, withheld splits last.
#[must_use]
pub fn splits(locations: &[LocationResult], contest: &ContestId, standings: &[Standing]) -> Vec<Split> {
    let mut splits: Vec<Split> = locations
        .iter()
        .filter_map(|place| {
            let split = place.contests.iter().find(|split| split.id == *contest)?;
            let sum = split.votes.as_ref().map(|votes| votes.values().sum::<u64>());
            Some(Split {
                key: place.id.to_string(),
                name: place.name.clone(),
                votes: sum,
                shares: shares(split.votes.as_ref(), sum.unwrap_or(0), standings),
            })
        })
        .collect();
    sort_by(&mut splits, |one, other| other.votes.cmp(&one.votes).then_with(|| one.name.cmp(&other.name)));
    splits
}

fn shares(votes: Option<&BTreeMap<CandidateId, u64>>, sum: u64, standings: &[Standing]) -> Vec<Option<f64>> {
    let Some(votes) = votes else { return vec![None; standings.len()] };
    let named: u64 = standings.iter().filter_map(|standing| votes.get(&standing.id)).sum();
    standings
        .iter()
        .map(|standing| {
            let rest = standing.tone == Tone::Rest;
            let own = votes.get(&standing.id).copied().unwrap_or(0);
            ratio(if rest { sum - named } else { own }, sum)
        })
        .collect()
}

/// What the splits say: where the most votes are from, and how many places are withheld.
#[must_use]
pub fn splits_say(splits: &[Split]) -> String {
    let withheld = splits.iter().filter(|split| split.votes.is_none()).count();
    let Some(first) = splits.first().filter(|split| split.votes > Some(0)) else {
        return tr("No votes yet.").to_owned();
    };
    let most = say!(
        "Most votes are from {place}: {votes}.",
        place = first.name,
        votes = format::counted(first.votes.unwrap_or(0), "vote", "votes")
    );
    match withheld {
        0 => most,
        _ => {
            let places = format::counted(withheld as u64, "place", "places");
            format!("{most} {}", say!("Withheld: {places}.", places = places))
        }
    }
}

/// The splits as a table.
#[must_use]
pub fn split_table(splits: &[Split], standings: &[Standing], href: impl Fn(&str) -> String) -> Table {
    let row = |split: &Split| Row {
        name: Cell::text(&*split.name),
        href: Some(href(&split.key)),
        cells: std::iter::once(Cell::Count(split.votes))
            .chain(split.shares.iter().map(|share| Cell::Share(*share)))
            .collect(),
    };
    let names = standings.iter().map(|standing| standing.name.clone());
    Table {
        first: tr("Place"),
        columns: std::iter::once(tr("Votes").to_owned()).chain(names).collect(),
        rows: splits.iter().map(row).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, standings};

    fn standings(votes: &[Option<u64>]) -> Vec<Standing> {
        standings::ranked(&samples::contest(None, votes))
    }

    #[test]
    fn candidates_of_a_party_are_one_part() {
        let mut contest = samples::contest(None, &[Some(20), Some(30), Some(15), Some(35)]);
        for (candidate, party) in
            contest.candidates.iter_mut().zip([Some("Union"), None, Some("Union"), Some("Left")])
        {
            candidate.party = party.map(str::to_owned);
        }
        let parts = by_party(&standings::ranked(&contest));
        let seen: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.votes)).collect();
        assert_eq!(seen, [("Left", Some(35)), ("Union", Some(35)), ("Candidate 1", Some(30))]);
        assert_eq!(parts[1].share, Some(0.35));
        contest.candidates[0].votes = None;
        let withheld = by_party(&standings::ranked(&contest));
        assert_eq!(withheld.iter().find(|part| part.name == "Union").unwrap().votes, None);
    }

    #[test]
    fn a_sentence_names_the_greatest() {
        let says = |votes: &[Option<u64>]| says(&of_standings(&standings(votes))).replace('\u{202f}', " ");
        assert_eq!(says(&[Some(1), Some(3)]), "Of 4 votes: Candidate 1 75.0 %, Candidate 0 25.0 %.");
        assert_eq!(says(&[Some(0), None]), "No votes yet.");
        assert!(says(&[Some(1), Some(3), Some(4), Some(5), Some(6)]).ends_with("; 2 more."));
    }

    fn group(by: Breakdown, group: &str, votes: u64, candidates: Option<[u64; 2]>) -> GroupResult {
        let by_candidate =
            |votes: [u64; 2]| ["c0", "c1"].map(CandidateId::new).into_iter().zip(votes).collect();
        GroupResult {
            by,
            group: group.to_owned(),
            contest: ContestId::new("president"),
            votes,
            candidates: candidates.map(by_candidate),
        }
    }

    #[test]
    fn groups_are_of_all_voters_or_of_one_candidate() {
        let mut results = samples::results(1, None, &[Some(20), Some(20)]);
        results.breakdowns = vec![
            group(Breakdown::Gender, "female", 30, Some([15, 15])),
            group(Breakdown::Gender, "unknown", 10, Some([5, 5])),
            group(Breakdown::AgeBand, "18_24", 40, None),
        ];
        let contest = results.contests[0].id.clone();
        let first = CandidateId::new("c0");
        let parts = |by, of: Option<&CandidateId>| {
            let parts = by_group(&results, &contest, by, of);
            parts.into_iter().map(|part| (part.name, part.votes, part.share)).collect::<Vec<_>>()
        };
        let women = |votes| ("Women".to_owned(), Some(votes), Some(0.75));
        let others = |votes| ("Not said".to_owned(), Some(votes), Some(0.25));
        assert_eq!(parts(Breakdown::Gender, None), [women(30), others(10)]);
        assert_eq!(parts(Breakdown::Gender, Some(&first)), [women(15), others(5)]);
        assert_eq!(parts(Breakdown::AgeBand, Some(&first)), [("18–24".to_owned(), None, None)], "withheld");
        let blank = |by, of: Option<&CandidateId>| groups_blank(&by_group(&results, &contest, by, of));
        assert_eq!(blank(Breakdown::Gender, Some(&first)), None);
        assert_eq!(blank(Breakdown::AgeBand, Some(&first)), Some("Withheld."));
        assert_eq!(blank(Breakdown::Gender, Some(&CandidateId::new("c9"))), Some("No votes yet."));
        assert_eq!(groups_blank(&[]), Some("No votes yet."));
        let table = group_table(&results, &contest, Breakdown::Gender, &standings(&[Some(20), Some(20)]));
        assert_eq!(
            table.rows[0].cells,
            [Cell::Count(Some(30)), Cell::Share(Some(0.5)), Cell::Share(Some(0.5))]
        );
    }

    #[test]
    fn every_group_that_is_known_has_a_name() {
        for code in Breakdown::Gender.groups().iter().chain(Breakdown::AgeBand.groups()) {
            assert_ne!(group_name(code), *code);
        }
    }

    #[test]
    fn a_place_is_split_with_the_folded_rest() {
        let results = samples::results(1, None, &[Some(50), Some(30), Some(15), Some(5)]);
        let contest = &results.contests[0].id;
        let folded = standings::folded(&standings(&[Some(50), Some(30), Some(15), Some(5)]), 2);
        let splits = splits(&results.locations, contest, &folded);
        assert_eq!(splits[0].shares, [Some(0.5), Some(0.3), Some(0.2)]);
        let table = split_table(&splits, &folded, |key| format!("place?place={key}"));
        assert_eq!((table.columns.len(), table.rows[0].href.as_deref()), (4, Some("place?place=AL")));
        assert_eq!(splits_say(&splits), "Most votes are from Alder: 100 votes.");
        let withheld = samples::results(1, None, &[None, None]);
        let splits = super::splits(&withheld.locations, contest, &folded);
        assert_eq!((splits[0].votes, splits[0].shares[0]), (None, None));
    }
}
