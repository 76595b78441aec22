//! The results as a screen of their own, drawn anew where something is new.

use std::io::Write;

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    execute, queue,
    style::Print,
    terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen},
};
use tallyboard_shared::results::{ContestResult, Results};

use super::{
    View,
    board::Board,
    format::{count, mode, percent, plain, ranked, status},
};

/// Where the size of the terminal isn't known.
const SIZE: (u16, u16) = (80, 24);

/// Names take so many columns, at most.
const NAME_COLUMNS: usize = 32;

/// A screen, until it goes out of scope.
pub(super) struct Screen<W: Write> {
    out: W,
    contest: Option<String>,
}

impl<W: Write> Screen<W> {
    /// Takes the terminal's other screen, so that what was there comes back.
    pub(super) fn open(mut out: W, contest: Option<String>) -> std::io::Result<Self> {
        execute!(out, EnterAlternateScreen, Hide)?;
        Ok(Self { out, contest })
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        // A terminal that is gone needs no order.
        drop(execute!(self.out, Show, LeaveAlternateScreen));
    }
}

impl<W: Write> View for Screen<W> {
    fn show(&mut self, board: &Board) -> std::io::Result<()> {
        // A terminal that isn't shown anywhere has no size.
        let size = terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0);
        let (columns, rows) = size.unwrap_or(SIZE);
        for (row, line) in (0..rows).zip(lines(board, self.contest.as_deref(), columns.into())) {
            let line: String = line.chars().take(columns.into()).collect();
            queue!(self.out, MoveTo(0, row), Print(line), Clear(ClearType::UntilNewLine))?;
        }
        queue!(self.out, Clear(ClearType::FromCursorDown))?;
        self.out.flush()
    }
}

/// What there is to see, line by line.
fn lines(board: &Board, contest: Option<&str>, columns: usize) -> Vec<String> {
    let Some(results) = &board.results else {
        return vec![format!("Nothing published yet; {}", board.freshness())];
    };
    let mut lines = vec![
        format!("{} · {}", plain(&results.election.title), mode(results.election.mode)),
        format!(
            "version {} · {} · {} · {}",
            count(results.version),
            results.as_of.strftime("%Y-%m-%d %H:%M:%S UTC"),
            status(results.status),
            board.freshness(),
        ),
        totals(results),
    ];
    for known in
        results.contests.iter().filter(|known| contest.is_none_or(|wanted| known.id.as_str() == wanted))
    {
        lines.push(String::new());
        lines.extend(contest_lines(known, columns));
    }
    lines
}

fn totals(results: &Results) -> String {
    let totals = &results.totals;
    let registered =
        totals.registered_voters.map_or_else(String::new, |registered| format!(" of {}", count(registered)));
    format!(
        "{} votes · turnout {}{registered} · {} late · {} rejected",
        count(totals.votes),
        percent(totals.turnout),
        count(totals.late),
        count(totals.rejected_sum()),
    )
}

fn contest_lines(contest: &ContestResult, columns: usize) -> Vec<String> {
    let decided = contest.leader.as_ref().is_some_and(|leader| leader.decided == Some(true));
    let decided = if decided { " · decided" } else { "" };
    let mut lines = vec![format!("{} · {} votes{decided}", plain(&contest.title), count(contest.votes))];
    for candidate in ranked(contest) {
        let party = candidate.party.as_ref().map_or_else(String::new, |party| format!(" ({})", plain(party)));
        let name: String = format!("{}{party}", plain(&candidate.name)).chars().take(NAME_COLUMNS).collect();
        let votes = candidate.votes.map_or_else(|| "withheld".into(), count);
        let figures = format!("  {name:NAME_COLUMNS$} {votes:>12} {:>8} ", percent(candidate.share));
        let bar = bar(candidate.share, columns.saturating_sub(figures.chars().count()));
        lines.push(figures + &bar);
    }
    lines
}

/// A bar of the share of so many columns.
fn bar(share: Option<f64>, columns: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a number of columns"
    )]
    let filled = (share.unwrap_or(0.0).clamp(0.0, 1.0) * columns as f64).round() as usize;
    "█".repeat(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::board::tests::{results, welcome};

    #[test]
    fn a_screen_shows_who_leads_by_how_much_and_what_kind_of_election_it_is() {
        let mut board = Board::default();
        assert_eq!(lines(&board, None, 80), ["Nothing published yet; not connected: trying again"]);
        board.is_connected = true;
        board.take(welcome(results(1234, [1000, 3000]))).unwrap();
        let lines = lines(&board, None, 80);
        assert_eq!(lines[0], "President of the Republic of Marenne · SIMULATION: made-up votes");
        assert_eq!(lines[1], "version 1,234 · 1970-01-01 00:00:00 UTC · counting · connected");
        assert!(lines[2].starts_with("4,000 votes · turnout "), "{lines:?}");
        assert_eq!(lines[4], "President · 4,000 votes");
        assert!(lines[5].starts_with("  Tomas Berglund (Forward)") && lines[5].contains(" 3,000   75.0 % █"));
        assert!(lines[6].starts_with("  Ines Okafor (Union)") && lines[6].contains(" 1,000   25.0 % █"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
        assert_eq!(super::lines(&board, Some("mayor"), 80).len(), 3);
    }

    #[test]
    fn a_screen_leaves_the_terminal_as_it_was() {
        let mut written = Vec::new();
        let mut screen = Screen::open(&mut written, None).unwrap();
        screen.show(&Board::default()).unwrap();
        drop(screen);
        let written = String::from_utf8(written).unwrap();
        assert!(written.starts_with("\u{1b}[?1049h") && written.ends_with("\u{1b}[?1049l"), "{written:?}");
        assert!(written.contains("Nothing published yet"));
    }
}
