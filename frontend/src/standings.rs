//! Who stands where in one contest, ready to be drawn: candidates ranked, colored and, for charts, folded.
//!
//! Knows the results and nothing of the page. Colors are either given by the definition or a place in the palette
//! of the style sheet, which light and dark fill differently.

use std::collections::HashMap;

use tallyboard_shared::{ids::CandidateId, results::ContestResult};

use crate::format;

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
}

impl Tone {
    /// As a value in CSS.
    #[must_use]
    pub fn css(&self) -> String {
        match self {
            Self::Given(color) => color.clone(),
            Self::Palette(position) => format!("var(--c{})", position + 1),
            Self::Rest => "var(--rest)".to_owned(),
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
    standings.sort_by_key(|standing| std::cmp::Reverse(standing.votes));
    standings
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
            name: format!("{} others", rest.len()),
            short_name: "Others".to_owned(),
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
