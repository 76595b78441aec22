//! How sound the count is: what was not counted and why, what came late, and what is still to be counted.

use std::collections::BTreeMap;

use tallyboard_shared::{
    Timestamp,
    message::Status,
    reason::Reason,
    results::{Results, Totals},
};

use crate::{
    charts::curves::Curve,
    format,
    history::{Point, Series},
    order::sort_greatest_first,
    parts::Part,
    say,
    standings::{PALETTE_LEN, Tone},
    table::{Cell, Row, Table},
    texts::tr,
};

/// What was not counted, at one version.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityPoint {
    version: u64,
    as_of_ms: i64,
    late: u64,
    rejected: BTreeMap<Reason, u64>,
}

impl QualityPoint {
    /// The point of these results.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        Self {
            version: results.version,
            as_of_ms: results.as_of.as_millisecond(),
            late: results.totals.late,
            rejected: results.totals.rejected.clone(),
        }
    }
}

impl Point for QualityPoint {
    fn version(&self) -> u64 {
        self.version
    }

    fn as_of_ms(&self) -> i64 {
        self.as_of_ms
    }
}

/// A reason for people.
#[must_use]
pub fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => tr("Unreadable"),
        Reason::MissingField => tr("Incomplete"),
        Reason::TooLarge => tr("Too large"),
        Reason::InvalidWeight => tr("Not one vote"),
        Reason::UnknownContest => tr("Unknown contest"),
        Reason::UnknownCandidate => tr("Unknown candidate"),
        Reason::UnknownLocation => tr("Unknown place"),
        Reason::NotOnBallot => tr("Not on the ballot"),
        Reason::DuplicateVoter => tr("Voted before"),
        Reason::BeforeOpen => tr("Before opening"),
        Reason::AfterClose => tr("After closing"),
        Reason::FutureTime => tr("From the future"),
        Reason::Late => tr("Too late"),
        Reason::SimulatedInLive => tr("Simulated"),
    }
}

/// The votes that weren't counted by reason, most first.
#[must_use]
pub fn reasons(totals: &Totals) -> Vec<Part> {
    let sum = totals.rejected_sum();
    let mut parts: Vec<Part> = totals
        .rejected
        .iter()
        .map(|(reason, votes)| Part {
            key: String::new(),
            name: reason_name(*reason).to_owned(),
            label: reason_name(*reason).to_owned(),
            tone: Tone::Ink,
            votes: Some(*votes),
            share: ratio(*votes, sum),
        })
        .collect();
    sort_greatest_first(&mut parts, |part| part.votes);
    parts
}

/// What the reasons say.
#[must_use]
pub fn says(totals: &Totals) -> String {
    let rejected = totals.rejected_sum();
    let records = totals.votes + rejected;
    match (reasons(totals).first(), ratio(rejected, records)) {
        (Some(first), share) => say!(
            "{votes} not counted, {share} of all that was read; most because of “{reason}”.",
            votes = format::counted(rejected, "vote was", "votes were"),
            share = format::percent(share),
            reason = first.name
        ),
        (None, None) => tr("Nothing was read yet.").to_owned(),
        (None, Some(_)) => tr("Every vote that was read was counted.").to_owned(),
    }
}

/// Why there are no reasons to draw; `None` where there are.
#[must_use]
pub fn reasons_blank(totals: &Totals) -> Option<&'static str> {
    match (totals.rejected_sum(), totals.votes) {
        (0, 0) => Some(tr("Nothing was read yet.")),
        (0, _) => Some(tr("Every vote that was read was counted.")),
        _ => None,
    }
}

/// How many reasons have a line of their own.
const LINES_MAX: usize = 5;

/// The times of the series, in milliseconds since 1970, and a curve for late votes and each of the first reasons.
#[must_use]
pub fn over_time(series: &Series<QualityPoint>) -> (Vec<i64>, Vec<Curve>) {
    let times_ms = series.points().iter().map(|point| point.as_of_ms).collect();
    (times_ms, curves(series, LINES_MAX))
}

