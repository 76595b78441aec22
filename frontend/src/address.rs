//! What the reader looks at, as it stands in the page's address: the screen, the contest, the place, and what was
//! chosen there. Every view can be linked to, reloaded and gone back to.
//!
//! All screens lie in one folder, so that links and files are relative and the page works below any path of a proxy.
//! What an address doesn't say is the default, and what its query says wrongly is passed over. A path that is no
//! screen's is [`Screen::Nowhere`]: the overview must not pass for what was asked for.

use form_urlencoded::Serializer;
use tallyboard_shared::ids::{CandidateId, ContestId, LocationId};

use crate::{
    places::{Arrangement, COLUMNS_MAX, Column, PAGE_LENS, View},
    tiles::Paint,
};

/// The screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Screen {
    /// The news of one contest.
    #[default]
    Overview,
    /// One contest in depth.
    Contest,
    /// One place, and its parts.
    Place,
    /// Earlier versions.
    Replay,
    /// How sound the count is.
    Quality,
    /// None: nothing has this path.
    Nowhere,
}

impl Screen {
    /// Every screen, in the order of the navigation.
    pub const ALL: [Self; 5] = [Self::Overview, Self::Contest, Self::Place, Self::Replay, Self::Quality];

    /// One word for tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Place => "places",
            Self::Nowhere => "nowhere",
            Self::Contest | Self::Quality | Self::Replay => self.path(),
        }
    }

    /// The screen of a path's last part.
    fn of_path(last: &str) -> Self {
        // What some servers call a folder's own page.
        let last = if last == "index.html" { Self::Overview.path() } else { last };
        Self::ALL.into_iter().find(|screen| screen.path() == last).unwrap_or(Self::Nowhere)
    }

    /// The last part of the path; the overview's where there is no screen.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview | Self::Nowhere => "",
            Self::Contest => "contest",
            Self::Place => "place",
            Self::Replay => "replay",
            Self::Quality => "quality",
        }
    }
}

/// How the race is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RaceForm {
    /// Votes, a line for each candidate.
    #[default]
    Lines,
    /// Shares, one upon the other.
    Shares,
}

/// What the reader looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The screen.
    pub screen: Screen,
    /// The contest; `None`: the first.
    pub contest: Option<ContestId>,
    /// The place; `None`: all places.
    pub place: Option<LocationId>,
    /// How the table of places is searched and sorted, and its page.
    pub places: Arrangement,
    /// How the race is drawn.
    pub race: RaceForm,
    /// The two that are compared; `None`: the first two.
    pub rivals: [Option<CandidateId>; 2],
    /// Whose voters are shown by group; `None`: all.
    pub voters_of: Option<CandidateId>,
    /// What the map's colors mean.
    pub paint: Paint,
    /// The version that is replayed; `None`: the first with votes.
    pub version: Option<u64>,
    /// Whether the page hangs on a wall.
    pub kiosk: bool,
}

impl Address {
    /// Reads a path and a query.
    #[must_use]
    pub fn parse(path: &str, query: &str) -> Self {
        let last = path.rsplit('/').next().unwrap_or_default();
        let mut address = Self { screen: Screen::of_path(last), ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            address.take(&name, &value);
        }
        // Nothing is sorted by a column that isn't there, whatever comes first in the query.
        address.places.look_at(address.places.view);
        address
    }

    fn take(&mut self, name: &str, value: &str) {
        let given = Some(value).filter(|value| !value.is_empty());
        match name {
            "contest" => self.contest = given.map(ContestId::new),
            "place" => self.place = given.map(LocationId::new),
            "find" => value.clone_into(&mut self.places.search),
            "sort" => {
                if let Some((column, descending)) = sort_from(value) {
                    self.places.column = column;
                    self.places.descending = descending;
                }
            }
            "columns" if value == "candidates" => self.places.view = View::Candidates,
            "rows" => {
                let page_len = value.parse().ok().filter(|len| PAGE_LENS.contains(len));
                self.places.page_len = page_len.unwrap_or(PAGE_LENS[0]);
            }
            // Pages are counted from 1 by people.
            "page" => self.places.page = value.parse::<usize>().map_or(0, |page| page.saturating_sub(1)),
            "race" if value == "shares" => self.race = RaceForm::Shares,
            "first" => self.rivals[0] = given.map(CandidateId::new),
            "second" => self.rivals[1] = given.map(CandidateId::new),
            "voters" => self.voters_of = given.map(CandidateId::new),
            "map" => self.paint = Paint::parse(value),
            "version" => self.version = value.parse().ok(),
            "kiosk" => self.kiosk = value != "0",
            _ => {}
        }
    }

