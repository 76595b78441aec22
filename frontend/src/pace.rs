//! How many votes were cast in each window of time, whoever they are for: a rush, a standstill, an end.
//!
//! Windows are those of the server's timeline; one without votes is left out there, and is nothing here.

use tallyboard_shared::timeline::{Timeline, Window};

use crate::{
    charts::curves::Curve,
    format, say,
    standings::Tone,
    table::{Cell, Row, Table},
    texts::tr,
};

/// The votes of each window, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The width of the windows.
    pub width_ms: i64,
    /// Where each window begins, in milliseconds since 1970.
    pub starts_ms: Vec<i64>,
    /// Votes cast in each, in all contests.
    pub votes: Vec<u64>,
}

/// The pace of a timeline. The newest window is left out while votes are cast: it has just begun, and would look like a
/// standstill.
#[must_use]
pub fn pace(timeline: &Timeline, is_over: bool) -> Pace {
    let mut pace = Pace { width_ms: timeline.width_ms, ..Pace::default() };
    let len = timeline.windows.len().saturating_sub(usize::from(!is_over));
    for window in &timeline.windows[..len] {
        pace.pause_until(window.start.as_millisecond());
        pace.push(window.start.as_millisecond(), votes_of(window));
    }
    pace
}

fn votes_of(window: &Window) -> u64 {
    window.contests.values().map(|contest| contest.votes).sum()
}

impl Pace {
    fn push(&mut self, start_ms: i64, votes: u64) {
        self.starts_ms.push(start_ms);
        self.votes.push(votes);
    }

    /// Says that nothing was cast before `start_ms`: by the first and the last window of the pause, however long it is.
    fn pause_until(&mut self, start_ms: i64) {
        let Some(last) = self.starts_ms.last().copied() else { return };
        let (from, to) = (last + self.width_ms, start_ms - self.width_ms);
        if from <= to {
            self.push(from, 0);
        }
        if from < to {
            self.push(to, 0);
        }
    }

    /// As a line to draw.
    #[must_use]
    pub fn curve(&self) -> Curve {
        Curve {
            key: "pace".to_owned(),
            name: tr("Votes").to_owned(),
            label: tr("Votes").to_owned(),
            tone: Tone::Ink,
            counts: self.votes.clone(),
        }
    }

    /// As a table, newest first.
    #[must_use]
    pub fn table(&self) -> Table {
        let row = |(start_ms, votes): (&i64, &u64)| Row {
            name: Cell::Time(*start_ms),
            href: None,
            cells: vec![Cell::Count(Some(*votes))],
        };
        Table {
            first: tr("Cast from"),
            columns: vec![tr("Votes").to_owned()],
            rows: self.starts_ms.iter().zip(&self.votes).rev().map(row).collect(),
        }
    }

    /// When most votes were cast.
    #[must_use]
    pub fn says(&self, offset_minutes: i32) -> String {
        // The first of several that are equal.
        let most = self.starts_ms.iter().zip(&self.votes).rev().max_by_key(|(_, votes)| **votes);
        most.map_or_else(
            || tr("No votes yet.").to_owned(),
            |(start_ms, votes)| {
                say!(
                    "Most votes were cast from {time} on: {votes} within {span}.",
                    time = Cell::Time(*start_ms).words(offset_minutes),
                    votes = format::counted(*votes, "vote", "votes"),
                    span = format::width(self.width_ms)
                )
            },
        )
    }

    /// What is measured.
    #[must_use]
    pub fn measure(&self) -> String {
        say!(
            "votes by the time at which they were cast, within {span} each",
            span = format::width(self.width_ms)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::tests::timeline;

    #[test]
    fn the_window_that_has_just_begun_is_left_out_until_the_polls_are_closed() {
        let timeline = timeline(&[&[3, 4], &[9, 1], &[1]]);
        assert_eq!(pace(&timeline, false).votes, [7, 10]);
        assert_eq!(pace(&timeline, true).votes, [7, 10, 1]);
        assert_eq!(pace(&Timeline { windows: Vec::new(), ..timeline }, false).votes, [0; 0]);
    }

    #[test]
    fn nothing_was_cast_in_windows_that_are_left_out() {
        let mut timeline = timeline(&[&[3], &[5], &[6], &[7], &[8]]);
        timeline.windows.drain(1..4);
        let pace = pace(&timeline, true);
        assert_eq!(pace.votes, [3, 0, 0, 8]);
        let minutes: Vec<_> =
            pace.starts_ms.iter().map(|start_ms| (start_ms - pace.starts_ms[0]) / 60_000).collect();
        assert_eq!(minutes, [0, 1, 3, 4]);
    }

    #[test]
    fn a_pause_of_one_window_is_one_point() {
        let mut timeline = timeline(&[&[3], &[5], &[6]]);
        timeline.windows.remove(1);
        assert_eq!(pace(&timeline, true).votes, [3, 0, 6]);
    }

    #[test]
    fn the_busiest_window_is_told_and_the_table_has_the_newest_first() {
        let pace = pace(&timeline(&[&[3], &[8], &[8]]), true);
        let says = pace.says(0);
        assert!(says.ends_with("on: 8 votes within 1 min."), "{says}");
        assert!(says.contains(&Cell::Time(pace.starts_ms[1]).words(0)), "{says}");
        let table = pace.table();
        assert_eq!(table.rows[2].cells, [Cell::Count(Some(3))]);
        assert_eq!(Pace::default().says(0), "No votes yet.");
    }
}
