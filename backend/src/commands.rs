//! The commands besides `serve`: sending made-up votes, and working with definitions.

use std::{collections::BTreeMap, fs::File, io::Write, path::Path, time::Instant};

use anyhow::{Context, bail};

use crate::{
    cli::{ElectionCommand, Simulate, TableArgs},
    election,
    journal::{Journal, Topics},
    serve::{open_journal, read_definition},
    shutdown::{self, Stop},
    simulate::{self, Electorate, HttpSink, ResultTable, Shares, Sink, Source, TableColumns},
};

/// `tallyboard simulate`.
///
/// # Errors
/// Where the settings, the table or the destination can't be used.
pub fn simulate(args: &Simulate) -> anyhow::Result<()> {
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
            send_from(&Electorate::new(election, args.seed, shares, args.shape), args, &stop)
        }
    }
}

fn send_from(source: &dyn Source, args: &Simulate, stop: &Stop) -> anyhow::Result<()> {
    if let Some(url) = &args.to {
        let Some(token) = &args.ingest_token else {
            bail!("a server takes votes only with a token: set TALLYBOARD_INGEST_TOKEN or --ingest-token");
        };
        return send_to(source, &HttpSink::new(url, token), args, stop);
    }
    if args.journal.kafka.is_none() {
        bail!("where should the votes go? Give --kafka HOST:PORT, or --to URL of a Tallyboard server");
    }
    let journal = open_journal(&args.journal)?;
    let topics = Topics::new(&args.journal.topic_prefix);
    let mut votes = topics.specs(args.journal.partitions);
    votes.retain(|spec| spec.name == topics.votes);
    journal.ensure_topics(&votes)?;
    let journal: &dyn Journal = &*journal;
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

/// `tallyboard election`.
///
/// # Errors
/// Where the definition isn't sound, or the table can't be read.
pub fn election(command: &ElectionCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        ElectionCommand::Check { file } => {
            let election = read_definition(file)?;
            let candidates: usize = election.contests.iter().map(|contest| contest.candidates.len()).sum();
            writeln!(
                out,
                "{}: {} contest(s), {candidates} candidate(s), {} place(s), hash {}",
                election.title,
                election.contests.len(),
                election.locations.len(),
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
