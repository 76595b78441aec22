//! The map as areas to fill, the same for tiles and outlines: what its picture is painted from.

use crate::{
    outlines::{self, Outlines},
    palette::Palette,
    tiles::Tile,
};

/// A picture of areas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapArt {
    /// In pixels.
    pub width: f64,
    /// In pixels.
    pub height: f64,
    /// One for each place.
    pub areas: Vec<Area>,
}

/// One place.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// As SVG writes paths.
    pub path: String,
    /// What it is filled with, as deep as `depth`; `None` where there is nothing to show.
    pub color: Option<String>,
    /// 0 to 1.
    pub depth: f64,
    /// Where its two lines of text stand.
    pub label: Option<[f64; 2]>,
    /// The place, in few letters, and its figure.
    pub lines: [String; 2],
}

/// The size of a tile and the distance of two.
const TILE: f64 = 76.0;
const GAP: f64 = 4.0;

/// The map of tiles.
#[must_use]
pub fn of_tiles(tiles: &[Tile], palette: &Palette) -> MapArt {
    let at = |position: u16| f64::from(position - 1) * (TILE + GAP);
    let most = |of: fn(&Tile) -> u16| f64::from(tiles.iter().map(of).max().unwrap_or(0)) * (TILE + GAP);
    let areas = tiles.iter().map(|tile| {
        let (x, y) = (at(tile.column), at(tile.row));
        let path = format!("M{x:.1} {y:.1}h{TILE}v{TILE}h-{TILE}Z");
        area(tile, path, Some([x + TILE / 2.0, y + TILE / 2.0]), palette)
    });
    MapArt { width: most(|tile| tile.column), height: most(|tile| tile.row), areas: areas.collect() }
}

/// The map of outlines; `tiles` say what is shown of each place.
#[must_use]
pub fn of_outlines(outlines: &Outlines, tiles: &[Tile], palette: &Palette) -> MapArt {
    let areas = outlines.shapes.iter().filter_map(|shape| {
        let tile = tiles.iter().find(|tile| tile.id == shape.id)?;
        Some(area(tile, shape.path.clone(), shape.label, palette))
    });
    MapArt { width: outlines::WIDTH, height: outlines.height, areas: areas.collect() }
}

fn area(tile: &Tile, path: String, label: Option<[f64; 2]>, palette: &Palette) -> Area {
    Area {
        path,
        color: tile.tone.as_ref().map(|tone| palette.paint(tone).to_owned()),
        depth: tile.depth,
        label,
        lines: [tile.short_id(), tile.figure.clone()],
    }
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::ids::LocationId;

    use super::*;
    use crate::{outlines::Shape, palette, standings::Tone};

    fn tile(id: &str, row: u16, column: u16) -> Tile {
        Tile {
            id: LocationId::new(id),
            name: id.to_owned(),
            row,
            column,
            tone: Some(Tone::Palette(1)),
            pattern: None,
            depth: 0.5,
            figure: "Oka".into(),
            words: String::new(),
        }
    }

    #[test]
    fn tiles_become_squares_in_their_places() {
        let art = of_tiles(&[tile("ALDER", 1, 1), tile("BR", 2, 3)], &palette::sample());
        assert_eq!((art.width, art.height), (240.0, 160.0));
        assert_eq!(art.areas[1].path, "M160.0 80.0h76v76h-76Z");
        assert_eq!(art.areas[0].lines, ["ALDE", "Oka"]);
        assert_eq!(art.areas[0].color.as_deref(), Some("--c2"));
    }

    #[test]
    fn outlines_are_filled_as_their_places_are() {
        let shape = |id: &str| Shape { id: LocationId::new(id), path: "M0 0Z".into(), label: None };
        let outlines = Outlines { height: 300.0, shapes: vec![shape("BR"), shape("XX")] };
        let art = of_outlines(&outlines, &[tile("AL", 1, 1), tile("BR", 1, 2)], &palette::sample());
        assert_eq!((art.height, art.areas.len()), (300.0, 1), "what isn't counted isn't filled");
        assert_eq!(art.areas[0].lines[0], "BR");
    }
}
