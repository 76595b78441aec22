//! Who stands where in one contest, ready to be drawn: candidates ranked, colored and, for charts, folded.
//!
//! Knows the results and nothing of the page. Colors are either given by the definition or a place in the palette
//! of the style sheet, which light and dark fill differently.

use std::collections::{BTreeMap, HashMap};

use tallyboard_shared::{ids::CandidateId, results::ContestResult};

use crate::{format, order::sort_greatest_first, texts::tr};

/// How many candidates a chart shows by name before the rest is folded into one.
pub const CHART_CANDIDATES_MAX: usize = 8;

/// How many colors the style sheet's palette has: the tokens `--c1` to `--c8`.
pub const PALETTE_LEN: usize = 8;

/// The color that stands for a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tone {
    /// From the definition, `#rrggbb`.
    Given(String),
    /// A color of the palette, by position.
    Palette(usize),
    /// The color of the folded rest.
    Rest,
    /// The color of text: for what isn't a candidate.
    Ink,
}

impl Tone {
    /// As a value in CSS.
    #[must_use]
    pub fn css(&self) -> String {
        match self {
            Self::Given(color) => color.clone(),
            Self::Palette(position) => format!("var(--c{})", position + 1),
            Self::Rest => "var(--rest)".to_owned(),
            Self::Ink => "var(--soft)".to_owned(),
        }
    }

