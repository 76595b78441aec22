//! What may leave the server: the one place where figures are withheld (DESIGN §6).
//!
//! Under an embargo no candidate's figures are shown until the polls have closed. A place's split by candidate is
//! withheld while it has fewer ballots than the threshold, so that nobody's vote can be read off a small place.
//! Turnout is always shown. Neither may be read off what is shown beside it: what a region, or the groups of a
//! breakdown, leave to be subtracted reaches the threshold too.

use std::{ops::Deref, sync::Arc};

use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use tallyboard_shared::{
    election::{Election, Embargo},
    ids::{ContestId, LocationId},
    message::{Goodbye, HistoryPoint, PROTOCOL_VERSION, ServerMessage, Status, Welcome},
    results::{CountStatus, GroupResult, LocationResult, Results},
    timeline::Timeline,
    update::Update,
};

/// What anyone may see. Only this module makes it of what was published, and only this is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Disclosed<T>(T);

impl<T> Disclosed<T> {
    /// What follows from this alone: a function, unlike a closure, brings nothing along.
    #[must_use]
    pub fn map<U>(&self, derive: fn(&T) -> U) -> Disclosed<U> {
        Disclosed(derive(&self.0))
    }

    /// The part that somebody asks for.
    ///
    /// # Errors
    /// Those of `select`, where there is no such part.
    pub fn part<A: ?Sized, U, E>(
        &self,
        asked: &A,
        select: fn(&T, &A) -> Result<U, E>,
    ) -> Result<Disclosed<U>, E> {
        select(&self.0, asked).map(Disclosed)
    }
}

impl Disclosed<Results> {
    /// The step to a later version; see [`Update::between`].
    #[must_use]
    pub fn step_to(&self, next: &Self) -> Option<Disclosed<Update>> {
        Update::between(&self.0, &next.0).map(Disclosed)
    }
}

/// The messages for viewers: there is no other way to send one.
impl Disclosed<ServerMessage> {
    /// Everything that a client starts from.
    #[must_use]
    pub fn welcome(
        election: &Election,
        results: Option<&Disclosed<Results>>,
        history: &[Disclosed<HistoryPoint>],
    ) -> Self {
        Self(ServerMessage::Welcome(Box::new(Welcome {
            protocol: PROTOCOL_VERSION,
            election: election.clone(),
            results: results.map(|results| results.0.clone()),
            history: history.iter().map(|point| point.0.clone()).collect(),
        })))
    }

    /// A step.
    #[must_use]
    pub fn update(update: Disclosed<Update>) -> Self {
        Self(ServerMessage::Update(Box::new(update.0)))
    }

    /// How the count is doing: nothing in it is ever withheld.
    #[must_use]
    pub fn status(status: Status) -> Self {
        Self(ServerMessage::Status(status))
    }

    /// The end.
    #[must_use]
    pub fn goodbye(goodbye: Goodbye) -> Self {
        Self(ServerMessage::Goodbye(goodbye))
    }
}

impl<T> Deref for Disclosed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The results as anyone may see them.
#[must_use]
pub fn disclose(election: &Election, results: Results) -> Disclosed<Results> {
    let embargoed = is_embargoed(election, results.status);
    let extent = if embargoed { Extent::Turnout } else { Extent::Splits(election.disclosure_threshold) };
    Disclosed(withhold(election, results, extent))
}

/// What holds now for whoever asks for an earlier version: the newest definition and where its count stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    embargo: Embargo,
    threshold: u64,
    status: CountStatus,
}

impl Rules {
    /// The rules of a definition whose newest version has this status.
    #[must_use]
    pub fn new(election: &Election, status: CountStatus) -> Self {
        Self { embargo: election.embargo, threshold: election.disclosure_threshold, status }
    }

    fn is_lifted(&self) -> bool {
        self.status == CountStatus::Closed
    }

