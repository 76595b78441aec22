//! Comparing results figure by figure.
//!
//! Results are compared as what they are on the wire, so a field that is added later is compared without a word here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tallyboard_shared::{results::Results, timeline::Timeline};

use super::Difference;

/// Every figure that isn't the same in both.
///
/// Left out is what doesn't follow from the votes: number, time and offsets, which the recount takes from the
/// publication, and the watermark, for which see [`watermark`].
pub(super) fn results(published: &Results, recounted: &Results) -> Vec<Difference> {
    // What the recount takes from the publication.
    let passed_over = ["version", "as_of", "inputs", "watermark"];
    differences(&figures("", published, &passed_over), &figures("", recounted, &passed_over))
}

/// Every figure of the timeline that isn't the same in both, by the start of its window.
pub(super) fn timeline(published: &Timeline, recounted: &Timeline) -> Vec<Difference> {
    differences(&figures("timeline", published, &[]), &figures("timeline", recounted, &[]))
}

fn differences(published: &BTreeMap<String, Value>, recounted: &BTreeMap<String, Value>) -> Vec<Difference> {
    let missing = published.keys().filter(|figure| !recounted.contains_key(*figure));
    let mut names: Vec<_> = recounted.keys().chain(missing).collect();
    names.sort_unstable();
    names
        .into_iter()
        .filter(|figure| published.get(*figure) != recounted.get(*figure))
        .map(|figure| Difference {
            figure: figure.clone(),
            published: published.get(figure).map(Value::to_string),
            recounted: recounted.get(figure).map(Value::to_string),
        })
        .collect()
}

fn figures(path: &str, of: &impl Serialize, passed_over: &[&str]) -> BTreeMap<String, Value> {
    let mut value = serde_json::to_value(of).expect("what is published has only text keys");
    let fields = value.as_object_mut().expect("what is published is an object");
    for name in passed_over {
        fields.remove(*name);
    }
    let mut figures = BTreeMap::new();
    flatten(path.to_owned(), value, &mut figures);
    figures
}

/// Scalars by their path; the items of a list go by what names them.
fn flatten(path: String, value: Value, figures: &mut BTreeMap<String, Value>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(below(&name), value, figures);
            }
        }
        Value::Array(items) => {
            let mut seen = BTreeMap::<String, usize>::new();
            for (number, item) in items.into_iter().enumerate() {
                let name = name_of(&item).unwrap_or_else(|| number.to_string());
                let times = seen.entry(name.clone()).or_default();
                *times += 1;
                // An id that is there twice must not hide one of the two.
                let name = if *times > 1 { format!("{name}#{times}") } else { name };
                flatten(below(&name), item, figures);
            }
        }
        // What isn't known and what isn't there say the same.
        Value::Null => {}
        scalar => drop(figures.insert(path, scalar)),
    }
}

/// The id of an item, the start of a window, the party of a party, or what names a group of voters.
fn name_of(item: &Value) -> Option<String> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let group = || Some([text("by")?, text("contest")?, text("group")?].join("/"));
    ["id", "start", "party"].into_iter().find_map(text).map(str::to_owned).or_else(group)
}

