//! The race: what each candidate had at the end of every window of the timeline, and the lead of one over another.
//!
//! Times are those at which votes were cast, so a vote that arrives late moves the past.

use std::collections::HashMap;

use tallyboard_shared::{
    ids::{CandidateId, ContestId},
    timeline::{Timeline, WindowContest},
};

use crate::{
    format, say,
    standings::{Standing, Tone},
    table::{Cell, Row, Table},
    texts::tr,
};

/// The sums at the end of each window, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Race {
    /// The width of the windows.
    pub width_ms: i64,
    /// The end of each window, in milliseconds since 1970; the first is the beginning, with no votes.
    pub times_ms: Vec<i64>,
    /// For each standing, its votes at each of the times.
    pub votes: Vec<Vec<u64>>,
    /// How many of the times are final: only late votes change them.
    pub settled: usize,
}

/// The sums of some standings, the folded rest among them; `None` where there are no votes or any are withheld.
#[must_use]
pub fn race(timeline: &Timeline, contest: &ContestId, standings: &[Standing]) -> Option<Race> {
    let windows: Vec<_> =
        timeline.windows.iter().filter_map(|window| Some((window, window.contests.get(contest)?))).collect();
    let (first, _) = windows.first()?;
    let positions: HashMap<&CandidateId, usize> =
        standings.iter().enumerate().map(|(position, standing)| (&standing.id, position)).collect();
    let rest = standings.iter().position(|standing| standing.tone == Tone::Rest);
    let mut race = Race {
        width_ms: timeline.width_ms,
        times_ms: vec![first.start.as_millisecond()],
        votes: vec![vec![0]; standings.len()],
        settled: 1,
    };
    let mut sums = vec![0; standings.len()];
    for (window, counted) in windows {
        race.pause_until(window.start.as_millisecond(), &sums, window.is_final);
        add(&mut sums, counted, &positions, rest)?;
        race.times_ms.push(window.start.as_millisecond() + timeline.width_ms);
        for (line, sum) in race.votes.iter_mut().zip(&sums) {
            line.push(*sum);
        }
        race.settled += usize::from(window.is_final);
    }
    Some(race)
}

fn add(
    sums: &mut [u64],
    counted: &WindowContest,
    positions: &HashMap<&CandidateId, usize>,
    rest: Option<usize>,
) -> Option<()> {
    for (candidate, votes) in counted.candidates.as_ref()? {
        if let Some(position) = positions.get(candidate).copied().or(rest) {
            sums[position] += votes;
        }
    }
    Some(())
}

impl Race {
    /// Says that nothing was cast before `start_ms`, where windows are left out: a line rises with the votes, and stands
    /// still without them.
    fn pause_until(&mut self, start_ms: i64, sums: &[u64], is_final: bool) {
        if self.times_ms.last().is_none_or(|end_ms| *end_ms >= start_ms) {
            return;
        }
        self.times_ms.push(start_ms);
        for (line, sum) in self.votes.iter_mut().zip(sums) {
            line.push(*sum);
        }
        self.settled += usize::from(is_final);
    }

    /// All votes at a time.
    #[must_use]
    pub fn sum(&self, time: usize) -> u64 {
        self.votes.iter().filter_map(|line| line.get(time)).sum()
    }

    /// The share of a standing at a time, 0 to 1; `None` before the first vote.
    #[must_use]
    pub fn share(&self, standing: usize, time: usize) -> Option<f64> {
        ratio(*self.votes.get(standing)?.get(time)?, self.sum(time))
    }

    /// The time before the race can be drawn: with less than a hundredth of the votes, a few early ballots would take
    /// up most of the width. Nothing is lost, because sums go on from there.
    #[must_use]
    pub fn beginning(&self) -> usize {
        let newest = self.times_ms.len().saturating_sub(1);
        let total = self.sum(newest);
        let first = (0..newest).find(|time| self.sum(*time) * 100 >= total);
        first.unwrap_or(newest).saturating_sub(1)
    }