    /// Whether nothing of a version that was counted by `election` can be disclosed otherwise later.
    #[must_use]
    pub fn are_settled(&self, election: &Election) -> bool {
        self.is_lifted() || (self.embargo == Embargo::None && election.embargo == Embargo::None)
    }
}

/// An earlier version as anyone may see it now: by its own definition and by that of now, whichever withholds more.
///
/// What an embargo held back is withheld until the polls have closed, whenever it is asked for. Then the sums of the
/// version are shown, but not its splits by place and group: nobody could see them grow, and read one after the other
/// they would tell vote by vote what a place that was watched has voted.
#[must_use]
pub fn disclose_earlier(election: &Election, results: Results, now: &Rules) -> Disclosed<Results> {
    let was_open = results.status != CountStatus::Closed;
    let held_back =
        was_open && (election.embargo == Embargo::UntilClose || now.embargo == Embargo::UntilClose);
    let embargoed = !now.is_lifted() && (held_back || now.embargo == Embargo::UntilClose);
    let extent = if embargoed {
        Extent::Turnout
    } else if held_back {
        Extent::Sums
    } else {
        Extent::Splits(election.disclosure_threshold.max(now.threshold))
    };
    Disclosed(withhold(election, results, extent))
}

/// How much is shown.
#[derive(Clone, Copy)]
enum Extent {
    /// No candidate's figures at all.
    Turnout,
    /// The sums of the election.
    Sums,
    /// Also the splits that have so many ballots.
    Splits(u64),
}

fn withhold(election: &Election, mut results: Results, extent: Extent) -> Results {
    let threshold = match extent {
        Extent::Turnout | Extent::Sums => u64::MAX,
        Extent::Splits(threshold) => threshold,
    };
    if matches!(extent, Extent::Turnout) {
        for contest in &mut results.contests {
            contest.candidates.iter_mut().for_each(|candidate| candidate.votes = None);
        }
    }
    let mut withheld = Withheld::default();
    for location in &mut results.locations {
        for contest in &mut location.contests {
            // By contest: few may have voted in one although many did in another.
            let ballots: u64 = contest.votes.iter().flatten().map(|(_, votes)| votes).sum();
            if ballots < threshold {
                contest.votes = None;
                withheld.add(&location.id, &contest.id, ballots);
            }
        }
    }
    disclose_regions(election, &mut results.regions, &mut withheld, threshold);
    for groups in
        results.breakdowns.chunk_by_mut(|one, next| (one.by, &one.contest) == (next.by, &next.contest))
    {
        disclose_groups(groups, threshold);
    }
    results.derive();
    results
}

/// Ballots whose split is withheld, by place or region and by contest.
#[derive(Default)]
struct Withheld(HashMap<LocationId, HashMap<ContestId, u64>>);

impl Withheld {
    fn add(&mut self, place: &LocationId, contest: &ContestId, ballots: u64) {
        *self.0.entry(place.clone()).or_default().entry(contest.clone()).or_default() += ballots;
    }

    fn take(&mut self, place: &LocationId) -> HashMap<ContestId, u64> {
        self.0.remove(place).unwrap_or_default()
    }
}

