//! A chart's whole option: what charming's builders say, and the few settings of ECharts that they don't know.
//!
//! Pure data, so that a chart is drawn again only where its option differs from the one before.

use charming::{
    component::{Aria, Axis, Grid},
    element::{AxisLabel, AxisLine, AxisLineStyle, AxisTick, LineStyle, SplitLine},
};
use serde_json::{Value, json};

use crate::palette::Palette;

/// How long figures take to roll to their next value: less than the time between two drawings.
pub const ANIMATION_MS: i32 = 300;

/// The height of every chart in pixels; `.chart` in the style sheet has the same.
pub(super) const CHART_HEIGHT: i32 = 300;

/// An option for `setOption`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    option: Value,
    narrow: Option<Narrow>,
}

/// What is laid over the option of a chart that has little room.
#[derive(Clone, Debug, PartialEq)]
struct Narrow {
    below_px: i32,
    beyond: Value,
}

impl Drawing {
    /// Puts `beyond` over the parts of a chart: objects are merged, lists item by item, everything else is replaced.
    ///
    /// Charming's `Chart` would put the parts together too, and with it the code of all thirty kinds of series into the
    /// page.
    #[must_use]
    pub fn new(parts: Value, beyond: Value, palette: &Palette) -> Self {
        let mut option = frame(palette);
        merge(&mut option, parts);
        merge(&mut option, beyond);
        Self { option, narrow: None }
    }

    /// Lays more settings over it where it is narrower than so many pixels. The option has each of them too, so that a
    /// chart that becomes wide again is drawn as such.
    #[must_use]
    pub fn narrower_than(mut self, below_px: i32, beyond: Value) -> Self {
        self.narrow = Some(Narrow { below_px, beyond });
        self
    }

    /// Puts more settings over it.
    #[must_use]
    pub fn with(mut self, beyond: Value) -> Self {
        merge(&mut self.option, beyond);
        self
    }

    /// The same without the slider under it, for where nothing can be touched.
    #[must_use]
    pub fn untouchable(mut self) -> Self {
        if let Some(option) = self.option.as_object_mut()
            && option.remove("dataZoom").is_some()
        {
            merge(&mut self.option, json!({ "grid": { "bottom": 28 } }));
        }
        self
    }

    /// Whether it has what only the second part of ECharts can draw (`echarts/controls.js`).
    #[must_use]
    pub fn has_controls(&self) -> bool {
        ["dataZoom", "legend"].iter().any(|part| self.option.get(part).is_some())
    }

    /// The option for a chart of this width as JSON.
    #[must_use]
    pub fn to_json(&self, width_px: i32) -> String {
        match &self.narrow {
            Some(narrow) if width_px < narrow.below_px => {
                let mut option = self.option.clone();
                merge(&mut option, narrow.beyond.clone());
                option.to_string()
            }
            _ => self.option.to_string(),
        }
    }

    /// The option.
    #[must_use]
    pub fn option(&self) -> &Value {
        &self.option
    }
}

