//! The map: where each place lies, as a tile or as the outline of it, and what its color says.
//!
//! A tile's text is told from its ground by the style sheet: the ground is the color thinned by `depth`, so dark ink,
//! or light ink in the dark, stands on every shade.

use tallyboard_shared::{
    election::Election,
    ids::{CandidateId, ContestId, LocationId},
    results::{LocationResult, Results},
};

use crate::{
    format,
    order::{sort_by, sort_greatest_first},
    outlines::Outlines,
    places::{self, Lead, PlaceRow},
    say,
    standings::{Standing, Tone},
    table::{Cell, Row, Table},
    texts::{self, tr},
};

/// What the colors mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// Who leads, deeper with the margin.
    #[default]
    Leader,
    /// The share of one candidate.
    Share(CandidateId),
    /// Ballots over electorate.
    Turnout,
    /// How much of the electorate hasn't voted.
    Outstanding,
}

impl Paint {
    /// Reads what [`Self::code`] wrote.
    #[must_use]
    pub fn parse(code: &str) -> Self {
        match code.split_once(':') {
            Some(("share", id)) if !id.is_empty() => Self::Share(CandidateId::new(id)),
            _ if code == "turnout" => Self::Turnout,
            _ if code == "outstanding" => Self::Outstanding,
            _ => Self::Leader,
        }
    }

    /// For addresses; `None` for the default.
    #[must_use]
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Leader => None,
            Self::Share(id) => Some(format!("share:{id}")),
            Self::Turnout => Some("turnout".to_owned()),
            Self::Outstanding => Some("outstanding".to_owned()),
        }
    }
}

/// One place on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// The place.
    pub id: LocationId,
    /// For people.
    pub name: String,
    /// Counted from 1, as in style sheets.
    pub row: u16,
    /// Counted from 1.
    pub column: u16,
    /// The color; `None` where there is nothing to show.
    pub tone: Option<Tone>,
    /// Which pattern stands for the one that the color stands for; `None` where the color is of nobody.
    pub pattern: Option<usize>,
    /// How deep the color is, 0 to 1.
    pub depth: f64,
    /// The figure, in few letters.
    pub figure: String,
    /// The figure in words.
    pub words: String,
}

impl Tile {
    /// The place, in few letters.
    #[must_use]
    pub fn short_id(&self) -> String {
        self.id.as_str().chars().take(4).collect()
    }

    /// The place and what is shown of it, in words.
    #[must_use]
    pub fn meaning(&self) -> String {
        format!("{}: {}", self.name, self.words)
    }

    /// What is said of the place to whoever points at it: with the shares of the first candidates there.
    #[must_use]
    pub fn hint(&self, rows: &[PlaceRow], standings: &[Standing]) -> String {
        let row = rows.iter().find(|row| row.id == self.id);
        let mut shares: Vec<_> = row
            .map_or(&[][..], |row| &row.shares)
            .iter()
            .zip(standings)
            .filter(|(share, _)| **share > 0.0)
            .collect();
        sort_by(&mut shares, |one, other| other.0.total_cmp(one.0));
        let lines = shares
            .into_iter()
            .map(|(share, standing)| format!("\n{} {}", standing.short_name, format::percent(Some(*share))));
        std::iter::once(self.meaning()).chain(lines).collect()
    }

    /// What the place is called for those who don't see it. It begins with what is seen: whoever speaks to the page says
    /// that (WCAG 2.5.3).
    #[must_use]
    pub fn accessible_name(&self) -> String {
        format!("{} {}, {}", self.short_id(), self.figure, self.meaning())
    }
}

/// How many patterns there are.
pub const PATTERNS_LEN: usize = 6;

/// The least depth of a color that says something.
const DEPTH_MIN: f64 = 0.12;

/// The least depth of a leader's color: whose it is must be seen at a glance, however small the margin.
const DEPTH_LED_MIN: f64 = 0.3;

/// The greatest depth: behind it the text on a tile would be hard to read.
const DEPTH_MAX: f64 = 0.55;

/// From this margin on, in points, a leader's color is as deep as it gets.
const MARGIN_FULL_POINTS: f64 = 25.0;

/// The places that have a tile, with its row and column.
#[must_use]
pub fn tiled(election: &Election) -> Vec<(LocationId, [u16; 2])> {
    election.locations.iter().filter_map(|place| Some((place.id.clone(), place.tile?))).collect()
}