    /// The address as a link from any screen.
    #[must_use]
    pub fn href(&self) -> String {
        let mut query = Serializer::new(String::new());
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        };
        put("contest", self.contest.as_ref().map(ContestId::as_str));
        put("place", self.place.as_ref().map(LocationId::as_str));
        put("find", Some(self.places.search.as_str()).filter(|search| !search.is_empty()));
        put("columns", (self.places.view == View::Candidates).then_some("candidates"));
        put("sort", sort_code(&self.places).as_deref());
        put(
            "rows",
            (self.places.page_len != PAGE_LENS[0]).then(|| self.places.page_len.to_string()).as_deref(),
        );
        put("page", (self.places.page > 0).then(|| (self.places.page + 1).to_string()).as_deref());
        put("race", (self.race == RaceForm::Shares).then_some("shares"));
        put("first", self.rivals[0].as_ref().map(CandidateId::as_str));
        put("second", self.rivals[1].as_ref().map(CandidateId::as_str));
        put("voters", self.voters_of.as_ref().map(CandidateId::as_str));
        put("map", self.paint.code().as_deref());
        put("version", self.version.map(|version| version.to_string()).as_deref());
        put("kiosk", self.kiosk.then_some("1"));
        let query = query.finish();
        let path = self.screen.path();
        match (path, query.as_str()) {
            ("", "") => "./".to_owned(),
            ("", query) => format!("./?{query}"),
            (path, "") => path.to_owned(),
            (path, query) => format!("{path}?{query}"),
        }
    }

    /// Whether it is the screen that the page begins with, whatever is chosen there.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.screen == Screen::Overview && !self.kiosk
    }

    /// The same contest on another screen; what was chosen there stays behind.
    #[must_use]
    pub fn on(&self, screen: Screen) -> Self {
        Self { screen, contest: self.contest.clone(), ..Self::default() }
    }

    /// The page for a wall, of the contest that is shown where one was chosen.
    #[must_use]
    pub fn on_wall(&self) -> Self {
        Self { kiosk: true, ..self.on(Screen::Overview) }
    }

    /// The way back from where there is nothing: the overview of the first contest.
    #[must_use]
    pub fn back(&self) -> Self {
        Self { kiosk: self.kiosk, ..Self::default() }
    }

    /// A place, in the contest that is shown.
    #[must_use]
    pub fn at(&self, place: LocationId) -> Self {
        Self { place: Some(place), ..self.on(Screen::Place) }
    }
}

/// The folder of a path, in which all screens lie: empty at the root.
#[must_use]
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

const COLUMNS: [(&str, Column); 5] = [
    ("name", Column::Name),
    ("lead", Column::Lead),
    ("votes", Column::Votes),
    ("registered", Column::Registered),
    ("turnout", Column::Turnout),
];

/// The column of a rank, counted from 1 by people: `share2`.
const SHARE: &str = "share";

fn sort_from(code: &str) -> Option<(Column, bool)> {
    let (name, descending) = code.strip_prefix('-').map_or((code, false), |name| (name, true));
    let of_rank = |rank: &str| {
        let rank = rank.parse().ok().filter(|rank| (1..=COLUMNS_MAX).contains(rank))?;
        Some(Column::Share(rank - 1))
    };
    let column = match name.strip_prefix(SHARE) {
        Some(rank) => of_rank(rank)?,
        None => COLUMNS.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((column, descending))
}

/// One word for a column.
#[must_use]
pub fn column_code(column: Column) -> String {
    match column {
        Column::Share(position) => format!("{SHARE}{}", position + 1),
        _ => COLUMNS.iter().find(|(_, known)| *known == column).map_or("", |(name, _)| name).to_owned(),
    }
}

/// `None` for the default.
fn sort_code(places: &Arrangement) -> Option<String> {
    let sort = (places.column, places.descending);
    let standard = Arrangement::default();
    let name = column_code(places.column);
    let sign = if places.descending { "-" } else { "" };
    (sort != (standard.column, standard.descending)).then(|| format!("{sign}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_read_back() {
        let full = Address {
            screen: Screen::Contest,
            contest: Some(ContestId::new("mayor & council/2")),
            place: Some(LocationId::new("Île-de-la Cité")),
            places: Arrangement {
                view: View::Candidates,
                column: Column::Share(1),
                descending: true,
                search: "a b".into(),
                page: 3,
                page_len: 50,
            },
            race: RaceForm::Shares,
            rivals: [Some(CandidateId::new("a=b")), Some(CandidateId::new("c#d"))],
            voters_of: Some(CandidateId::new("e?")),
            paint: Paint::Share(CandidateId::new("100%")),
            version: Some(1_200),
            kiosk: true,
        };
        let screens = Screen::ALL.map(|screen| Address { screen, ..full.clone() });
        for address in screens.into_iter().chain(Screen::ALL.map(|screen| Address::default().on(screen))) {
            let href = address.href();
            let (path, query) = href.split_once('?').unwrap_or((&href, ""));
            assert_eq!(Address::parse(&format!("/tally/{}", path.trim_start_matches("./")), query), address);
        }
    }

    #[test]
    fn what_is_wrong_or_unknown_is_passed_over() {
        let address =
            Address::parse("/", "?page=x&version=-1&sort=color&map=&weather=1&contest=&rows=7&columns=all");
        assert_eq!(address, Address::default());
        assert_eq!(address.href(), "./");
        assert_eq!(Address::parse("/", "?kiosk").href(), "./?kiosk=1");
        assert_eq!(Address::parse("/", "page=0").places.page, 0);
        assert_eq!(Address::parse("/", "sort=share0").places, Arrangement::default());
        assert_eq!(Address::parse("/", "sort=share6").places, Arrangement::default());
    }

    #[test]
    fn a_path_without_a_screen_is_not_taken_for_the_overview() {
        let screen = |path| Address::parse(path, "").screen;
        assert_eq!(["/nowhere", "/tally/Contest"].map(screen), [Screen::Nowhere; 2]);
        assert_eq!(["/", "/tally/", "/index.html"].map(screen), [Screen::Overview; 3]);
        let lost = Address::parse("/nowhere", "contest=mayor&kiosk");
        assert_eq!(lost.back().href(), "./?kiosk=1");
        assert_eq!(lost.on(Screen::Quality).href(), "quality?contest=mayor");
    }

    #[test]
    fn another_screen_keeps_the_contest_alone() {
        let address = Address::parse("/contest", "contest=mayor&first=a&find=x");
        assert_eq!(address.on(Screen::Quality).href(), "quality?contest=mayor");
        assert_eq!(address.at(LocationId::new("N")).href(), "place?contest=mayor&place=N");
        assert_eq!(["/", "/tally/", "/tally/contest"].map(folder), ["", "/tally", "/tally"]);
    }
}
