//! One place, and where it stands in the tree of places: what it is a part of, what its parts are, and its figures
//! beside those of the whole.

use std::collections::{BTreeMap, HashSet};

use tallyboard_shared::{
    election::{Election, Location},
    ids::{CandidateId, ContestId, LocationId},
    results::{LocationResult, Results},
};

use crate::{
    format,
    order::sort_by,
    parts::Part,
    quality::Fact,
    say,
    standings::{Standing, Tone},
    table::{Cell, Row, Table},
    texts::tr,
};

/// A place that is shown, with its way up and down.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Its figures: with all its parts, where it has any.
    pub place: LocationResult,
    /// What it is a part of, the nearest last.
    pub above: Vec<(LocationId, String)>,
    /// Its parts, by name, each with all of its own.
    pub parts: Vec<LocationResult>,
}

/// The place of this id; `None` where there is none, or nothing was counted there and the definition doesn't know it.
#[must_use]
pub fn spot(election: &Election, results: &Results, id: &LocationId) -> Option<Spot> {
    Some(Spot {
        place: figures(election, results, id)?,
        above: above(election, id),
        parts: parts(election, results, id),
    })
}

/// The figures of a place, those of the region where it has parts.
fn figures(election: &Election, results: &Results, id: &LocationId) -> Option<LocationResult> {
    let counted = results.regions.iter().chain(&results.locations).find(|place| place.id == *id);
    counted.cloned().or_else(|| {
        let place = defined(election, id)?;
        Some(LocationResult {
            id: place.id.clone(),
            name: place.name.clone(),
            votes: 0,
            registered_voters: place.registered_voters,
            turnout: place.registered_voters.map(|_| 0.0),
            contests: Vec::new(),
        })
    })
}

fn defined<'a>(election: &'a Election, id: &LocationId) -> Option<&'a Location> {
    election.locations.iter().find(|place| place.id == *id)
}

fn above(election: &Election, id: &LocationId) -> Vec<(LocationId, String)> {
    let mut above = Vec::new();
    let mut seen = HashSet::from([id]);
    let mut next = defined(election, id).and_then(|place| place.parent.as_ref());
    // A definition with a circle isn't taken by the server; here it must not hang the page.
    while let Some(place) = next.filter(|id| seen.insert(*id)).and_then(|id| defined(election, id)) {
        above.push((place.id.clone(), place.name.clone()));
        next = place.parent.as_ref();
    }
    above.reverse();
    above
}

fn parts(election: &Election, results: &Results, id: &LocationId) -> Vec<LocationResult> {
    let children = election.locations.iter().filter(|place| place.parent.as_ref() == Some(id));
    let mut parts: Vec<_> = children.filter_map(|place| figures(election, results, &place.id)).collect();
    sort_by(&mut parts, |one, other| one.name.cmp(&other.name));
    parts
}

/// Places that are a part of no other, by name: where the way down begins.
#[must_use]
pub fn roots(election: &Election, results: &Results) -> Vec<LocationResult> {
    if !election.defined {
        return results.locations.clone();
    }
    let roots = election.locations.iter().filter(|place| place.parent.is_none());
    let mut roots: Vec<_> = roots.filter_map(|place| figures(election, results, &place.id)).collect();
    sort_by(&mut roots, |one, other| one.name.cmp(&other.name));
    roots
}

/// A place's votes in a contest by candidate; `None` while they are withheld.
#[must_use]
pub fn votes_of<'a>(
    place: &'a LocationResult,
    contest: &ContestId,
) -> Option<&'a BTreeMap<CandidateId, u64>> {
    place.contests.iter().find(|split| split.id == *contest)?.votes.as_ref()
}

/// Why there is nothing to draw of the candidates in a place; `None` where there is.
#[must_use]
pub fn blank(spot: Option<&Spot>, there: &[Standing]) -> Option<&'static str> {
    let Some(spot) = spot.filter(|spot| spot.place.votes > 0) else { return Some(tr("No votes yet.")) };
    if !spot.place.contests.is_empty() && there.iter().any(|standing| standing.votes.is_none()) {
        return Some(tr("Withheld: too few ballots, or the polls are still open."));
    }
    let sum: u64 = there.iter().filter_map(|standing| standing.votes).sum();
    (sum == 0).then(|| tr("No votes in this contest."))
}

/// Who is first in a place.
#[must_use]
pub fn lead_words(there: &[Standing]) -> String {
    let second = there.get(1).and_then(|standing| standing.votes).unwrap_or(0);
    match there.first().and_then(|first| Some((first, first.votes?))) {
        Some((first, votes)) if votes > second => {
            say!(
                "{name} leads here by {votes}.",
                name = first.name,
                votes = format::counted(votes - second, "vote", "votes")
            )
        }
        Some((_, votes)) if votes > 0 => {
            say!("Tied at {votes}.", votes = format::counted(votes, "vote", "votes"))
        }
        _ => tr("No votes yet.").to_owned(),
    }
}

