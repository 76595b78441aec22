//! What the user sees while chores run: each step says what it does and how long it took.
//!
//! Steps may nest. Output of child processes stands between a step's two lines, unchanged.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Runs `work`, saying what it is before and how long it took after.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {what}");
    let started = Instant::now();
    let outcome = work();
    let verdict = if outcome.is_ok() { "done" } else { "FAILED" };
    println!("    {what}: {verdict}, {}", seconds(started.elapsed()));
    outcome
}

/// Says that a step has nothing to do.
pub(crate) fn already_there(what: &str) {
    println!("==> {what}: already there");
}

/// Says something that belongs to no step.
pub(crate) fn note(text: &str) {
    println!("    {text}");
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_one_decimal() {
        assert_eq!(seconds(Duration::from_millis(41_249)), "41.2 s");
        assert_eq!(seconds(Duration::ZERO), "0.0 s");
    }
}
