//! The rows of both aggregate topics against the results that they tell.
//!
//! Rows are appended behind their version. Whoever published it may have been stopped in between, and the next publisher
//! writes all rows again: until then the topics have the rows of the version before, which is said and no difference.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tallyboard_shared::{election::Election, results::Results, timeline::Timeline};

use super::Difference;
use crate::{
    journal::{Journal, JournalError, Topics, read_to_end},
    roles::{
        earlier::{Landmarks, earlier_publication},
        publication::{Before, Publication},
    },
};

/// Not compared: the version says when a row was written; a picture may change without a new row; turnout is derived.
const PASSED_OVER: [&str; 3] = ["version", "photo_url", "turnout"];

/// What the rows came to.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) compared: usize,
    /// Of these rows only newer ones are left.
    pub(super) outrun: usize,
    /// These are as they were before.
    pub(super) behind: usize,
    pub(super) differences: Vec<Difference>,
}

/// A topic and a key.
type Place = (String, Vec<u8>);
type Row = Map<String, Value>;

/// Compares the newest row of each candidate and place, as of the published version, with the results.
///
/// Rows of other keys are those of an earlier definition, and stay.
pub(super) fn compare(
    journal: &dyn Journal,
    topics: &Topics,
    election: &Election,
    published: &Results,
) -> Result<Rows, JournalError> {
    let mut rows = Rows::default();
    let mut there = newest(journal, &topics.candidates, published.version)?;
    there.append(&mut newest(journal, &topics.turnout, published.version)?);
    let mut odd = Vec::new();
    for (place, row) in all_rows(topics, election, published) {
        if let Some(Newest::Outrun) = there.get(&place) {
            rows.outrun += 1;
            continue;
        }
        rows.compared += 1;
        let found = there.get(&place).and_then(Newest::row);
        let differences = row_differences(&place, found, &row);
        if !differences.is_empty() {
            odd.push((place, found, differences));
        }
    }
    if odd.is_empty() {
        return Ok(rows);
    }
    let before = rows_before(journal, topics, published.version, &there)?;
    for (place, found, differences) in odd {
        let is_behind = |rows: &BTreeMap<Place, Row>| {
            rows.get(&place).is_some_and(|row| row_differences(&place, found, row).is_empty())
        };
        if before.iter().any(is_behind) {
            rows.behind += 1;
        } else {
            rows.differences.extend(differences);
        }
    }
    Ok(rows)
}

/// The rows of everything in the results.
fn all_rows(topics: &Topics, election: &Election, results: &Results) -> BTreeMap<Place, Row> {
    // The rows know nothing of windows.
    let timeline = Timeline {
        version: results.version,
        watermark: results.watermark,
        width_ms: election.timeline_window_ms,
        windows: Vec::new(),
    };
    // Without a version before, a publication has the rows of everything.
    let publication = Publication::new(election, Before::default(), results.clone(), timeline, true);
    let row = |(topic, record): (String, crate::journal::NewRecord)| {
        let row = serde_json::from_slice(&record.value).expect("a row is a JSON object");
        ((topic, record.key.unwrap_or_default()), row)
    };
    publication.rows(topics).into_iter().map(row).collect()
}

/// What the rows were before `version`: those of the newest version that has any, and of the one before that, because
/// only some of the newest may have been written.
fn rows_before(
    journal: &dyn Journal,
    topics: &Topics,
    version: u64,
    there: &BTreeMap<Place, Newest>,
) -> Result<Vec<BTreeMap<Place, Row>>, JournalError> {
    let newest = there.values().filter_map(Newest::row).filter_map(version_of).max().unwrap_or_default();
    let landmarks = Landmarks::default();
    let mut before = Vec::new();
    for earlier in [newest, newest.saturating_sub(1)] {
        if earlier == 0 || earlier >= version {
            continue;
        }
        let found = earlier_publication(journal, &topics.results, earlier, &landmarks)?;
        before.extend(found.map(|found| all_rows(topics, &found.election, &found.results)));
    }
    Ok(before)
}

enum Newest {
    /// The newest row up to the version.
    Row(Row),
    /// Compaction left only what was written later.
    Outrun,
}

impl Newest {
    fn row(&self) -> Option<&Row> {
        match self {
            Self::Row(row) => Some(row),
            Self::Outrun => None,
        }
    }
}

fn version_of(row: &Row) -> Option<u64> {
    row.get("version").and_then(Value::as_u64)
}

/// The newest row of every key of a topic that isn't newer than `version`.
fn newest(journal: &dyn Journal, topic: &str, version: u64) -> Result<BTreeMap<Place, Newest>, JournalError> {
    let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
    let mut newest = BTreeMap::new();
    read_to_end(journal, topic, 0, bounds, |record| {
        // What isn't a row stands for itself: an empty one, which differs in every field.
        let row: Row = serde_json::from_slice(record.value).unwrap_or_default();
        let place = (topic.to_owned(), record.key.to_vec());
        if version_of(&row) > Some(version) {
            newest.entry(place).or_insert(Newest::Outrun);
        } else {
            newest.insert(place, Newest::Row(row));
        }
    })?;
    Ok(newest)
}

fn row_differences((topic, key): &Place, found: Option<&Row>, expected: &Row) -> Vec<Difference> {
    let there = |value: Option<&Value>| value.filter(|value| !value.is_null()).map(Value::to_string);
    expected
        .iter()
        .filter(|(field, _)| !PASSED_OVER.contains(&field.as_str()))
        .map(|(field, value)| Difference {
            figure: format!("{topic}/{}/{field}", String::from_utf8_lossy(key)),
            published: there(found.and_then(|found| found.get(field))),
            recounted: there(Some(value)),
        })
        .filter(|difference| difference.published != difference.recounted)
        .collect()
}