    /// The race as a table, newest first.
    #[must_use]
    pub fn table(&self, standings: &[Standing]) -> Table {
        let names = standings.iter().map(|standing| &standing.name);
        let columns = names.flat_map(|name| [name.clone(), say!("{name}, share", name = name)]).collect();
        let row = |time: usize| Row {
            name: Cell::Time(self.times_ms[time]),
            href: None,
            cells: (0..standings.len())
                .flat_map(|standing| {
                    [Cell::Count(Some(self.votes[standing][time])), Cell::Share(self.share(standing, time))]
                })
                .collect(),
        };
        Table { first: tr("Cast until"), columns, rows: (0..self.times_ms.len()).rev().map(row).collect() }
    }

    /// What the race says: who was first since when.
    #[must_use]
    pub fn says(&self, standings: &[Standing], offset_minutes: i32) -> String {
        let Some(last) = self.times_ms.len().checked_sub(1).filter(|last| self.sum(*last) > 0) else {
            return tr("No votes yet.").to_owned();
        };
        let first_at = |time: usize| {
            let most = self.votes.iter().map(|line| line[time]).max().unwrap_or(0);
            let mut first = (0..self.votes.len()).filter(|position| self.votes[*position][time] == most);
            // Two at once are nobody in front; the folded rest isn't anybody either.
            first.next().filter(|position| {
                first.next().is_none()
                    && most > 0
                    && standings.get(*position).is_some_and(|standing| standing.tone != Tone::Rest)
            })
        };
        let Some(leader) = first_at(last) else { return tr("Nobody is alone in front.").to_owned() };
        let name = &standings[leader].name;
        let beginning = self.beginning();
        let before = (beginning..last).rev().find(|time| first_at(*time) != Some(leader));
        match before.filter(|before| *before != beginning) {
            None => say!("{name} has been in front from the first votes on.", name = name),
            Some(before) => {
                let since = Cell::Time(self.times_ms[before + 1]).words(offset_minutes);
                say!(
                    "{name} has been in front since {time}, by the time at which votes were cast.",
                    name = name,
                    time = since
                )
            }
        }
    }

    /// The votes that one standing is ahead of another, at each time.
    #[must_use]
    pub fn leads(&self, one: usize, other: usize) -> Vec<i64> {
        let (Some(one), Some(other)) = (self.votes.get(one), self.votes.get(other)) else {
            return Vec::new();
        };
        one.iter().zip(other).map(|(one, other)| signed(*one) - signed(*other)).collect()
    }
}

