//! The rows of both aggregate topics against the results that they tell.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tallyboard_shared::{election::Election, results::Results, timeline::Timeline};

use super::Difference;
use crate::{
    journal::{Journal, JournalError, Topics, read_to_end},
    roles::publication::{Before, Publication},
};

/// Not compared: the version says when a row was written; a picture may change without a new row; turnout is derived.
const PASSED_OVER: [&str; 3] = ["version", "photo_url", "turnout"];

/// What the rows came to.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) compared: usize,
    /// Of these rows only newer ones are left.
    pub(super) outrun: usize,
    pub(super) differences: Vec<Difference>,
}

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
    // The rows know nothing of windows.
    let timeline = Timeline {
        version: published.version,
        watermark: published.watermark,
        width_ms: election.timeline_window_ms,
        windows: Vec::new(),
    };
    // Without a version before, a publication has the rows of everything.
    let publication = Publication::new(election, Before::default(), published.clone(), timeline, true);
    let mut expected = BTreeMap::<String, BTreeMap<Vec<u8>, Map<String, Value>>>::new();
    for (topic, record) in publication.records(topics) {
        if let (true, Some(key)) = (topic != topics.results, record.key) {
            let row = serde_json::from_slice(&record.value).expect("a row is a JSON object");
            expected.entry(topic).or_default().insert(key, row);
        }
    }
    for (topic, expected) in expected {
        let there = newest(journal, &topic, published.version)?;
        for (key, row) in expected {
            let name = format!("{topic}/{}", String::from_utf8_lossy(&key));
            match there.get(&key) {
                Some(Newest::Outrun) => rows.outrun += 1,
                found => {
                    rows.compared += 1;
                    let found = found.and_then(Newest::row);
                    rows.differences.extend(row_differences(&name, found, &row));
                }
            }
        }
    }
    Ok(rows)
}

enum Newest {
    /// The newest row up to the version.
    Row(Map<String, Value>),
    /// Compaction left only what was written later.
    Outrun,
}

impl Newest {
    fn row(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Row(row) => Some(row),
            Self::Outrun => None,
        }
    }
}

/// The newest row of every key that isn't newer than `version`.
fn newest(
    journal: &dyn Journal,
    topic: &str,
    version: u64,
) -> Result<BTreeMap<Vec<u8>, Newest>, JournalError> {
    let bounds = journal.bounds(topic)?.remove(&0).unwrap_or_default();
    let mut newest = BTreeMap::new();
    read_to_end(journal, topic, 0, bounds, |record| {
        // What isn't a row stands for itself: an empty one, which differs in every field.
        let row: Map<String, Value> = serde_json::from_slice(record.value).unwrap_or_default();
        if row.get("version").and_then(Value::as_u64) > Some(version) {
            newest.entry(record.key.to_vec()).or_insert(Newest::Outrun);
        } else {
            newest.insert(record.key.to_vec(), Newest::Row(row));
        }
    })?;
    Ok(newest)
}

fn row_differences(
    name: &str,
    found: Option<&Map<String, Value>>,
    expected: &Map<String, Value>,
) -> Vec<Difference> {
    let there = |value: Option<&Value>| value.filter(|value| !value.is_null()).map(Value::to_string);
    expected
        .iter()
        .filter(|(field, _)| !PASSED_OVER.contains(&field.as_str()))
        .map(|(field, value)| Difference {
            figure: format!("{name}/{field}"),
            published: there(found.and_then(|found| found.get(field))),
            recounted: there(Some(value)),
        })
        .filter(|difference| difference.published != difference.recounted)
        .collect()
}
