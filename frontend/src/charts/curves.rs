//! Counts over time: as lines with their names at the ends, as bands of their shares, and as the lead of one over another.

use charming::{
    datatype::CompositeValue,
    element::{AreaStyle, AxisType, LineStyle, Tooltip, Trigger},
    series::Line,
};
use serde_json::{Value, json};

use super::{
    drawing::{CHART_HEIGHT, Drawing, axis, beyond, grid, legend, time_axis, zoom},
    scale::{LETTER, Scale, end_label, label_shifts, room_for, with_short_ends},
};
use crate::{palette::Palette, race::Race, say, standings::Standing, standings::Tone};

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Tells the series apart.
    pub key: String,
    /// For people.
    pub name: String,
    /// At the end of the line.
    pub label: String,
    /// The color.
    pub tone: Tone,
    /// One for every time.
    pub counts: Vec<u64>,
}

/// The candidates of a race, from its [beginning](Race::beginning) on.
#[must_use]
pub fn of_race(race: &Race, standings: &[Standing]) -> Vec<Curve> {
    standings
        .iter()
        .zip(&race.votes)
        .map(|(standing, counts)| Curve {
            key: standing.id.to_string(),
            name: standing.name.clone(),
            label: standing.short_name.clone(),
            tone: standing.tone.clone(),
            counts: counts[race.beginning()..].to_vec(),
        })
        .collect()
}

const MARGIN_TOP: i32 = 14;
/// For the times, and the slider of the zoom.
const MARGIN_BOTTOM: i32 = 62;
/// For the legend.
const MARGIN_LEGEND: i32 = 34;

/// Draws every series as a line.
#[must_use]
pub fn count_lines(times_ms: &[i64], curves: &[Curve], palette: &Palette, offset_minutes: i32) -> Drawing {
    let scale = Scale::of_counts(curves.iter().flat_map(|curve| &curve.counts).map(|count| number(*count)));
    let height = f64::from(CHART_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM);
    let ends: Vec<_> = curves.iter().map(|curve| curve.counts.last().map(|count| number(*count))).collect();
    let shifts = label_shifts(&ends, &scale, height);
    let lines =
        curves.iter().map(|curve| line(curve, times_ms, offset_minutes, |count, _| number(count), curves));
    let labels = curves.iter().map(|curve| curve.label.as_str());
    let parts = json!({
        "grid": grid(left(&scale), room_for(labels.clone()), MARGIN_TOP, MARGIN_BOTTOM),
        "tooltip": Tooltip::new().trigger(Trigger::Axis),
        "xAxis": axis(palette).type_(AxisType::Time),
        "yAxis": axis(palette).type_(AxisType::Value).min(scale.min).max(scale.max).interval(scale.step),
        "series": lines.collect::<Vec<_>>(),
    });
    let mut over = beyond(palette);
    over["xAxis"] = time_axis(times_ms, palette);
    over["yAxis"] = json!({ "axisLine": { "show": false } });
    over["dataZoom"] = zoom(palette);
    over["series"] = curves.iter().zip(shifts).map(|(curve, shift)| ended(curve, shift, palette)).collect();
    with_short_ends(Drawing::new(parts, over, palette), labels)
}

/// What a line looks like, and its name at its end.
fn ended(curve: &Curve, shift: f64, palette: &Palette) -> Value {
    let color = palette.paint(&curve.tone);
    json!({
        "itemStyle": { "color": color },
        "lineStyle": { "color": color },
        "endLabel": {
            "show": true,
            "formatter": end_label(&curve.label),
            "rich": { "tone": { "color": color, "fontSize": 10 } },
            "color": palette.ink,
            "fontSize": 12,
            "offset": [0, shift],
        },
    })
}

