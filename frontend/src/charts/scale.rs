//! The vertical axis of lines, and the places of the labels at their ends.

use serde_json::{Value, json};

use super::drawing::Drawing;
use crate::{format, order::sort_by};

/// The distance that two labels keep.
const LABEL_HEIGHT: f64 = 16.0;

/// About so many steps divide an axis.
const STEPS: f64 = 5.0;

/// Round bounds, and the distance of the lines between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) step: f64,
}

impl Scale {
    /// Round bounds around shares in percent, 0 among them unless the lines would be squeezed together far above it.
    pub(super) fn of_shares(shares: impl Iterator<Item = f64> + Clone) -> Self {
        let highest = shares.clone().fold(0.0, f64::max);
        let lowest = shares.fold(highest, f64::min);
        let lowest = if lowest < highest / 2.0 { 0.0 } else { lowest };
        let step = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|step| (highest - lowest) / step <= STEPS)
            .unwrap_or(20.0);
        let min = (lowest / step).floor() * step;
        let max = (highest / step).ceil() * step;
        Self { min, max: if max > min { max } else { min + step }, step }
    }

    /// Round bounds around counts, with 0 among them.
    pub(super) fn of_counts(counts: impl Iterator<Item = f64> + Clone) -> Self {
        let highest = counts.clone().fold(0.0, f64::max);
        let lowest = counts.fold(0.0, f64::min);
        let step = round_step((highest - lowest) / STEPS);
        let min = (lowest / step).floor() * step;
        let max = (highest / step).ceil() * step;
        Self { min, max: if max > min { max } else { min + step }, step }
    }

    /// How far below the top of `height` pixels a value is.
    pub(super) fn depth(&self, value: f64, height: f64) -> f64 {
        (self.max - value) / (self.max - self.min) * height
    }
}

/// The least of 1, 2, 5, 10, 20, … that isn't less; counts have no parts.
fn round_step(least: f64) -> f64 {
    let mut power = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if factor * power >= least {
                return factor * power;
            }
        }
        power *= 10.0;
    }
}

/// The room that a letter of a label takes.
pub(super) const LETTER: i32 = 7;

/// Below this width lines need the room more than the names at their ends.
const NARROW_PX: i32 = 560;

/// So much is left of a name then.
const NARROW_LETTERS_MAX: usize = 12;

/// The room to the right of lines: as much as the longest of the names at their ends needs.
pub(super) fn room_for<'a>(labels: impl Iterator<Item = &'a str>) -> i32 {
    room(labels, usize::MAX)
}

fn room<'a>(labels: impl Iterator<Item = &'a str>, letters_max: usize) -> i32 {
    let longest = labels.map(|label| label.chars().count().min(letters_max)).max();
    24 + LETTER * i32::try_from(longest.unwrap_or(0).max(4)).unwrap_or(0)
}

/// What stands at the end of a line: a dot in its color, and its name.
pub(super) fn end_label(label: &str) -> String {
    format!("{{tone|●}} {label}")
}

/// The same lines with shorter names at their ends where there is little room.
pub(super) fn with_short_ends<'a>(
    drawing: Drawing,
    labels: impl Iterator<Item = &'a str> + Clone,
) -> Drawing {
    let series: Vec<Value> = labels
        .clone()
        .map(|label| json!({ "endLabel": { "formatter": end_label(&format::cut(label, NARROW_LETTERS_MAX)) } }))
        .collect();
    let right = room(labels, NARROW_LETTERS_MAX);
    drawing.narrower_than(NARROW_PX, json!({ "grid": { "right": right }, "series": series }))
}

/// How far down each label moves from the end of its line, so that none covers another and none leaves the chart.
pub(super) fn label_shifts(ends: &[Option<f64>], scale: &Scale, height: f64) -> Vec<f64> {
    let mut labels: Vec<(usize, f64)> = ends
        .iter()
        .enumerate()
        .filter_map(|(position, value)| Some((position, scale.depth((*value)?, height))))
        .collect();
    sort_by(&mut labels, |one, other| one.1.total_cmp(&other.1));
    let mut places: Vec<f64> = labels.iter().map(|(_, depth)| *depth).collect();
    for position in 1..places.len() {
        places[position] = places[position].max(places[position - 1] + LABEL_HEIGHT);
    }
    // What was pushed out below pushes the others up again.
    let mut bound = height;
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

    fn scale(min: f64, max: f64, step: f64) -> Scale {
        Scale { min, max, step }
    }

    #[test]
    fn shares_have_round_bounds() {
        let of = |shares: &[f64]| Scale::of_shares(shares.iter().copied());
        assert_eq!(of(&[37.1, 33.0, 3.8]), scale(0.0, 40.0, 10.0));
        assert_eq!(of(&[52.0, 48.0]), scale(48.0, 52.0, 1.0));
        assert_eq!(of(&[50.0, 50.0]), scale(50.0, 50.1, 0.1));
        assert_eq!(of(&[100.0, 0.0]), scale(0.0, 100.0, 20.0));
        assert_eq!(of(&[]), scale(0.0, 0.1, 0.1));
    }

    #[test]
    fn counts_have_round_bounds_with_nothing_among_them() {
        let of = |counts: &[f64]| Scale::of_counts(counts.iter().copied());
        assert_eq!(of(&[276_828.0, 12.0]), scale(0.0, 300_000.0, 100_000.0));
        assert_eq!(of(&[-37.0, 120.0]), scale(-50.0, 150.0, 50.0));
        assert_eq!(of(&[3.0]), scale(0.0, 3.0, 1.0));
        assert_eq!(of(&[]), scale(0.0, 1.0, 1.0));
    }

    #[test]
    fn names_have_the_room_that_they_need_where_there_is_room() {
        let labels = ["Unknown candidate", "Late"];
        let right = room_for(labels.into_iter());
        assert_eq!((right, room_for(std::iter::empty())), (24 + 17 * LETTER, 24 + 4 * LETTER));
        let series: Vec<_> =
            labels.map(|label| json!({ "endLabel": { "formatter": end_label(label) } })).to_vec();
        let option = json!({ "grid": { "right": right }, "series": series });
        let drawing =
            with_short_ends(Drawing::new(option, json!({}), &crate::palette::sample()), labels.into_iter());
        let drawn = |width_px| -> Value { serde_json::from_str(&drawing.to_json(width_px)).unwrap() };
        assert_eq!(drawn(900)["series"][0]["endLabel"]["formatter"], "{tone|●} Unknown candidate");
        assert_eq!(drawn(256)["series"][0]["endLabel"]["formatter"], "{tone|●} Unknown can…");
        assert_eq!(drawn(256)["grid"]["right"], 24 + 12 * LETTER);
    }

    #[test]
    fn labels_keep_their_distance_and_stay_inside() {
        let (scale, height) = (scale(0.0, 40.0, 10.0), 260.0);
        let ends = [Some(30.0), Some(30.2), None, Some(0.2), Some(0.1), Some(0.0)];
        let shifts = label_shifts(&ends, &scale, height);
        let mut places: Vec<f64> = ends
            .iter()
            .zip(&shifts)
            .filter_map(|(share, shift)| Some(scale.depth((*share)?, height) + shift))
            .collect();
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT - 1.0), "{places:?}");
        assert!(places.iter().all(|place| (-0.5..=height + 0.5).contains(place)), "{places:?}");
        assert!(shifts[0] > shifts[1], "the higher share stands above");
    }
}