/// The places that have an outline, one behind the other: where they lie is for their outlines to say.
#[must_use]
pub fn outlined(outlines: &Outlines) -> Vec<(LocationId, [u16; 2])> {
    (0..=u16::MAX).zip(&outlines.shapes).map(|(number, shape)| (shape.id.clone(), [0, number])).collect()
}

/// What the map shows of the places that are on it, in reading order.
#[must_use]
pub fn tiles(
    placed: &[(LocationId, [u16; 2])],
    results: &Results,
    contest: Option<&ContestId>,
    standings: &[Standing],
    paint: &Paint,
) -> Vec<Tile> {
    let top = placed.iter().map(|(_, [row, _])| *row).min().unwrap_or(0);
    let left = placed.iter().map(|(_, [_, column])| *column).min().unwrap_or(0);
    let rows = places::rows(&results.locations, contest, standings);
    let shares: Vec<_> = results.locations.iter().map(|place| share_of(place, contest, paint)).collect();
    let most_share = shares.iter().flatten().copied().fold(0.0, f64::max);
    let by_id: std::collections::HashMap<_, _> =
        rows.iter().zip(&shares).map(|(row, share)| (&row.id, (row, *share))).collect();
    let patterns = patterns(standings);
    let mut tiles: Vec<_> = placed
        .iter()
        .filter_map(|(id, [row, column])| {
            let (place, share) = by_id.get(id)?;
            let shown = show(place, *share, most_share, standings, paint);
            Some(Tile {
                id: id.clone(),
                name: place.name.clone(),
                row: row - top + 1,
                column: column - left + 1,
                pattern: shown.tone.as_ref().and_then(|tone| pattern_of(&patterns, tone)),
                tone: shown.tone,
                depth: shown.depth,
                figure: shown.figure,
                words: shown.words,
            })
        })
        .collect();
    sort_by(&mut tiles, |one, other| (one.row, one.column).cmp(&(other.row, other.column)));
    tiles
}

/// The candidates' colors in an order that stays while ranks change.
fn patterns(standings: &[Standing]) -> Vec<&Tone> {
    let mut order: Vec<_> = standings.iter().collect();
    sort_by(&mut order, |one, other| one.id.cmp(&other.id));
    order.into_iter().map(|standing| &standing.tone).collect()
}

fn pattern_of(patterns: &[&Tone], tone: &Tone) -> Option<usize> {
    patterns.iter().position(|known| *known == tone).map(|position| position % PATTERNS_LEN)
}

/// The candidates who lead somewhere with their colors and patterns, most votes first.
#[must_use]
pub fn legend(tiles: &[Tile], standings: &[Standing]) -> Vec<(String, Tone, Option<usize>)> {
    let patterns = patterns(standings);
    let leads = |standing: &&Standing| tiles.iter().any(|tile| tile.tone.as_ref() == Some(&standing.tone));
    let leading = standings.iter().filter(leads);
    leading
        .map(|standing| {
            let tone = standing.tone.clone();
            let pattern = pattern_of(&patterns, &tone);
            (standing.short_name.clone(), tone, pattern)
        })
        .collect()
}

/// What the depth of a color says.
#[must_use]
pub fn depth_words(paint: &Paint) -> &'static str {
    match paint {
        Paint::Leader => tr("depth of color: margin"),
        Paint::Share(_) => tr("depth of color: share of the votes there"),
        Paint::Turnout => tr("depth of color: turnout"),
        Paint::Outstanding => tr("depth of color: votes outstanding"),
    }
}

