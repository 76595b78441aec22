//! The commands besides `serve`: sending made-up votes, counting again, exports, and working with definitions.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    num::NonZero,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tallyboard_shared::{
    ids::{CandidateId, LocationId},
    reason::Reason,
};

use crate::{
    cli::{ElectionCommand, Export, JournalArgs, Recount, Simulate, TableArgs},
    election,
    journal::{
        Journal, JournalError, Topics,
        embedded::EmbeddedJournal,
        kafka::{KafkaJournal, KafkaSettings},
    },
    recount::{self, Progress, RecountSettings},
    roles::{
        disclosure::{Rules, disclose, disclose_earlier},
        earlier::{Landmarks, earlier_publication},
        newest::newest_publication,
    },
    serve::{open_journal, prepare_topics, read_definition, read_definition_with_map},
    shutdown::{self, Stop},
    simulate::{self, Electorate, HttpSink, ResultTable, Shares, Sink, Source, TableColumns},
};

/// `tallyboard simulate`.
///
/// # Errors
/// Where the settings, the table or the destination can't be used.
pub fn simulate(args: &Simulate, out: &mut dyn Write) -> anyhow::Result<()> {
    let stop = Stop::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.spawn({
        let stop = stop.clone();
        async move {
            if shutdown::signal().await.is_ok() {
                stop.raise();
            }
        }
    });
    let table = args.table.results.as_deref().map(|file| read_table(file, &args.table)).transpose()?;
    match &table {
        Some(table) => {
            let ballots = table.ballots(args.seed)?;
            tracing::info!(
                ballots = ballots.count(),
                places = table.locations.len(),
                "replaying a result table"
            );
            send_from(&ballots, args, &stop)
        }
        None => {
            let election = args.election.as_deref().map_or_else(|| Ok(election::demo()), read_definition)?;
            let shares = Shares { duplicates: args.duplicates, late: args.late, invalid: args.invalid };
            let electorate = Electorate::new(election, args.seed, shares, args.shape);
            if args.expected {
                return print_expected(&electorate, args, out);
            }
            send_from(&electorate, args, &stop)
        }
    }
}

/// What an exact count gives, as JSON.
#[derive(Serialize)]
struct ExpectedCount<'a> {
    /// As many as there are, where fewer than were asked for.
    records: u64,
    /// By place, then by candidate.
    votes: BTreeMap<&'a LocationId, BTreeMap<&'a CandidateId, u64>>,
    /// By reason.
    rejected: BTreeMap<Reason, u64>,
}

fn print_expected(electorate: &Electorate, args: &Simulate, out: &mut dyn Write) -> anyhow::Result<()> {
    let last = args.skip.saturating_add(args.count.unwrap_or(0)).min(electorate.records());
    let numbers = args.skip.min(last)..last;
    let expected = electorate.expected(numbers.clone());
    let election = electorate.election();
    let mut votes = BTreeMap::<_, BTreeMap<_, _>>::new();
    for ((candidate, location), count) in expected.votes {
        let candidate = &election.contests[0].candidates[candidate].id;
        votes.entry(&election.locations[location].id).or_default().insert(candidate, count);
    }
    let count = ExpectedCount { records: numbers.end - numbers.start, votes, rejected: expected.rejected };
    serde_json::to_writer(&mut *out, &count)?;
    Ok(writeln!(out)?)
}

fn send_from(source: &dyn Source, args: &Simulate, stop: &Stop) -> anyhow::Result<()> {
    if let Some(url) = &args.to {
        let Some(token) = &args.ingest_token else {
            bail!("a server takes votes only with a token: set TALLYBOARD_INGEST_TOKEN or --ingest-token");
        };
        return send_to(source, &HttpSink::new(url, token, args.trust.requests()?), args, stop);
    }
    if args.journal.kafka.is_none() {
        bail!("where should the votes go? Give --kafka HOST:PORT, or --to URL of a Tallyboard server");
    }
    let journal = open_journal(&args.journal)?;
    let topics = Topics::new(&args.journal.topic_prefix);
    let mut votes = topics.specs(args.journal.partitions);
    votes.retain(|spec| spec.name == topics.votes);
    let journal: &dyn Journal = &*journal;
    if !prepare_topics(journal, &votes, stop)? {
        return Ok(());
    }
    send_to(source, &(journal, topics.votes.as_str()), args, stop)
}