fn signed(votes: u64) -> i64 {
    i64::try_from(votes).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Two candidates side by side, with the places in which each has more than the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Duel {
    /// The first and the second.
    pub pair: [Standing; 2],
    /// Places in which each has more than the other.
    pub places: [usize; 2],
    /// Votes that the first is ahead; `None` while withheld.
    pub lead: Option<i64>,
}

impl Duel {
    /// What stands between the two.
    #[must_use]
    pub fn says(&self) -> String {
        let [one, other] = &self.pair;
        let Some(lead) = self.lead else { return tr("Withheld until the polls close.").to_owned() };
        let (ahead, behind) = if lead < 0 { (other, one) } else { (one, other) };
        let places = self.places_say();
        if lead == 0 {
            let same =
                say!("{one} and {other} have the same number of votes.", one = one.name, other = other.name);
            return places.map_or_else(|| same.clone(), |places| format!("{same} {places}"));
        }
        let votes = format::counted(lead.unsigned_abs(), "vote", "votes");
        let (name, other) = (&ahead.name, &behind.name);
        let lead = match (ahead.share, behind.share) {
            (Some(ahead), Some(behind)) => {
                let points = format::decimal((ahead - behind) * 100.0);
                say!(
                    "{name} is {votes} ({points} points) ahead of {other}.",
                    name = name,
                    votes = votes,
                    points = points,
                    other = other
                )
            }
            _ => say!("{name} is {votes} ahead of {other}.", name = name, votes = votes, other = other),
        };
        places.map_or_else(|| lead.clone(), |places| format!("{lead} {places}"))
    }

    /// Where each has more votes; `None` where neither has anywhere.
    fn places_say(&self) -> Option<String> {
        let [one, other] = &self.pair;
        let places = |count: usize| format::counted(count as u64, "place", "places");
        let everywhere = |one: &Standing, other: &Standing, count| {
            say!(
                "{one} has more votes than {other} in {places}, {other} in none.",
                one = one.name,
                other = other.name,
                places = places(count)
            )
        };
        match self.places {
            [0, 0] => None,
            [count, 0] => Some(everywhere(one, other, count)),
            [0, count] => Some(everywhere(other, one, count)),
            [count, number] => Some(say!(
                "{one} has more votes than {other} in {places}, {other} in {number}.",
                one = one.name,
                other = other.name,
                places = places(count),
                number = format::count(number as u64)
            )),
        }
    }
}

/// Sets two candidates side by side.
#[must_use]
pub fn duel(
    standings: &[Standing],
    rivals: &[Option<CandidateId>; 2],
    locations: &[tallyboard_shared::results::LocationResult],
    contest: &ContestId,
) -> Option<Duel> {
    let chosen = |id: &Option<CandidateId>| {
        let id = id.as_ref()?;
        standings.iter().position(|standing| standing.id == *id)
    };
    let one = chosen(&rivals[0]).unwrap_or(0);
    // The second is somebody else, whoever was asked for.
    let other = chosen(&rivals[1]).filter(|other| *other != one).unwrap_or(usize::from(one == 0));
    let pair = [standings.get(one)?.clone(), standings.get(other)?.clone()];
    let mut places = [0; 2];
    for place in locations {
        let split = place.contests.iter().find(|split| split.id == *contest);
        let Some(votes) = split.and_then(|split| split.votes.as_ref()) else { continue };
        let of = |standing: &Standing| votes.get(&standing.id).copied().unwrap_or(0);
        match of(&pair[0]).cmp(&of(&pair[1])) {
            std::cmp::Ordering::Greater => places[0] += 1,
            std::cmp::Ordering::Less => places[1] += 1,
            std::cmp::Ordering::Equal => {}
        }
    }
    let lead = pair[0].votes.zip(pair[1].votes).map(|(one, other)| signed(one) - signed(other));
    Some(Duel { pair, places, lead })
}

/// The lead of the first over the second as a table, newest first.
#[must_use]
pub fn duel_table(race: &Race, leads: &[i64], pair: &[Standing; 2]) -> Table {
    let times = race.times_ms.iter().zip(leads).rev();
    let row = |(time_ms, lead): (&i64, &i64)| Row {
        name: Cell::Time(*time_ms),
        href: None,
        cells: vec![Cell::Difference(*lead)],
    };
    let column = say!("{one} ahead of {other}", one = pair[0].name, other = pair[1].name);
    Table { first: tr("Cast until"), columns: vec![column], rows: times.map(row).collect() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{board::samples, standings};
    use tallyboard_shared::timeline::Window;

    pub(crate) fn timeline(windows: &[&[u64]]) -> Timeline {
        let window = |(minute, votes): (usize, &&[u64])| {
            let candidates = votes
                .iter()
                .enumerate()
                .map(|(number, votes)| (CandidateId::new(format!("c{number}")), *votes));
            let counted = WindowContest { votes: votes.iter().sum(), candidates: Some(candidates.collect()) };
            Window {
                start: samples::time(minute as u64 * 60),
                is_final: minute == 0,
                contests: [(ContestId::new("president"), counted)].into(),
            }
        };
        Timeline {
            version: 1,
            watermark: None,
            width_ms: 60_000,
            windows: windows.iter().enumerate().map(window).collect(),
        }
    }

    fn ranked(votes: &[u64]) -> Vec<Standing> {
        let votes: Vec<_> = votes.iter().copied().map(Some).collect();
        standings::ranked(&samples::contest(None, &votes))
    }

    #[test]
    fn sums_grow_window_by_window_and_the_rest_is_folded() {
        let timeline = timeline(&[&[1, 3, 1, 0], &[5, 1, 0, 1]]);
        let standings = standings::folded(&ranked(&[6, 4, 1, 1]), 2);
        let race = race(&timeline, &ContestId::new("president"), &standings).unwrap();
        assert_eq!(race.votes, [[0, 1, 6], [0, 3, 4], [0, 1, 2]]);
        assert_eq!((race.sum(2), race.share(0, 2), race.share(0, 0)), (12, Some(0.5), None));
        assert_eq!((race.times_ms.len(), race.settled), (3, 2));
        assert_eq!((race.leads(0, 1), race.beginning()), (vec![0, -2, 2], 0));
        let table = race.table(&standings);
        assert_eq!(table.rows[0].cells[0], Cell::Count(Some(6)), "the newest comes first");
        assert_eq!(
            race.says(&standings, 0),
            "Candidate 0 has been in front since 20:17:00, by the time at which votes were cast."
        );
    }

    #[test]
    fn a_few_early_ballots_do_not_take_up_the_width() {
        let standings = ranked(&[1_000, 500]);
        let early: Vec<&[u64]> = vec![&[0, 1], &[1, 0], &[0, 1], &[500, 200], &[499, 298]];
        let race = race(&timeline(&early), &ContestId::new("president"), &standings).unwrap();
        assert_eq!((race.times_ms.len(), race.beginning()), (6, 3));
        assert_eq!(race.says(&standings, 0), "Candidate 0 has been in front from the first votes on.");
        assert_eq!(race.table(&standings).rows.len(), 6, "the table has every window");
    }

    #[test]
    fn the_race_stands_still_while_nobody_votes() {
        let mut timeline = timeline(&[&[1, 3], &[9, 9], &[9, 9], &[4, 0]]);
        timeline.windows.drain(1..3);
        let race = race(&timeline, &ContestId::new("president"), &ranked(&[5, 3])).unwrap();
        assert_eq!(race.votes, [[0, 1, 1, 5], [0, 3, 3, 3]]);
        let minutes: Vec<_> =
            race.times_ms.iter().map(|end_ms| (end_ms - race.times_ms[0]) / 60_000).collect();
        assert_eq!((minutes, race.settled), (vec![0, 1, 3, 4], 2));
    }

    #[test]
    fn withheld_windows_make_no_race() {
        let mut timeline = timeline(&[&[1], &[2]]);
        let contest = ContestId::new("president");
        assert!(race(&timeline, &ContestId::new("mayor"), &ranked(&[3])).is_none());
        if let Some(window) = timeline.windows[1].contests.get_mut(&contest) {
            window.candidates = None;
        }
        assert!(race(&timeline, &contest, &ranked(&[3])).is_none());
    }

    #[test]
    fn nobody_is_called_first_who_is_not() {
        let contest = ContestId::new("president");
        let says = |windows: &[&[u64]], votes: &[u64]| {
            let standings = ranked(votes);
            race(&timeline(windows), &contest, &standings).unwrap().says(&standings, 0)
        };
        assert_eq!(says(&[&[2, 2]], &[2, 2]), "Nobody is alone in front.");
        assert_eq!(says(&[&[0, 0]], &[0, 0]), "No votes yet.");
        assert_eq!(
            says(&[&[3, 1], &[1, 1]], &[4, 2]),
            "Candidate 0 has been in front from the first votes on."
        );
    }

    #[test]
    fn a_duel_is_between_two() {
        let results = samples::results(1, None, &[Some(30), Some(10), Some(20)]);
        let contest = &results.contests[0];
        let standings = standings::ranked(contest);
        let between = |one: Option<&str>, other: Option<&str>| {
            let rivals = [one, other].map(|id| id.map(CandidateId::new));
            duel(&standings, &rivals, &results.locations, &contest.id).unwrap()
        };
        let first_two = between(None, None);
        assert_eq!((first_two.lead, first_two.places), (Some(10), [1, 0]));
        assert_eq!(
            first_two.says(),
            "Candidate 0 is 10 votes (16.7 points) ahead of Candidate 2. Candidate 0 has more votes than Candidate 2 \
             in 1 place, Candidate 2 in none."
        );
        assert_eq!(between(Some("c1"), Some("c0")).lead, Some(-20));
        let same = between(Some("c0"), Some("c0"));
        assert_eq!(same.pair.map(|standing| standing.id), ["c0", "c2"].map(CandidateId::new));
        assert!(duel(&standings[..1], &[None, None], &[], &contest.id).is_none());
    }
}
