//! What must hold at the end of every world.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
};

use tallyboard::{
    recount::{Progress, RecountSettings, recount},
    roles::publication::PublicationRecord,
    tally::PartitionTally,
};
use tallyboard_shared::{
    Timestamp,
    election::Embargo,
    reason::Reason,
    results::{CountStatus, Results},
    timeline::Timeline,
};

use crate::{
    brokers::{Entry, EntryState, Faults, Log, ProcessId, State},
    journal::SimulatedJournal,
    oracle::Oracle,
    process::NEVER,
    published::Version,
    world::World,
};

/// Who counts again in the end.
const RECOUNT: ProcessId = ProcessId::MAX;

/// What a run saw: checks that never see anything hold nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) versions: u64,
    pub(crate) counted: u64,
    pub(crate) late: u64,
    pub(crate) rejected: BTreeMap<Reason, u64>,
    pub(crate) repeated_rejections: u64,
    /// Timelines whose windows had to be wider than the definition says.
    pub(crate) wide_timelines: u64,
    /// Versions with regions, with groups of voters, and with a watermark that an idle partition didn't hold back.
    pub(crate) regions: u64,
    pub(crate) groups: u64,
    pub(crate) idle: u64,
    /// Logs that end with something that readers never see.
    pub(crate) hidden_ends: u64,
    pub(crate) faults: Faults,
}

impl Seen {
    /// Adds up.
    pub(crate) fn add(&mut self, other: &Self) {
        self.versions += other.versions;
        self.counted += other.counted;
        self.late += other.late;
        self.repeated_rejections += other.repeated_rejections;
        self.wide_timelines += other.wide_timelines;
        self.regions += other.regions;
        self.groups += other.groups;
        self.idle += other.idle;
        self.hidden_ends += other.hidden_ends;
        other.rejected.iter().for_each(|(why, count)| *self.rejected.entry(*why).or_default() += count);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(kind).or_default() += count);
    }
}

macro_rules! hold {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

/// Checks what was published, where the count isn't complete.
pub(crate) fn check_published(world: &World) -> Result<(), String> {
    let oracles = oracles(world);
    versions(world, &oracles, &mut Seen::default())?;
    tallies_are_the_log(world, &oracles)
}

fn oracles(world: &World) -> Vec<Oracle> {
    let state = world.brokers.lock();
    let votes = &state.topics[&world.topics.votes];
    world.plan.editions.iter().map(|election| Oracle::count(election, votes, &world.ballots)).collect()
}

/// Checks everything.
pub(crate) fn check(world: &World, seen: &mut Seen) -> Result<(), String> {
    let oracles = oracles(world);
    let history = versions(world, &oracles, seen)?;
    the_end_is_complete(world, &oracles, &history, seen)?;
    the_watermark_has_arrived(world, &oracles, &history)?;
    acknowledged_votes_are_there(world)?;
    tallies_are_the_log(world, &oracles)?;
    rejections_are_written_down(world, &oracles, seen)?;
    rows_are_the_results(world, &history)?;
    viewers_agree(world, &history)?;
    the_recount_agrees(world)?;
    seen.versions += history.len() as u64;
    let state = world.brokers.lock();
    let votes = &state.topics[&world.topics.votes].partitions;
    let ends_hidden =
        |log: &&Log| log.entries.last().is_some_and(|entry| entry.state != EntryState::Committed);
    seen.hidden_ends += votes.iter().filter(ends_hidden).count() as u64;
    seen.faults.clone_from(&state.faults);
    Ok(())
}

fn oracle<'a>(oracles: &'a [Oracle], hash: &str) -> Result<&'a Oracle, String> {
    oracles
        .iter()
        .find(|oracle| oracle.election.definition_hash == hash)
        .ok_or(format!("a foreign definition {hash}"))
}

fn committed<'a>(state: &'a State, topic: &str, partition: usize) -> impl Iterator<Item = (u64, &'a Entry)> {
    state.topics[topic].partitions[partition].committed()
}

