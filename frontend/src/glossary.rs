//! What the words for figures mean: units and definitions, for whoever asks. One meaning for one word, on all screens.

use crate::texts::tr;

/// A word that is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Votes counted.
    Counted,
    /// Registered voters.
    Electorate,
    /// Ballots over electorate.
    Turnout,
    /// Voters without a ballot.
    Outstanding,
    /// Votes that were rejected.
    NotCounted,
    /// A second vote.
    Duplicate,
    /// Votes that came late.
    Late,
    /// Up to when votes are expected to be complete.
    Watermark,
    /// Records that aren't in the figures.
    Lag,
    /// Of the votes counted.
    Share,
    /// Whether the first can still be caught.
    Decided,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 11] = [
        Self::Counted,
        Self::Electorate,
        Self::Turnout,
        Self::Outstanding,
        Self::NotCounted,
        Self::Duplicate,
        Self::Late,
        Self::Watermark,
        Self::Lag,
        Self::Share,
        Self::Decided,
    ];

    /// The term that explains a figure, by the figure's id.
    #[must_use]
    pub fn of_figure(id: &str) -> Option<Self> {
        match id {
            "total-votes" | "ballots" => Some(Self::Counted),
            "total-registered" | "registered" => Some(Self::Electorate),
            "total-turnout" | "turnout" => Some(Self::Turnout),
            "total-outstanding" | "outstanding" => Some(Self::Outstanding),
            "total-rejected" | "rejected" => Some(Self::NotCounted),
            "duplicates" => Some(Self::Duplicate),
            "late" => Some(Self::Late),
            "watermark" => Some(Self::Watermark),
            "lag" => Some(Self::Lag),
            _ => None,
        }
    }

    /// For addresses in the page and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Electorate => "electorate",
            Self::Turnout => "turnout",
            Self::Outstanding => "outstanding",
            Self::NotCounted => "not-counted",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Watermark => "watermark",
            Self::Lag => "lag",
            Self::Share => "share",
            Self::Decided => "decided",
        }
    }

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counted => tr("Votes counted"),
            Self::Electorate => tr("Registered voters"),
            Self::Turnout => tr("Turnout"),
            Self::Outstanding => tr("Not voted"),
            Self::NotCounted => tr("Not counted"),
            Self::Duplicate => tr("Voted before"),
            Self::Late => tr("Late, counted"),
            Self::Watermark => tr("Watermark"),
            Self::Lag => tr("Still to count"),
            Self::Share => tr("Share"),
            Self::Decided => tr("Decided"),
        }
    }

    /// What it means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Counted => tr(
                "Votes that passed every rule, late ones among them. A voter's first vote in a contest counts.",
            ),
            Self::Electorate => tr(
                "Everyone who may vote there, as the definition of the election says; it doesn't change during the count.",
            ),
            Self::Turnout => tr(
                "Ballots counted, divided by registered voters. It is no forecast: it grows until the last ballot is counted.",
            ),
            Self::Outstanding => tr(
                "Registered voters less ballots counted: those who haven't voted, and those whose vote hasn't arrived.",
            ),
            Self::NotCounted => tr(
                "Votes that were read and broke a rule. Each is kept with its reason, and none of them is in the results.",
            ),
            Self::Duplicate => tr(
                "A further vote of somebody whose vote in this contest is counted already. The first one stands.",
            ),
            Self::Late => tr(
                "Votes cast before the watermark and read after it. They are in the totals, and their part of the timeline was corrected.",
            ),
            Self::Watermark => tr(
                "The newest time of a vote, less the lateness that the definition allows, in the part of the count that is furthest behind.",
            ),
            Self::Lag => tr("Votes that have been cast and stored, and aren't in these figures yet."),
            Self::Share => tr(
                "Of the votes counted so far. It is no probability of winning, and says nothing about votes that are outstanding.",
            ),
            Self::Decided => tr(
                "Decided is a contest in which the registered voters who haven't voted are fewer than the votes between the first and the second.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_term_has_a_meaning_of_its_own() {
        let codes: HashSet<_> = Term::ALL.iter().map(|term| term.code()).collect();
        let meanings: HashSet<_> = Term::ALL.iter().map(|term| term.meaning()).collect();
        assert_eq!((codes.len(), meanings.len()), (Term::ALL.len(), Term::ALL.len()));
        assert!(Term::ALL.iter().all(|term| term.meaning().len() > term.word().len()));
    }

    #[test]
    fn a_share_is_never_called_a_chance() {
        assert!(Term::Share.meaning().contains("no probability"));
        assert_eq!(Term::of_figure("total-turnout"), Some(Term::Turnout));
        assert_eq!(Term::of_figure("version"), None);
    }
}
