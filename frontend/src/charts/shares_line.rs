//! How the count moved: the share of each candidate over the publications, against the time they were made.

use charming::{
    datatype::CompositeValue,
    element::{AxisType, LineStyle, Tooltip, Trigger},
    series::Line,
};
use serde_json::json;
use tallyboard_shared::{ids::ContestId, message::HistoryPoint};

use super::drawing::{CHART_HEIGHT, Drawing, axis, beyond, grid};
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

/// The shares of the first candidates at every point that says something: with less than a hundredth of the votes
/// counted since, a few ballots would set the scale for all that follows.
#[must_use]
pub fn moments(points: &[HistoryPoint], contest: &ContestId, standings: &[Standing]) -> Vec<Moment> {
    let sum_at = |point: &HistoryPoint| {
        let votes = point.contests.get(contest);
        votes.map_or(0, |votes| votes.values().sum::<u64>())
    };
    let newest = points.last().map_or(0, sum_at);
    points
        .iter()
        .filter_map(|point| {
            let votes = point.contests.get(contest)?;
            let sum = sum_at(point);
            (sum > newest / 100).then(|| Moment {
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

/// The room above the lines.
const MARGIN_TOP: i32 = 12;

/// The room below the lines, for the times.
const MARGIN_BOTTOM: i32 = 28;

/// The room to their left, for the percentages.
const MARGIN_LEFT: i32 = 44;

/// The room to their right: as much as the longest label needs.
fn margin_right(standings: &[Standing]) -> i32 {
    let letters = standings.iter().take(LINES_MAX).map(|standing| standing.short_name.chars().count());
    let longest = letters.max().and_then(|letters| i32::try_from(letters).ok());
    24 + 7 * longest.unwrap_or(0).max(4)
}

/// The least time that the chart covers: a first second isn't spread over the whole width.
const SPAN_MIN_MS: i64 = 30_000;

/// From this span on the seconds are left out.
const SPAN_WITHOUT_SECONDS_MS: i64 = 20 * 60_000;

/// The distance that two labels keep.
const LABEL_HEIGHT: f64 = 16.0;

/// Draws the moments of these standings.
#[must_use]
pub fn shares_line(moments: &[Moment], standings: &[Standing], palette: &Palette) -> Drawing {
    let last_ms = moments.last().map_or(0, |moment| moment.time_ms);
    let first_ms = moments.first().map_or(0, |moment| moment.time_ms);
    let span_ms = (last_ms - first_ms).max(SPAN_MIN_MS);
    let scale = Scale::over(moments);
    let shown = standings.iter().take(LINES_MAX).enumerate();
    let lines = shown.map(|(position, standing)| {
        let line: Vec<CompositeValue> = moments
            .iter()
            .filter_map(|moment| {
                let share = moment.shares.get(position).copied().flatten()?;
                Some(vec![CompositeValue::from(moment.time_ms), CompositeValue::from(share)].into())
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
    let parts = json!({
        "grid": grid(MARGIN_LEFT, margin_right(standings), MARGIN_TOP, MARGIN_BOTTOM),
        "tooltip": Tooltip::new().trigger(Trigger::Axis),
        "xAxis": axis(palette).type_(AxisType::Time).max(last_ms).min(last_ms - span_ms),
        "yAxis": axis(palette).type_(AxisType::Value).min(scale.min).max(scale.max).interval(scale.step),
        "series": lines.collect::<Vec<_>>(),
    });
    let mut over = beyond(palette);
    let time = if span_ms < SPAN_WITHOUT_SECONDS_MS { "{HH}:{mm}:{ss}" } else { "{HH}:{mm}" };
    over["xAxis"] = json!({
        "axisLine": { "lineStyle": { "color": palette.hair } },
        "axisLabel": { "hideOverlap": true, "formatter": time, "showMinLabel": false, "showMaxLabel": false },
        "splitLine": { "show": false },
        "splitNumber": 3,
    });
    over["yAxis"] = json!({ "axisLabel": { "formatter": "{value} %" }, "axisLine": { "show": false } });
    let ends: Vec<_> = moments.last().map_or(&[][..], |moment| &moment.shares).to_vec();
    let shifts = label_shifts(&ends, &scale);
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
                    "formatter": format!("{{tone|●}} {}", standing.short_name),
                    "rich": { "tone": { "color": color, "fontSize": 10 } },
                    "color": palette.ink,
                    "fontSize": 12,
                    "offset": [0, shift],
                },
            })
        })
        .collect();
    Drawing::new(parts, over, palette)
}

/// The vertical axis, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    min: f64,
    max: f64,
    step: f64,
}

impl Scale {
    /// Round bounds around all shares, 0 among them unless the lines would be squeezed together far above it.
    fn over(moments: &[Moment]) -> Self {
        let shares = || moments.iter().flat_map(|moment| moment.shares.iter().flatten().copied());
        let highest = shares().fold(0.0, f64::max);
        let lowest = shares().fold(highest, f64::min);
        let lowest = if lowest < highest / 2.0 { 0.0 } else { lowest };
        let step = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|step| (highest - lowest) / step <= 5.0)
            .unwrap_or(20.0);
        let min = (lowest / step).floor() * step;
        let max = (highest / step).ceil() * step;
        Self { min, max: if max > min { max } else { min + step }, step }
    }

    /// How far below the top of the lines a share is, in pixels.
    fn depth(&self, share: f64) -> f64 {
        (self.max - share) / (self.max - self.min) * height()
    }
}

fn height() -> f64 {
    f64::from(CHART_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)
}

/// How far down each label moves from the end of its line, so that none covers another and none leaves the chart.
fn label_shifts(ends: &[Option<f64>], scale: &Scale) -> Vec<f64> {
    let mut labels: Vec<(usize, f64)> = ends
        .iter()
        .enumerate()
        .filter_map(|(position, share)| Some((position, scale.depth((*share)?))))
        .collect();
    labels.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut places: Vec<f64> = labels.iter().map(|(_, depth)| *depth).collect();
    for position in 1..places.len() {
        places[position] = places[position].max(places[position - 1] + LABEL_HEIGHT);
    }
    // What was pushed out below pushes the others up again.
    let mut bound = height();
    for place in places.iter_mut().rev() {
        *place = place.min(bound);
        bound = *place - LABEL_HEIGHT;
    }
    let mut shifts = vec![0.0; ends.len()];
    for ((position, depth), place) in labels.into_iter().zip(places) {
        shifts[position] = (place - depth).round();
    }
    shifts
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
        assert_eq!(shares, [[25.0, 75.0], [50.0, 50.0], [70.0, 30.0]].map(|pair| pair.map(Some).to_vec()));
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

    #[test]
    fn a_few_first_ballots_do_not_set_the_scale() {
        let contest = ContestId::new("president");
        let points: Vec<_> = [(1, [1, 0]), (2, [30, 30]), (3, [3_000, 2_900])]
            .into_iter()
            .map(|(version, votes)| HistoryPoint::of(&samples::results(version, None, &votes.map(Some))))
            .collect();
        let standings = standings::ranked(&samples::contest(None, &[Some(3_000), Some(2_900)]));
        assert_eq!(moments(&points, &contest, &standings).len(), 2);
    }

    fn scale_of(shares: &[f64]) -> Scale {
        let shares = shares.iter().copied().map(Some).collect();
        Scale::over(&[Moment { time_ms: 0, shares }])
    }

    #[test]
    fn the_scale_has_round_bounds() {
        let scale = |min, max, step| Scale { min, max, step };
        assert_eq!(scale_of(&[37.1, 33.0, 3.8]), scale(0.0, 40.0, 10.0));
        assert_eq!(scale_of(&[52.0, 48.0]), scale(48.0, 52.0, 1.0));
        assert_eq!(scale_of(&[50.0, 50.0]), scale(50.0, 50.1, 0.1));
        assert_eq!(scale_of(&[100.0, 0.0]), scale(0.0, 100.0, 20.0));
        assert_eq!(scale_of(&[]), scale(0.0, 0.1, 0.1));
    }

    #[test]
    fn labels_keep_their_distance_and_stay_inside() {
        let scale = Scale { min: 0.0, max: 40.0, step: 10.0 };
        let ends = [Some(30.0), Some(30.2), None, Some(0.2), Some(0.1), Some(0.0)];
        let shifts = label_shifts(&ends, &scale);
        let mut places: Vec<f64> = ends
            .iter()
            .zip(&shifts)
            .filter_map(|(share, shift)| Some(scale.depth((*share)?) + shift))
            .collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT - 1.0), "{places:?}");
        assert!(places.iter().all(|place| (-0.5..=height() + 0.5).contains(place)), "{places:?}");
        assert!(shifts[0] > shifts[1], "the higher share stands above");
    }
}