/// The share of the painted candidate in a place.
fn share_of(place: &LocationResult, contest: Option<&ContestId>, paint: &Paint) -> Option<f64> {
    let Paint::Share(id) = paint else { return None };
    let split = place.contests.iter().find(|split| Some(&split.id) == contest)?.votes.as_ref()?;
    let sum: u64 = split.values().sum();
    ratio(split.get(id).copied().unwrap_or(0), sum)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

struct Shown {
    tone: Option<Tone>,
    depth: f64,
    figure: String,
    words: String,
}

fn show(place: &PlaceRow, share: Option<f64>, most: f64, standings: &[Standing], paint: &Paint) -> Shown {
    let graded = |tone: Tone, part: Option<f64>, of: f64, what: &str| Shown {
        tone: part.map(|_| tone),
        depth: part.map_or(0.0, |part| depth(DEPTH_MIN, part / of)),
        figure: part
            .map_or_else(|| format::UNKNOWN.to_owned(), |part| format!("{:.0}\u{202f}%", part * 100.0)),
        words: part.map_or_else(
            || say!("{what} unknown", what = what),
            |part| format!("{what} {}", format::percent(Some(part))),
        ),
    };
    match paint {
        Paint::Leader => lead(&place.lead),
        Paint::Turnout => graded(Tone::Ink, place.turnout, 1.0, tr("turnout")),
        Paint::Outstanding => {
            let outstanding = place.turnout.map(|turnout| (1.0 - turnout).max(0.0));
            graded(Tone::Ink, outstanding, 1.0, tr("not voted"))
        }
        Paint::Share(id) => {
            let standing = standings.iter().find(|standing| standing.id == *id);
            let tone = standing.map_or(Tone::Rest, |standing| standing.tone.clone());
            let name = standing.map_or_else(|| id.to_string(), |standing| standing.short_name.clone());
            graded(tone, share, most.max(f64::MIN_POSITIVE), &name)
        }
    }
}

fn lead(lead: &Lead) -> Shown {
    let plain = |figure: &str, words: &str| Shown {
        tone: None,
        depth: 0.0,
        figure: figure.to_owned(),
        words: words.to_owned(),
    };
    match lead {
        Lead::Nobody => plain(format::UNKNOWN, tr("no votes")),
        Lead::Withheld => plain("…", tr("withheld")),
        Lead::Tied => plain("=", tr("tied")),
        Lead::Led { name, tone, margin_points } => Shown {
            tone: Some(tone.clone()),
            depth: depth(DEPTH_LED_MIN, margin_points / MARGIN_FULL_POINTS),
            figure: name.chars().take(3).collect(),
            words: format!("{name} +{}", format::decimal(*margin_points)),
        },
    }
}

fn depth(least: f64, part: f64) -> f64 {
    least + (DEPTH_MAX - least) * part.clamp(0.0, 1.0)
}

/// The map as a table.
#[must_use]
pub fn table(tiles: &[Tile], href: impl Fn(&LocationId) -> String) -> Table {
    let row = |tile: &Tile| Row {
        name: Cell::text(&*tile.name),
        href: Some(href(&tile.id)),
        cells: vec![Cell::text(&*tile.words)],
    };
    Table {
        first: tr("Place"),
        columns: vec![tr("On the map").to_owned()],
        rows: tiles.iter().map(row).collect(),
    }
}

/// What the map says, in a sentence: in how many places who leads.
#[must_use]
pub fn says(tiles: &[Tile], rows: &[PlaceRow]) -> String {
    let mut ahead: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        if let Lead::Led { name, .. } = &row.lead {
            match ahead.iter_mut().find(|(known, _)| known == name) {
                Some((_, places)) => *places += 1,
                None => ahead.push((name, 1)),
            }
        }
    }
    if ahead.is_empty() && rows.iter().any(|row| matches!(row.lead, Lead::Withheld)) {
        return tr("Withheld: too few ballots, or the polls are still open.").to_owned();
    }
    if ahead.is_empty() {
        let places = format::counted(tiles.len() as u64, "place", "places");
        return say!("{places} on the map; nobody leads in any yet.", places = places);
    }
    sort_greatest_first(&mut ahead, |(_, places)| *places);
    let list: Vec<_> = ahead
        .iter()
        .take(5)
        .map(|(name, places)| say!("{name} in {number}", name = name, number = places))
        .collect();
    let places = format::counted(rows.len() as u64, "place", "places");
    say!("Ahead of everybody else: {list}, of {places}.", list = texts::list(&list), places = places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, standings};
    use tallyboard_shared::election::Location;

    fn painted(paint: &Paint, votes: &[Option<u64>]) -> Vec<Tile> {
        let mut election = samples::election();
        election.locations.push(Location {
            id: LocationId::new("AL"),
            name: "Alder".into(),
            registered_voters: Some(100),
            tile: Some([4, 7]),
            contests: Vec::new(),
            parent: None,
        });
        let results = samples::results(1, Some(100), votes);
        let contest = &results.contests[0];
        tiles(&tiled(&election), &results, Some(&contest.id), &standings::ranked(contest), paint)
    }

    #[track_caller]
    fn check(paint: &Paint, votes: &[Option<u64>], tone: Option<Tone>, depth: f64, words: &str) {
        let tiles = painted(paint, votes);
        let [tile] = tiles.as_slice() else { panic!("one tile, not {tiles:?}") };
        assert_eq!((tile.row, tile.column), (1, 1), "the map begins where the first tile is");
        assert_eq!((&tile.tone, tile.words.replace('\u{202f}', " ")), (&tone, words.to_owned()));
        assert!((tile.depth - depth).abs() < 1e-9, "{}", tile.depth);
    }

    #[test]
    fn colors_mean_what_was_asked_for() {
        let votes = [Some(30), Some(10)];
        check(&Paint::Leader, &votes, Some(Tone::Palette(0)), DEPTH_MAX, "Candidate 0 +50.0");
        let narrow = DEPTH_LED_MIN + 0.4 * (DEPTH_MAX - DEPTH_LED_MIN);
        check(&Paint::Leader, &[Some(55), Some(45)], Some(Tone::Palette(0)), narrow, "Candidate 0 +10.0");
        check(&Paint::Leader, &[Some(5), Some(5)], None, 0.0, "tied");
        check(&Paint::Leader, &[None, None], None, 0.0, "no votes");
        check(
            &Paint::Turnout,
            &votes,
            Some(Tone::Ink),
            DEPTH_MIN + 0.4 * (DEPTH_MAX - DEPTH_MIN),
            "turnout 40.0 %",
        );
        let outstanding = DEPTH_MIN + 0.6 * (DEPTH_MAX - DEPTH_MIN);
        check(&Paint::Outstanding, &votes, Some(Tone::Ink), outstanding, "not voted 60.0 %");
        let share = Paint::Share(CandidateId::new("c1"));
        check(&share, &votes, Some(Tone::Palette(1)), DEPTH_MAX, "Candidate 1 25.0 %");
        check(&share, &[None, None], None, 0.0, "Candidate 1 unknown");
    }

    #[test]
    fn a_tile_is_called_what_is_seen_of_it_and_then_by_its_name() {
        let tiles = painted(&Paint::Leader, &[Some(30), Some(10)]);
        assert_eq!(tiles[0].accessible_name(), "AL Can, Alder: Candidate 0 +50.0");
    }

    #[test]
    fn whoever_points_at_a_place_is_told_the_shares_there_greatest_first() {
        let votes = [Some(10), Some(30), Some(0)];
        let tiles = painted(&Paint::Leader, &votes);
        let results = samples::results(1, Some(100), &votes);
        let contest = &results.contests[0];
        let standings = standings::ranked(contest);
        let rows = places::rows(&results.locations, Some(&contest.id), &standings);
        let hint = tiles[0].hint(&rows, &standings).replace('\u{202f}', " ");
        assert_eq!(hint, "Alder: Candidate 1 +50.0\nCandidate 1 75.0 %\nCandidate 0 25.0 %");
        assert_eq!(tiles[0].hint(&[], &standings), tiles[0].meaning());
    }

    #[test]
    fn who_leads_somewhere_is_in_the_legend_with_a_pattern_that_stays() {
        let standings = |votes: &[Option<u64>]| standings::ranked(&samples::contest(None, votes));
        for votes in [[Some(30), Some(10)], [Some(10), Some(30)]] {
            let tiles = painted(&Paint::Leader, &votes);
            let legend = legend(&tiles, &standings(&votes));
            let Some(Tone::Palette(position)) = &tiles[0].tone else { panic!("{tiles:?}") };
            assert_eq!(legend.len(), 1, "the second leads nowhere");
            assert_eq!((tiles[0].pattern, legend[0].2), (Some(*position), Some(*position)));
        }
        let turnout = painted(&Paint::Turnout, &[Some(30), Some(10)]);
        assert_eq!(turnout[0].pattern, None, "turnout is nobody's");
    }

    #[test]
    fn the_sentence_counts_the_places_that_are_led() {
        let tiles = painted(&Paint::Leader, &[Some(3), Some(1)]);
        let results = samples::results(1, None, &[Some(3), Some(1)]);
        let contest = &results.contests[0];
        let rows = places::rows(&results.locations, Some(&contest.id), &standings::ranked(contest));
        assert_eq!(says(&tiles, &rows), "Ahead of everybody else: Candidate 0 in 1, of 1 place.");
        assert_eq!(says(&tiles, &[]), "1 place on the map; nobody leads in any yet.");
        let withheld = PlaceRow { lead: Lead::Withheld, ..rows[0].clone() };
        assert!(says(&tiles, &[withheld]).starts_with("Withheld"), "nobody is told that nobody leads");
    }
}