fn send_to(source: &dyn Source, sink: &dyn Sink, args: &Simulate, stop: &Stop) -> anyhow::Result<()> {
    let started = Instant::now();
    let sent = simulate::send(source, sink, args.rate, args.skip, args.count, stop)?;
    let seconds = started.elapsed().as_secs_f64();
    let count = sent.next - args.skip;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let rate = count as f64 / seconds.max(0.001);
    tracing::info!(
        "sent {count} records in {seconds:.1} s, {rate:.0}/s; the next would be --skip {}",
        sent.next
    );
    Ok(())
}

fn read_table(file: &Path, args: &TableArgs) -> anyhow::Result<ResultTable> {
    let columns = TableColumns {
        location: args.location_column.clone(),
        registered: args.registered_column.clone(),
        candidates: args.candidate_columns.clone(),
    };
    let reader = File::open(file).with_context(|| format!("failed to read {}", file.display()))?;
    let table = ResultTable::read(reader, &columns).with_context(|| file.display().to_string())?;
    Ok(table.scaled(args.scale))
}

/// `tallyboard recount`: whether everything is equal; what isn't goes to `out`.
///
/// # Errors
/// Where there is no recount.
pub fn recount(args: &Recount, out: &mut dyn Write) -> anyhow::Result<bool> {
    let election = args.election.as_deref().map(read_definition).transpose()?;
    let journal = open_for_reading(&args.journal)?;
    let threads =
        args.threads.map_or_else(std::thread::available_parallelism, Ok).unwrap_or(NonZero::<usize>::MIN);
    let settings = RecountSettings { topics: Topics::new(&args.journal.topic_prefix), election, threads };
    let (progress, stop) = (Progress::default(), Stop::default());
    let started = Instant::now();
    let report = std::thread::scope(|scope| {
        let _guard = stop.guard();
        scope.spawn(|| progress.show(&stop));
        recount::recount(&*journal, &settings, &progress)
    })?;
    let (done, _) = progress.now();
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let rate = done as f64 / seconds.max(0.001);
    tracing::info!("folded {done} records in {seconds:.1} s, {rate:.0}/s");
    writeln!(out, "{report}")?;
    Ok(report.is_equal())
}

/// Opens a journal that must be there already, and leaves no trace in it.
fn open_for_reading(args: &JournalArgs) -> anyhow::Result<Box<dyn Journal>> {
    if let Some(servers) = &args.kafka {
        let settings = KafkaSettings {
            bootstrap_servers: servers.clone(),
            properties: args.kafka_property.clone(),
            // No group is joined.
            instance_id: String::new(),
        };
        return Ok(Box::new(KafkaJournal::new(settings)?));
    }
    let directory = args.data_dir.join("journal");
    if !directory.is_dir() {
        bail!("there is no journal in {}; which one? Give --data-dir or --kafka", args.data_dir.display());
    }
    match EmbeddedJournal::open(&directory) {
        Ok(journal) => Ok(Box::new(journal)),
        Err(error @ JournalError::Setup(_)) => {
            Err(error).context("the embedded journal is read with the server stopped")
        }
        Err(error) => Err(error.into()),
    }
}

/// A server's export isn't larger: results of 10,000 places and 1,000 candidates.
const EXPORT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How long a server may take to answer an export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(60);

/// `tallyboard export`.
///
/// # Errors
/// Where there is no such version, or it can't be read or written.
pub fn export(args: &Export, out: &mut dyn Write) -> anyhow::Result<()> {
    let document = match &args.from {
        Some(url) => export_of_server(url, args)?,
        None => export_of_journal(args)?,
    };
    match &args.output {
        Some(file) => {
            std::fs::write(file, document).with_context(|| format!("failed to write {}", file.display()))
        }
        None => Ok(out.write_all(&document)?),
    }
}

fn export_of_server(base: &str, args: &Export) -> anyhow::Result<Vec<u8>> {
    /// What a refusal says.
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(EXPORT_TIMEOUT))
        .tls_config(args.trust.requests()?)
        .http_status_as_error(false)
        .build();
    let mut url = format!("{}{}", base.trim_end_matches('/'), args.format.route());
    if let Some(version) = args.results_version {
        url += &format!("?version={version}");
    }
    let mut response =
        ureq::Agent::from(config).get(&url).call().with_context(|| format!("failed to read {url}"))?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(EXPORT_BYTES_MAX).read_to_vec()?;
    if status != 200 {
        let detail =
            serde_json::from_slice(&body).map_or_else(|_| String::new(), |Problem { detail }| detail);
        bail!("{url} answers {status}: {detail}");
    }
    Ok(body)
}