/// Versions grow by one, each is there once, nothing in them goes back, and each is the count of exactly what it says
/// was counted.
fn versions(world: &World, oracles: &[Oracle], seen: &mut Seen) -> Result<BTreeMap<u64, Results>, String> {
    let state = world.brokers.lock();
    let mut history: BTreeMap<u64, Results> = BTreeMap::new();
    let mut last: Option<(Results, Timeline)> = None;
    for (offset, entry) in committed(&state, &world.topics.results, 0) {
        let record =
            serde_json::from_slice(&entry.record.value).map_err(|error| format!("{offset}: {error}"))?;
        let (mut results, timeline) = match record {
            PublicationRecord::Snapshot { results, timeline, .. } => {
                (*results, *timeline.ok_or("a snapshot without a timeline")?)
            }
            PublicationRecord::Delta { update, timeline: step } => {
                let (mut results, mut timeline) = last.clone().ok_or("the first version is a step")?;
                results
                    .apply(&update)
                    .map_err(|gap| format!("version {} doesn't follow: {gap:?}", update.version))?;
                timeline.apply(step.as_deref(), results.version, results.watermark);
                (results, timeline)
            }
        };
        // Ratios are derived by every reader: as texts they aren't exact.
        results.derive();
        let (version, before) = (results.version, last.as_ref().map(|(results, _)| results));
        hold!(
            version == before.map_or(0, |before| before.version) + 1,
            "version {version} follows {:?}",
            before.map(|before| before.version)
        );
        hold!(
            results.as_of >= before.map_or(NEVER, |before| before.as_of),
            "time runs back in version {version}"
        );
        for (partition, offset) in before.iter().flat_map(|before| &before.inputs) {
            hold!(
                results.inputs.get(partition).unwrap_or(&0) >= offset,
                "version {version} goes back in partition {partition}: {:?} after {offset}",
                results.inputs.get(partition)
            );
        }
        let oracle = oracle(oracles, &results.election.definition_hash)?;
        let same =
            before.filter(|before| before.election.definition_hash == results.election.definition_hash);
        let published = Version {
            results: &results,
            timeline: &timeline,
            watermark_before_ms: same.and_then(|same| same.watermark).map(Timestamp::as_millisecond),
            appended_ms: entry.timestamp_ms.ok_or("a version has no timestamp")?,
        };
        let passed_over_idle = published
            .check(oracle, &state.topics[&world.topics.votes])
            .map_err(|why| format!("version {version}: {why}"))?;
        seen.idle += u64::from(passed_over_idle);
        seen.wide_timelines += u64::from(timeline.width_ms > oracle.election.timeline_window_ms);
        seen.regions += u64::from(!results.regions.is_empty());
        seen.groups += u64::from(!results.breakdowns.is_empty());
        history.insert(version, results.clone());
        last = Some((results, timeline));
    }
    Ok(history)
}

/// The last version is by the last definition and counts every record of the log once.
fn the_end_is_complete(
    world: &World,
    oracles: &[Oracle],
    history: &BTreeMap<u64, Results>,
    seen: &mut Seen,
) -> Result<(), String> {
    let Some((_, last)) = history.last_key_value() else { return Err("nothing was published".into()) };
    let oracle = oracle(oracles, &last.election.definition_hash)?;
    hold!(
        last.election.definition_hash == world.election().definition_hash,
        "the last version is by an old definition"
    );
    let inputs: BTreeMap<_, _> = last
        .inputs
        .iter()
        .map(|(partition, offset)| (partition.0, *offset))
        .filter(|(_, offset)| *offset > 0)
        .collect();
    let expected = world.expected_inputs();
    hold!(inputs == expected, "the last version counts {inputs:?} of {expected:?}");
    let state = world.brokers.lock();
    let records: usize =
        state.topics[&world.topics.votes].partitions.iter().map(|log| log.committed().count()).sum();
    hold!(
        last.totals.votes + last.totals.rejected_sum() == records as u64,
        "{} votes and {:?} rejected of {records} records",
        last.totals.votes,
        last.totals.rejected
    );
    let voters: Vec<_> = oracle.partitions.iter().flat_map(|part| &part.voters).collect();
    let distinct: BTreeSet<_> = voters.iter().collect();
    hold!(distinct.len() == voters.len(), "a voter is counted in two partitions");
    hold!(last.totals.votes == voters.len() as u64, "{} votes of {} voters", last.totals.votes, voters.len());
    seen.counted += last.totals.votes;
    seen.late += last.totals.late;
    for (reason, count) in &last.totals.rejected {
        *seen.rejected.entry(*reason).or_default() += count;
    }
    Ok(())
}

