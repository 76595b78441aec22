//! Places and how their votes are split: a lying bar for each, as long as the whole.

use charming::{
    component::Axis,
    datatype::DataPointItem,
    element::{AxisType, Tooltip, Trigger},
    series::Bar,
};
use serde_json::json;

use super::drawing::{Drawing, axis, beyond, grid, legend, with_short_names};
use crate::{format, palette::Palette, parts::Split, standings::Standing, texts::catalogue};

/// How many places have a bar; the table has all.
pub const PLACES_MAX: usize = 10;

/// Draws the first places whose split isn't withheld; a click on a bar is a click on its place.
#[must_use]
pub fn place_bars(splits: &[Split], standings: &[Standing], palette: &Palette) -> Drawing {
    let shown: Vec<_> = splits.iter().filter(|split| split.votes > Some(0)).take(PLACES_MAX).collect();
    let names: Vec<String> = shown.iter().map(|split| format::label(&split.name)).collect();
    let bars = standings.iter().enumerate().map(|(position, standing)| {
        let shares = shown.iter().map(|split| split.shares.get(position).copied().flatten().unwrap_or(0.0));
        let bars: Vec<DataPointItem> =
            shares.map(|share| DataPointItem::new((share * 10_000.0).round() / 100.0)).collect();
        Bar::new()
            .id(standing.id.as_str())
            .name(standing.name.as_str())
            .stack("all")
            .bar_width("62%")
            .data(bars)
    });
    let parts = json!({
        "grid": grid(0, 16, 34, 4).contain_label(true),
        "tooltip": Tooltip::new().trigger(Trigger::Axis),
        "xAxis": Axis::new().type_(AxisType::Value).show(false).min(0).max(100),
        "yAxis": axis(palette).type_(AxisType::Category).inverse(true).data(names),
        "series": bars.collect::<Vec<_>>(),
    });
    let mirrored = catalogue().language.direction() == "rtl";
    let mut over = beyond(palette);
    over["xAxis"] = json!({ "inverse": mirrored });
    over["legend"] = legend(palette);
    over["tooltip"]["axisPointer"] = json!({ "type": "shadow" });
    over["yAxis"] = json!({
        "position": if mirrored { "right" } else { "left" },
        "axisLine": { "show": false },
        "axisLabel": { "color": palette.ink, "fontSize": 13, "interval": 0 },
    });
    let keys: Vec<_> = shown.iter().map(|split| json!({ "key": split.key })).collect();
    over["series"] = standings
        .iter()
        .map(|standing| {
            json!({
                "data": keys,
                "cursor": "pointer",
                "itemStyle": {
                    "color": palette.paint(&standing.tone),
                    "borderColor": palette.card,
                    "borderWidth": 1,
                },
            })
        })
        .collect();
    with_short_names(Drawing::new(parts, over, palette))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, palette, parts, standings};

    #[test]
    fn bars_are_shares_and_lead_to_their_place() {
        let results = samples::results(1, None, &[Some(30), Some(10)]);
        let standings = standings::ranked(&results.contests[0]);
        let mut splits = parts::splits(&results.locations, &results.contests[0].id, &standings);
        splits.push(Split { key: "B".into(), name: "Brant".into(), votes: None, shares: vec![None, None] });
        let drawing = place_bars(&splits, &standings, &palette::sample());
        let series = &drawing.option()["series"];
        assert_eq!(series[0]["data"], json!([{ "value": 75.0, "key": "AL" }]), "withheld splits have no bar");
        assert_eq!(series[1]["data"][0]["value"], 25.0);
        assert_eq!(drawing.option()["yAxis"]["data"], json!(["Alder"]));
    }
}