/// A curve for late votes and each of the first reasons, so many at most.
fn curves(series: &Series<QualityPoint>, reasons_max: usize) -> Vec<Curve> {
    let points = series.points();
    let is_seen = |reason: &Reason| points.iter().any(|point| point.rejected.contains_key(reason));
    let mut reasons: Vec<Reason> = Reason::ALL.into_iter().filter(is_seen).collect();
    let newest = |reason: &Reason| points.last().and_then(|point| point.rejected.get(reason)).copied();
    sort_greatest_first(&mut reasons, newest);
    let curve = |key: &str, name: &str, tone, count: &dyn Fn(&QualityPoint) -> u64| Curve {
        key: key.to_owned(),
        name: name.to_owned(),
        label: format::label(name),
        tone,
        counts: points.iter().map(|point| count(point)).collect(),
    };
    let late = curve("late-counted", tr("Late, counted"), Tone::Rest, &|point| point.late);
    reasons.truncate(reasons_max);
    let colors = colors(&reasons);
    let rejected = reasons.iter().map(|reason| {
        let tone = Tone::Palette(colors[reason]);
        curve(reason.code(), reason_name(*reason), tone, &|point| {
            point.rejected.get(reason).copied().unwrap_or(0)
        })
    });
    std::iter::once(late).chain(rejected).collect()
}

/// The positions of the reasons' colors: each its own, whatever its rank. Where two would have the same, the later of the
/// list of all reasons has the next that is free.
fn colors(reasons: &[Reason]) -> BTreeMap<Reason, usize> {
    let mut colors = BTreeMap::new();
    for reason in Reason::ALL.into_iter().filter(|reason| reasons.contains(reason)) {
        let mut wheel = (0..PALETTE_LEN).map(|step| (reason as usize + step) % PALETTE_LEN);
        let is_free = |position: &usize| colors.values().all(|taken| taken != position);
        let color = wheel.find(is_free).unwrap_or(reason as usize % PALETTE_LEN);
        colors.insert(reason, color);
    }
    colors
}

/// Late votes and every reason as a table, newest first.
#[must_use]
pub fn over_time_table(series: &Series<QualityPoint>) -> Table {
    let curves = curves(series, usize::MAX);
    let row = |(time, point): (usize, &std::sync::Arc<QualityPoint>)| {
        let counts = curves.iter().map(|curve| Cell::Count(curve.counts.get(time).copied()));
        Row::of_version(point.version, point.as_of_ms, counts)
    };
    let names = curves.iter().map(|curve| curve.name.clone());
    Table::of_versions(names, series.points().iter().enumerate().rev().map(row).collect())
}

/// The records of each partition that are counted.
#[must_use]
pub fn partitions(results: &Results) -> Vec<Part> {
    let sum: u64 = results.inputs.values().sum();
    results
        .inputs
        .iter()
        .map(|(partition, records)| Part {
            key: String::new(),
            name: say!("Partition {number}", number = partition),
            label: partition.to_string(),
            tone: Tone::Ink,
            votes: Some(*records),
            share: ratio(*records, sum),
        })
        .collect()
}

/// How many partitions a chart shows; the table has all.
pub const PARTITIONS_MAX: usize = 16;

/// The partitions as a table.
#[must_use]
pub fn partition_table(parts: &[Part]) -> Table {
    let row = |part: &Part| Row {
        name: Cell::text(&*part.name),
        href: None,
        cells: vec![Cell::Count(part.votes), Cell::Share(part.share)],
    };
    let columns = [tr("Records"), tr("Share")].map(str::to_owned).to_vec();
    Table { first: tr("Partition"), columns, rows: parts.iter().map(row).collect() }
}

/// Since when the page has followed the count.
#[must_use]
pub fn followed_since(times_ms: &[i64], offset_minutes: i32) -> String {
    let words = |time_ms: &i64| Cell::Time(*time_ms).words(offset_minutes);
    match (times_ms.first(), times_ms.last()) {
        (Some(first), Some(last)) => {
            say!("Followed from {first} to {last}.", first = words(first), last = words(last))
        }
        _ => tr("Nothing was published yet.").to_owned(),
    }
}

