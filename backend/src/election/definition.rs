//! Reading and checking a definition file.

use std::{collections::HashMap, fmt, ops::Range, path::Path};

use serde::Deserialize;
use tallyboard_shared::{
    Timestamp,
    election::{Breakdown, Candidate, Contest, Election, Embargo, LatePolicy, Location, Mode},
    ids::{CandidateId, ContestId, ElectionId, LocationId},
};
use toml::Spanned;

use super::map::{Map, MapError};

/// Narrower windows tell less than a clock that is set by hand; wider ones are no timeline.
const TIMELINE_WINDOW_MS: std::ops::RangeInclusive<i64> = 1_000..=86_400_000;

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

/// Collects problems, so that all are told at once.
struct Check<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem { line: line_of(self.text, span), message: message.into() });
    }

    fn election(&mut self, raw: Raw) -> Election {
        self.text_id(&raw.id);
        let opens_at = raw.opens_at.as_ref().and_then(|time| self.time(time));
        let closes_at = raw.closes_at.as_ref().and_then(|time| self.time(time));
        if let (Some(opens), Some(closes), Some(span)) = (opens_at, closes_at, &raw.closes_at)
            && closes <= opens
        {
            self.problem(&span.span(), "polls close before they open");
        }
        if let Some(embargo) = &raw.embargo
            && *embargo.get_ref() == Embargo::UntilClose
            && closes_at.is_none()
        {
            self.problem(&embargo.span(), "an embargo until the polls close needs `closes_at`");
        }
        let contests = self.contests(&raw.contests);
        let locations = self.locations(&raw.locations, &contests);
        Election {
            id: ElectionId::new(raw.id.into_inner()),
            title: raw.title,
            mode: raw.mode,
            definition_hash: String::new(),
            defined: true,
            opens_at,
            closes_at,
            embargo: raw.embargo.map(Spanned::into_inner).unwrap_or_default(),
            allowed_lateness_ms: self.duration(raw.allowed_lateness, super::ALLOWED_LATENESS_MS),
            late_policy: raw.late_policy,
            max_clock_skew_ms: self.duration(raw.max_clock_skew, super::MAX_CLOCK_SKEW_MS),
            disclosure_threshold: raw.disclosure_threshold.unwrap_or(super::DISCLOSURE_THRESHOLD),
            timeline_window_ms: self.timeline_window(raw.timeline_window),
            breakdowns: self.breakdowns(&raw.breakdowns),
            contests,
            locations,
        }
    }

    fn text_id(&mut self, id: &Spanned<String>) {
        let text = id.get_ref();
        if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
            self.problem(&id.span(), "an id has 1 to 256 bytes and no control characters");
        }
    }

    fn time(&mut self, time: &Spanned<Time>) -> Option<Timestamp> {
        let text = match time.get_ref() {
            Time::Text(text) => text.clone(),
            Time::Toml(datetime) => datetime.to_string(),
        };
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(&time.span(), format!("`{text}` is not a time like 2026-11-03T07:00:00Z"));
        }
        parsed
    }

    fn duration(&mut self, text: Option<Spanned<String>>, default: i64) -> i64 {
        let Some(text) = text else { return default };
        let parsed = text.get_ref().parse::<jiff::SignedDuration>().ok();
        let milliseconds = parsed.and_then(|duration| i64::try_from(duration.as_millis()).ok());
        milliseconds.filter(|milliseconds| *milliseconds >= 0).unwrap_or_else(|| {
            self.problem(&text.span(), format!("`{}` is not a duration like 1m or 90s", text.get_ref()));
            default
        })
    }

    fn timeline_window(&mut self, text: Option<Spanned<String>>) -> i64 {
        let span = text.as_ref().map(Spanned::span).unwrap_or_default();
        let width = self.duration(text, super::TIMELINE_WINDOW_MS);
        if !TIMELINE_WINDOW_MS.contains(&width) {
            self.problem(&span, "a window of the timeline is one second to one day wide");
        }
        width
    }

    fn breakdowns(&mut self, names: &[Spanned<String>]) -> Vec<Breakdown> {
        let mut seen = Seen::new("breakdown");
        let mut breakdowns = Vec::new();
        for name in names {
            seen.once(self, name);
            match name.get_ref().as_str() {
                "gender" => breakdowns.push(Breakdown::Gender),
                "age_band" => breakdowns.push(Breakdown::AgeBand),
                other => {
                    let message = format!("`{other}` is not a breakdown; there are `gender` and `age_band`");
                    self.problem(&name.span(), message);
                }
            }
        }
        breakdowns
    }

    fn contests(&mut self, raw: &Spanned<Vec<RawContest>>) -> Vec<Contest> {
        if raw.get_ref().is_empty() {
            self.problem(&raw.span(), "an election has at least one contest");
        }
        let mut contest_ids = Seen::new("contest");
        // The aggregate topic is keyed by candidate, so an id stands for one candidate in the whole election.
        let mut candidate_ids = Seen::new("candidate");
        let mut contests = Vec::new();
        for contest in raw.get_ref() {
            self.text_id(&contest.id);
            contest_ids.once(self, &contest.id);
            if contest.candidates.is_empty() {
                self.problem(
                    &contest.id.span(),
                    format!("contest `{}` has no candidates", contest.id.get_ref()),
                );
            }
            for candidate in &contest.candidates {
                self.candidate(candidate);
                candidate_ids.once(self, &candidate.id);
            }
            contests.push(Contest {
                id: ContestId::new(contest.id.get_ref()),
                title: contest.title.clone(),
                candidates: contest.candidates.iter().map(RawCandidate::checked).collect(),
            });
        }
        contests
    }

    fn candidate(&mut self, candidate: &RawCandidate) {
        self.text_id(&candidate.id);
        if let Some(color) = &candidate.color {
            let hexadecimal = color.get_ref().strip_prefix('#').is_some_and(|digits| {
                digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            });
            if !hexadecimal {
                self.problem(&color.span(), format!("`{}` is not a color like #2a6fdb", color.get_ref()));
            }
        }
        if let Some(photo) = &candidate.photo_url {
            let address = photo.get_ref();
            // Anything else, `javascript:` above all, must not get into a page.
            if !(address.starts_with("https://")
                || address.starts_with("http://")
                || address.starts_with('/'))
            {
                self.problem(&photo.span(), "a photo is an https: or http: address or a path");
            }
        }
    }

    fn locations(&mut self, raw: &Spanned<Vec<RawLocation>>, contests: &[Contest]) -> Vec<Location> {
        if raw.get_ref().is_empty() {
            self.problem(&raw.span(), "an election has at least one location");
        }
        let mut names = Seen::new("location");
        let mut tiles = HashMap::new();
        let mut locations = Vec::new();
        for location in raw.get_ref() {
            self.text_id(&location.id);
            names.once(self, &location.id);
            if location.name.get_ref() != location.id.get_ref() {
                names.once(self, &location.name);
            }
            if let Some(tile) = &location.tile
                && let Some(other) = tiles.insert(*tile.get_ref(), location.name.get_ref())
            {
                self.problem(&tile.span(), format!("the tile is taken by {other}"));
            }
            locations.push(Location {
                id: LocationId::new(location.id.get_ref()),
                name: location.name.get_ref().clone(),
                registered_voters: location.registered_voters,
                tile: location.tile.as_ref().map(|tile| *tile.get_ref()),
                contests: self.ballot(location, contests),
                parent: location.parent.as_ref().map(|parent| LocationId::new(parent.get_ref())),
            });
        }
        self.parents(raw.get_ref());
        locations
    }

    /// Every parent is a location, and no location is a part of itself.
    fn parents(&mut self, locations: &[RawLocation]) {
        let positions: HashMap<&str, usize> =
            (0..).zip(locations).map(|(number, place)| (place.id.get_ref().as_str(), number)).collect();
        let mut parents = Vec::with_capacity(locations.len());
        for location in locations {
            let parent = location.parent.as_ref();
            let position = parent.and_then(|parent| positions.get(parent.get_ref().as_str()).copied());
            if let (Some(parent), None) = (parent, position) {
                self.problem(&parent.span(), format!("there is no location `{}`", parent.get_ref()));
            }
            parents.push(position);
        }
        // By location: the walk up that came by here first.
        let mut walks = vec![usize::MAX; locations.len()];
        for walk in 0..locations.len() {
            let mut place = walk;
            while walks[place] == usize::MAX {
                walks[place] = walk;
                let Some(parent) = parents[place] else { break };
                if walks[parent] == walk
                    && let Some(name) = &locations[place].parent
                {
                    let message = format!("`{}` would be a part of itself", locations[place].id.get_ref());
                    self.problem(&name.span(), message);
                }
                place = parent;
            }
        }
    }

    /// The contests on a place's ballot; all where the place names none.
    fn ballot(&mut self, location: &RawLocation, contests: &[Contest]) -> Vec<ContestId> {
        let Some(named) = &location.contests else {
            return contests.iter().map(|contest| contest.id.clone()).collect();
        };
        for id in named {
            if !contests.iter().any(|contest| contest.id.as_str() == id.get_ref()) {
                self.problem(&id.span(), format!("there is no contest `{}`", id.get_ref()));
            }
        }
        named.iter().map(|id| ContestId::new(id.get_ref())).collect()
    }
}

impl RawCandidate {
    fn checked(&self) -> Candidate {
        Candidate {
            id: CandidateId::new(self.id.get_ref()),
            name: self.name.clone(),
            party: self.party.clone(),
            color: self.color.as_ref().map(|color| color.get_ref().to_ascii_lowercase()),
            photo_url: self.photo_url.as_ref().map(|photo| photo.get_ref().clone()),
        }
    }
}

/// Names that may stand once.
struct Seen {
    what: &'static str,
    lines: HashMap<String, usize>,
}

impl Seen {
    fn new(what: &'static str) -> Self {
        Self { what, lines: HashMap::new() }
    }

    fn once(&mut self, check: &mut Check<'_>, name: &Spanned<String>) {
        let line = line_of(check.text, &name.span());
        if let Some(before) = self.lines.insert(name.get_ref().clone(), line) {
            let message = format!("the {} `{}` stands on line {before} already", self.what, name.get_ref());
            check.problem(&name.span(), message);
        }
    }
}

#[cfg(test)]
mod tests {
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
