//! The colors and type of the style sheet, as the charts need them: values instead of tokens.
//!
//! The style sheet stays the one place where they are decided; `charts` reads them from the page and hands them to
//! the builders, which therefore need no page.

use crate::standings::{PALETTE_LEN, Tone};

/// The tokens that are read from the page, in the order of [`Palette::from_tokens`].
pub const TOKENS: [&str; 5 + PALETTE_LEN] = [
    "--ink", "--soft", "--hair", "--card", "--rest", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7",
    "--c8",
];

/// Values for charts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    /// Text.
    pub ink: String,
    /// Text of less weight.
    pub soft: String,
    /// Lines.
    pub hair: String,
    /// The ground of a panel.
    pub card: String,
    /// The folded rest.
    pub rest: String,
    /// Candidates without a color of their own.
    pub candidates: Vec<String>,
    /// Whether the reader wants nothing to move.
    pub still: bool,
    /// Whether patterns tell what colors tell.
    pub patterns: bool,
}

impl Palette {
    /// Takes the values of [`TOKENS`], in that order.
    #[must_use]
    pub fn from_tokens(mut values: impl Iterator<Item = String>, still: bool, patterns: bool) -> Self {
        let mut next = || values.next().unwrap_or_default();
        Self {
            ink: next(),
            soft: next(),
            hair: next(),
            card: next(),
            rest: next(),
            candidates: values.collect(),
            still,
            patterns,
        }
    }

    /// The color of a candidate.
    #[must_use]
    pub fn paint<'a>(&'a self, tone: &'a Tone) -> &'a str {
        match tone {
            Tone::Given(color) => color,
            Tone::Palette(position) => self.candidates.get(*position).unwrap_or(&self.rest),
            Tone::Rest => &self.rest,
            Tone::Ink => &self.soft,
        }
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Palette {
    Palette::from_tokens(TOKENS.iter().map(ToString::to_string), false, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_painted_from_the_tokens() {
        let palette = sample();
        assert_eq!(palette.paint(&Tone::Palette(7)), "--c8");
        assert_eq!(palette.paint(&Tone::Rest), "--rest");
        assert_eq!(palette.paint(&Tone::Given("#123456".into())), "#123456");
        assert_eq!(palette.card, "--card");
    }
}