/// How many places have votes.
#[must_use]
pub fn all_words(counting: usize, places: usize) -> String {
    if counting == 0 {
        return tr("No votes yet.").to_owned();
    }
    let places = format::counted(places as u64, "place has", "places have");
    say!("{number} of {places} votes.", number = format::count(counting as u64), places = places)
}

/// The figures of a place, and its part of the whole.
#[must_use]
pub fn facts(place: &LocationResult, results: &Results) -> Vec<Fact> {
    let ballots: u64 = results.locations.iter().map(|place| place.votes).sum();
    let outstanding = place.registered_voters.map(|registered| registered.saturating_sub(place.votes));
    let fact = |id, name, value, note: String| Fact { id, name, value, note };
    vec![
        fact(
            "ballots",
            tr("Ballots counted"),
            format::count(place.votes),
            ratio(place.votes, ballots).map_or_else(
                || tr("no vote yet").to_owned(),
                |share| say!("{share} of all ballots", share = format::percent(Some(share))),
            ),
        ),
        fact(
            "registered",
            tr("Registered voters"),
            format::count_or_dash(place.registered_voters),
            match (place.registered_voters, results.totals.registered_voters) {
                (Some(part), Some(whole)) => {
                    say!("{share} of all", share = format::percent(ratio(part, whole)))
                }
                _ => tr("electorate unknown").to_owned(),
            },
        ),
        fact(
            "turnout",
            tr("Turnout"),
            format::percent(place.turnout),
            tr("ballots of registered voters").to_owned(),
        ),
        fact(
            "outstanding",
            tr("Not voted"),
            format::count_or_dash(outstanding),
            tr("registered voters without a ballot counted").to_owned(),
        ),
    ]
}

/// The turnout of a place, of what it is a part of, and of the whole.
#[must_use]
pub fn turnouts(spot: &Spot, results: &Results) -> Vec<Part> {
    let part = |name: &str, tone, votes, share| Part {
        key: String::new(),
        name: name.to_owned(),
        label: format::label(name),
        tone,
        votes: Some(votes),
        share,
    };
    let own = part(&spot.place.name, Tone::Ink, spot.place.votes, spot.place.turnout);
    let above = spot.above.iter().rev().filter_map(|(id, name)| {
        let region = results.regions.iter().find(|region| region.id == *id)?;
        Some(part(name, Tone::Rest, region.votes, region.turnout))
    });
    let ballots = results.locations.iter().map(|place| place.votes).sum();
    let whole = part(tr("Everywhere"), Tone::Rest, ballots, results.totals.turnout);
    std::iter::once(own).chain(above).chain([whole]).collect()
}

/// The turnouts as a table.
#[must_use]
pub fn turnout_table(parts: &[Part]) -> Table {
    let row = |part: &Part| Row {
        name: Cell::text(&*part.name),
        href: None,
        cells: vec![Cell::Count(part.votes), Cell::Share(part.share)],
    };
    let columns = [tr("Ballots"), tr("Turnout")].map(str::to_owned).to_vec();
    Table { first: tr("Place"), columns, rows: parts.iter().map(row).collect() }
}

