//! The election definition: a TOML file in, an [`Election`] out that the rest can rely on.
//!
//! A definition is checked as a whole, and every error is told with its line. Its hash covers what it says and not
//! how it is written: comments and spaces make no difference.

mod definition;
mod map;

use sha2::{Digest, Sha256};
use tallyboard_shared::{
    election::{Election, Embargo, LatePolicy, Mode},
    ids::ElectionId,
};

pub use definition::{Definition, DefinitionError, Problem};
pub use map::{Map, MapError};

/// One minute, as in the pipelines that we replace (CONTRACT, "Election definition").
const ALLOWED_LATENESS_MS: i64 = 60_000;

/// Clocks of polling places are set by hand: five minutes pass.
const MAX_CLOCK_SKEW_MS: i64 = 300_000;

/// A minute is what a newsroom asks for; over a long night windows grow by themselves.
const TIMELINE_WINDOW_MS: i64 = 60_000;

/// CONTRACT, "Election definition".
const DISCLOSURE_THRESHOLD: u64 = 10;

/// The definition of the demonstration: a republic that doesn't exist.
const DEMO: &str = include_str!("../../elections/marenne.toml");

/// Where its provinces lie; nowhere on earth.
const DEMO_MAP: &[u8] = include_bytes!("../../elections/marenne.geojson");

/// The map of the demonstration.
///
/// # Panics
/// Never: the map is part of the program, and a test reads it.
#[must_use]
pub fn demo_map() -> Map {
    Map::parse(DEMO_MAP.to_vec(), &demo()).expect("the map in the program is checked by a test")
}

/// The made-up election that the simulation runs on where no other is given.
///
/// # Panics
/// Never: the definition is part of the program, and a test reads it.
#[must_use]
pub fn demo() -> Election {
    Definition::parse(DEMO).expect("the definition in the program is checked by a test").into_election()
}

/// The election of votes for which there is no definition: candidates and places are taken from the votes.
#[must_use]
pub fn undefined() -> Election {
    hashed(Election {
        id: ElectionId::new("votes"),
        title: "Votes".into(),
        // Whether the votes are real is unknown without a definition, and the page must not claim it.
        mode: Mode::Test,
        definition_hash: String::new(),
        defined: false,
        opens_at: None,
        closes_at: None,
        embargo: Embargo::None,
        allowed_lateness_ms: ALLOWED_LATENESS_MS,
        late_policy: LatePolicy::Count,
        max_clock_skew_ms: MAX_CLOCK_SKEW_MS,
        disclosure_threshold: 0,
        timeline_window_ms: TIMELINE_WINDOW_MS,
        breakdowns: Vec::new(),
        contests: Vec::new(),
        locations: Vec::new(),
    })
}

/// Fills in the hash of everything else.
fn hashed(mut election: Election) -> Election {
    election.definition_hash = String::new();
    let canonical = serde_json::to_vec(&election).expect("an election has only text keys");
    election.definition_hash = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
    election
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_a_sound_election_with_a_map() {
        assert_eq!(demo_map().geojson(), DEMO_MAP);
        let election = demo();
        assert_eq!(election.contests[0].candidates.len(), 5);
        assert_eq!(election.locations.len(), 40);
        let tiles: std::collections::BTreeSet<_> =
            election.locations.iter().map(|place| place.tile.expect("every province has a tile")).collect();
        assert_eq!(tiles.len(), 40);
        assert!(election.locations.iter().all(|place| place.registered_voters > Some(1000)));
        assert_eq!(election.mode, Mode::Simulation);
    }

    #[test]
    fn the_definition_in_the_readme_is_sound_and_has_the_hash_that_stands_there() {
        let readme = include_str!("../../../README.md");
        let (_, definition) = readme.split_once("```toml\n").expect("the README has a definition");
        let (definition, rest) = definition.split_once("```").expect("the definition ends");
        let election = Definition::parse(definition).unwrap().into_election();
        assert!(rest.contains(&format!("hash {}", election.definition_hash)), "{}", election.definition_hash);
    }

    #[test]
    fn the_hash_covers_the_content_and_not_the_writing() {
        let hash = |text: &str| Definition::parse(text).unwrap().into_election().definition_hash;
        let changed = DEMO.replace("Ines Okafor", "Inez Okafor");
        assert_eq!(hash(DEMO), hash(&format!("# A comment.\n{DEMO}\n\n")));
        assert_ne!(hash(DEMO), hash(&changed));
        assert_ne!(hash(DEMO), undefined().definition_hash);
    }
}
