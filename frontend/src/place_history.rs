//! One place through the night: its candidates' votes and its turnout at versions that the server keeps.

use tallyboard_shared::{
    ids::{CandidateId, ContestId},
    results::{LocationResult, Results},
    versions::{PlaceHistory, PlacePoint},
};

use crate::{
    charts::curves::Curve,
    format, say,
    standings::{Standing, Tone},
    table::{Cell, Row, Table},
    texts::tr,
};

/// The history up to what the page shows of the place, and that as its end: a curve that stops short of the figures
/// beside it, or runs ahead of them, would say something else.
#[must_use]
pub fn up_to(mut history: PlaceHistory, results: &Results, place: &LocationResult) -> PlaceHistory {
    history.points.retain(|point| point.version < results.version);
    history.points.push(PlacePoint {
        version: results.version,
        as_of: results.as_of,
        votes: place.votes,
        turnout: place.turnout,
        contests: place.contests.clone(),
    });
    history
}

/// A version of which everything is known that is drawn.
struct Moment<'a> {
    point: &'a PlacePoint,
    /// One for each standing.
    votes: Vec<u64>,
}

/// The versions at which the votes of this contest aren't withheld; none where those of the newest are.
fn moments<'a>(history: &'a PlaceHistory, contest: &ContestId, standings: &[Standing]) -> Vec<Moment<'a>> {
    let moment = |point: &'a PlacePoint| {
        let split = point.contests.iter().find(|split| split.id == *contest);
        let votes = match split {
            Some(split) => split.votes.as_ref()?,
            // Before the first vote there is nothing to withhold.
            None if point.votes == 0 => return Some(Moment { point, votes: vec![0; standings.len()] }),
            None => return None,
        };
        let of = |id: &CandidateId| votes.get(id).copied().unwrap_or(0);
        let named: u64 = standings.iter().map(|standing| of(&standing.id)).sum();
        let all: u64 = votes.values().sum();
        let votes = standings.iter().map(|standing| match standing.tone {
            Tone::Rest => all.saturating_sub(named),
            _ => of(&standing.id),
        });
        Some(Moment { point, votes: votes.collect() })
    };
    let moments: Vec<_> = history.points.iter().filter_map(moment).collect();
    // What is withheld now isn't drawn as the nothing that it was before the first vote.
    let newest = history.points.last().map(|point| point.version);
    let is_known = moments.last().is_some_and(|moment| Some(moment.point.version) == newest);
    if is_known { moments } else { Vec::new() }
}

/// The times, in milliseconds since 1970, and a curve for each standing; fewer than two times are no history.
#[must_use]
pub fn curves(
    history: &PlaceHistory,
    contest: &ContestId,
    standings: &[Standing],
) -> Option<(Vec<i64>, Vec<Curve>)> {
    let moments = moments(history, contest, standings);
    (moments.len() > 1).then(|| {
        let curve = |(position, standing): (usize, &Standing)| Curve {
            key: standing.id.to_string(),
            name: standing.name.clone(),
            label: standing.short_name.clone(),
            tone: standing.tone.clone(),
            counts: moments.iter().map(|moment| moment.votes[position]).collect(),
        };
        let times_ms = moments.iter().map(|moment| moment.point.as_of.as_millisecond()).collect();
        (times_ms, standings.iter().enumerate().map(curve).collect())
    })
}

/// The versions as a table, newest first.
#[must_use]
pub fn table(history: &PlaceHistory, contest: &ContestId, standings: &[Standing]) -> Table {
    let row = |moment: &Moment<'_>| {
        let of_all = [Cell::Count(Some(moment.point.votes)), Cell::Share(moment.point.turnout)];
        let of_each = moment.votes.iter().map(|votes| Cell::Count(Some(*votes)));
        let as_of_ms = moment.point.as_of.as_millisecond();
        Row::of_version(moment.point.version, as_of_ms, of_all.into_iter().chain(of_each))
    };
    let names = standings.iter().map(|standing| standing.name.clone());
    let columns = [tr("Ballots"), tr("Turnout")].map(str::to_owned).into_iter().chain(names);
    Table::of_versions(columns, moments(history, contest, standings).iter().rev().map(row).collect())
}