/// Once nothing but rubbish has come for a while, every partition is idle, and the watermark is the highest.
fn the_watermark_has_arrived(
    world: &World,
    oracles: &[Oracle],
    history: &BTreeMap<u64, Results>,
) -> Result<(), String> {
    let oracle = oracle(oracles, &world.election().definition_hash)?;
    let count = oracle.below(world.expected_inputs());
    let newest = count.newest_ms.values().max().map(|newest| newest - oracle.election.allowed_lateness_ms);
    let found = history.last_key_value().and_then(|(_, last)| last.watermark);
    hold!(
        found.map(Timestamp::as_millisecond) == newest,
        "in the end the watermark is {found:?}, not {newest:?}"
    );
    Ok(())
}

fn acknowledged_votes_are_there(world: &World) -> Result<(), String> {
    let state = world.brokers.lock();
    let partitions = &state.topics[&world.topics.votes].partitions;
    let committed: BTreeSet<_> =
        partitions.iter().flat_map(|log| log.committed()).map(|(_, entry)| &entry.record.headers).collect();
    for (place, record) in &world.acknowledged {
        let Some(place) = place else {
            // Transactions don't tell places; the number in a header names the vote.
            hold!(committed.contains(&record.headers), "an acknowledged vote isn't there: {record:?}");
            continue;
        };
        let log = &partitions[place.partition as usize];
        let entry = log.entries.get(usize::try_from(place.offset).expect("logs are short"));
        hold!(entry.is_some_and(|entry| entry.record == *record), "an acknowledged vote isn't at {place:?}");
    }
    Ok(())
}

/// Whoever wrote a tally, and from whatever checkpoint: it is the count of the log below its offset, and the same
/// bytes.
fn tallies_are_the_log(world: &World, oracles: &[Oracle]) -> Result<(), String> {
    let state = world.brokers.lock();
    let mut bytes = BTreeMap::new();
    for (_, entry) in committed(&state, &world.topics.tallies, 0) {
        let value = entry.record.value.as_slice();
        let tally = PartitionTally::decode(value).map_err(|error| format!("not a tally: {error}"))?;
        let (partition, offset) = (tally.partition, tally.next_offset);
        let name = (tally.definition_hash.clone(), partition, offset);
        if let Some(first) = bytes.insert(name, value) {
            hold!(first == value, "two different tallies of {partition} at {offset}");
            continue;
        }
        let oracle = oracle(oracles, &tally.definition_hash)?;
        let expected = oracle.below([(partition, offset)]);
        let votes: u64 = tally.cells.iter().map(|cell| cell.votes).sum();
        let window_votes = |votes: &[(u32, u64)]| votes.iter().map(|(_, votes)| votes).sum();
        let windows =
            tally.timeline.windows.iter().map(|window| (window.number, window_votes(&window.votes)));
        let (width_ms, expected_windows) = expected.timeline(&oracle.election);
        let mut window_sums = BTreeMap::<i64, u64>::new();
        for ((number, ..), votes) in expected_windows {
            *window_sums.entry(number).or_default() += votes;
        }
        let holds = votes == expected.cells.values().sum::<u64>()
            && tally.rejected == expected.rejected
            && tally.late == expected.late
            && tally.newest_ms == expected.newest_ms.get(&partition).copied()
            && tally.timeline.width_ms == width_ms
            && windows.collect::<BTreeMap<_, _>>() == window_sums;
        hold!(holds, "the tally of {partition} at {offset} says {tally:?}, but the log says {expected:?}");
    }
    Ok(())
}