fn merge(option: &mut Value, beyond: Value) {
    match (option, beyond) {
        (Value::Object(option), Value::Object(beyond)) => {
            for (key, value) in beyond {
                merge(option.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(option), Value::Array(beyond)) => {
            for (item, beyond) in option.iter_mut().zip(beyond) {
                merge(item, beyond);
            }
        }
        (option, beyond) => *option = beyond,
    }
}

/// What all charts share: motion, and a description for screen readers.
fn frame(palette: &Palette) -> Value {
    json!({
        "animation": !palette.still,
        "animationDuration": 0,
        "animationDurationUpdate": ANIMATION_MS,
        "aria": Aria::new().enabled(true),
        // Times are moved to the reader's zone before they are drawn.
        "useUTC": true,
    })
}

/// Lying bars whose names, on the vertical axis, take no more of the width than the bars can spare.
pub(super) fn with_short_names(drawing: Drawing) -> Drawing {
    let names =
        |width_px: i32| json!({ "yAxis": { "axisLabel": { "width": width_px, "overflow": "truncate" } } });
    drawing.with(names(180)).narrower_than(480, names(96))
}

/// The settings of all charts that charming has no words for.
///
/// The tooltip is drawn on the canvas: names may come out of votes, and never become HTML.
pub(super) fn beyond(palette: &Palette) -> Value {
    json!({
        "aria": { "decal": { "show": palette.patterns } },
        "animationEasingUpdate": "cubicOut",
        "textStyle": { "fontFamily": "system-ui, -apple-system, \"Segoe UI\", Roboto, \"Liberation Sans\", sans-serif" },
        "tooltip": {
            "renderMode": "richText",
            "confine": true,
            "backgroundColor": palette.card,
            "borderColor": palette.hair,
            "textStyle": { "color": palette.ink, "fontSize": 13 },
        },
    })
}

/// An axis in the page's hairlines.
pub(super) fn axis(palette: &Palette) -> Axis {
    Axis::new()
        .axis_label(AxisLabel::new().color(palette.soft.as_str()).font_size(12))
        .axis_tick(AxisTick::new().show(false))
        .axis_line(AxisLine::new().line_style(AxisLineStyle::new().color((1.0, palette.hair.as_str()))))
        .split_line(SplitLine::new().line_style(LineStyle::new().color(palette.hair.as_str())))
}

/// The room that a chart leaves around itself.
pub(super) fn grid(left: i32, right: i32, top: i32, bottom: i32) -> Grid {
    Grid::new().left(left).right(right).top(top).bottom(bottom)
}

/// From this span on the seconds are left out.
const SPAN_WITHOUT_SECONDS_MS: i64 = 20 * 60_000;

/// What charming doesn't know of an axis of times.
pub(super) fn time_axis(times_ms: &[i64], palette: &Palette) -> Value {
    let span_ms = times_ms.last().zip(times_ms.first()).map_or(0, |(last, first)| last - first);
    let (format, unit_ms) =
        if span_ms < SPAN_WITHOUT_SECONDS_MS { ("{HH}:{mm}:{ss}", 1_000) } else { ("{HH}:{mm}", 60_000) };
    json!({
        "axisLine": { "lineStyle": { "color": palette.hair } },
        // No two labels say the same, however near the reader looks.
        "minInterval": unit_ms,
        "axisLabel": {
            "hideOverlap": true,
            "formatter": format,
            "showMinLabel": false,
            "showMaxLabel": false,
        },
        "splitLine": { "show": false },
        "splitNumber": 3,
    })
}

/// A slider under the chart, and pinching or shift and wheel on it: the wheel alone scrolls the page.
///
/// Without a start and an end, so that what the reader chose stays with the next drawing.
pub(super) fn zoom(palette: &Palette) -> Value {
    json!([
        { "type": "inside", "zoomOnMouseWheel": "shift", "moveOnMouseWheel": false, "moveOnMouseMove": true },
        {
            "type": "slider",
            "height": 22,
            "bottom": 4,
            "brushSelect": false,
            "showDetail": false,
            "borderColor": palette.hair,
            "fillerColor": "transparent",
            "handleStyle": { "color": palette.card, "borderColor": palette.soft },
            "moveHandleStyle": { "color": palette.hair },
            "dataBackground": {
                "lineStyle": { "color": palette.rest },
                "areaStyle": { "color": palette.hair },
            },
            "selectedDataBackground": {
                "lineStyle": { "color": palette.soft },
                "areaStyle": { "color": palette.hair },
            },
        },
    ])
}

/// The names of the series above the chart; a click hides one.
pub(super) fn legend(palette: &Palette) -> Value {
    json!({
        "type": "scroll",
        "top": 0,
        "left": 0,
        "right": 0,
        "itemWidth": 14,
        "itemHeight": 10,
        "icon": "roundRect",
        "textStyle": { "color": palette.ink, "fontSize": 12 },
        "inactiveColor": palette.rest,
        "pageIconColor": palette.soft,
        "pageIconInactiveColor": palette.hair,
        "pageTextStyle": { "color": palette.soft },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_touched_has_no_slider() {
        let palette = crate::palette::sample();
        let parts = json!({ "grid": { "bottom": 62 }, "series": [] });
        let drawing = Drawing::new(parts, json!({ "dataZoom": zoom(&palette) }), &palette);
        assert!(drawing.has_controls());
        let drawing = drawing.untouchable();
        assert!(drawing.option().get("dataZoom").is_none() && !drawing.has_controls());
        assert_eq!(drawing.option()["grid"]["bottom"], 28);
    }

    #[test]
    fn labels_of_times_are_as_far_apart_as_what_they_say() {
        let palette = crate::palette::sample();
        for (span_ms, format, unit_ms) in [(800, "{HH}:{mm}:{ss}", 1_000), (20 * 60_000, "{HH}:{mm}", 60_000)]
        {
            let axis = time_axis(&[5, 5 + span_ms], &palette);
            assert_eq!(
                (&axis["axisLabel"]["formatter"], &axis["minInterval"]),
                (&json!(format), &json!(unit_ms))
            );
        }
    }

    #[test]
    fn a_chart_with_little_room_has_settings_of_its_own() {
        let palette = crate::palette::sample();
        let drawing = Drawing::new(json!({ "grid": { "right": 100 } }), json!({}), &palette)
            .narrower_than(480, json!({ "grid": { "right": 40 } }));
        let right = |width_px| {
            let option: Value = serde_json::from_str(&drawing.to_json(width_px)).unwrap();
            option["grid"]["right"].clone()
        };
        assert_eq!([320, 479, 480, 1_200].map(right), [40, 40, 100, 100].map(Value::from));
    }

    #[test]
    fn what_charming_cannot_say_is_laid_over_it() {
        let mut option = json!({ "series": [{ "type": "line", "data": [1] }, { "type": "bar" }], "kept": 1 });
        merge(
            &mut option,
            json!({ "series": [{ "endLabel": { "show": true } }], "tooltip": { "confine": true } }),
        );
        let expected = json!({
            "series": [{ "type": "line", "data": [1], "endLabel": { "show": true } }, { "type": "bar" }],
            "kept": 1,
            "tooltip": { "confine": true },
        });
        assert_eq!(option, expected);
    }
}
