//! Votes by candidate, as lying bars: the first candidates by name, the rest as one.

use charming::{
    component::Axis,
    datatype::DataPointItem,
    element::{AxisType, Formatter, ItemStyle, Label, LabelPosition, Tooltip, Trigger},
    series::Bar,
};
use serde_json::json;

use super::drawing::{Drawing, axis, beyond, grid};
use crate::{format, palette::Palette, standings::Standing};

/// Draws standings that were ranked and folded; withheld figures have no bar.
#[must_use]
pub fn votes_bar(standings: &[Standing], palette: &Palette) -> Drawing {
    let names: Vec<String> = standings.iter().map(label).collect();
    let bars: Vec<DataPointItem> = standings
        .iter()
        .map(|standing| {
            DataPointItem::new(standing.votes.and_then(|votes| i64::try_from(votes).ok()).unwrap_or(0))
                .name(standing.name.as_str())
                .item_style(ItemStyle::new().color(palette.paint(&standing.tone)).border_radius(3))
        })
        .collect();
    let label = Label::new()
        .show(true)
        .position(LabelPosition::Right)
        .color(palette.ink.as_str())
        .font_size(13)
        .formatter(Formatter::String("{c}".to_owned()));
    let parts = json!({
        "grid": grid(0, 76, 4, 4).contain_label(true),
        "tooltip": Tooltip::new().trigger(Trigger::Item),
        "xAxis": Axis::new().type_(AxisType::Value).show(false).min(0).max("dataMax"),
        "yAxis": axis(palette).type_(AxisType::Category).inverse(true).data(names),
        "series": [Bar::new().id("votes").name("Votes").bar_width("58%").label(label).data(bars)],
    });
    let mut over = beyond(palette);
    over["yAxis"] = json!({
        "axisLine": { "show": false },
        "axisLabel": { "width": 104, "overflow": "truncate", "color": palette.ink, "fontSize": 13 },
    });
    // Numbers with their thousands apart: charming's items have no labels of their own.
    let labels: Vec<_> = standings
        .iter()
        .map(|standing| json!({ "label": { "formatter": format::count_or_dash(standing.votes) } }))
        .collect();
    over["series"] = json!([{ "data": labels }]);
    Drawing::new(parts, over, palette)
}

fn label(standing: &Standing) -> String {
    standing.short_name.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, palette, standings};

    #[test]
    fn every_bar_has_its_name_number_and_color() {
        let contest = samples::contest(None, &[Some(1_500), Some(2_500)]);
        let drawing = votes_bar(&standings::ranked(&contest), &palette::sample());
        let bars = &drawing.option()["series"][0]["data"];
        assert_eq!(bars[0]["value"], 2_500);
        assert_eq!(bars[0]["label"]["formatter"], "2,500");
        assert_eq!(bars[0]["itemStyle"]["color"], "--c2");
        assert_eq!(bars[1]["name"], "Candidate 0");
        assert_eq!(drawing.option()["yAxis"]["data"], json!(["Candidate 1", "Candidate 0"]));
    }
}