/// Whether the published watermark is one that these partitions can have.
///
/// Which partitions were idle is known to the publisher alone, and its watermark never runs back. So it may be that of
/// any partition, but not before the earliest, and not after the newest vote.
pub(super) fn watermark(
    published: &Results,
    newest_votes_ms: impl Iterator<Item = i64> + Clone,
    allowed_lateness_ms: i64,
) -> Option<Difference> {
    let earliest = newest_votes_ms.clone().min().map(|newest| newest.saturating_sub(allowed_lateness_ms));
    let newest_vote = newest_votes_ms.max();
    let at = published.watermark.map(|watermark| watermark.as_millisecond());
    let possible = match (at, earliest, newest_vote) {
        (None, None, _) => true,
        (Some(at), Some(earliest), Some(newest_vote)) => (earliest..=newest_vote).contains(&at),
        _ => false,
    };
    let time = |ms: Option<i64>| {
        ms.and_then(|ms| tallyboard_shared::Timestamp::from_millisecond(ms).ok()).map(|time| time.to_string())
    };
    let range = time(earliest).zip(time(newest_vote)).map(|(from, to)| format!("between {from} and {to}"));
    (!possible).then(|| Difference {
        figure: "watermark".into(),
        published: published.watermark.map(|watermark| watermark.to_string()),
        recounted: range,
    })
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::{Timestamp, reason::Reason};

    use super::*;
    use crate::{
        election,
        tally::{Cell, PartitionTally, Window, merge, merge_timeline},
    };

    fn counted() -> Results {
        let election = election::demo();
        let cells = vec![Cell { candidate: 1, location: 2, votes: 11 }];
        let tally = PartitionTally {
            rejected: BTreeMap::from([(Reason::DuplicateVoter, 3)]),
            late: 2,
            ..PartitionTally::sample(&election, 0, 20, cells)
        };
        merge(&election, [tally].iter(), 4, Timestamp::UNIX_EPOCH)
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Results), expected: &[&str]) {
        let recounted = counted();
        let mut published = counted();
        change(&mut published);
        published.derive();
        let figures: Vec<_> =
            results(&published, &recounted).into_iter().map(|difference| difference.to_string()).collect();
        assert_eq!(figures, expected);
    }

    #[test]
    fn every_kind_of_figure_is_compared_and_named() {
        check(|_| {}, &[]);
        check(|results| results.version = 9, &[]);
        check(|results| results.totals.late = 7, &["totals/late: published 7, recounted 2"]);
        check(
            |results| results.totals.rejected = BTreeMap::from([(Reason::Late, 3)]),
            &[
                "totals/rejected/duplicate_voter: published nothing, recounted 3",
                "totals/rejected/late: published 3, recounted nothing",
            ],
        );
        let (candidate, place) =
            (counted().contests[0].candidates[1].id.clone(), counted().locations[2].id.clone());
        check(
            |results| {
                let split = results.locations[2].contests[0].votes.as_mut().unwrap();
                *split.get_mut(&candidate).unwrap() += 1;
            },
            &[&format!("locations/{place}/contests/president/votes/{candidate}: published 12, recounted 11")],
        );
        check(
            |results| results.election.definition_hash = "0".into(),
            &[&format!(
                "election/definition_hash: published \"0\", recounted \"{}\"",
                election::demo().definition_hash
            )],
        );
    }

    #[test]
    fn a_window_that_was_forged_moved_or_hidden_is_named_by_its_start() {
        let timeline_of = |windows: &[(i64, u64)], watermark_ms: i64| {
            let election = election::demo();
            let mut tally = PartitionTally::sample(&election, 0, 0, Vec::new());
            tally.timeline.windows = windows
                .iter()
                .map(|(number, votes)| Window { number: *number, votes: vec![(1, *votes)] })
                .collect();
            let mut results = counted();
            results.watermark = Timestamp::from_millisecond(watermark_ms).ok();
            merge_timeline(&election, [&tally].into_iter(), &results)
        };
        let recounted = timeline_of(&[(0, 5), (2, 6)], 60_000);
        let candidate = counted().contests[0].candidates[1].id.clone();
        let seen = |published: &Timeline| {
            timeline(published, &recounted).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(seen(&recounted), Vec::<String>::new());
        let at = "timeline/windows/1970-01-01T00:02:00Z/contests/president";
        assert_eq!(
            seen(&timeline_of(&[(0, 5), (2, 7)], 60_000)),
            [
                format!("{at}/candidates/{candidate}: published 7, recounted 6"),
                format!("{at}/votes: published 7, recounted 6"),
            ]
        );
        let moved = seen(&timeline_of(&[(0, 5), (1, 6)], 60_000)).join("\n");
        assert!(moved.contains("00:01:00Z") && moved.contains("00:02:00Z"), "{moved}");
        assert!(!moved.contains("00:00:00Z"), "{moved}");
        let hidden = seen(&timeline_of(&[(0, 5)], 60_000)).join("\n");
        assert!(hidden.contains(&format!("{at}/votes: published nothing, recounted 6")), "{hidden}");
        let mut not_final = recounted.clone();
        not_final.windows[0].is_final = false;
        assert_eq!(
            seen(&not_final),
            ["timeline/windows/1970-01-01T00:00:00Z/final: published false, recounted true"]
        );
        let mut older = recounted.clone();
        older.version = 3;
        assert_eq!(seen(&older), ["timeline/version: published 3, recounted 4"]);
    }

    #[test]
    fn an_id_that_is_there_twice_is_a_difference() {
        let twice = |results: &mut Results| {
            let place = results.locations[0].clone();
            results.locations.insert(0, place);
        };
        let mut published = counted();
        twice(&mut published);
        let differences = results(&published, &counted());
        assert!(!differences.is_empty());
        assert!(differences.iter().all(|difference| difference.figure.contains("#2/")), "{differences:?}");
    }

    #[test]
    fn a_watermark_lies_between_the_partitions() {
        let at = |ms: Option<i64>| {
            let mut results = counted();
            results.watermark = ms.map(|ms| Timestamp::from_millisecond(ms).unwrap());
            results
        };
        let differs = |ms, partitions: &[i64]| watermark(&at(ms), partitions.iter().copied(), 100).is_some();
        assert!(!differs(None, &[]));
        assert!(differs(Some(5), &[]));
        assert!(differs(None, &[5]));
        assert!(differs(Some(899), &[1000, 2000]));
        assert!(!differs(Some(900), &[1000, 2000]));
        assert!(!differs(Some(2000), &[1000, 2000]));
        assert!(differs(Some(2001), &[1000, 2000]));
    }
}
