//! The shapes of places, from `GeoJSON` to the paths of a drawing: projected, fitted and thinned to what can be seen.
//!
//! Knows nothing of votes. The server has checked the map; what isn't understood here is no map.

use serde_json::Value;
use tallyboard_shared::ids::LocationId;

/// The width of the drawing, in its own units.
pub const WIDTH: f64 = 1_000.0;

/// Points that are nearer to the one before aren't drawn.
const STEP: f64 = 0.7;

/// In a narrower shape a label would cover the neighbors.
const LABEL_ROOM: f64 = 42.0;

/// Every shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlines {
    /// The height of the drawing, in units of [`WIDTH`].
    pub height: f64,
    /// In the order of the map.
    pub shapes: Vec<Shape>,
}

/// One place.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The place.
    pub id: LocationId,
    /// As SVG writes paths.
    pub path: String,
    /// Where a label stands; `None` where there is no room for one.
    pub label: Option<[f64; 2]>,
}

type Point = [f64; 2];
type Ring = Vec<Point>;

/// The place of a feature, and all of its rings; holes are left to the rule of even and odd.
fn shape(feature: &Value) -> Option<(LocationId, Vec<Ring>)> {
    let named = feature["properties"]["location_id"].as_str();
    let id = LocationId::new(named.or_else(|| feature["id"].as_str())?);
    let geometry = &feature["geometry"];
    let coordinates = geometry["coordinates"].as_array()?;
    let mut rings = Vec::new();
    match geometry["type"].as_str()? {
        "Polygon" => rings.extend(coordinates.iter().map(ring)),
        "MultiPolygon" => rings.extend(coordinates.iter().filter_map(Value::as_array).flatten().map(ring)),
        _ => return None,
    }
    Some((id, rings))
}

fn ring(points: &Value) -> Ring {
    let points = points.as_array().into_iter().flatten();
    points.filter_map(|point| Some([point[0].as_f64()?, point[1].as_f64()?])).collect()
}

impl Outlines {
    /// Reads `GeoJSON`; `None` where it is none, or has no extent.
    #[must_use]
    pub fn parse(geojson: &str) -> Option<Self> {
        let collection: Value = serde_json::from_str(geojson).ok()?;
        let shapes: Vec<_> = collection["features"].as_array()?.iter().filter_map(shape).collect();
        let fit = Fit::of(shapes.iter().flat_map(|(_, rings)| rings).flatten())?;
        let shapes = shapes.into_iter().map(|(id, rings)| {
            let rings: Vec<Ring> =
                rings.iter().map(|ring| thinned(ring.iter().map(|point| fit.place(*point)))).collect();
            Shape { id, path: path(&rings), label: label(&rings) }
        });
        Some(Self { height: fit.height, shapes: shapes.collect() })
    }
}

/// From the map's coordinates to those of the drawing, with north above.
struct Fit {
    left: f64,
    top: f64,
    /// A degree of longitude is shorter than one of latitude.
    narrow: f64,
    scale: f64,
    height: f64,
}

impl Fit {
    fn of<'a>(points: impl Iterator<Item = &'a Point>) -> Option<Self> {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in points {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        let is_degrees = low[0] >= -180.0 && high[0] <= 180.0 && low[1] >= -90.0 && high[1] <= 90.0;
        let middle = f64::midpoint(low[1], high[1]).to_radians();
        let narrow = if is_degrees { middle.cos().max(0.05) } else { 1.0 };
        let width = (high[0] - low[0]) * narrow;
        let scale = WIDTH / width;
        let height = (high[1] - low[1]) * scale;
        // A line, a point or nothing can't be fitted.
        let fits = width > 0.0 && height > 0.0 && height.is_finite();
        fits.then_some(Self { left: low[0], top: high[1], narrow, scale, height })
    }

    fn place(&self, [x, y]: Point) -> Point {
        [(x - self.left) * self.narrow * self.scale, (self.top - y) * self.scale]
    }
}