/// What the partitions say.
#[must_use]
pub fn partitions_say(results: &Results) -> String {
    let records = results.inputs.values().sum();
    let partitions = format::counted(results.inputs.len() as u64, "partition", "partitions");
    match (results.inputs.values().min(), results.inputs.values().max()) {
        (Some(least), Some(most)) => say!(
            "{records} read in {partitions}: between {least} and {most} in each.",
            records = format::counted(records, "record was", "records were"),
            partitions = partitions,
            least = format::count(*least),
            most = format::count(*most)
        ),
        _ => tr("Nothing was read yet.").to_owned(),
    }
}

/// One figure with its name and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Tells the facts of a page apart.
    pub id: &'static str,
    /// The name.
    pub name: &'static str,
    /// The figure.
    pub value: String,
    /// What it means.
    pub note: String,
}

/// The figures of the whole count.
#[must_use]
pub fn facts(results: &Results, status: Option<&Status>, offset_minutes: i32) -> Vec<Fact> {
    let totals = &results.totals;
    let rejected = totals.rejected_sum();
    let records = totals.votes + rejected;
    let duplicates = totals.rejected.get(&Reason::DuplicateVoter).copied().unwrap_or(0);
    // Of nothing there is no share.
    let of_all_read = |part, words: &dyn Fn(String) -> String| {
        ratio(part, records)
            .map_or_else(|| tr("no vote yet").to_owned(), |share| words(format::percent(Some(share))))
    };
    let fact = |id, name, value, note: &str| Fact { id, name, value, note: note.to_owned() };
    let clock = |time: Timestamp| format::clock(time, offset_minutes);
    let behind = results
        .watermark
        .map(|watermark| results.as_of.as_millisecond().saturating_sub(watermark.as_millisecond()));
    let behind = behind.map_or_else(
        || tr("no vote yet").to_owned(),
        |behind| {
            say!(
                "{span} before this version was made; votes cast earlier are late",
                span = format::span(behind)
            )
        },
    );
    vec![
        fact(
            "rejected",
            tr("Not counted"),
            format::count(rejected),
            &of_all_read(rejected, &|share| say!("{share} of all that was read", share = share)),
        ),
        fact(
            "duplicates",
            tr("Voted before"),
            format::count(duplicates),
            tr("a voter's first vote in a contest counts, and no other"),
        ),
        fact(
            "late",
            tr("Late, counted"),
            format::count(totals.late),
            &of_all_read(totals.late, &|share| {
                say!("{share} of all that was read; cast before the watermark, read after it", share = share)
            }),
        ),
        fact(
            "lag",
            tr("Still to count"),
            format::count_or_dash(status.and_then(|status| status.lag)),
            tr("records on the topic that aren't in these figures"),
        ),
        fact(
            "watermark",
            tr("Watermark"),
            results.watermark.map_or_else(|| format::UNKNOWN.to_owned(), clock),
            &behind,
        ),
        fact(
            "version",
            tr("Version"),
            format::count(results.version),
            &say!("made at {time}", time = clock(results.as_of)),
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::board::samples;
    use tallyboard_shared::{ids::Partition, message::FeedState};

    fn results(version: u64, rejected: &[(Reason, u64)], late: u64) -> Results {
        let mut results = samples::results(version, None, &[Some(90)]);
        results.totals.rejected = rejected.iter().copied().collect();
        results.totals.late = late;
        results
    }

    #[test]
    fn reasons_are_ranked_and_said() {
        let results = results(1, &[(Reason::Malformed, 2), (Reason::DuplicateVoter, 8)], 0);
        let names: Vec<_> =
            reasons(&results.totals).into_iter().map(|part| (part.name, part.votes)).collect();
        assert_eq!(names, [("Voted before".to_owned(), Some(8)), ("Unreadable".into(), Some(2))]);
        let said = says(&results.totals).replace('\u{202f}', " ");
        assert_eq!(
            said,
            "10 votes were not counted, 10.0 % of all that was read; most because of “Voted before”."
        );
        let nothing = Totals::default();
        assert_eq!(
            (says(&nothing).as_str(), reasons_blank(&nothing)),
            ("Nothing was read yet.", Some("Nothing was read yet."))
        );
        let sound = Totals { votes: 3, ..Totals::default() };
        let counted = "Every vote that was read was counted.";
        assert_eq!((says(&sound).as_str(), reasons_blank(&sound)), (counted, Some(counted)));
        assert_eq!(reasons_blank(&results.totals), None);
    }

    #[test]
    fn a_reason_that_comes_up_later_was_nothing_before() {
        let mut series = Series::default();
        series.push(QualityPoint::of(&results(1, &[(Reason::Malformed, 1)], 4)));
        series.push(QualityPoint::of(&results(2, &[(Reason::Malformed, 1), (Reason::DuplicateVoter, 7)], 5)));
        let (times_ms, curves) = over_time(&series);
        let seen: Vec<_> =
            curves.iter().map(|curve| (curve.name.as_str(), curve.counts.as_slice())).collect();
        assert_eq!(
            seen,
            [("Late, counted", &[4, 5][..]), (tr("Voted before"), &[0, 7]), ("Unreadable", &[1, 1])]
        );
        let table = over_time_table(&series);
        assert_eq!(
            (&table.rows[0].name, &table.rows[0].cells[2]),
            (&Cell::Count(Some(2)), &Cell::Count(Some(7)))
        );
        assert_eq!(followed_since(&times_ms, 0), "Followed from 20:15:01 to 20:15:02.");
        assert_eq!(followed_since(&[], 0), "Nothing was published yet.");
    }

    #[test]
    fn the_table_has_the_reasons_that_have_no_line() {
        let mut series = Series::default();
        series.push(QualityPoint::of(&results(1, &Reason::ALL.map(|reason| (reason, 1)), 0)));
        assert_eq!(over_time(&series).1.len(), 1 + LINES_MAX);
        // The time, then late votes.
        assert_eq!(over_time_table(&series).rows[0].cells.len(), 1 + 1 + Reason::ALL.len());
    }

    #[test]
    fn reasons_that_are_drawn_together_have_colors_of_their_own_whatever_their_rank() {
        let usual =
            [Reason::DuplicateVoter, Reason::Malformed, Reason::InvalidWeight, Reason::UnknownLocation];
        let colors = super::colors(&usual);
        assert_eq!(colors.values().collect::<BTreeSet<_>>().len(), usual.len(), "{colors:?}");
        let mut otherwise = usual;
        otherwise.reverse();
        assert_eq!(super::colors(&otherwise), colors);
    }

    #[test]
    fn partitions_are_what_was_read() {
        let mut results = results(1, &[], 0);
        results.inputs.insert(Partition(1), 30);
        let table = partition_table(&partitions(&results));
        assert_eq!(table.rows[1].cells, [Cell::Count(Some(30)), Cell::Share(Some(0.25))]);
        assert_eq!(
            partitions_say(&results),
            "120 records were read in 2 partitions: between 30 and 90 in each."
        );
        results.inputs.clear();
        assert_eq!(partitions_say(&results), "Nothing was read yet.");
    }

    #[test]
    fn what_the_server_did_not_say_is_unknown() {
        let mut results = results(3, &[(Reason::DuplicateVoter, 10)], 2);
        let value = |results: &Results, status: Option<&Status>, id: &str| {
            facts(results, status, 0).into_iter().find(|fact| fact.id == id).unwrap().value
        };
        assert_eq!(value(&results, None, "lag"), "—");
        assert_eq!(value(&results, None, "watermark"), "—");
        results.watermark = Some(samples::time(0));
        let status = Status {
            state: FeedState::Live,
            now: samples::time(3),
            version: Some(3),
            lag: Some(1_700),
            stale_since: None,
        };
        assert_eq!(value(&results, Some(&status), "lag"), "1,700");
        assert_eq!(value(&results, None, "watermark"), "20:15:00");
        assert_eq!(value(&results, None, "duplicates"), "10");
    }
}
