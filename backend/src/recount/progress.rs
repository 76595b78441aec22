//! Telling people how far a recount has come: a bar on a terminal, else a line in the log now and then.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::shutdown::Stop;

/// How often the bar is drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// How often the log tells.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// How far a recount has come, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Records folded, and how many there are to fold; 0 of 0 at first.
    #[must_use]
    pub fn now(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    pub(super) fn expect(&self, records: u64) {
        self.total.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, records: u64) {
        self.done.fetch_add(records, Ordering::Relaxed);
    }

    /// Shows it on the standard error until stopped.
    ///
    /// # Panics
    /// Never: the bar's form is part of the program, and a test reads it.
    pub fn show(&self, stop: &Stop) {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new(0).with_style(style()) } else { ProgressBar::hidden() };
        let mut told = Instant::now();
        while !stop.is_raised() {
            std::thread::sleep(DRAW_INTERVAL);
            let (done, total) = self.now();
            bar.set_length(total);
            bar.set_position(done);
            if !is_terminal && told.elapsed() >= LOG_INTERVAL {
                told = Instant::now();
                tracing::info!(done, total, "counting again");
            }
        }
        bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} records, {per_sec}, {eta} left")
        .expect("the form in the program is checked by a test")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bar_has_a_sound_form() {
        drop(super::style());
    }
}
