//! The topic of rejected records against the votes themselves, as Kafka's own consumer reads both.
//!
//! Every record is judged here once more, by what the generator does to the votes that it breaks: so for each offset it is
//! known whether it must lie on `rejected_votes`, and why. It has to lie there as it was received, and it may lie there
//! again only where somebody was killed, frozen or moved in between: what was complete before a round isn't written again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::kafka::cluster::Cluster;

/// How long the consumer waits at the end of a topic before it says that this is all.
const END_AFTER: Duration = Duration::from_secs(3);
/// How long reading a round's records may take.
const READ_LIMIT: Duration = Duration::from_secs(120);
/// How long rejected records may take to be there after they are counted: they come before the tallies that count them.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
/// The consumers' group, by which the next reading goes on where the last one ended.
const GROUP: &str = "chaos-rejections";

/// What the consumer prints of a record besides its value, in its own order.
const PRINTED: [&str; 5] = [
    "print.timestamp=true",
    "print.partition=true",
    "print.offset=true",
    "print.headers=true",
    "print.key=true",
];

/// A partition and an offset.
type Place = (u32, u64);

/// Everything that is known about rejected records.
#[derive(Default)]
pub(super) struct Rejections {
    /// The next offset of every partition of the votes, as far as they were read.
    votes_read: BTreeMap<u32, u64>,
    /// Whose vote was counted: there is one contest.
    voters: BTreeSet<String>,
    /// What must lie on the topic.
    expected: BTreeMap<Place, Expected>,
    /// How often it lies there.
    found: BTreeMap<Place, u32>,
    /// Offsets of the topic itself that were looked at, so that one is taken once.
    rejected_read: BTreeMap<u32, u64>,
    /// How many were complete at the last check.
    settled: usize,
    repeats: u32,
}

struct Expected {
    reason: &'static str,
    timestamp: String,
    key: String,
    value: String,
    /// The check at which it was first expected.
    check: u32,
}

/// A record as the consumer prints it.
struct Line<'a> {
    timestamp: &'a str,
    place: Place,
    headers: BTreeMap<&'a str, &'a str>,
    key: &'a str,
    value: &'a str,
}

impl Rejections {
    /// Reads what came since the last check and compares; `inputs` is what is published as counted.
    pub(super) fn check(&mut self, cluster: &Cluster<'_>, inputs: &Value, check: u32) -> Result<()> {
        self.read_votes(cluster, inputs, check)?;
        let deadline = Instant::now() + ARRIVAL_LIMIT;
        loop {
            let text = read(cluster, "rejected_votes")?;
            for line in records(&text) {
                self.take_rejected(&line?, check)?;
            }
            let missing: Vec<_> =
                self.expected.iter().filter(|(place, _)| !self.found.contains_key(place)).collect();
            let Some((place, first)) = missing.first() else { break };
            if Instant::now() > deadline {
                let (count, reason) = (missing.len(), first.reason);
                bail!("{count} rejected records aren't on rejected_votes, the first {place:?} as {reason}");
            }
        }
        self.settled = self.expected.len();
        Ok(())
    }

    /// How many records lie there, and how often one lies there again.
    pub(super) fn counts(&self) -> (usize, u32) {
        (self.settled, self.repeats)
    }

    fn read_votes(&mut self, cluster: &Cluster<'_>, inputs: &Value, check: u32) -> Result<()> {
        let inputs = inputs.as_object().context("results without inputs")?;
        let deadline = Instant::now() + READ_LIMIT;
        while inputs.iter().any(|(partition, end)| {
            let read = partition.parse().ok().and_then(|partition: u32| self.votes_read.get(&partition));
            read.copied().unwrap_or(0) < end.as_u64().unwrap_or(0)
        }) {
            ensure!(
                Instant::now() < deadline,
                "the votes can't be read up to {inputs:?}: {:?}",
                self.votes_read
            );
            let text = read(cluster, "votes_topic")?;
            for line in records(&text) {
                self.take_vote(&line?, check)?;
            }
        }
        Ok(())
    }

    fn take_vote(&mut self, line: &Line<'_>, check: u32) -> Result<()> {
        let (partition, offset) = line.place;
        let next = self.votes_read.entry(partition).or_insert(0);
        if offset < *next {
            return Ok(());
        }
        ensure!(offset == *next, "votes_topic/{partition} jumps from {next} to {offset}");
        *next += 1;
        let reason = match judge(line.value, line.timestamp)? {
            Some(reason) => reason,
            None if self.voters.insert(line.key.to_owned()) => return Ok(()),
            None => "duplicate_voter",
        };
        let expected = Expected {
            reason,
            timestamp: line.timestamp.to_owned(),
            key: line.key.to_owned(),
            value: line.value.to_owned(),
            check,
        };
        self.expected.insert(line.place, expected);
        Ok(())
    }

    fn take_rejected(&mut self, line: &Line<'_>, check: u32) -> Result<()> {
        let (partition, offset) = line.place;
        let next = self.rejected_read.entry(partition).or_insert(0);
        if offset < *next {
            return Ok(());
        }
        *next = offset + 1;
        let header = |name: &str| line.headers.get(name).copied().unwrap_or_default();
        let number = |name: &str| {
            header(name).parse::<u64>().with_context(|| format!("rejected_votes {:?}: {name}", line.place))
        };
        let source = (u32::try_from(number("source_partition")?)?, number("source_offset")?);
        let Some(expected) = self.expected.get(&source) else {
            bail!("{source:?} was counted, and lies on rejected_votes as {}", header("reason"));
        };
        let found =
            (header("source_topic"), header("reason"), header("source_timestamp"), line.key, line.value);
        let told = ("votes_topic", expected.reason, &*expected.timestamp, &*expected.key, &*expected.value);
        ensure!(found == told, "{source:?} lies on rejected_votes as {found:?}, not as {told:?}");
        let times = self.found.entry(source).or_default();
        *times += 1;
        if *times > 1 {
            ensure!(
                expected.check == check,
                "{source:?} was complete after check {} and was written again before check {check}",
                expected.check
            );
            self.repeats += 1;
        }
        Ok(())
    }
}