fn thinned(points: impl Iterator<Item = Point>) -> Ring {
    let mut ring: Ring = Vec::new();
    for point in points {
        let is_near = |last: &Point| (last[0] - point[0]).hypot(last[1] - point[1]) < STEP;
        if !ring.last().is_some_and(is_near) {
            ring.push(point);
        }
    }
    ring
}

fn path(rings: &[Ring]) -> String {
    let mut path = String::new();
    for ring in rings.iter().filter(|ring| ring.len() > 2) {
        for (position, [x, y]) in ring.iter().enumerate() {
            path.push(if position == 0 { 'M' } else { 'L' });
            path.push_str(&format!("{x:.1} {y:.1}"));
        }
        path.push('Z');
    }
    path
}

/// The center of the largest ring, where that is wide and high enough.
fn label(rings: &[Ring]) -> Option<Point> {
    let largest = rings.iter().max_by(|one, other| area(one).abs().total_cmp(&area(other).abs()))?;
    let extent = |axis: usize| {
        let numbers = largest.iter().map(|point| point[axis]);
        numbers.clone().fold(f64::NEG_INFINITY, f64::max) - numbers.fold(f64::INFINITY, f64::min)
    };
    (extent(0) >= LABEL_ROOM && extent(1) >= LABEL_ROOM).then(|| centroid(largest))
}

fn edges(ring: &Ring) -> impl Iterator<Item = (Point, Point)> {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

fn area(ring: &Ring) -> f64 {
    edges(ring).map(|(one, other)| one[0] * other[1] - other[0] * one[1]).sum::<f64>() / 2.0
}

fn centroid(ring: &Ring) -> Point {
    let of = |axis: usize| {
        let moments = edges(ring)
            .map(|(one, other)| (one[axis] + other[axis]) * (one[0] * other[1] - other[0] * one[1]));
        moments.sum::<f64>() / (6.0 * area(ring))
    };
    [of(0), of(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(coordinates: &str) -> String {
        format!(
            r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","id":"AL","properties":null,
               "geometry":{{"type":"Polygon","coordinates":{coordinates}}}}}]}}"#
        )
    }

    #[test]
    fn a_drawing_is_fitted_with_north_above() {
        let outlines =
            Outlines::parse(&map("[[[1000,1000],[3000,1000],[3000,2000],[1000,2000],[1000,1000]]]")).unwrap();
        assert!((outlines.height - 500.0).abs() < 1e-9);
        assert_eq!(outlines.shapes[0].path, "M0.0 500.0L1000.0 500.0L1000.0 0.0L0.0 0.0L0.0 500.0Z");
        assert_eq!(outlines.shapes[0].label, Some([500.0, 250.0]));
    }

    #[test]
    fn degrees_are_narrower_away_from_the_equator() {
        let outlines = Outlines::parse(&map("[[[10,59],[12,59],[12,61],[10,61],[10,59]]]")).unwrap();
        assert!(
            (outlines.height - 2_000.0).abs() < 1.0,
            "at 60° a degree is half as wide: {}",
            outlines.height
        );
    }

    #[test]
    fn what_cannot_be_seen_is_not_drawn() {
        let ring = "[[0,0],[900,0],[900,0.1],[900,900],[0,900],[0,0]]";
        let speck = "[[5,5],[5.1,5],[5.1,5.1],[5,5]]";
        let outlines = Outlines::parse(&map(&format!("[{ring},{speck}]"))).unwrap();
        assert_eq!(outlines.shapes[0].path.matches('M').count(), 1);
        assert_eq!(outlines.shapes[0].path.matches('L').count(), 4);
    }

    #[test]
    fn a_thin_shape_has_no_label_and_nothing_no_map() {
        let thin = Outlines::parse(&map("[[[0,0],[900,0],[900,9],[0,9],[0,0]]]")).unwrap();
        assert_eq!(thin.shapes[0].label, None);
        for text in ["", "{}", &map("[]"), &map("[[[1,1],[1,1],[1,1],[1,1]]]")] {
            assert_eq!(Outlines::parse(text), None, "{text}");
        }
    }
}