    fn of(color: Option<&str>, position: usize) -> Self {
        // Whatever isn't a plain color never gets into a style.
        let given = color.filter(|color| {
            color.len() == 7
                && color.starts_with('#')
                && color[1..].bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        given.map_or(Self::Palette(position % PALETTE_LEN), |color| Self::Given(color.to_owned()))
    }
}

/// One candidate, or the folded rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The candidate; the folded rest has an id that no candidate has.
    pub id: CandidateId,
    /// For people.
    pub name: String,
    /// For labels in charts.
    pub short_name: String,
    /// The party, where there is one.
    pub party: Option<String>,
    /// A picture that may be loaded, where there is one.
    pub photo_url: Option<String>,
    /// The candidate's color.
    pub tone: Tone,
    /// Votes counted; `None` while withheld.
    pub votes: Option<u64>,
    /// Of the contest's votes, 0 to 1.
    pub share: Option<f64>,
}

/// The candidates of a contest, most votes first, equals in ballot order.
#[must_use]
pub fn ranked(contest: &ContestResult) -> Vec<Standing> {
    let mut standings: Vec<_> = contest
        .candidates
        .iter()
        .enumerate()
        .map(|(position, candidate)| Standing {
            id: candidate.id.clone(),
            name: candidate.name.clone(),
            short_name: format::short_name(&candidate.name),
            party: candidate.party.clone(),
            photo_url: candidate.photo_url.clone().filter(|url| is_picture_address(url)),
            tone: Tone::of(candidate.color.as_deref(), position),
            votes: candidate.votes,
            share: candidate.share,
        })
        .collect();
    tell_apart(&mut standings);
    sort_greatest_first(&mut standings, |standing| standing.votes);
    standings
}

/// The candidates of a contest as they stand in one place, most votes there first; figures are `None` where they are
/// withheld.
#[must_use]
pub fn ranked_in(contest: &ContestResult, votes: Option<&BTreeMap<CandidateId, u64>>) -> Vec<Standing> {
    let mut there = contest.clone();
    there.votes = votes.map_or(0, |votes| votes.values().sum());
    for candidate in &mut there.candidates {
        candidate.votes = votes.map(|votes| votes.get(&candidate.id).copied().unwrap_or(0));
        candidate.share = candidate.votes.and_then(|votes| share(votes, there.votes));
    }
    ranked(&there)
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn share(votes: u64, sum: u64) -> Option<f64> {
    (sum > 0).then(|| votes as f64 / sum as f64)
}

/// Two with the same last name are labeled by their whole names.
fn tell_apart(standings: &mut [Standing]) {
    let mut bearers = HashMap::<String, usize>::new();
    for standing in standings.iter() {
        *bearers.entry(standing.short_name.clone()).or_default() += 1;
    }
    for standing in standings {
        if bearers.get(&standing.short_name).is_some_and(|count| *count > 1) {
            standing.short_name = format::label(&standing.name);
        }
    }
}

/// Pictures may come out of votes: only `https:` and paths of this site are loaded.
fn is_picture_address(url: &str) -> bool {
    url.starts_with("https://") || (url.starts_with('/') && !url.starts_with("//"))
}

/// Whether the figures of the candidates are withheld.
#[must_use]
pub fn is_withheld(contest: &ContestResult) -> bool {
    contest.candidates.iter().any(|candidate| candidate.votes.is_none())
}

/// The first `max` standings, the others summed up as one where there are more.
#[must_use]
pub fn folded(standings: &[Standing], max: usize) -> Vec<Standing> {
    let (shown, rest) = standings.split_at(max.min(standings.len()));
    let mut shown = shown.to_vec();
    match rest {
        [] => {}
        [only] => shown.push(only.clone()),
        _ => shown.push(Standing {
            id: CandidateId::new(""),
            name: format::counted(rest.len() as u64, "other", "others"),
            short_name: tr("Others").to_owned(),
            party: None,
            photo_url: None,
            tone: Tone::Rest,
            votes: rest.iter().map(|standing| standing.votes).sum(),
            share: rest.iter().map(|standing| standing.share).sum(),
        }),
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    #[test]
    fn most_votes_come_first_and_equals_in_ballot_order() {
        let contest = samples::contest(None, &[Some(5), Some(9), Some(5), Some(7)]);
        let ids: Vec<_> = ranked(&contest).into_iter().map(|standing| standing.id).collect();
        assert_eq!(ids, ["c1", "c3", "c0", "c2"].map(CandidateId::new));
    }

    #[test]
    fn a_place_has_an_order_of_its_own() {
        let contest = samples::contest(None, &[Some(5), Some(9)]);
        let votes = [("c0", 3), ("c1", 1)].map(|(id, votes)| (CandidateId::new(id), votes)).into();
        let there = ranked_in(&contest, Some(&votes));
        assert_eq!((there[0].id.as_str(), there[0].votes, there[0].share), ("c0", Some(3), Some(0.75)));
        assert_eq!(there[0].tone, Tone::Palette(0), "colors are those of the whole contest");
        assert!(ranked_in(&contest, None).iter().all(|standing| standing.votes.is_none()));
    }

    #[test]
    fn the_same_last_name_twice_is_told_apart() {
        let mut contest = samples::contest(None, &[Some(3), Some(2), Some(1)]);
        for (candidate, name) in
            contest.candidates.iter_mut().zip(["Ana Petrov", "Ivo Petrov", "Leila Haddad"])
        {
            candidate.name = name.to_owned();
        }
        let labels: Vec<_> = ranked(&contest).into_iter().map(|standing| standing.short_name).collect();
        assert_eq!(labels, ["Ana Petrov", "Ivo Petrov", "Haddad"]);
    }

    #[test]
    fn the_rest_is_summed_up() {
        let contest = samples::contest(None, &[Some(50), Some(30), Some(15), Some(5)]);
        let shown = folded(&ranked(&contest), 2);
        let rest = shown.last().unwrap();
        assert_eq!((shown.len(), rest.votes, rest.name.as_str()), (3, Some(20), "2 others"));
        assert_eq!(rest.share, Some(0.2));
        assert_eq!(folded(&ranked(&contest), 3).len(), 4, "one alone keeps its name");
        assert_eq!(folded(&ranked(&contest), 9).len(), 4);
    }

    #[test]
    fn colors_of_the_definition_win_and_nothing_else_gets_in() {
        assert_eq!(Tone::of(Some("#0072b2"), 3), Tone::Given("#0072b2".into()));
        assert_eq!(Tone::of(Some("red;background:url(x)"), 3), Tone::Palette(3));
        assert_eq!(Tone::of(None, 9), Tone::Palette(1));
        assert_eq!(Tone::Palette(1).css(), "var(--c2)");
    }

    #[test]
    fn pictures_come_from_https_or_this_site() {
        for (url, allowed) in [
            ("https://example.org/a.jpg", true),
            ("/photos/a.jpg", true),
            ("//example.org/a.jpg", false),
            ("http://example.org/a.jpg", false),
            ("data:image/svg+xml,x", false),
        ] {
            assert_eq!(is_picture_address(url), allowed, "{url}");
        }
    }
}