/// Every record that isn't counted lies on the topic of rejected records, with where it came from and why; twice only
/// where something was repeated.
fn rejections_are_written_down(world: &World, oracles: &[Oracle], seen: &mut Seen) -> Result<(), String> {
    let state = world.brokers.lock();
    let votes = &state.topics[&world.topics.votes];
    let mut written: BTreeMap<(u32, u64), BTreeSet<String>> = BTreeMap::new();
    for log in &state.topics[&world.topics.rejected].partitions {
        for (_, entry) in log.committed() {
            let header = |name: &str| {
                let found = entry.record.headers.iter().find(|(found, _)| found == name);
                found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
            };
            let place = (header("source_partition").parse().ok()).zip(header("source_offset").parse().ok());
            let (partition, offset): (u32, u64) =
                place.ok_or("a rejected record doesn't say where it was")?;
            let source =
                &votes.partitions[partition as usize].entries[usize::try_from(offset).expect("short")];
            hold!(header("source_topic") == world.topics.votes, "{partition}/{offset}: the topic is missing");
            let time = source.timestamp_ms.map(|time| time.to_string());
            hold!(
                header("source_timestamp") == time.unwrap_or_default(),
                "{partition}/{offset}: the time is wrong"
            );
            let received = (source.record.key.clone().filter(|key| !key.is_empty()), &source.record.value);
            hold!(
                (entry.record.key.clone(), &entry.record.value) == received,
                "{partition}/{offset}: other bytes than received"
            );
            let again = !written.entry((partition, offset)).or_default().insert(header("reason"));
            hold!(!again || world.may_repeat(&state), "{partition}/{offset} was written down twice");
            seen.repeated_rejections += u64::from(again);
        }
    }
    for ((partition, offset), reasons) in &written {
        for reason in reasons {
            let known = oracles.iter().any(|oracle| {
                let outcome = oracle.partitions[*partition as usize].outcomes.get(offset).copied().flatten();
                outcome.is_some_and(|known| known.code() == reason)
            });
            hold!(known, "{partition}/{offset} was written down as {reason}, which it isn't");
        }
    }
    let last = oracle(oracles, &world.election().definition_hash)?;
    for (partition, part) in (0..).zip(&last.partitions) {
        for (offset, reason) in part.outcomes.iter().filter_map(|(offset, why)| Some((*offset, (*why)?))) {
            let found = written.get(&(partition, offset)).is_some_and(|found| found.contains(reason.code()));
            hold!(found, "{partition}/{offset} was rejected as {reason} and isn't written down");
        }
    }
    Ok(())
}

/// Rows of both aggregates say what the version that they name says, and the newest what the last version says.
fn rows_are_the_results(world: &World, history: &BTreeMap<u64, Results>) -> Result<(), String> {
    let state = world.brokers.lock();
    let (_, last) = history.last_key_value().expect("checked before");
    for (topic, count) in [(&world.topics.candidates, "total_votes"), (&world.topics.turnout, "count")] {
        let mut newest = BTreeMap::new();
        for (_, entry) in committed(&state, topic, 0) {
            let row: serde_json::Value =
                serde_json::from_slice(&entry.record.value).map_err(|e| e.to_string())?;
            let key =
                String::from_utf8(entry.record.key.clone().unwrap_or_default()).map_err(|e| e.to_string())?;
            let version = row["version"].as_u64().ok_or("a row without a version")?;
            let results =
                history.get(&version).ok_or(format!("a row of version {version}, which isn't there"))?;
            hold!(
                row[count].as_u64() == figure(results, topic == &world.topics.candidates, &key),
                "{topic}: {row} isn't what version {version} says"
            );
            newest.insert(key, row[count].as_u64());
        }
        for (key, found) in newest {
            let figure = figure(last, topic == &world.topics.candidates, &key);
            // Rows of an old definition stay.
            hold!(
                figure.is_none() || found == figure,
                "{topic}: {key} is {found:?}, the results say {figure:?}"
            );
        }
    }
    Ok(())
}

