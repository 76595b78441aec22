//! How the count moved: the share of each candidate over the publications, against the time they were made.

use std::sync::Arc;

use charming::{
    datatype::CompositeValue,
    element::{AxisType, LineStyle, Tooltip, Trigger},
    series::Line,
};
use serde_json::json;
use tallyboard_shared::{ids::ContestId, message::HistoryPoint};

use super::{
    drawing::{CHART_HEIGHT, Drawing, axis, beyond, grid, time_axis},
    scale::{Scale, end_label, label_shifts, room_for, with_short_ends},
};
use crate::{
    format,
    palette::Palette,
    say,
    standings::Standing,
    table::{Cell, Row, Table},
    texts::tr,
};

/// How many candidates have a line.
pub const LINES_MAX: usize = 6;

/// The shares of some candidates at one moment; `None` before the first vote and while withheld.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// The version that was published then.
    pub version: u64,
    /// In milliseconds since 1970.
    pub time_ms: i64,
    /// In the order of the standings, in percent.
    pub shares: Vec<Option<f64>>,
}

/// The shares of the first candidates at every point that says something: with less than a hundredth of the votes
/// counted since, a few ballots would set the scale for all that follows.
#[must_use]
pub fn moments(points: &[Arc<HistoryPoint>], contest: &ContestId, standings: &[Standing]) -> Vec<Moment> {
    let sum_at = |point: &HistoryPoint| {
        let votes = point.contests.get(contest);
        votes.map_or(0, |votes| votes.values().sum::<u64>())
    };
    let newest = points.last().map_or(0, |point| sum_at(point));
    points
        .iter()
        .filter_map(|point| {
            let votes = point.contests.get(contest)?;
            let sum = sum_at(point);
            (sum > newest / 100).then(|| Moment {
                version: point.version,
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

/// The moments as a table, newest first.
#[must_use]
pub fn table(moments: &[Moment], standings: &[Standing]) -> Table {
    let row = |moment: &Moment| {
        let shares = moment.shares.iter().map(|share| Cell::Share(share.map(|percent| percent / 100.0)));
        Row::of_version(moment.version, moment.time_ms, shares)
    };
    let names = standings.iter().take(LINES_MAX).map(|standing| standing.name.clone());
    Table::of_versions(names, moments.iter().rev().map(row).collect())
}

/// What the lines say: from where to where the first candidate moved.
#[must_use]
pub fn says(moments: &[Moment], standings: &[Standing], offset_minutes: i32) -> String {
    let first_share = |moment: &Moment| moment.shares.first().copied().flatten();
    let ends = moments.first().zip(moments.last());
    let shares =
        ends.and_then(|(first, last)| Some((first.time_ms, first_share(first)?, first_share(last)?)));
    match (standings.first(), shares) {
        (Some(leader), Some((since_ms, from, to))) => say!(
            "{name} went from {from} to {to} of the votes counted since {time}.",
            name = leader.name,
            from = format::percent(Some(from / 100.0)),
            to = format::percent(Some(to / 100.0)),
            time = Cell::Time(since_ms).words(offset_minutes)
        ),
        _ => tr("No votes yet.").to_owned(),
    }
}

/// The room above the lines.
const MARGIN_TOP: i32 = 12;

/// The room below the lines, for the times.
const MARGIN_BOTTOM: i32 = 28;

/// The room to their left, for the percentages.
const MARGIN_LEFT: i32 = 44;

/// The least time that the chart covers: a first second isn't spread over the whole width.
const SPAN_MIN_MS: i64 = 30_000;

/// Draws the moments of these standings.
#[must_use]
pub fn shares_line(
    moments: &[Moment],
    standings: &[Standing],
    palette: &Palette,
    offset_minutes: i32,
) -> Drawing {
    let local_ms = |moment: &Moment| moment.time_ms + i64::from(offset_minutes) * 60_000;
    let last_ms = moments.last().map_or(0, local_ms);
    let first_ms = moments.first().map_or(0, local_ms).min(last_ms - SPAN_MIN_MS);
    let scale = Scale::of_shares(moments.iter().flat_map(|moment| moment.shares.iter().flatten().copied()));
    let shown = standings.iter().take(LINES_MAX).enumerate();
    let lines = shown.map(|(position, standing)| {
        let line: Vec<CompositeValue> = moments
            .iter()
            .filter_map(|moment| {
                let share = moment.shares.get(position).copied().flatten()?;
                Some(vec![CompositeValue::from(local_ms(moment)), CompositeValue::from(share)].into())
            })
            .collect();
        Line::new()
            .id(standing.id.as_str())
            .name(standing.name.as_str())
            // One point alone makes no line.
            .show_symbol(moments.len() == 1)
            .line_style(LineStyle::new().width(2.2))
            .data(line)
    });
    let labels = standings.iter().take(LINES_MAX).map(|standing| standing.short_name.as_str());
    let parts = json!({
        "grid": grid(MARGIN_LEFT, room_for(labels.clone()), MARGIN_TOP, MARGIN_BOTTOM),
        "tooltip": Tooltip::new().trigger(Trigger::Axis),
        "xAxis": axis(palette).type_(AxisType::Time).max(last_ms).min(first_ms),
        "yAxis": axis(palette).type_(AxisType::Value).min(scale.min).max(scale.max).interval(scale.step),
        "series": lines.collect::<Vec<_>>(),
    });
    let mut over = beyond(palette);
    over["xAxis"] = time_axis(&[first_ms, last_ms], palette);
    over["yAxis"] = json!({ "axisLabel": { "formatter": "{value} %" }, "axisLine": { "show": false } });
    let ends: Vec<_> = moments.last().map_or(&[][..], |moment| &moment.shares).to_vec();
    let shifts = label_shifts(&ends, &scale, height());
    over["series"] = standings
        .iter()
        .take(LINES_MAX)
        .enumerate()
        .map(|(position, standing)| {
            let color = palette.paint(&standing.tone);
            let shift = shifts.get(position).copied().unwrap_or(0.0);
            json!({
                "itemStyle": { "color": color },
                "lineStyle": { "color": color },
                "endLabel": {
                    "show": true,
                    "formatter": end_label(&standing.short_name),
                    "rich": { "tone": { "color": color, "fontSize": 10 } },
                    "color": palette.ink,
                    "fontSize": 12,
                    "offset": [0, shift],
                },
            })
        })
        .collect();
    with_short_ends(Drawing::new(parts, over, palette), labels)
}

fn height() -> f64 {
    f64::from(CHART_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)
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
            .map(|(version, votes)| {
                Arc::new(HistoryPoint::of(&samples::results(version, None, &votes.map(Some))))
            })
            .collect();
        let standings = standings::ranked(&samples::contest(None, &[Some(70), Some(30)]));
        let moments = moments(&points, &contest, &standings);
        let shares: Vec<_> = moments.iter().map(|moment| moment.shares.clone()).collect();
        assert_eq!(shares, [[25.0, 75.0], [50.0, 50.0], [70.0, 30.0]].map(|pair| pair.map(Some).to_vec()));
        let drawing = shares_line(&moments, &standings, &palette::sample(), 0);
        let lines = &drawing.option()["series"];
        assert_eq!(lines[0]["data"][2][1], 70.0);
        assert_eq!(lines[1]["itemStyle"]["color"], "--c2");
        assert_eq!(lines[1]["id"], "c1");
        let said = says(&moments, &standings, 0).replace('\u{202f}', " ");
        assert_eq!(said, "Candidate 0 went from 25.0 % to 70.0 % of the votes counted since 20:15:01.");
        let newest = &table(&moments, &standings).rows[0];
        assert_eq!((&newest.name, &newest.cells[2]), (&Cell::Count(Some(3)), &Cell::Share(Some(0.3))));
    }

    #[test]
    fn moments_without_votes_are_left_out() {
        let contest = ContestId::new("president");
        let points = [Arc::new(HistoryPoint::of(&samples::results(1, None, &[Some(0), None])))];
        assert!(moments(&points, &contest, &[]).is_empty());
    }

    #[test]
    fn a_few_first_ballots_do_not_set_the_scale() {
        let contest = ContestId::new("president");
        let points: Vec<_> = [(1, [1, 0]), (2, [30, 30]), (3, [3_000, 2_900])]
            .into_iter()
            .map(|(version, votes)| {
                Arc::new(HistoryPoint::of(&samples::results(version, None, &votes.map(Some))))
            })
            .collect();
        let standings = standings::ranked(&samples::contest(None, &[Some(3_000), Some(2_900)]));
        assert_eq!(moments(&points, &contest, &standings).len(), 2);
    }
}
