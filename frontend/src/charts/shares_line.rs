//! How the count moved: the share of each candidate over the publications, against the time they were made.

use charming::{
    Chart,
    datatype::CompositeValue,
    element::{AxisType, LineStyle, Tooltip, Trigger},
    series::Line,
};
use serde_json::json;
use tallyboard_shared::{ids::ContestId, message::HistoryPoint};

use super::drawing::{Drawing, axis, beyond, frame, grid};
use crate::{palette::Palette, standings::Standing};

/// How many candidates have a line.
pub const LINES_MAX: usize = 6;

/// The shares of some candidates at one moment; `None` before the first vote and while withheld.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// In milliseconds since 1970.
    pub time_ms: i64,
    /// In the order of the standings, in percent.
    pub shares: Vec<Option<f64>>,
}

/// The shares of the first candidates at every point in which the contest has votes.
#[must_use]
pub fn moments(points: &[HistoryPoint], contest: &ContestId, standings: &[Standing]) -> Vec<Moment> {
    points
        .iter()
        .filter_map(|point| {
            let votes = point.contests.get(contest)?;
            let sum: u64 = votes.values().sum();
            (sum > 0).then(|| Moment {
                time_ms: point.as_of.as_millisecond(),
                shares: standings
                    .iter()
                    .take(LINES_MAX)
                    .map(|standing| votes.get(&standing.id).map(|votes| percent_of(*votes, sum)))
                    .collect(),
            })
        })
        .collect()
}

/// With two decimals: more can't be seen, and would make every drawing a different one.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn percent_of(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 10_000.0).round() / 100.0
}

/// Draws the moments of these standings.
#[must_use]
pub fn shares_line(moments: &[Moment], standings: &[Standing], palette: &Palette) -> Drawing {
    let chart: Chart = frame(palette)
        .grid(grid(44, 92, 12, 28))
        .tooltip(Tooltip::new().trigger(Trigger::Axis))
        .x_axis(axis(palette).type_(AxisType::Time))
        .y_axis(axis(palette).type_(AxisType::Value).scale(true));
    let shown = standings.iter().take(LINES_MAX).enumerate();
    let chart = shown.fold(chart, |chart, (position, standing)| {
        let line: Vec<CompositeValue> = moments
            .iter()
            .filter_map(|moment| {
                let share = moment.shares.get(position).copied().flatten()?;
                Some(vec![CompositeValue::from(moment.time_ms), CompositeValue::from(share)].into())
            })
            .collect();
        chart.series(
            Line::new()
                .id(standing.id.as_str())
                .name(standing.name.as_str())
                .show_symbol(false)
                .line_style(LineStyle::new().width(2.2))
                .data(line),
        )
    });
    let mut over = beyond(palette);
    over["xAxis"] = json!({
        "axisLine": { "lineStyle": { "color": palette.hair } },
        "axisLabel": { "hideOverlap": true },
        "splitLine": { "show": false },
        "splitNumber": 4,
    });
    over["yAxis"] = json!({ "axisLabel": { "formatter": "{value} %" }, "axisLine": { "show": false } });
    over["series"] = standings
        .iter()
        .take(LINES_MAX)
        .map(|standing| {
            let color = palette.paint(&standing.tone);
            json!({
                "itemStyle": { "color": color },
                "lineStyle": { "color": color },
                "labelLayout": { "moveOverlap": "shiftY" },
                "endLabel": {
                    "show": true,
                    "formatter": standing.short_name,
                    "color": palette.ink,
                    "fontSize": 12,
                    "width": 84,
                    "overflow": "truncate",
                },
            })
        })
        .collect();
    Drawing::new(&chart, over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, palette, standings};

    #[test]
    fn shares_are_of_the_votes_at_that_moment() {
        let contest = ContestId::new("president");
        let points: Vec<_> = [(1, [1, 3]), (2, [30, 30]), (3, [70, 30])]
            .into_iter()
            .map(|(version, votes)| HistoryPoint::of(&samples::results(version, None, &votes.map(Some))))
            .collect();
        let standings = standings::ranked(&samples::contest(None, &[Some(70), Some(30)]));
        let moments = moments(&points, &contest, &standings);
        let shares: Vec<_> = moments.iter().map(|moment| moment.shares.clone()).collect();
        assert_eq!(
            shares,
            [[25.0, 75.0], [50.0, 50.0], [70.0, 30.0]].map(|pair| pair.map(Some).to_vec())
        );
        let drawing = shares_line(&moments, &standings, &palette::sample());
        let lines = &drawing.option()["series"];
        assert_eq!(lines[0]["data"][2][1], 70.0);
        assert_eq!(lines[1]["itemStyle"]["color"], "--c2");
        assert_eq!(lines[1]["id"], "c1");
    }

    #[test]
    fn moments_without_votes_are_left_out() {
        let contest = ContestId::new("president");
        let points = [HistoryPoint::of(&samples::results(1, None, &[Some(0), None]))];
        assert!(moments(&points, &contest, &[]).is_empty());
    }
}
