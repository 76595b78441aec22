//! Parts of a whole, as lying bars.

use charming::{
    component::Axis,
    datatype::DataPointItem,
    element::{AxisType, Formatter, ItemStyle, Label, LabelPosition, Tooltip, Trigger},
    series::Bar,
};
use serde_json::json;

use super::drawing::{Drawing, axis, beyond, grid};
use crate::{format, palette::Palette, parts::Part, texts::tr};

/// Draws parts in their order, with their votes beside them; withheld figures have no bar.
#[must_use]
pub fn votes_bar(parts: &[Part], palette: &Palette) -> Drawing {
    let whole = |part: &Part| part.votes.and_then(|votes| i64::try_from(votes).ok()).unwrap_or(0).into();
    bars(tr("Votes"), parts, palette, whole, |part| format::count_or_dash(part.votes), "dataMax".into())
}

/// Draws parts in their order, with their shares in percent beside them.
#[must_use]
pub fn shares_bar(parts: &[Part], palette: &Palette) -> Drawing {
    let percent = |part: &Part| ((part.share.unwrap_or(0.0) * 10_000.0).round() / 100.0).into();
    bars("%", parts, palette, percent, |part| format::percent(part.share), 100.into())
}

fn bars(
    unit: &str,
    parts: &[Part],
    palette: &Palette,
    value: impl Fn(&Part) -> serde_json::Value,
    words: impl Fn(&Part) -> String,
    max: serde_json::Value,
) -> Drawing {
    let names: Vec<&str> = parts.iter().map(|part| part.label.as_str()).collect();
    let bars: Vec<DataPointItem> = parts
        .iter()
        .map(|part| {
            DataPointItem::new(0)
                .name(part.name.as_str())
                .item_style(ItemStyle::new().color(palette.paint(&part.tone)).border_radius(3))
        })
        .collect();
    let label = Label::new()
        .show(true)
        .position(LabelPosition::Right)
        .color(palette.ink.as_str())
        .font_size(13)
        .formatter(Formatter::String("{c}".to_owned()));
    let drawn = json!({
        "grid": grid(0, 76, 4, 4).contain_label(true),
        "tooltip": Tooltip::new().trigger(Trigger::Item),
        "xAxis": Axis::new().type_(AxisType::Value).show(false).min(0),
        "yAxis": axis(palette).type_(AxisType::Category).inverse(true).data(names),
        "series": [Bar::new().id("votes").name(unit).bar_width("58%").label(label).data(bars)],
    });
    let mut over = beyond(palette);
    over["xAxis"] = json!({ "max": max });
    over["yAxis"] = json!({
        "axisLine": { "show": false },
        "axisLabel": { "width": 104, "overflow": "truncate", "color": palette.ink, "fontSize": 13, "interval": 0 },
    });
    // Labels with their thousands apart, and what a click leads to: charming's items have neither.
    let items: Vec<_> = parts
        .iter()
        .map(|part| json!({ "value": value(part), "key": part.key, "label": { "formatter": words(part) } }))
        .collect();
    over["series"] = json!([{ "data": items, "colorBy": "data", "barMaxWidth": 36 }]);
    Drawing::new(drawn, over, palette)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, palette, parts, standings};

    fn parts() -> Vec<Part> {
        parts::of_standings(&standings::ranked(&samples::contest(None, &[Some(1_500), Some(2_500)])))
    }

    #[test]
    fn every_bar_has_its_name_number_and_color() {
        let drawing = votes_bar(&parts(), &palette::sample());
        let bars = &drawing.option()["series"][0]["data"];
        assert_eq!(bars[0]["value"], 2_500);
        assert_eq!(bars[0]["label"]["formatter"], "2,500");
        assert_eq!(bars[0]["itemStyle"]["color"], "--c2");
        assert_eq!((&bars[1]["name"], &bars[1]["key"]), (&json!("Candidate 0"), &json!("c0")));
        assert_eq!(drawing.option()["yAxis"]["data"], json!(["Candidate 1", "Candidate 0"]));
    }

    #[test]
    fn shares_are_measured_against_the_whole() {
        let drawing = shares_bar(&parts(), &palette::sample());
        let bars = &drawing.option()["series"][0]["data"];
        assert_eq!((&bars[0]["value"], &drawing.option()["xAxis"]["max"]), (&json!(62.5), &json!(100)));
    }
}