/// What the versions say: since when the first has been in front here, and how far turnout went.
#[must_use]
pub fn says(
    history: &PlaceHistory,
    contest: &ContestId,
    standings: &[Standing],
    offset_minutes: i32,
) -> String {
    let moments = moments(history, contest, standings);
    let Some((first, last)) = moments.first().zip(moments.last()) else { return String::new() };
    let leads = |moment: &Moment<'_>| {
        let most = moment.votes.iter().copied().max().filter(|most| *most > 0)?;
        let mut ahead = (0..moment.votes.len()).filter(|position| moment.votes[*position] == most);
        ahead.next().filter(|_| ahead.next().is_none())
    };
    let time = |moment: &Moment<'_>| Cell::Time(moment.point.as_of.as_millisecond()).words(offset_minutes);
    let mut sentences = Vec::new();
    if let Some(leader) = leads(last) {
        let since = moments.iter().rev().take_while(|moment| leads(moment) == Some(leader)).last();
        let since = since.unwrap_or(last);
        sentences.push(say!(
            "{name} has been in front here since {time} at the latest.",
            name = standings[leader].name,
            time = time(since)
        ));
    }
    if let (Some(from), Some(to)) = (first.point.turnout, last.point.turnout) {
        sentences.push(say!(
            "Turnout went from {from} at {since} to {to}.",
            from = format::percent(Some(from)),
            since = time(first),
            to = format::percent(Some(to))
        ));
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::{Timestamp, ids::LocationId, results::LocationContest};

    use super::*;
    use crate::{board::samples, standings};

    fn history(votes: &[Option<[u64; 2]>]) -> PlaceHistory {
        let point = |(version, votes): (u64, &Option<[u64; 2]>)| PlacePoint {
            version,
            as_of: Timestamp::from_second(72_900 + 60 * i64::try_from(version).unwrap()).unwrap(),
            votes: votes.map_or(5, |votes| votes.iter().sum()),
            turnout: Some(votes.map_or(0.0, |votes| votes.iter().sum::<u64>() as f64 / 100.0)),
            contests: vec![LocationContest {
                id: ContestId::new("president"),
                votes: votes.map(|votes| {
                    ["c0", "c1"]
                        .into_iter()
                        .zip(votes)
                        .map(|(id, votes)| (CandidateId::new(id), votes))
                        .collect()
                }),
            }],
        };
        PlaceHistory { location: LocationId::new("AL"), points: (0..).zip(votes).map(point).collect() }
    }

    fn standings() -> Vec<Standing> {
        standings::ranked(&samples::contest(None, &[Some(9), Some(6)]))
    }

    #[test]
    fn what_is_withheld_is_left_out() {
        let history = history(&[None, Some([4, 6]), Some([9, 6])]);
        let (times_ms, curves) = curves(&history, &ContestId::new("president"), &standings()).unwrap();
        assert_eq!((times_ms.len(), &curves[0].counts, &curves[1].counts), (2, &vec![4, 9], &vec![6, 6]));
        let table = table(&history, &ContestId::new("president"), &standings());
        assert_eq!(table.rows[0].cells[1], Cell::Count(Some(15)));
        assert_eq!(table.rows.len(), 2);
    }

    #[test]
    fn what_is_withheld_now_is_not_drawn_as_nothing() {
        let contest = ContestId::new("president");
        let withheld = history(&[Some([0, 0]), Some([0, 0]), None]);
        assert!(curves(&withheld, &contest, &standings()).is_none());
        assert!(table(&withheld, &contest, &standings()).rows.is_empty());
        assert_eq!(says(&withheld, &contest, &standings(), 0), "");
    }

    #[test]
    fn a_history_ends_with_what_the_page_shows() {
        let results = samples::results(2, Some(100), &[Some(30), Some(10)]);
        let versions = |history: PlaceHistory| {
            let history = up_to(history, &results, &results.locations[0]);
            history.points.iter().map(|point| point.version).collect::<Vec<_>>()
        };
        let known = [Some([4, 6]); 5];
        // The newest is read later than the page shows its own, or the page stands still since.
        assert_eq!(versions(history(&known[..2])), [0, 1, 2]);
        assert_eq!(versions(history(&known)), [0, 1, 2]);
        let shown = up_to(history(&known), &results, &results.locations[0]);
        let newest = shown.points.last().unwrap();
        let place = &results.locations[0];
        assert_eq!(
            (newest.votes, newest.turnout, &newest.contests),
            (place.votes, place.turnout, &place.contests)
        );
        let (_, curves) = curves(&shown, &ContestId::new("president"), &standings()).unwrap();
        assert_eq!((curves[0].counts.last(), curves[1].counts.last()), (Some(&30), Some(&10)));
    }

    #[test]
    fn one_version_is_no_history() {
        let contest = ContestId::new("president");
        assert!(curves(&history(&[Some([1, 2])]), &contest, &standings()).is_none());
        assert!(curves(&history(&[Some([1, 2]); 2]), &ContestId::new("mayor"), &standings()).is_none());
        assert_eq!(says(&history(&[]), &contest, &standings(), 0), "");
    }

    #[test]
    fn since_when_somebody_is_in_front_is_said() {
        let said = |votes: &[Option<[u64; 2]>]| {
            says(&history(votes), &ContestId::new("president"), &standings(), 0).replace('\u{202f}', " ")
        };
        assert_eq!(
            said(&[Some([4, 6]), Some([7, 6]), Some([9, 6])]),
            "Candidate 0 has been in front here since 20:16:00 at the latest. Turnout went from 10.0 % at 20:15:00 to 15.0 %."
        );
        assert!(said(&[Some([4, 4]), Some([6, 6])]).starts_with("Turnout went"), "nobody is in front");
    }
}
