//! The results as lines, for programs and logs: one a second at most, and one whenever the freshness changes.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{
    View,
    board::Board,
    format::{count, percent, plain, ranked},
};

/// At most a line in so long, unless the freshness changes.
const LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Lines on an output.
pub(super) struct Lines<W> {
    out: W,
    contest: Option<String>,
    last: Option<(Instant, u64, String)>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W, contest: Option<String>) -> Self {
        Self { out, contest, last: None }
    }
}

impl<W: Write> View for Lines<W> {
    fn show(&mut self, board: &Board) -> std::io::Result<()> {
        let version = board.results.as_ref().map_or(0, |results| results.version);
        // How far a count is behind changes all the time.
        let freshness = board.freshness();
        let state = freshness.split(',').next().unwrap_or_default().to_owned();
        let is_due = self.last.as_ref().is_none_or(|(at, last_version, last_state)| {
            *last_state != state || (*last_version != version && at.elapsed() >= LINE_INTERVAL)
        });
        if !is_due {
            return Ok(());
        }
        writeln!(self.out, "{}", line(board, &freshness, self.contest.as_deref()))?;
        self.out.flush()?;
        self.last = Some((Instant::now(), version, state));
        Ok(())
    }
}

fn line(board: &Board, freshness: &str, contest: Option<&str>) -> String {
    let Some(results) = &board.results else { return format!("nothing published yet; {freshness}") };
    let mut line = format!(
        "{} version {} votes {} turnout {} [{freshness}]",
        results.as_of,
        results.version,
        results.totals.votes,
        percent(results.totals.turnout),
    );
    for known in
        results.contests.iter().filter(|known| contest.is_none_or(|wanted| known.id.as_str() == wanted))
    {
        let candidates: Vec<_> = ranked(known)
            .into_iter()
            .map(|candidate| {
                let votes = candidate.votes.map_or_else(|| "withheld".into(), count);
                format!("{} {votes} ({})", plain(&candidate.name), percent(candidate.share))
            })
            .collect();
        line += &format!(" | {}: {}", plain(&known.title), candidates.join(", "));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::board::tests::{results, welcome};

    #[test]
    fn a_line_is_written_where_something_is_new_and_not_too_often() {
        let mut written = Vec::new();
        let mut lines = Lines::new(&mut written, Some("president".into()));
        let mut board = Board::default();
        lines.show(&board).unwrap();
        board.is_connected = true;
        for version in 3..20 {
            board.take(welcome(results(version, [10, 30]))).unwrap();
            lines.show(&board).unwrap();
        }
        board.is_connected = false;
        lines.show(&board).unwrap();
        lines.show(&board).unwrap();
        let written = String::from_utf8(written).unwrap();
        let seen: Vec<_> = written.lines().collect();
        assert_eq!(seen.len(), 3, "{written}");
        assert_eq!(seen[0], "nothing published yet; not connected: trying again");
        assert!(seen[1].starts_with("1970-01-01T00:00:00Z version 3 votes 40 turnout "), "{written}");
        assert!(
            seen[1].contains("[connected] | President: Tomas Berglund 30 (75.0 %), Ines Okafor 10 (25.0 %)")
        );
        assert!(seen[2].contains("version 19") && seen[2].contains("[not connected"), "{written}");
    }
}