/// Withholds the splits of regions that are small, or from which the withheld splits of so few ballots could be
/// computed by subtracting what is shown of their parts.
fn disclose_regions(
    election: &Election,
    regions: &mut [LocationResult],
    withheld: &mut Withheld,
    threshold: u64,
) {
    if regions.is_empty() {
        return;
    }
    let parents: HashMap<_, _> =
        election.locations.iter().filter_map(|place| Some((&place.id, place.parent.as_ref()?))).collect();
    let depth = |id: &LocationId| {
        let mut above = std::iter::successors(parents.get(id), |parent| parents.get(*parent));
        above.by_ref().count()
    };
    let own: HashSet<_> = regions.iter().map(|region| region.id.clone()).collect();
    // What a region hides of its parts, itself included as a place.
    let mut hidden = Withheld::default();
    for place in &election.locations {
        let region = if own.contains(&place.id) { Some(&place.id) } else { place.parent.as_ref() };
        let Some(region) = region else { continue };
        for (contest, ballots) in withheld.take(&place.id) {
            hidden.add(region, &contest, ballots);
        }
    }
    let mut inner_first: Vec<_> = regions.iter_mut().collect();
    inner_first.sort_by_key(|region| std::cmp::Reverse(depth(&region.id)));
    for region in inner_first {
        let below = hidden.take(&region.id);
        for contest in &mut region.contests {
            let ballots: u64 = contest.votes.iter().flatten().map(|(_, votes)| votes).sum();
            let left = below.get(&contest.id).copied().unwrap_or(0);
            if ballots < threshold || (1..threshold).contains(&left) {
                contest.votes = None;
                if let Some(parent) = parents.get(&region.id) {
                    hidden.add(parent, &contest.id, left);
                }
            }
        }
    }
}

/// Withholds the splits of small groups, and as many of the next larger ones as it takes to hide them among.
fn disclose_groups(groups: &mut [GroupResult], threshold: u64) {
    let mut smallest_first: Vec<_> = groups.iter_mut().collect();
    smallest_first.sort_by_key(|group| group.votes);
    let mut hidden = 0;
    for group in smallest_first {
        if group.votes < threshold || (1..threshold).contains(&hidden) {
            group.candidates = None;
            hidden += group.votes;
        }
    }
}

fn is_embargoed(election: &Election, status: CountStatus) -> bool {
    election.embargo == Embargo::UntilClose && status != CountStatus::Closed
}