fn export_of_journal(args: &Export) -> anyhow::Result<Vec<u8>> {
    let journal = open_for_reading(&args.journal)?;
    let topic = Topics::new(&args.journal.topic_prefix).results;
    let newest = newest_publication(&*journal, &topic)?.context("nothing has been published")?;
    let earlier = args.results_version.filter(|version| *version != newest.results.version);
    let Some(version) = earlier else {
        let results = disclose(&newest.election, newest.results);
        return Ok(args.format.write(&newest.election, &results, None));
    };
    let rules = Rules::new(&newest.election, newest.results.status);
    let found = earlier_publication(&*journal, &topic, version, &Landmarks::default())?
        .with_context(|| format!("there is no version {version}"))?;
    let results = disclose_earlier(&found.election, found.results, &rules);
    Ok(args.format.write(&found.election, &results, None))
}

/// `tallyboard election`.
///
/// # Errors
/// Where the definition isn't sound, or the table can't be read.
pub fn election(command: &ElectionCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        ElectionCommand::Check { file } => {
            let (election, map) = read_definition_with_map(file)?;
            let candidates: usize = election.contests.iter().map(|contest| contest.candidates.len()).sum();
            writeln!(
                out,
                "{}: {} contest(s), {candidates} candidate(s), {} place(s){}, hash {}",
                election.title,
                election.contests.len(),
                election.locations.len(),
                if map.is_some() { ", a map" } else { "" },
                election.definition_hash
            )?;
        }
        ElectionCommand::FromResults { table, title } => {
            let Some(file) = &table.results else { bail!("which table? Give --results FILE.csv") };
            write!(out, "{}", definition_of(&read_table(file, table)?, title)?)?;
        }
    }
    Ok(())
}

/// A definition in which the places and candidates of a table stand for an election.
fn definition_of(table: &ResultTable, title: &str) -> anyhow::Result<String> {
    let text = |value: &str| toml::Value::String(value.to_owned());
    let row = |pairs: Vec<(&str, toml::Value)>| {
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>()
    };
    let candidates: Vec<_> =
        table.candidates.iter().map(|name| row(vec![("id", text(name)), ("name", text(name))])).collect();
    let contest = row(vec![
        ("id", text("election")),
        ("title", text(title)),
        ("candidates", toml::Value::try_from(candidates)?),
    ]);
    let locations: Vec<_> = table
        .locations
        .iter()
        .map(|location| {
            let mut pairs = vec![("id", text(&location.name)), ("name", text(&location.name))];
            if let Some(registered) = location.registered_voters {
                pairs.push(("registered_voters", toml::Value::Integer(i64::try_from(registered)?)));
            }
            Ok(row(pairs))
        })
        .collect::<anyhow::Result<_>>()?;
    let definition = row(vec![
        ("id", text("replay")),
        ("title", text(title)),
        ("mode", text("simulation")),
        ("contests", toml::Value::try_from(vec![contest])?),
        ("locations", toml::Value::try_from::<Vec<_>>(locations)?),
    ]);
    Ok(toml::to_string(&definition)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_from_a_table_is_sound() {
        let columns = TableColumns {
            location: "location".into(),
            registered: "registered_voters".into(),
            candidates: None,
        };
        let table = "location,registered_voters,Red,Blue\nNorth,100,30,20\n\"The \"\"Old\"\" Town\",,1,2\n";
        assert!(ResultTable::read(table.as_bytes(), &columns).is_err());
        let table = table.replace(",,", ",7,");
        let table = ResultTable::read(table.as_bytes(), &columns).unwrap();
        let text = definition_of(&table, "A \"title\"").unwrap();
        let election = election::Definition::parse(&text).unwrap().into_election();
        assert_eq!(election.locations[1].name, "The \"Old\" Town");
        assert_eq!(election.locations[0].registered_voters, Some(100));
        assert_eq!(election.contests[0].candidates.len(), 2);
    }
}
