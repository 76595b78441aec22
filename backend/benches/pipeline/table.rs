//! Rows of the table in docs/benchmarks.md, and how figures are written there.

use std::time::Duration;

use serde::Serialize;

/// A row of the table.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    /// What was measured.
    pub(crate) what: &'a str,
    /// The figure of Tallyboard.
    pub(crate) figure: String,
    /// What it is compared with, from the same run; empty where there is nothing.
    pub(crate) beside: String,
    /// The one by the other.
    pub(crate) ratio: String,
    /// What the figure or the ratio should be; empty where the row only informs.
    pub(crate) aim: &'a str,
    /// Whether it is; `None` without an aim.
    pub(crate) met: Option<bool>,
}

impl<'a> Row<'a> {
    /// A row that informs.
    pub(crate) fn plain(what: &'a str, figure: String) -> Self {
        Self { what, figure, beside: String::new(), ratio: String::new(), aim: "", met: None }
    }

    /// A row with an aim that is absolute.
    pub(crate) fn with_aim(what: &'a str, figure: String, aim: &'a str, met: bool) -> Self {
        Self { aim, met: Some(met), ..Self::plain(what, figure) }
    }

    pub(crate) fn print(&self) {
        println!("{}", serde_json::to_string(self).unwrap());
    }
}

/// The median of an odd number of figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Records a second.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn per_second(records: u64, seconds: f64) -> f64 {
    records as f64 / seconds
}

/// The value below which a share of sorted figures lies.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// `1234567.8` as `1,234,568`.
pub(crate) fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}
