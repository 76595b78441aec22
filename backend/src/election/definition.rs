//! Reading a definition file.

mod check;

use std::{fmt, ops::Range, path::Path};

use serde::Deserialize;
use tallyboard_shared::election::{Election, Embargo, LatePolicy, Mode};
use toml::Spanned;

use self::check::Check;
use super::map::{Map, MapError};

/// A definition that passed every check.
#[derive(Debug)]
pub struct Definition {
    election: Election,
    map: Option<String>,
}

/// Everything that is wrong with a definition.
#[derive(Debug, thiserror::Error)]
pub struct DefinitionError {
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a definition.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// A sentence.
    pub message: String,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the election definition has {} error(s)", self.problems.len())?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  line {}: {}", problem.line, problem.message))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: Spanned<String>,
    title: String,
    mode: Mode,
    opens_at: Option<Spanned<Time>>,
    closes_at: Option<Spanned<Time>>,
    embargo: Option<Spanned<Embargo>>,
    allowed_lateness: Option<Spanned<String>>,
    max_clock_skew: Option<Spanned<String>>,
    #[serde(default)]
    late_policy: LatePolicy,
    disclosure_threshold: Option<u64>,
    timeline_window: Option<Spanned<String>>,
    #[serde(default)]
    breakdowns: Vec<Spanned<String>>,
    map: Option<Spanned<String>>,
    contests: Spanned<Vec<RawContest>>,
    locations: Spanned<Vec<RawLocation>>,
}

