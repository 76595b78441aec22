//! The map of an election: a `GeoJSON` file beside the definition, with a shape for each place.
//!
//! Checked whole at the start and served as it is, so that pages and others may rely on it. What the coordinates mean
//! isn't asked: degrees, or the millimeters of a drawing.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::Deserialize;
use tallyboard_shared::election::Election;

/// A map is drawn by every phone that reads the page: larger ones are to be simplified first.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A map that passed every check.
#[derive(Clone, Debug)]
pub struct Map(Bytes);

/// Why a map can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The file isn't there, or can't be read.
    #[error("failed to read the map {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// More than what is allowed.
    #[error("the map has {0} bytes, and {BYTES_MAX} are allowed: simplify its lines")]
    TooLarge(u64),
    /// Not `GeoJSON` of areas.
    #[error("the map is no GeoJSON FeatureCollection of Polygon and MultiPolygon")]
    NotGeoJson(#[source] serde_json::Error),
    /// A shape without a place.
    #[error(
        "feature {0} of the map names no place: give it the place's id as `id`, or in `properties` as `location_id`"
    )]
    Nameless(usize),
    /// A shape for a place that the definition doesn't have.
    #[error("the map has a shape for `{0}`, which is no place of the definition")]
    UnknownPlace(String),
    /// A second shape.
    #[error("the map has two shapes for `{0}`: make them one MultiPolygon")]
    Twice(String),
    /// A shape that can't be drawn.
    #[error("the shape of `{0}` isn't made of closed rings of at least four points")]
    Unsound(String),
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Collection {
    FeatureCollection { features: Vec<Feature> },
}

#[derive(Deserialize)]
struct Feature {
    id: Option<String>,
    properties: Option<Properties>,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct Properties {
    location_id: Option<String>,
}

/// A position has two numbers or more; those behind the second are heights, and not drawn.
type Ring = Vec<Vec<f64>>;

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Polygon(Vec<Ring>),
    MultiPolygon(Vec<Vec<Ring>>),
}

impl Map {
    /// Reads the map of a definition.
    ///
    /// # Errors
    /// Where the file can't be read, or isn't a sound map of these places.
    pub fn read(file: &Path, election: &Election) -> Result<Self, MapError> {
        let unreadable = |error| MapError::Unreadable(file.to_owned(), error);
        let length = std::fs::metadata(file).map_err(unreadable)?.len();
        if length > BYTES_MAX {
            return Err(MapError::TooLarge(length));
        }
        Self::parse(std::fs::read(file).map_err(unreadable)?, election)
    }

    pub(super) fn parse(text: Vec<u8>, election: &Election) -> Result<Self, MapError> {
        let Collection::FeatureCollection { features } =
            serde_json::from_slice(&text).map_err(MapError::NotGeoJson)?;
        let known: HashSet<_> = election.locations.iter().map(|place| place.id.as_str()).collect();
        let mut seen = HashSet::new();
        for (position, feature) in features.into_iter().enumerate() {
            let named = feature.properties.and_then(|properties| properties.location_id);
            let id = named.or(feature.id).ok_or(MapError::Nameless(position))?;
            if !known.contains(id.as_str()) {
                return Err(MapError::UnknownPlace(id));
            }
            if !is_sound(&feature.geometry) {
                return Err(MapError::Unsound(id));
            }
            if !seen.insert(id.clone()) {
                return Err(MapError::Twice(id));
            }
        }
        Ok(Self(text.into()))
    }

    /// The file.
    #[must_use]
    pub fn geojson(&self) -> Bytes {
        self.0.clone()
    }
}

fn is_sound(geometry: &Geometry) -> bool {
    let is_area = |rings: &Vec<Ring>| !rings.is_empty() && rings.iter().all(is_ring);
    match geometry {
        Geometry::Polygon(rings) => is_area(rings),
        Geometry::MultiPolygon(areas) => !areas.is_empty() && areas.iter().all(is_area),
    }
}

fn is_ring(ring: &Ring) -> bool {
    ring.len() >= 4
        && ring.first() == ring.last()
        && ring.iter().all(|point| point.len() >= 2 && point.iter().all(|number| number.is_finite()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::election::demo;

    fn feature(id: &str, rings: &Value) -> Value {
        json!({ "type": "Feature", "id": id, "properties": null,
                "geometry": { "type": "Polygon", "coordinates": rings } })
    }

    fn square() -> Value {
        json!([[[0, 0], [1, 0], [1, 1, 7], [0, 0]]])
    }

    fn parse(features: &[Value]) -> Result<Map, MapError> {
        let map = json!({ "type": "FeatureCollection", "features": features });
        Map::parse(map.to_string().into_bytes(), &demo())
    }

    #[test]
    fn a_sound_map_is_kept_as_it_is() {
        let other = json!({ "type": "Feature", "properties": { "location_id": "BR", "name": "Brant" },
                            "geometry": { "type": "MultiPolygon", "coordinates": [square()] } });
        let map = parse(&[feature("AL", &square()), other]).unwrap();
        let read: Value = serde_json::from_slice(&map.geojson()).unwrap();
        assert_eq!(read["features"][0]["id"], "AL");
    }

    #[test]
    fn every_fault_of_a_map_is_told() {
        let square = &square();
        let nameless = json!({ "type": "Feature", "geometry": { "type": "Polygon", "coordinates": square } });
        let told = |features: &[Value]| parse(features).unwrap_err().to_string();
        assert!(told(&[nameless]).starts_with("feature 0 of the map names no place"));
        assert!(told(&[feature("XX", square)]).contains("`XX`, which is no place"));
        assert!(
            told(&[feature("AL", square), feature("AL", square)])
                .starts_with("the map has two shapes for `AL`")
        );
        let open = json!([[[0, 0], [1, 0], [1, 1], [0, 1]]]);
        for rings in [json!([]), json!([[[0, 0], [0, 0]]]), open, json!([[[0], [1], [2], [0]]])] {
            assert!(told(&[feature("AL", &rings)]).starts_with("the shape of `AL`"), "{rings}");
        }
        let point =
            json!({ "type": "Feature", "id": "AL", "geometry": { "type": "Point", "coordinates": [0, 0] } });
        assert!(told(&[point]).starts_with("the map is no GeoJSON"));
        assert!(Map::parse(b"{}".to_vec(), &demo()).is_err());
    }

    #[test]
    fn a_map_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("map.geojson");
        let large = std::fs::File::create(&file).unwrap();
        large.set_len(BYTES_MAX + 1).unwrap();
        assert!(matches!(Map::read(&file, &demo()), Err(MapError::TooLarge(_))));
        assert!(matches!(Map::read(&dir.path().join("none"), &demo()), Err(MapError::Unreadable(..))));
    }
}