/// Why a made-up vote breaks the rules by itself, by what the generator does to votes.
fn judge(value: &str, timestamp: &str) -> Result<Option<&'static str>> {
    let Ok(vote) = serde_json::from_str::<Value>(value) else { return Ok(Some("malformed")) };
    let Some(time) = vote["voting_time"].as_str() else { return Ok(Some("missing_field")) };
    if vote["vote"] != 1 {
        return Ok(Some("invalid_weight"));
    }
    // A vote of tomorrow: the day alone tells, unless it was cast about midnight.
    let written = timestamp.parse::<i64>().context("a record without a time")?.div_euclid(86_400_000);
    if day(time)? > written {
        return Ok(Some("future_time"));
    }
    if vote["candidate_id"] == "nobody" {
        return Ok(Some("unknown_candidate"));
    }
    Ok((vote["address"]["state"] == "Nowhere").then_some("unknown_location"))
}

/// Days since 1970 of a time that starts with `YYYY-MM-DD`.
fn day(time: &str) -> Result<i64> {
    let mut parts = time.get(..10).context("a time without a day")?.split('-').map(str::parse::<i64>);
    let mut part = || parts.next().context("a day has three parts")?.context("a number");
    let (year, month, day) = (part()?, part()?, part()?);
    // Years that begin in March, so that the day that leaps is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before = (153 * month + 2) / 5 + year * 365 + year / 4 - year / 100 + year / 400;
    Ok(days_before + day - 1 - 719_468)
}

/// What a topic has since it was read last, a record a line.
fn read(cluster: &Cluster<'_>, topic: &str) -> Result<String> {
    let wait = END_AFTER.as_millis().to_string();
    let mut arguments = vec!["--topic", topic, "--group", GROUP, "--from-beginning", "--timeout-ms", &wait];
    arguments.extend(PRINTED.into_iter().flat_map(|property| ["--formatter-property", property]));
    let output = cluster.dir().join(format!("{topic}.read"));
    cluster.tool_output(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        &arguments,
        &output,
        READ_LIMIT,
    )?;
    read_text(&output)
}

fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(fs::read(path)?).context("made-up votes are text")
}

/// The records among the lines: the consumer's own words begin otherwise.
fn records(text: &str) -> impl Iterator<Item = Result<Line<'_>>> {
    text.lines().filter(|line| line.starts_with("CreateTime:")).map(|line| {
        let mut parts = line.splitn(6, '\t');
        let mut part = |prefix: &str| {
            let part = parts.next().and_then(|part| part.strip_prefix(prefix));
            part.with_context(|| format!("no {prefix} in {line}"))
        };
        let timestamp = part("CreateTime:")?;
        let place = (part("Partition:")?.parse()?, part("Offset:")?.parse()?);
        let headers = part("")?.split(',').filter_map(|header| header.split_once(':')).collect();
        Ok(Line { timestamp, place, headers, key: part("")?, value: part("")? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_consumer_prints_it() {
        let text = "Processed a total of 1 messages\n\
            CreateTime:1793693700000\tPartition:3\tOffset:17\treason:malformed,source_offset:5\tv1\t{\"a\":\t1\n\
            CreateTime:1793693700000\tPartition:0\tOffset:1\ttallyboard-simulation:\tv2\t{}\n";
        let lines: Vec<_> = records(text).collect::<Result<_>>().unwrap();
        assert_eq!((lines[0].place, lines[0].key, lines[0].value), ((3, 17), "v1", "{\"a\":\t1"));
        assert_eq!(lines[0].headers["source_offset"], "5");
        assert_eq!((lines.len(), lines[1].value), (2, "{}"));
    }

    #[test]
    fn made_up_votes_are_judged_by_what_was_done_to_them() {
        let vote = |change: (&str, &str)| {
            let sound = r#"{"voter_id":"v","candidate_id":"c","voting_time":"2026-11-03 08:15:00","address":{"state":"A"},"vote":1}"#;
            judge(&sound.replace(change.0, change.1), "1793693700000").unwrap()
        };
        assert_eq!(vote(("", "")), None);
        assert_eq!(vote(("1}", "")), Some("malformed"));
        assert_eq!(vote((r#""voting_time":"2026-11-03 08:15:00","#, "")), Some("missing_field"));
        assert_eq!(vote(("\"vote\":1", "\"vote\":2")), Some("invalid_weight"));
        assert_eq!(vote(("2026-11-03", "2026-11-04")), Some("future_time"));
        assert_eq!(vote(("\"c\"", "\"nobody\"")), Some("unknown_candidate"));
        assert_eq!(vote(("\"A\"", "\"Nowhere\"")), Some("unknown_location"));
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        let days = |time| day(time).unwrap();
        assert_eq!((days("1970-01-01 00:00:00"), days("1970-12-31 23:59:59")), (0, 364));
        assert_eq!(days("2024-03-01 00:00:00") - days("2024-02-28 00:00:00"), 2);
        assert_eq!(days("2026-11-03 08:15:00"), 1_793_693_700_000 / 86_400_000);
    }
}
