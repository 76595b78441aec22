//! What changed from one version of the results to the next, as absolute values.
//!
//! [`Update::between`] and [`Results::apply`] are each other's inverse; the topic `election_results` and the
//! WebSocket carry the same type. Values are absolute, so applying an update never adds anything up.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    ids::{CandidateId, ContestId, LocationId, Partition},
    moment,
    results::{
        CandidateResult, ContestResult, CountStatus, GroupResult, LocationContest, LocationResult, Results,
        Totals,
    },
};

/// The step from version `previous` to version `version`; only what changed, but for the small totals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    /// The version after the step.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub version: u64,
    /// The version that the step starts from.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub previous: u64,
    /// When the publisher made this version.
    #[serde(deserialize_with = "moment::read")]
    pub as_of: Timestamp,
    /// Where the count stands.
    pub status: CountStatus,
    /// The watermark after the step.
    #[serde(default, deserialize_with = "moment::read_if_known")]
    pub watermark: Option<Timestamp>,
    /// The totals after the step.
    pub totals: Totals,
    /// Contests in which something changed; absent where nothing did. Only without a definition is a contest, candidate or place
    /// new; it stands where the order of the ids puts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contests: Vec<ContestUpdate>,
    /// Places in which something changed; absent where nothing did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<LocationUpdate>,
    /// Regions in which something changed; absent where nothing did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<LocationUpdate>,
    /// Groups of voters in which something changed, with the candidates whose votes changed; absent where nothing did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakdowns: Vec<GroupResult>,
    /// Next offsets that changed; absent where none did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<Partition, u64>,
}

/// What changed in a contest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContestUpdate {
    /// The contest's id.
    pub id: ContestId,
    /// The title, where the contest is new; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Votes counted in the contest, also where that number is what it was.
    pub votes: u64,
    /// Candidates whose votes changed; absent where none did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<CandidateUpdate>,
}

/// What changed of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CandidateUpdate {
    /// The candidate's id.
    pub id: CandidateId,
    /// Votes counted; `None` while withheld.
    pub votes: Option<u64>,
    /// Who that is, where the candidate is new or described anew; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<CandidateDescription>,
}

/// Who a candidate is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CandidateDescription {
    /// For people.
    pub name: String,
    /// The party, where there is one.
    pub party: Option<String>,
    /// `#rrggbb`, where there is one; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// A picture, where there is one; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
}

/// What changed in a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LocationUpdate {
    /// The place's id.
    pub id: LocationId,
    /// The name, where the place is new; absent elsewhere.
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Ballots counted, also where that number is what it was.
    pub votes: u64,
    /// By contest: the candidates whose votes changed; `None` where the split is withheld from now on. Absent where no split
    /// changed that is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contests: Vec<LocationContest>,
}

/// Why an update couldn't be applied: it starts from another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The version that is there.
    pub have: u64,
    /// The version that the update starts from.
    pub need: u64,
}

impl Update {
    /// The step from `old` to `new`; `None` where no step leads there: another definition, or something that
    /// `old` shows is gone.
    #[must_use]
    pub fn between(old: &Results, new: &Results) -> Option<Self> {
        if old.election != new.election || new.version <= old.version {
            return None;
        }
        Some(Self {
            version: new.version,
            previous: old.version,
            as_of: new.as_of,
            status: new.status,
            watermark: new.watermark,
            totals: new.totals.clone(),
            contests: changed(&old.contests, &new.contests, |contest| &contest.id, ContestUpdate::between)?,
            locations: changed(&old.locations, &new.locations, |place| &place.id, LocationUpdate::between)?,
            regions: changed(&old.regions, &new.regions, |region| &region.id, LocationUpdate::between)?,
            breakdowns: changed(&old.breakdowns, &new.breakdowns, GroupResult::key, group_step)?,
            inputs: new
                .inputs
                .iter()
                .filter(|(partition, offset)| old.inputs.get(partition) != Some(offset))
                .map(|(partition, offset)| (*partition, *offset))
                .collect(),
        })
    }
}

/// The steps of a keyed list: `step` is asked for every item of `new` with its counterpart in `old`.
///
/// `None` where an item of `old` is missing in `new`.
fn changed<'a, T, Id: Eq + std::hash::Hash, U>(
    old: &'a [T],
    new: &'a [T],
    id: impl Fn(&'a T) -> Id,
    step: impl Fn(Option<&T>, &T) -> Option<U>,
) -> Option<Vec<U>> {
    let mut before: HashMap<Id, &T> = old.iter().map(|item| (id(item), item)).collect();
    let steps = new.iter().filter_map(|item| step(before.remove(&id(item)), item)).collect();
    before.is_empty().then_some(steps)
}