/// Draws every series as a band, as high as its share of all.
#[must_use]
pub fn share_bands(times_ms: &[i64], curves: &[Curve], palette: &Palette, offset_minutes: i32) -> Drawing {
    let percent =
        |count: u64, sum: u64| if sum == 0 { 0.0 } else { round(number(count) / number(sum) * 100.0) };
    // Before the first vote there are no shares.
    let first = (0..times_ms.len()).find(|time| sum_at(curves, *time) > 0).unwrap_or(times_ms.len());
    let times_ms = &times_ms[first..];
    let curves: Vec<Curve> = curves
        .iter()
        .map(|curve| Curve { counts: curve.counts[first..].to_vec(), ..curve.clone() })
        .collect();
    let lines = curves.iter().map(|curve| {
        line(curve, times_ms, offset_minutes, percent, &curves)
            .stack("all")
            .area_style(AreaStyle::new().opacity(0.75))
    });
    let parts = json!({
        "grid": grid(44, 16, MARGIN_LEGEND, MARGIN_BOTTOM),
        "tooltip": Tooltip::new().trigger(Trigger::Axis),
        "xAxis": axis(palette).type_(AxisType::Time),
        "yAxis": axis(palette).type_(AxisType::Value).min(0).max(100).interval(25.0),
        "series": lines.collect::<Vec<_>>(),
    });
    let mut over = beyond(palette);
    over["legend"] = legend(palette);
    over["xAxis"] = time_axis(times_ms, palette);
    over["yAxis"] = json!({ "axisLabel": { "formatter": "{value} %" }, "axisLine": { "show": false } });
    over["dataZoom"] = zoom(palette);
    over["series"] = curves
        .iter()
        .map(|curve| {
            let color = palette.paint(&curve.tone);
            json!({ "itemStyle": { "color": color }, "lineStyle": { "color": color, "width": 1 }, "areaStyle": { "color": color } })
        })
        .collect();
    Drawing::new(parts, over, palette)
}

/// Draws the lead of the first over the second: above the middle the first is ahead, below it the second.
#[must_use]
pub fn lead_line(
    times_ms: &[i64],
    leads: &[i64],
    pair: &[Standing; 2],
    palette: &Palette,
    offset_minutes: i32,
) -> Drawing {
    let scale = Scale::of_counts(leads.iter().map(|lead| signed(*lead)));
    let points = |of: fn(i64) -> i64| -> Vec<CompositeValue> {
        let leads = times_ms.iter().zip(leads);
        leads.map(|(time_ms, lead)| point(*time_ms, offset_minutes, signed(of(*lead)))).collect()
    };
    let area = |standing: &Standing, of| {
        Line::new()
            .id(format!("area-{}", standing.id))
            .name(standing.name.as_str())
            .show_symbol(false)
            .line_style(LineStyle::new().width(0))
            .area_style(AreaStyle::new().opacity(0.35).color(palette.paint(&standing.tone)))
            .data(points(of))
    };
    let name = say!("{one} ahead of {other}", one = pair[0].short_name, other = pair[1].short_name);
    let whole = Line::new()
        .id("lead")
        .name(name)
        .show_symbol(leads.len() == 1)
        .line_style(LineStyle::new().width(2.2).color(palette.ink.as_str()))
        .data(points(|lead| lead));
    let parts = json!({
        "grid": grid(left(&scale), 16, MARGIN_LEGEND, MARGIN_BOTTOM),
        "tooltip": Tooltip::new().trigger(Trigger::Axis),
        "xAxis": axis(palette).type_(AxisType::Time),
        "yAxis": axis(palette).type_(AxisType::Value).min(scale.min).max(scale.max).interval(scale.step),
        "series": [area(&pair[0], |lead| lead.max(0)), area(&pair[1], |lead| lead.min(0)), whole],
    });
    let mut over = beyond(palette);
    over["xAxis"] = time_axis(times_ms, palette);
    over["xAxis"]["axisLine"]["onZero"] = true.into();
    over["yAxis"] = json!({ "axisLine": { "show": false } });
    over["dataZoom"] = zoom(palette);
    // Whose side is whose; what is hidden by a click would leave a lead without a leader.
    over["legend"] = legend(palette);
    over["legend"]["data"] = json!([pair[0].name, pair[1].name]);
    over["legend"]["selectedMode"] = false.into();
    let side = |standing: &Standing| {
        json!({
            "silent": true,
            "tooltip": { "show": false },
            "itemStyle": { "color": palette.paint(&standing.tone) },
        })
    };
    over["series"] = json!([side(&pair[0]), side(&pair[1]), { "itemStyle": { "color": palette.ink } }]);
    Drawing::new(parts, over, palette)
}