/// What the turnouts say: how far the place is from the whole.
#[must_use]
pub fn turnout_says(parts: &[Part]) -> String {
    let ends = parts.first().zip(parts.last());
    let shares = ends.and_then(|(own, whole)| Some((own, own.share?, whole.share?)));
    let Some((own, own_share, whole_share)) = shares else {
        return tr("The electorate is unknown.").to_owned();
    };
    if parts.last().is_some_and(|whole| whole.votes == Some(0)) {
        return tr("No votes yet.").to_owned();
    }
    let points = (own_share - whole_share) * 100.0;
    let (place, turnout) = (&own.name, format::percent(Some(own_share)));
    let distance = format::decimal(points.abs());
    // What is shown as 0.0 isn't called higher or lower.
    if points.abs() < 0.05 {
        say!("Turnout in {place} is {turnout}, as everywhere together.", place = place, turnout = turnout)
    } else if points < 0.0 {
        say!(
            "Turnout in {place} is {turnout}, {points} points lower than everywhere together.",
            place = place,
            turnout = turnout,
            points = distance
        )
    } else {
        say!(
            "Turnout in {place} is {turnout}, {points} points higher than everywhere together.",
            place = place,
            turnout = turnout,
            points = distance
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::board::samples;

    pub(crate) fn election() -> Election {
        let place = |id: &str, name: &str, parent: Option<&str>| Location {
            id: LocationId::new(id),
            name: name.to_owned(),
            registered_voters: Some(100),
            tile: None,
            contests: Vec::new(),
            parent: parent.map(LocationId::new),
        };
        let locations = vec![
            place("W", "West", None),
            place("D", "Dale", Some("W")),
            place("AL", "Alder", Some("D")),
            place("BR", "Brant", Some("D")),
        ];
        Election { locations, ..samples::election() }
    }

    fn results() -> Results {
        let mut results = samples::results(1, Some(100), &[Some(3), Some(1)]);
        let region = |id: &str, name: &str| LocationResult {
            id: LocationId::new(id),
            name: name.to_owned(),
            votes: 44,
            ..results.locations[0].clone()
        };
        results.regions = vec![region("D", "Dale"), region("W", "West")];
        results
    }

    #[test]
    fn a_place_knows_its_way_up_and_down() {
        let spot = |id: &str| spot(&election(), &results(), &LocationId::new(id));
        let names = |spot: &Spot| -> Vec<_> { spot.parts.iter().map(|place| place.name.clone()).collect() };
        let dale = spot("D").unwrap();
        assert_eq!((dale.place.votes, names(&dale)), (44, vec!["Alder".to_owned(), "Brant".into()]));
        let alder = spot("AL").unwrap();
        let above: Vec<_> = alder.above.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!((above, alder.place.votes), (vec!["West", "Dale"], 4));
        assert!(spot("AL").unwrap().parts.is_empty());
        assert_eq!(spot("nowhere"), None);
    }

    #[test]
    fn a_place_without_votes_is_there_all_the_same() {
        let brant = spot(&election(), &results(), &LocationId::new("BR")).unwrap();
        assert_eq!((brant.place.votes, brant.place.turnout), (0, Some(0.0)));
    }

    #[test]
    fn a_place_is_set_beside_the_whole() {
        let mut results = results();
        results.totals.turnout = Some(0.1);
        results.regions[0].turnout = Some(0.2);
        let spot = spot(&election(), &results, &LocationId::new("AL")).unwrap();
        let parts = turnouts(&spot, &results);
        let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["Alder", "Dale", "West", "Everywhere"]);
        let said = turnout_says(&parts).replace('\u{202f}', " ");
        assert_eq!(said, "Turnout in Alder is 4.0 %, 6.0 points lower than everywhere together.");
        let mut same = parts.clone();
        same[0].share = same[3].share;
        assert!(turnout_says(&same).ends_with(", as everywhere together."));
        assert_eq!(turnout_table(&parts).rows[1].cells[1], Cell::Share(Some(0.2)));
        let values: Vec<_> = facts(&spot.place, &results)
            .into_iter()
            .map(|fact| fact.value.replace('\u{202f}', " "))
            .collect();
        assert_eq!(values, ["4", "100", "4.0 %", "96"]);
        assert_eq!(all_words(1, 40), "1 of 40 places have votes.");
        assert_eq!(all_words(0, 40), "No votes yet.");
        let nothing = vec![Part { votes: Some(0), share: Some(0.0), ..parts[3].clone() }; 2];
        assert_eq!(turnout_says(&nothing), "No votes yet.");
    }

    #[test]
    fn what_is_withheld_in_a_place_is_not_called_nothing() {
        let check = |votes: &[Option<u64>], ballots, expected_blank, expected_words: &str| {
            let mut results = samples::results(1, None, votes);
            results.locations[0].votes = ballots;
            let contest = results.contests[0].clone();
            let spot = spot(&samples::election(), &results, &LocationId::new("AL")).unwrap();
            let there = crate::standings::ranked_in(&contest, votes_of(&spot.place, &contest.id));
            assert_eq!(blank(Some(&spot), &there), expected_blank);
            assert_eq!(lead_words(&there), expected_words);
        };
        check(&[Some(3), Some(1)], 4, None, "Candidate 0 leads here by 2 votes.");
        check(&[Some(2), Some(2)], 4, None, "Tied at 2 votes.");
        check(
            &[None, None],
            4,
            Some("Withheld: too few ballots, or the polls are still open."),
            "No votes yet.",
        );
        check(&[Some(0), Some(0)], 0, Some("No votes yet."), "No votes yet.");
    }

    #[test]
    fn a_circle_does_not_hang_the_page() {
        let mut election = election();
        election.locations[0].parent = Some(LocationId::new("AL"));
        assert_eq!(spot(&election, &results(), &LocationId::new("AL")).unwrap().above.len(), 2);
    }

    #[test]
    fn the_way_down_begins_with_what_is_a_part_of_nothing() {
        let names = |election: &Election| -> Vec<String> {
            roots(election, &results()).into_iter().map(|place| place.name).collect()
        };
        assert_eq!(names(&election()), ["West"]);
        assert_eq!(names(&Election { defined: false, ..samples::election() }), ["Alder"]);
    }
}
