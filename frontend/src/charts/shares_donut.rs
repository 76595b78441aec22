//! Parts of a whole, as a donut with its names around it.

use charming::{
    datatype::DataPointItem,
    element::{ItemStyle, Tooltip, Trigger},
    series::Pie,
};
use serde_json::json;

use super::drawing::{Drawing, beyond};
use crate::{format, palette::Palette, parts::Part, texts::tr};

/// Below this share a slice has no label: it would only push the others about.
const LABELED_SHARE_MIN: f64 = 0.02;

/// Below this width the ring gives its room to the names around it.
const NARROW_PX: i32 = 330;

/// Draws parts in their order; withheld figures have no slice.
#[must_use]
pub fn shares_donut(parts: &[Part], palette: &Palette) -> Drawing {
    let slices: Vec<DataPointItem> = parts
        .iter()
        .map(|part| {
            DataPointItem::new(part.votes.and_then(|votes| i64::try_from(votes).ok()).unwrap_or(0))
                .name(part.name.as_str())
                .item_style(ItemStyle::new().color(palette.paint(&part.tone)))
        })
        .collect();
    let donut = Pie::new()
        .id("shares")
        .name(tr("Votes"))
        .radius(vec!["42%", "64%"])
        .item_style(ItemStyle::new().border_color(palette.card.as_str()).border_width(2))
        .data(slices);
    let drawn = json!({ "tooltip": Tooltip::new().trigger(Trigger::Item), "series": [donut] });
    let mut over = beyond(palette);
    let labels: Vec<_> = parts
        .iter()
        .map(|part| {
            let text = format!("{}\n{}", part.label, format::percent(part.share));
            let shown = part.share.is_some_and(|share| share >= LABELED_SHARE_MIN);
            json!({ "key": part.key, "label": { "show": shown, "formatter": text }, "labelLine": { "show": shown } })
        })
        .collect();
    over["series"] = json!([{
        "data": labels,
        "label": { "color": palette.ink, "fontSize": 12, "lineHeight": 16, "bleedMargin": 0 },
        "labelLine": { "length": 8, "length2": 6, "lineStyle": { "color": palette.soft } },
        "emphasis": { "scale": false },
        // Slices grow in place instead of sweeping in again.
        "animationType": "expansion",
        "animationTypeUpdate": "transition",
    }]);
    let small =
        json!({ "series": [{ "radius": ["28%", "44%"], "labelLine": { "length": 4, "length2": 4 } }] });
    Drawing::new(drawn, over, palette).narrower_than(NARROW_PX, small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::samples, palette, parts, standings};

    #[test]
    fn slices_are_votes_and_labels_are_shares() {
        let contest = samples::contest(None, &[Some(750), Some(240), Some(10)]);
        let drawing = shares_donut(&parts::of_standings(&standings::ranked(&contest)), &palette::sample());
        let slices = &drawing.option()["series"][0]["data"];
        assert_eq!(slices[0]["value"], 750);
        assert_eq!(slices[0]["label"]["formatter"], "Candidate 0\n75.0\u{202f}%");
        assert_eq!(slices[2]["label"]["show"], false);
    }
}
