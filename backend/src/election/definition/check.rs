//! The checks of a definition: everything that is wrong with it is found at once, each with its line.

use std::{collections::HashMap, ops::Range};

use tallyboard_shared::{
    Timestamp,
    election::{Breakdown, Candidate, Contest, Election, Embargo, Location},
    ids::{CandidateId, ContestId, ElectionId, LocationId},
};
use toml::Spanned;

use super::{Problem, Raw, RawCandidate, RawContest, RawLocation, Time, line_of};
use crate::election;

/// Narrower windows tell less than a clock that is set by hand; wider ones are no timeline.
const TIMELINE_WINDOW_MS: std::ops::RangeInclusive<i64> = 1_000..=86_400_000;

/// Collects problems, so that all are told at once.
pub(super) struct Check<'a> {
    pub(super) text: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn problem(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem { line: line_of(self.text, span), message: message.into() });
    }

    pub(super) fn election(&mut self, raw: Raw) -> Election {
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
            allowed_lateness_ms: self.duration(raw.allowed_lateness, election::ALLOWED_LATENESS_MS),
            late_policy: raw.late_policy,
            max_clock_skew_ms: self.duration(raw.max_clock_skew, election::MAX_CLOCK_SKEW_MS),
            disclosure_threshold: raw.disclosure_threshold.unwrap_or(election::DISCLOSURE_THRESHOLD),
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
        let width = self.duration(text, election::TIMELINE_WINDOW_MS);
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
