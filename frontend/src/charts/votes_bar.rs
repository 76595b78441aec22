//! Parts of a whole, as lying bars. They begin where lines of text do: on the right in Arabic.

use charming::{
    component::Axis,
    datatype::DataPointItem,
    element::{AxisType, Formatter, ItemStyle, Label, LabelPosition, Tooltip, Trigger},
    series::Bar,
};
use serde_json::json;

use super::drawing::{Drawing, axis, beyond, grid, with_short_names};
use crate::{
    format,
    palette::Palette,
    parts::Part,
    texts::{catalogue, tr},
};

/// Draws parts in their order, with their votes beside them; withheld figures have no bar.
#[must_use]
pub fn votes_bar(parts: &[Part], palette: &Palette) -> Drawing {
    bars(tr("Votes"), parts, palette, votes, |part| format::count_or_dash(part.votes), "dataMax".into())
}

/// Draws parts in their order, with their shares beside them and below these their votes.
#[must_use]
pub fn standings_bar(parts: &[Part], palette: &Palette) -> Drawing {
    let words = |part: &Part| {
        format!("{{share|{}}}\n{{votes|{}}}", format::percent(part.share), format::count_or_dash(part.votes))
    };
    bars(tr("Votes"), parts, palette, votes, words, "dataMax".into())
}

fn votes(part: &Part) -> serde_json::Value {
    part.votes.and_then(|votes| i64::try_from(votes).ok()).unwrap_or(0).into()
}

/// Draws parts in their order, with their shares in percent beside them.
#[must_use]
pub fn shares_bar(parts: &[Part], palette: &Palette) -> Drawing {
    let percent = |part: &Part| ((part.share.unwrap_or(0.0) * 10_000.0).round() / 100.0).into();
    let drawn = bars("%", parts, palette, percent, |part| format::percent(part.share), 100.into());
    let scale = json!({
        "grid": { "bottom": 24 },
        "xAxis": {
            "show": true,
            "interval": 25,
            "axisLabel": { "formatter": "{value} %", "color": palette.soft, "fontSize": 12, "hideOverlap": true },
            "axisLine": { "show": false },
            "splitLine": { "lineStyle": { "color": palette.hair } },
        },
    });
    drawn.with(scale)
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
    let mirrored = catalogue().language.direction() == "rtl";
    let label = Label::new()
        .show(true)
        .position(if mirrored { LabelPosition::Left } else { LabelPosition::Right })
        .color(palette.ink.as_str())
        .font_size(13)
        .formatter(Formatter::String("{c}".to_owned()));
    let drawn = json!({
        "grid": if mirrored { grid(76, 0, 4, 4) } else { grid(0, 76, 4, 4) }.contain_label(true),
        "tooltip": Tooltip::new().trigger(Trigger::Item),
        "xAxis": Axis::new().type_(AxisType::Value).show(false).min(0),
        "yAxis": axis(palette).type_(AxisType::Category).inverse(true).data(names),
        "series": [Bar::new().id("votes").name(unit).bar_width("50%").label(label).data(bars)],
    });
    let mut over = beyond(palette);
    over["xAxis"] = json!({ "max": max, "inverse": mirrored });
    over["yAxis"] = json!({
        "position": if mirrored { "right" } else { "left" },
        "axisLine": { "show": false },
        "axisLabel": { "color": palette.ink, "fontSize": 13, "interval": 0 },
    });
    // Labels with their thousands apart, and what a click leads to: charming's items have neither.
    let items: Vec<_> = parts
        .iter()
        .map(|part| json!({ "value": value(part), "key": part.key, "label": { "formatter": words(part) } }))
        .collect();
    let rich = json!({
        "share": { "color": palette.ink, "fontSize": 14, "fontWeight": 600, "lineHeight": 17 },
        "votes": { "color": palette.soft, "fontSize": 12, "lineHeight": 15 },
    });
    over["series"] =
        json!([{ "data": items, "colorBy": "data", "barMaxWidth": 30, "label": { "rich": rich } }]);
    with_short_names(Drawing::new(drawn, over, palette))
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
    fn a_candidate_has_share_and_votes_beside_the_bar() {
        let drawing = standings_bar(&parts(), &palette::sample());
        let bar = &drawing.option()["series"][0]["data"][0];
        assert_eq!(bar["label"]["formatter"], "{share|62.5\u{202f}%}\n{votes|2,500}");
        assert_eq!(bar["value"], 2_500);
    }

    #[test]
    fn shares_are_measured_against_the_whole() {
        let drawing = shares_bar(&parts(), &palette::sample());
        let bars = &drawing.option()["series"][0]["data"];
        assert_eq!((&bars[0]["value"], &drawing.option()["xAxis"]["max"]), (&json!(62.5), &json!(100)));
        assert_eq!(drawing.option()["xAxis"]["show"], true, "how far it is to the whole can be seen");
    }
}