impl ContestUpdate {
    fn between(old: Option<&ContestResult>, new: &ContestResult) -> Option<Self> {
        let known: HashMap<_, _> = old
            .iter()
            .flat_map(|contest| &contest.candidates)
            .map(|candidate| (&candidate.id, candidate))
            .collect();
        let candidates: Vec<_> = new
            .candidates
            .iter()
            .filter_map(|candidate| CandidateUpdate::between(known.get(&candidate.id).copied(), candidate))
            .collect();
        let same = old.is_some_and(|old| old.votes == new.votes) && candidates.is_empty();
        (!same).then(|| Self {
            id: new.id.clone(),
            title: old.is_none().then(|| new.title.clone()),
            votes: new.votes,
            candidates,
        })
    }
}

impl CandidateUpdate {
    fn between(old: Option<&CandidateResult>, new: &CandidateResult) -> Option<Self> {
        let describe = |candidate: &CandidateResult| CandidateDescription {
            name: candidate.name.clone(),
            party: candidate.party.clone(),
            color: candidate.color.clone(),
            photo_url: candidate.photo_url.clone(),
        };
        let described = describe(new);
        let renamed = old.is_none_or(|old| describe(old) != described);
        let same = old.is_some_and(|old| old.votes == new.votes) && !renamed;
        (!same).then(|| Self {
            id: new.id.clone(),
            votes: new.votes,
            description: renamed.then_some(described),
        })
    }
}

impl LocationUpdate {
    fn between(old: Option<&LocationResult>, new: &LocationResult) -> Option<Self> {
        let contests: Vec<_> = new
            .contests
            .iter()
            .filter_map(|contest| {
                let before = old.and_then(|old| old.contests.iter().find(|before| before.id == contest.id));
                split_step(before, contest)
            })
            .collect();
        let same = old.is_some_and(|old| old.votes == new.votes) && contests.is_empty();
        (!same).then(|| Self {
            id: new.id.clone(),
            name: old.is_none().then(|| new.name.clone()),
            votes: new.votes,
            contests,
        })
    }
}

/// Votes by candidate; `None` while they are withheld.
pub(crate) type Split = Option<BTreeMap<CandidateId, u64>>;

/// The changed part of a split; the whole split where it wasn't shown before.
fn split_step(old: Option<&LocationContest>, new: &LocationContest) -> Option<LocationContest> {
    let votes = changed_part(old.map(|old| &old.votes), &new.votes)?;
    Some(LocationContest { id: new.id.clone(), votes })
}

/// The changed part of a group; votes that change change the split, where it is shown.
fn group_step(old: Option<&GroupResult>, new: &GroupResult) -> Option<GroupResult> {
    let split = changed_part(old.map(|old| &old.candidates), &new.candidates);
    let same = old.is_some_and(|old| old.votes == new.votes) && split.is_none();
    // An empty part changes nothing where the split is shown; where it is withheld it stays so.
    let candidates = split.unwrap_or_else(|| new.candidates.as_ref().map(|_| BTreeMap::new()));
    (!same).then(|| GroupResult { candidates, ..new.clone() })
}

/// The changed part of a split, the whole where it wasn't shown before; `None` where nothing changed.
pub(crate) fn changed_part(old: Option<&Split>, new: &Split) -> Option<Split> {
    let votes = match (old, new) {
        (Some(None), None) => return None,
        (_, None) => return Some(None),
        (None | Some(None), Some(votes)) => return Some(Some(votes.clone())),
        (Some(Some(before)), Some(votes)) => {
            votes.iter().filter(|(candidate, votes)| before.get(*candidate) != Some(votes))
        }
    };
    let part: BTreeMap<_, _> = votes.map(|(candidate, votes)| (candidate.clone(), *votes)).collect();
    (!part.is_empty()).then_some(Some(part))
}

/// Takes a changed part.
pub(crate) fn apply_part(split: &mut Split, part: &Split) {
    match (split, part) {
        (Some(votes), Some(part)) => {
            votes.extend(part.iter().map(|(candidate, votes)| (candidate.clone(), *votes)));
        }
        (split, part) => split.clone_from(part),
    }
}

