//! Figures and names for a terminal.

use tallyboard_shared::{
    election::Mode,
    results::{CandidateResult, ContestResult, CountStatus},
};

/// A count with commas between thousands.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut written = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// A ratio in percent; a dash where it is unknown.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".into(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// A text without anything that a terminal would obey: names may come from whoever votes.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Simulation => "SIMULATION: made-up votes",
        Mode::Test => "TEST",
        Mode::Live => "live election",
    }
}

pub(super) fn status(status: CountStatus) -> &'static str {
    match status {
        CountStatus::BeforeOpen => "polls not open yet",
        CountStatus::Counting => "counting",
        CountStatus::Closed => "polls closed",
    }
}

/// The candidates of a contest, most votes first; those with equally many in ballot order.
pub(super) fn ranked(contest: &ContestResult) -> Vec<&CandidateResult> {
    let mut ranked: Vec<_> = contest.candidates.iter().collect();
    ranked.sort_by_key(|candidate| std::cmp::Reverse(candidate.votes));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_name_gives_a_terminal_no_orders() {
        assert_eq!(plain("Ada\u{1b}[2J\nLovelace"), "Ada\u{fffd}[2J\u{fffd}Lovelace");
    }
}