/// The votes of a candidate or place by the key of its row.
fn figure(results: &Results, candidates: bool, key: &str) -> Option<u64> {
    let defined = results.election.id.as_str() == "simulated";
    if !candidates {
        return results.locations.iter().find(|place| place.id.as_str() == key).map(|place| place.votes);
    }
    // Without a definition a candidate's key names the contest, unless the votes named none.
    let (contest, id) = match key.split_once('/') {
        _ if defined => (None, key),
        Some((contest, id)) => (Some(contest), id),
        None => (Some("election"), key),
    };
    let contests = results.contests.iter().filter(|of| contest.is_none_or(|id| of.id.as_str() == id));
    let mut candidates = contests.flat_map(|contest| &contest.candidates);
    candidates.find(|candidate| candidate.id.as_str() == id).and_then(|candidate| candidate.votes)
}

/// Whatever a viewer showed is what was published, and in the end all show the last version.
fn viewers_agree(world: &World, history: &BTreeMap<u64, Results>) -> Result<(), String> {
    let (newest, _) = history.last_key_value().expect("checked before");
    for machine in &world.machines {
        let Some(watching) = machine.process.as_ref().and_then(|process| process.watching.as_ref()) else {
            continue;
        };
        for (version, shown) in &watching.shown {
            let Some(results) = &shown.results else { continue };
            let published = &history[version];
            hold!(shows(results, published, &shown.election), "version {version} is shown as {results:?}");
        }
        let shown = watching.feed.shown();
        hold!(shown.version() == *newest, "a viewer shows {} of {newest}", shown.version());
        hold!(!watching.page_differs(), "a page shows something else than its viewer");
    }
    Ok(())
}

/// The product's own recount comes to the same figures.
fn the_recount_agrees(world: &World) -> Result<(), String> {
    let journal = SimulatedJournal::connect(&world.brokers, RECOUNT);
    let settings =
        RecountSettings { topics: world.topics.clone(), election: None, threads: NonZero::<usize>::MIN };
    let report = recount(&journal, &settings, &Progress::default()).map_err(|error| error.to_string())?;
    hold!(report.differences.is_empty(), "the recount differs: {:?}", report.differences);
    hold!(report.split_voters.is_empty(), "the recount has found voters in two partitions");
    hold!(report.beyond == 0, "the recount says that {} records weren't counted", report.beyond);
    Ok(())
}

/// What is shown is what was published, less what is withheld.
fn shows(shown: &Results, published: &Results, election: &tallyboard_shared::election::Election) -> bool {
    let embargo = election.embargo == Embargo::UntilClose && published.status != CountStatus::Closed;
    let plain = shown.totals == published.totals && shown.inputs == published.inputs;
    let contests = shown.contests.iter().zip(&published.contests).all(|(shown, published)| {
        shown.votes == published.votes
            && shown
                .candidates
                .iter()
                .zip(&published.candidates)
                .all(|(shown, published)| shown.votes == if embargo { None } else { published.votes })
    });
    let places = shown.locations.iter().zip(&published.locations).all(|(shown, published)| {
        let small = published.votes < election.disclosure_threshold;
        shown.votes == published.votes
            && shown.contests.iter().zip(&published.contests).all(|(shown, published)| {
                if embargo {
                    shown.votes.is_none()
                } else {
                    small || shown.votes == published.votes || shown.votes.is_none()
                }
            })
    });
    plain && contests && places
}