/// A moment as text, or as a TOML date-time.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Text(String),
    Toml(toml::value::Datetime),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContest {
    id: Spanned<String>,
    title: String,
    #[serde(default)]
    candidates: Vec<RawCandidate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCandidate {
    id: Spanned<String>,
    name: String,
    party: Option<String>,
    color: Option<Spanned<String>>,
    photo_url: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLocation {
    id: Spanned<String>,
    name: Spanned<String>,
    registered_voters: Option<u64>,
    tile: Option<Spanned<[u16; 2]>>,
    contests: Option<Vec<Spanned<String>>>,
    parent: Option<Spanned<String>>,
}

impl Definition {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// All problems, each with its line.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, &span));
            DefinitionError { problems: vec![Problem { line, message: error.message().to_owned() }] }
        })?;
        let mut check = Check { text, problems: Vec::new() };
        if let Some(map) = raw.map.as_ref().filter(|map| map.get_ref().is_empty()) {
            check.problem(
                &map.span(),
                "`map` is the name of a GeoJSON file; leave it out where there is none",
            );
        }
        let map = raw.map.as_ref().map(|map| map.get_ref().clone());
        let election = check.election(raw);
        if check.problems.is_empty() {
            // Where borders run makes no difference to what is counted: the hash doesn't cover the map.
            Ok(Self { election: super::hashed(election), map })
        } else {
            check.problems.sort_by_key(|problem| problem.line);
            Err(DefinitionError { problems: check.problems })
        }
    }

    /// The election that is defined.
    #[must_use]
    pub fn into_election(self) -> Election {
        self.election
    }

    /// Reads the map of a definition that lies in `folder`; `None` where it has none.
    ///
    /// # Errors
    /// Where it can't be used.
    pub fn read_map(&self, folder: &Path) -> Result<Option<Map>, MapError> {
        self.map.as_ref().map(|name| Map::read(&folder.join(name), &self.election)).transpose()
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::ids::{ContestId, LocationId};

    use super::*;

    const SOUND: &str = r##"id = "e"
title = "E"
mode = "test"
opens_at = "2026-11-03T07:00:00Z"
closes_at = 2026-11-03T20:00:00Z
allowed_lateness = "90s"
[[contests]]
id = "k"
title = "K"
[[contests.candidates]]
id = "c1"
name = "One"
color = "#2A6fdb"
[[locations]]
id = "A"
name = "Alder"
registered_voters = 8_074_000
tile = [5, 8]
"##;

    #[track_caller]
    fn check(from: &str, to: &str, expected: &[(usize, &str)]) {
        assert!(SOUND.contains(from), "{from}");
        let problems = Definition::parse(&SOUND.replace(from, to)).unwrap_err().problems;
        let seen: Vec<_> = problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for ((line, message), (expected_line, part)) in seen.iter().zip(expected) {
            assert!(line == expected_line && message.contains(part), "{seen:?}");
        }
    }

    #[test]
    fn a_sound_definition_is_read() {
        let election = Definition::parse(SOUND).unwrap().into_election();
        assert_eq!(election.closes_at, Some("2026-11-03T20:00:00Z".parse().unwrap()));
        assert_eq!(election.allowed_lateness_ms, 90_000);
        assert_eq!(election.locations[0].registered_voters, Some(8_074_000));
        assert_eq!(election.locations[0].contests, [ContestId::new("k")]);
        assert_eq!(election.contests[0].candidates[0].color.as_deref(), Some("#2a6fdb"));
        assert_eq!(election.definition_hash.len(), 64);
    }

    #[test]
    fn every_error_is_told_with_its_line() {
        check("id = \"c1\"", "id = \"\"", &[(11, "1 to 256 bytes")]);
        check("2026-11-03T07:00:00Z", "yesterday", &[(4, "not a time")]);
        check("2026-11-03T07:00:00Z", "2027-11-03T07:00:00Z", &[(5, "close before they open")]);
        check("\"90s\"", "\"soon\"", &[(6, "not a duration")]);
        check("#2A6fdb", "blue", &[(13, "not a color")]);
        check("mode = \"test\"", "mode = \"fun\"", &[(3, "unknown variant")]);
        check("tile = [5, 8]", "contests = [\"x\"]", &[(18, "no contest `x`")]);
        check("name = \"One\"", "name = \"One\"\nphoto_url = \"javascript:alert(1)\"", &[(13, "photo")]);
        check("tile = [5, 8]", "shape = 1", &[(18, "unknown field")]);
        let twice = "tile = [5, 8]\n[[locations]]\nid = \"B\"\nname = \"A\"\ntile = [5, 8]";
        check("tile = [5, 8]", twice, &[(21, "line 15 already"), (22, "taken by Alder")]);
        let breakdowns = "title = \"E\"\nbreakdowns = [\"gender\", \"shoes\",\n\"gender\"]";
        check("title = \"E\"", breakdowns, &[(3, "`shoes` is not a breakdown"), (4, "line 3 already")]);
        check("\"90s\"", "\"90s\"\ntimeline_window = \"999ms\"", &[(7, "one second to one day")]);
        check("\"90s\"", "\"90s\"\ntimeline_window = \"25h\"", &[(7, "one second to one day")]);
    }

    #[test]
    fn a_parent_is_another_location_and_no_place_is_a_part_of_itself() {
        check("tile = [5, 8]", "parent = \"Z\"", &[(18, "no location `Z`")]);
        check("tile = [5, 8]", "parent = \"Alder\"", &[(18, "no location `Alder`")]);
        check("tile = [5, 8]", "parent = \"A\"", &[(18, "`A` would be a part of itself")]);
        let place = |id: &str, parent: &str| {
            format!("[[locations]]\nid = \"{id}\"\nname = \"n{id}\"\nparent = \"{parent}\"\n")
        };
        let ring = format!("parent = \"B\"\n{}{}{}", place("B", "C"), place("C", "B"), place("D", "A"));
        check("tile = [5, 8]", &ring, &[(26, "`C` would be a part of itself")]);
        let sound = format!("{SOUND}{}{}", place("B", "A"), place("C", "B"));
        let election = Definition::parse(&sound).unwrap().into_election();
        assert_eq!(election.locations[2].parent, Some(LocationId::new("B")));
    }

    #[test]
    fn an_embargo_needs_a_closing_time() {
        let open_end = SOUND.replace("closes_at = 2026-11-03T20:00:00Z", "embargo = \"until_close\"");
        let problems = Definition::parse(&open_end).unwrap_err().problems;
        assert_eq!(problems[0].line, 5);
    }
}