fn line(
    curve: &Curve,
    times_ms: &[i64],
    offset_minutes: i32,
    value: impl Fn(u64, u64) -> f64,
    all: &[Curve],
) -> Line {
    let counts = times_ms.iter().zip(&curve.counts).enumerate();
    let points: Vec<CompositeValue> = counts
        .map(|(time, (time_ms, count))| point(*time_ms, offset_minutes, value(*count, sum_at(all, time))))
        .collect();
    Line::new()
        .id(curve.key.as_str())
        .name(curve.name.as_str())
        // One point alone makes no line.
        .show_symbol(times_ms.len() == 1)
        .line_style(LineStyle::new().width(2.2))
        .data(points)
}

/// A point in time, moved to the reader's zone: the chart's own clock is UTC.
fn point(time_ms: i64, offset_minutes: i32, value: f64) -> CompositeValue {
    vec![CompositeValue::from(time_ms + i64::from(offset_minutes) * 60_000), CompositeValue::from(value)]
        .into()
}

fn sum_at(curves: &[Curve], time: usize) -> u64 {
    curves.iter().filter_map(|curve| curve.counts.get(time)).sum()
}

/// The room to the left, for the longest number.
fn left(scale: &Scale) -> i32 {
    let letters = format!("{:.0}", scale.max.abs().max(scale.min.abs())).len();
    22 + LETTER * i32::try_from(letters + letters / 3).unwrap_or(0)
}

/// With two decimals: more can't be seen.
fn round(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn signed(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, palette, standings};

    fn curves(counts: &[&[u64]]) -> Vec<Curve> {
        counts
            .iter()
            .enumerate()
            .map(|(number, counts)| Curve {
                key: format!("c{number}"),
                name: format!("Candidate {number}"),
                label: format!("C{number}"),
                tone: Tone::Palette(number),
                counts: counts.to_vec(),
            })
            .collect()
    }

    #[test]
    fn lines_are_counts_at_the_readers_time_of_day() {
        let drawing = count_lines(&[60_000, 120_000], &curves(&[&[1, 30], &[2, 10]]), &palette::sample(), 60);
        let option = drawing.option();
        assert_eq!(option["series"][0]["data"], json!([[3_660_000, 1.0], [3_720_000, 30.0]]));
        assert_eq!(option["series"][1]["itemStyle"]["color"], "--c2");
        assert_eq!(option["series"][1]["id"], "c1");
        assert_eq!(option["useUTC"], true);
        assert_eq!(option["yAxis"]["max"], 30.0);
        assert!(option["dataZoom"][0].get("start").is_none(), "a zoom that the reader chose is kept");
    }

    #[test]
    fn bands_are_shares_and_begin_with_the_first_vote() {
        let drawing = share_bands(&[0, 1, 2], &curves(&[&[0, 1, 30], &[0, 3, 10]]), &palette::sample(), 0);
        let series = &drawing.option()["series"];
        assert_eq!(series[0]["data"], json!([[1, 25.0], [2, 75.0]]));
        assert_eq!(series[1]["data"], json!([[1, 75.0], [2, 25.0]]));
        assert_eq!(series[0]["stack"], "all");
        let empty = share_bands(&[0], &curves(&[&[0]]), &palette::sample(), 0);
        assert_eq!(empty.option()["series"][0].get("data"), None);
    }

    #[test]
    fn a_lead_is_above_or_below_the_middle() {
        let standings = standings::ranked(&samples::contest(None, &[Some(9), Some(5)]));
        let pair = [standings[0].clone(), standings[1].clone()];
        let drawing = lead_line(&[0, 1], &[-3, 4], &pair, &palette::sample(), 0);
        let series = &drawing.option()["series"];
        assert_eq!(series[0]["data"], json!([[0, 0.0], [1, 4.0]]));
        assert_eq!(series[1]["data"], json!([[0, -3.0], [1, 0.0]]));
        assert_eq!(series[2]["data"], json!([[0, -3.0], [1, 4.0]]));
        assert_eq!(series[0]["tooltip"]["show"], false);
    }
}