impl Results {
    /// Takes the step.
    ///
    /// # Errors
    /// [`Gap`] where the update starts from another version than this; nothing is changed then, and the newest
    /// full results are needed.
    pub fn apply(&mut self, update: &Update) -> Result<(), Gap> {
        if update.previous != self.version {
            return Err(Gap { have: self.version, need: update.previous });
        }
        self.version = update.version;
        self.as_of = update.as_of;
        self.status = update.status;
        self.watermark = update.watermark;
        self.totals = update.totals.clone();
        self.inputs.extend(&update.inputs);
        apply_each(
            &mut self.contests,
            &update.contests,
            |contest| &contest.id,
            |step| &step.id,
            apply_contest,
        );
        apply_each(
            &mut self.locations,
            &update.locations,
            |place| &place.id,
            |step| &step.id,
            apply_location,
        );
        apply_each(&mut self.regions, &update.regions, |region| &region.id, |step| &step.id, apply_location);
        for step in &update.breakdowns {
            match self.breakdowns.binary_search_by(|group| group.key().cmp(&step.key())) {
                Ok(position) => {
                    let group = &mut self.breakdowns[position];
                    group.votes = step.votes;
                    apply_part(&mut group.candidates, &step.candidates);
                }
                Err(position) => self.breakdowns.insert(position, step.clone()),
            }
        }
        self.derive();
        Ok(())
    }
}

/// Applies every step to its item; items that are new are taken in, in the order of their ids.
fn apply_each<T, U, Id: Clone + Ord + std::hash::Hash>(
    items: &mut Vec<T>,
    steps: &[U],
    item_id: impl Fn(&T) -> &Id,
    step_id: impl Fn(&U) -> &Id,
    apply: impl Fn(Option<&mut T>, &U) -> Option<T>,
) {
    let index: HashMap<Id, usize> =
        items.iter().enumerate().map(|(position, item)| (item_id(item).clone(), position)).collect();
    let mut added = Vec::new();
    for step in steps {
        let existing = index.get(step_id(step)).map(|position| &mut items[*position]);
        added.extend(apply(existing, step));
    }
    for item in added {
        // Only without a definition does anything appear, and then lists are ordered by id.
        let position = items.partition_point(|other| item_id(other) < item_id(&item));
        items.insert(position, item);
    }
}

fn apply_contest(contest: Option<&mut ContestResult>, step: &ContestUpdate) -> Option<ContestResult> {
    let Some(contest) = contest else {
        let mut contest = ContestResult {
            id: step.id.clone(),
            title: step.title.clone().unwrap_or_else(|| step.id.to_string()),
            votes: step.votes,
            registered_voters: None,
            leader: None,
            candidates: Vec::new(),
        };
        apply_candidates(&mut contest, step);
        return Some(contest);
    };
    contest.votes = step.votes;
    apply_candidates(contest, step);
    None
}

fn apply_candidates(contest: &mut ContestResult, step: &ContestUpdate) {
    let steps = &step.candidates;
    apply_each(&mut contest.candidates, steps, |candidate| &candidate.id, |step| &step.id, apply_candidate);
}

fn apply_candidate(
    candidate: Option<&mut CandidateResult>,
    step: &CandidateUpdate,
) -> Option<CandidateResult> {
    let described = step.description.as_ref();
    let Some(candidate) = candidate else {
        return Some(CandidateResult {
            id: step.id.clone(),
            name: described.map_or_else(|| step.id.to_string(), |description| description.name.clone()),
            party: described.and_then(|description| description.party.clone()),
            color: described.and_then(|description| description.color.clone()),
            photo_url: described.and_then(|description| description.photo_url.clone()),
            votes: step.votes,
            share: None,
        });
    };
    candidate.votes = step.votes;
    if let Some(description) = described {
        candidate.name.clone_from(&description.name);
        candidate.party.clone_from(&description.party);
        candidate.color.clone_from(&description.color);
        candidate.photo_url.clone_from(&description.photo_url);
    }
    None
}

fn apply_location(location: Option<&mut LocationResult>, step: &LocationUpdate) -> Option<LocationResult> {
    let Some(location) = location else {
        return Some(LocationResult {
            id: step.id.clone(),
            name: step.name.clone().unwrap_or_else(|| step.id.to_string()),
            votes: step.votes,
            registered_voters: None,
            turnout: None,
            contests: step.contests.clone(),
        });
    };
    location.votes = step.votes;
    for split in &step.contests {
        match location.contests.iter_mut().find(|contest| contest.id == split.id) {
            Some(contest) => apply_part(&mut contest.votes, &split.votes),
            None => {
                // Contests of a place stand in the order of their ids, so that both sides agree on it.
                let position = location.contests.partition_point(|contest| contest.id < split.id);
                location.contests.insert(position, split.clone());
            }
        }
    }
    None
}