/// The timeline as anyone may see it: under an embargo without the candidates' figures.
#[must_use]
pub fn disclose_timeline(
    election: &Election,
    status: CountStatus,
    timeline: &Arc<Timeline>,
) -> Disclosed<Arc<Timeline>> {
    let mut timeline = Arc::clone(timeline);
    if is_embargoed(election, status) {
        let windows = &mut Arc::make_mut(&mut timeline).windows;
        for contest in windows.iter_mut().flat_map(|window| window.contests.values_mut()) {
            contest.candidates = None;
        }
    }
    Disclosed(timeline)
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::Timestamp;

    use super::*;
    use crate::{
        election::Definition,
        tally::{Cell, GroupCell, PartitionTally, merge, merge_timeline},
    };

    fn results(embargo: &str, as_of: &str, votes: u64) -> (Election, PartitionTally, Results) {
        let text = format!(
            "id = \"e\"\ntitle = \"E\"\nmode = \"test\"\nembargo = \"{embargo}\"\ncloses_at = \"2026-11-03T20:00:00Z\"
            disclosure_threshold = 10
            contests = [
                {{ id = \"k\", title = \"K\", candidates = [{{ id = \"c\", name = \"C\" }}] }},
                {{ id = \"l\", title = \"L\", candidates = [{{ id = \"d\", name = \"D\" }}] }},
            ]
            locations = [{{ id = \"p\", name = \"P\", registered_voters = 100 }}]"
        );
        let election = Definition::parse(&text).unwrap().into_election();
        let cells = [(0, votes), (1, 1)].map(|(candidate, votes)| Cell { candidate, location: 0, votes });
        let tally = PartitionTally::sample(&election, 0, votes + 1, cells.to_vec());
        let as_of: Timestamp = as_of.parse().unwrap();
        let results = merge(&election, [&tally].into_iter(), 1, as_of);
        (election, tally, results)
    }

    #[track_caller]
    fn check(embargo: &str, as_of: &str, votes: u64, candidate: bool, split: bool) {
        let (election, tally, results) = results(embargo, as_of, votes);
        let shown = disclose(&election, results);
        assert_eq!(shown.contests[0].candidates[0].votes.is_some(), candidate);
        assert_eq!(shown.contests[0].leader.is_some(), candidate);
        assert_eq!(shown.locations[0].contests[0].votes.is_some(), split);
        assert_eq!(shown.locations[0].contests[1].votes, None, "one vote in a contest is always withheld");
        assert_eq!((shown.totals.votes, shown.locations[0].votes), (votes + 1, votes));
        assert!(shown.totals.turnout.is_some());
        let timeline = Arc::new(merge_timeline(&election, [&tally].into_iter(), &shown));
        let timeline = disclose_timeline(&election, shown.status, &timeline);
        let contest = &timeline.windows[0].contests["k"];
        assert_eq!((contest.votes, contest.candidates.is_some()), (votes, candidate));
    }

    #[test]
    fn an_embargo_ends_when_the_polls_close() {
        check("until_close", "2026-11-03T19:59:59.999Z", 50, false, false);
        check("until_close", "2026-11-03T20:00:00Z", 50, true, true);
        check("none", "2026-11-03T19:59:59.999Z", 50, true, true);
    }

    #[test]
    fn the_split_of_a_small_place_is_withheld() {
        check("none", "2026-11-03T12:00:00Z", 9, true, false);
        check("none", "2026-11-03T12:00:00Z", 10, true, true);
    }

    /// Whether the sums and the split of 50 ballots are shown of a version of `as_of`, asked for while the newest has
    /// this status.
    #[track_caller]
    fn check_earlier(embargo: &str, now: (&str, CountStatus), as_of: &str, expected: (bool, bool)) {
        let (election, _, version) = results(embargo, as_of, 50);
        let (newest, ..) = results(now.0, as_of, 50);
        let rules = Rules::new(&newest, now.1);
        let shown = disclose_earlier(&election, version, &rules);
        let seen =
            (shown.contests[0].candidates[0].votes.is_some(), shown.locations[0].contests[0].votes.is_some());
        assert_eq!(seen, expected, "{embargo} {now:?} {as_of}");
        assert_eq!((shown.contests[0].leader.is_some(), shown.locations[0].votes), (expected.0, 50));
        assert_eq!(shown.locations[0].contests[1].votes, None, "one vote in a contest is always withheld");
        // Nobody is told that something is settled which is disclosed otherwise once the polls have closed.
        let closed = Rules::new(&newest, CountStatus::Closed);
        let (_, _, version) = results(embargo, as_of, 50);
        if rules.are_settled(&election) {
            assert_eq!(disclose_earlier(&election, version, &closed), shown);
        }
    }

    #[test]
    fn an_earlier_version_is_disclosed_by_the_rules_of_now() {
        use CountStatus::{Closed, Counting};
        let (before, after) = ("2026-11-03T19:59:59.999Z", "2026-11-03T20:00:00Z");
        check_earlier("none", ("none", Counting), before, (true, true));
        check_earlier("none", ("none", Closed), before, (true, true));
        // What the embargo held back stays back until the polls have closed, and the splits for good.
        check_earlier("until_close", ("until_close", Counting), before, (false, false));
        check_earlier("until_close", ("until_close", Closed), before, (true, false));
        check_earlier("until_close", ("until_close", Closed), after, (true, true));
        // A new definition doesn't undo the embargo of the old one, and its own holds for what was before it.
        check_earlier("until_close", ("none", Counting), before, (false, false));
        check_earlier("none", ("until_close", Counting), before, (false, false));
        check_earlier("none", ("until_close", Counting), after, (false, false));
        check_earlier("none", ("until_close", Closed), before, (true, false));
    }

    #[test]
    fn the_higher_threshold_holds_for_an_earlier_version() {
        let (election, _, version) = results("none", "2026-11-03T12:00:00Z", 50);
        let stricter = Election { disclosure_threshold: 51, ..election.clone() };
        let shown = |rules: &Election| {
            let rules = Rules::new(rules, CountStatus::Counting);
            disclose_earlier(&election, version.clone(), &rules).locations[0].contests[0].votes.is_some()
        };
        assert!(shown(&election) && !shown(&stricter));
    }

    const NESTED: &str = r#"
id = "nested"
title = "Nested"
mode = "test"
disclosure_threshold = 10
breakdowns = ["gender"]
contests = [{ id = "k", title = "K", candidates = [{ id = "a", name = "A" }, { id = "b", name = "B" }] }]
locations = [
    { id = "country", name = "Country" },
    { id = "north", name = "North", parent = "country" },
    { id = "n1", name = "N1", parent = "north" },
    { id = "n2", name = "N2", parent = "north" },
    { id = "s1", name = "S1", parent = "country" },
]
"#;

    /// Which of country, north, n1, n2 and s1 show their split, with so many ballots in n1, n2 and s1.
    #[track_caller]
    fn check_regions(ballots: [u64; 3], expected: [bool; 5]) {
        let election = Definition::parse(NESTED).unwrap().into_election();
        let cells = (2..).zip(ballots).map(|(location, votes)| Cell { candidate: 0, location, votes });
        let cells: Vec<_> = cells.filter(|cell| cell.votes > 0).collect();
        let tally = PartitionTally::sample(&election, 0, ballots.iter().sum(), cells);
        let results = merge(&election, [&tally].into_iter(), 1, Timestamp::UNIX_EPOCH);
        let shown = disclose(&election, results);
        let places = shown.regions.iter().chain(&shown.locations[2..]);
        let seen: Vec<_> = places
            .map(|place| place.contests.first().is_some_and(|contest| contest.votes.is_some()))
            .collect();
        assert_eq!(seen, expected, "{ballots:?}");
        assert_eq!(shown.regions[0].votes, ballots.iter().sum::<u64>(), "turnout is always shown");
    }

    #[test]
    fn a_region_is_withheld_like_a_place_and_where_it_would_give_one_away() {
        check_regions([20, 30, 40], [true, true, true, true, true]);
        // Few ballots in all.
        check_regions([4, 5, 0], [false, false, false, false, false]);
        // The only small place could be computed from the region and the other places.
        check_regions([20, 3, 40], [false, false, true, false, true]);
        check_regions([20, 30, 9], [false, true, true, true, false]);
        // Two small places hide each other once they have enough together.
        check_regions([4, 5, 40], [false, false, false, false, true]);
        check_regions([5, 5, 40], [true, true, false, false, true]);
        check_regions([20, 5, 5], [true, false, true, false, false]);
    }

    #[track_caller]
    fn check_groups(votes: [u64; 4], expected: [bool; 4]) {
        let election = Definition::parse(NESTED).unwrap().into_election();
        let sum: u64 = votes.iter().sum();
        let cells = vec![Cell { candidate: 0, location: 2, votes: sum }];
        let mut tally = PartitionTally::sample(&election, 0, sum, cells);
        tally.breakdowns =
            (0..).zip(votes).map(|(group, votes)| GroupCell { candidate: 0, group, votes }).collect();
        assert!(tally.fits(&election));
        let results = merge(&election, [&tally].into_iter(), 1, Timestamp::UNIX_EPOCH);
        let shown = disclose(&election, results);
        let seen: Vec<_> = shown.breakdowns.iter().map(|group| group.candidates.is_some()).collect();
        assert_eq!(seen, expected, "{votes:?}");
        assert_eq!(shown.breakdowns.iter().map(|group| group.votes).collect::<Vec<_>>(), votes);
    }

    #[test]
    fn small_groups_are_withheld_and_hidden_among_the_next_larger() {
        check_groups([20, 30, 40, 10], [true, true, true, true]);
        check_groups([20, 30, 40, 9], [false, true, true, false]);
        check_groups([20, 30, 5, 5], [true, true, false, false]);
        check_groups([20, 30, 5, 4], [false, true, false, false]);
    }
}
