//! What a client asks for behind the `?`: read in one place, so that what can't be read is told in one way.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use tallyboard_shared::{
    ids::{ContestId, LocationId},
    results::{LocationResult, Results},
    timeline::Timeline,
};

use super::problem::{Code, Problem};

/// More names in a request aren't a choice of places any more.
const LOCATIONS_MAX: usize = 1000;

/// The parameters of a request.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(Problem::new(Code::BadQuery, error.body_text())),
        }
    }
}

/// Which part of the results is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection<'a> {
    /// Ids or names of places or regions, with commas in between.
    pub(super) locations: Option<&'a str>,
    /// The id of a contest.
    pub(super) contest: Option<&'a str>,
}

impl Selection<'_> {
    /// Whether everything is wanted.
    pub(super) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The part of the results that is wanted: the places and regions that were asked for, and everywhere only the
    /// contest that was. Totals, and the sums of contests, remain those of the whole election; parties, which add
    /// up contests, are left out beside a contest.
    pub(super) fn of(&self, results: &Results) -> Result<Results, Problem> {
        let (locations, regions) = match self.locations {
            Some(asked) => places(results, asked)?,
            None => (results.locations.clone(), results.regions.clone()),
        };
        let mut part = Results {
            locations,
            regions,
            election: results.election.clone(),
            totals: results.totals.clone(),
            contests: results.contests.clone(),
            parties: results.parties.clone(),
            breakdowns: results.breakdowns.clone(),
            inputs: results.inputs.clone(),
            ..*results
        };
        if let Some(contest) = self.contest {
            part.contests.retain(|known| known.id.as_str() == contest);
            if part.contests.is_empty() {
                return Err(unknown_contest(contest));
            }
            part.breakdowns.retain(|group| group.contest.as_str() == contest);
            for place in part.locations.iter_mut().chain(&mut part.regions) {
                place.contests.retain(|known| known.id.as_str() == contest);
            }
            part.parties.clear();
        }
        Ok(part)
    }
}

/// The windows with votes in a contest, with that contest alone.
pub(super) fn timeline_of(
    timeline: &Timeline,
    results: &Results,
    contest: &str,
) -> Result<Timeline, Problem> {
    if !results.contests.iter().any(|known| known.id.as_str() == contest) {
        return Err(unknown_contest(contest));
    }
    let mut part = timeline.clone();
    for window in &mut part.windows {
        window.contests.retain(|id: &ContestId, _| id.as_str() == contest);
    }
    part.windows.retain(|window| !window.contests.is_empty());
    Ok(part)
}

fn unknown_contest(contest: &str) -> Problem {
    Problem::new(Code::UnknownContest, format!("there is no contest `{contest}`"))
}

type Places = (Vec<LocationResult>, Vec<LocationResult>);

/// The places and regions of these ids or names, each once, in the order of the results.
fn places(results: &Results, asked: &str) -> Result<Places, Problem> {
    let ids = chosen(results, asked)?;
    let pick = |places: &[LocationResult]| {
        places.iter().filter(|place| ids.contains(&place.id)).cloned().collect::<Vec<_>>()
    };
    Ok((pick(&results.locations), pick(&results.regions)))
}

fn chosen(results: &Results, asked: &str) -> Result<std::collections::HashSet<LocationId>, Problem> {
    let known = || results.locations.iter().chain(&results.regions);
    // An id wins over a name that is the same.
    let find = |asked: &str| {
        let by_id = known().find(|place| place.id.as_str() == asked);
        by_id.or_else(|| known().find(|place| place.name == asked)).map(|place| place.id.clone())
    };
    // A name may have a comma in it.
    if let Some(id) = find(asked) {
        return Ok([id].into());
    }
    let names: Vec<_> = asked.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() || names.len() > LOCATIONS_MAX {
        let detail = format!("`locations` is one to {LOCATIONS_MAX} ids or names, with commas in between");
        return Err(Problem::new(Code::BadQuery, detail));
    }
    let unknown = |name| Problem::new(Code::UnknownLocation, format!("there is no place `{name}`"));
    names.into_iter().map(|name| find(name).ok_or_else(|| unknown(name))).collect()
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::Timestamp;

    use super::*;
    use crate::{
        election,
        tally::{Cell, PartitionTally, merge},
    };

    fn results() -> Results {
        let election = election::demo();
        let cells = vec![
            Cell { candidate: 0, location: 0, votes: 20 },
            Cell { candidate: 1, location: 1, votes: 30 },
        ];
        let tally = PartitionTally::sample(&election, 0, 50, cells);
        merge(&election, [&tally].into_iter(), 7, Timestamp::UNIX_EPOCH)
    }

    #[track_caller]
    fn check(locations: &str, expected: Result<&[usize], &str>) {
        let results = results();
        let selection = Selection { locations: Some(locations), contest: None };
        let seen =
            selection.of(&results).map(|part| part.locations).map_err(|problem| format!("{problem:?}"));
        match expected {
            Ok(places) => {
                let expected: Vec<_> = places.iter().map(|place| results.locations[*place].clone()).collect();
                assert_eq!(seen, Ok(expected), "{locations}");
            }
            Err(code) => {
                assert!(seen.clone().is_err_and(|error| error.contains(code)), "{locations} {seen:?}");
            }
        }
    }

    #[test]
    fn places_are_chosen_by_id_or_name_and_an_unknown_one_is_said() {
        let results = results();
        let (first, second) = (&results.locations[0], &results.locations[1]);
        check(first.id.as_str(), Ok(&[0]));
        check(&second.name, Ok(&[1]));
        check(&format!("{}, {}", second.name, first.id), Ok(&[0, 1]));
        check(&format!("{0},{0}", first.id), Ok(&[0]));
        check("Atlantis", Err("UnknownLocation"));
        check(" , ", Err("BadQuery"));
        check(&"x,".repeat(LOCATIONS_MAX + 1), Err("BadQuery"));
    }

    #[test]
    fn a_part_keeps_the_sums_of_the_whole() {
        let results = results();
        let contest = results.contests[0].id.as_str();
        let part = Selection { locations: Some(results.locations[0].id.as_str()), contest: Some(contest) };
        let part = part.of(&results).unwrap();
        assert_eq!((part.version, &part.totals, part.locations.len()), (7, &results.totals, 1));
        assert_eq!(part.contests, results.contests);
        assert!(part.parties.is_empty() && !results.parties.is_empty());
        let unknown = Selection { locations: None, contest: Some("mayor") }.of(&results).unwrap_err();
        assert!(format!("{unknown:?}").contains("UnknownContest"));
    }
}
