//! The command line: what can be asked of the program. Every flag has an environment variable `TALLYBOARD_…`.

mod trust;
mod web;

use std::{num::NonZero, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use trust::TrustArgs;
pub use web::WebArgs;

use crate::{
    export::Format,
    http::votes_per_second,
    simulate::{Rate, Shape},
};

/// Counts an election while it happens: votes in Kafka, results in every browser.
#[derive(Debug, Parser)]
#[command(name = "tallyboard", version, propagate_version = true)]
pub struct Cli {
    /// What to log, such as `info` or `warn,tallyboard=debug`.
    #[arg(
        long,
        global = true,
        env = "TALLYBOARD_LOG",
        default_value = "info,librdkafka=warn,fjall=warn,lsm_tree=warn"
    )]
    pub log: String,
    /// How to log.
    #[arg(long, global = true, env = "TALLYBOARD_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count, publish and show results.
    Serve(Serve),
    /// Send made-up votes, or replay a real result table ballot by ballot.
    Simulate(Simulate),
    /// Count the votes once more and compare with the published results. Exits with 0 where everything is equal, 1
    /// where something is different, 2 where there is no recount.
    Recount(Recount),
    /// Write results to a file, as anyone may see them: the newest version or an earlier one.
    Export(Export),
    /// Show the results of a server in the terminal as they change; plain lines where the output isn't a terminal.
    Watch(Watch),
    /// Work with election definitions.
    #[command(subcommand)]
    Election(ElectionCommand),
}

/// Where the journal is.
#[derive(Clone, Debug, Args)]
pub struct JournalArgs {
    /// Kafka's bootstrap servers, HOST:PORT with commas in between. Without it `serve` uses the embedded journal.
    #[arg(long, env = "TALLYBOARD_KAFKA", value_name = "HOST:PORT,…")]
    pub kafka: Option<String>,
    /// A property of librdkafka, such as `client.rack=b`; may be repeated, in the variable a line each.
    #[arg(long, env = "TALLYBOARD_KAFKA_PROPERTY", hide_env_values = true, value_name = "KEY=VALUE", value_delimiter = '\n', value_parser = property)]
    pub kafka_property: Vec<(String, String)>,
    /// Stands before the name of every topic.
    #[arg(long, env = "TALLYBOARD_TOPIC_PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// How many partitions a new votes topic gets.
    #[arg(long, env = "TALLYBOARD_PARTITIONS", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub partitions: u32,
    /// Where this process keeps what it must not forget.
    #[arg(long, env = "TALLYBOARD_DATA_DIR", default_value = "tallyboard-data")]
    pub data_dir: PathBuf,
}

/// Count, publish and show results.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the journal is.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// The election definition. Without it candidates and places are taken from the votes.
    #[arg(long, env = "TALLYBOARD_ELECTION", value_name = "FILE.toml")]
    pub election: Option<PathBuf>,
    /// Make up so many votes a second from inside, such as `2000/s`; without --election in a made-up republic.
    #[arg(long, env = "TALLYBOARD_SIMULATE", value_name = "N/s", value_parser = optional_rate)]
    pub simulate: Option<OptionalRate>,
    /// Who may connect, and how.
    #[command(flatten)]
    pub web: WebArgs,
    /// What this process does; may be repeated. All of it by default.
    #[arg(long, env = "TALLYBOARD_ROLE", value_enum, value_delimiter = ',')]
    pub role: Vec<Role>,
    /// At most so often are results published; tallies are told four times as often.
    #[arg(long, env = "TALLYBOARD_PUBLISH_INTERVAL", default_value = "100ms", value_parser = duration)]
    pub publish_interval: Duration,
    /// At most so often is the count of each partition checkpointed in the data directory, so that a restart goes on
    /// from there. `0s`: never, and every start counts from the first vote.
    #[arg(long, env = "TALLYBOARD_CHECKPOINT_INTERVAL", default_value = "5s", value_parser = duration)]
    pub checkpoint_interval: Duration,
    /// A bearer token for POST /api/v1/votes, which is off without any.
    #[arg(long, env = "TALLYBOARD_INGEST_TOKEN", hide_env_values = true)]
    pub ingest_token: Option<String>,
    /// More bearer tokens, by name: a file with a line a token, its name, the SHA-256 of what is sent in hexadecimal, and
    /// perhaps a rate such as `500/s`. `#` begins a comment.
    #[arg(long, env = "TALLYBOARD_INGEST_TOKENS", value_name = "FILE")]
    pub ingest_tokens: Option<PathBuf>,
    /// So many votes a second may be sent with each token that has no rate of its own. As many as are stored by default.
    #[arg(long, env = "TALLYBOARD_INGEST_RATE", value_name = "N/s", value_parser = votes_per_second)]
    pub ingest_rate: Option<NonZero<u32>>,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Fold votes into tallies.
    Counter,
    /// Merge tallies into results.
    Publisher,
    /// Show results.
    Viewer,
}

/// A rate, or none: an empty variable in a compose file switches the simulation off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptionalRate(pub Option<Rate>);

fn optional_rate(text: &str) -> Result<OptionalRate, String> {
    if text.is_empty() || text == "off" {
        return Ok(OptionalRate(None));
    }
    text.parse().map(|rate| OptionalRate(Some(rate)))
}

/// Send made-up votes, or replay a real result table ballot by ballot.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Where the journal is.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// A Tallyboard server that takes votes by HTTP, such as `http://127.0.0.1:8080`, in place of --kafka.
    #[arg(long, env = "TALLYBOARD_TO", value_name = "URL", conflicts_with = "kafka")]
    pub to: Option<String>,
    /// The bearer token of that server.
    #[arg(long, env = "TALLYBOARD_INGEST_TOKEN", hide_env_values = true)]
    pub ingest_token: Option<String>,
    /// Whom to trust to be that server.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// The election whose voters are made up. A republic that doesn't exist by default.
    #[arg(long, env = "TALLYBOARD_ELECTION", value_name = "FILE.toml", conflicts_with = "results")]
    pub election: Option<PathBuf>,
    /// How fast to send: `2000/s`, or `max`.
    #[arg(long, env = "TALLYBOARD_RATE", default_value = "1000/s")]
    pub rate: Rate,
    /// How many records to send. All there are by default.
    #[arg(long, env = "TALLYBOARD_COUNT")]
    pub count: Option<u64>,
    /// Start with the record of this number: what came before was sent by an earlier run.
    #[arg(long, env = "TALLYBOARD_SKIP", default_value_t = 0)]
    pub skip: u64,
    /// The same seed gives the same votes.
    #[arg(long, env = "TALLYBOARD_SEED", default_value_t = 1)]
    pub seed: u64,
    /// The share of second votes, 0 to 1.
    #[arg(long, env = "TALLYBOARD_DUPLICATES", default_value_t = 0.0, value_name = "P", value_parser = share)]
    pub duplicates: f64,
    /// The share of votes with a time far behind, 0 to 1.
    #[arg(long, env = "TALLYBOARD_LATE", default_value_t = 0.0, value_name = "P", value_parser = share)]
    pub late: f64,
    /// The share of records that break a rule, 0 to 1.
    #[arg(long, env = "TALLYBOARD_INVALID", default_value_t = 0.0, value_name = "P", value_parser = share)]
    pub invalid: f64,
    /// Send nothing, and print what an exact count of these records gives: votes by place and candidate, and
    /// rejections by reason.
    #[arg(long, env = "TALLYBOARD_EXPECTED", requires = "count", conflicts_with = "results")]
    pub expected: bool,
    /// How much of a record is written.
    #[arg(long, env = "TALLYBOARD_SHAPE", value_enum, default_value_t)]
    pub shape: Shape,
    /// The table to replay.
    #[command(flatten)]
    pub table: TableArgs,
}

/// Count the votes once more and compare.
#[derive(Debug, Args)]
pub struct Recount {
    /// Where the journal is.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// The definition to count by; another one than was published by is a difference. By default the published one.
    #[arg(long, env = "TALLYBOARD_ELECTION", value_name = "FILE.toml")]
    pub election: Option<PathBuf>,
    /// How many partitions to count at a time. As many as there are cores by default.
    #[arg(long, env = "TALLYBOARD_THREADS", value_name = "N")]
    pub threads: Option<NonZero<usize>>,
}

/// Write results to a file.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Export {
    /// Where the journal is; with --from it isn't read.
    #[command(flatten)]
    pub journal: JournalArgs,
    /// A Tallyboard server that shows the results, such as `http://127.0.0.1:8080`, in place of the journal.
    #[arg(long, env = "TALLYBOARD_FROM", value_name = "URL", conflicts_with = "kafka")]
    pub from: Option<String>,
    /// Whom to trust to be that server.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// How to write them.
    #[arg(long, env = "TALLYBOARD_FORMAT", value_enum)]
    pub format: Format,
    /// The version. The newest by default.
    #[arg(long = "version", env = "TALLYBOARD_RESULTS_VERSION", value_name = "N")]
    pub results_version: Option<u64>,
    /// The file. Standard output by default.
    #[arg(long, env = "TALLYBOARD_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Show the results of a server in the terminal.
#[derive(Debug, Args)]
pub struct Watch {
    /// A Tallyboard server that shows results.
    #[arg(long, env = "TALLYBOARD_FROM", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub from: String,
    /// Whom to trust to be that server.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Only the contest with this id.
    #[arg(long, env = "TALLYBOARD_CONTEST", value_name = "ID")]
    pub contest: Option<String>,
}

/// A result table to replay.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// A table of real results: a row a place, a column a candidate.
    #[arg(long, env = "TALLYBOARD_RESULTS", value_name = "FILE.csv")]
    pub results: Option<PathBuf>,
    /// The column with the place.
    #[arg(long, env = "TALLYBOARD_LOCATION_COLUMN", default_value = "location", value_name = "NAME")]
    pub location_column: String,
    /// The column with the electorate, where there is one.
    #[arg(
        long,
        env = "TALLYBOARD_REGISTERED_COLUMN",
        default_value = "registered_voters",
        value_name = "NAME"
    )]
    pub registered_column: String,
    /// First and last of the columns with votes. All others by default.
    #[arg(long, env = "TALLYBOARD_CANDIDATE_COLUMNS", value_name = "FIRST..LAST", value_parser = column_range)]
    pub candidate_columns: Option<(String, String)>,
    /// Votes of every cell times this, rounded down.
    #[arg(long, env = "TALLYBOARD_SCALE", default_value_t = 1.0, value_name = "P", value_parser = share)]
    pub scale: f64,
}

/// Work with election definitions.
#[derive(Debug, Subcommand)]
pub enum ElectionCommand {
    /// Check a definition and print every error with its line.
    Check {
        /// The definition.
        #[arg(value_name = "FILE.toml")]
        file: PathBuf,
    },
    /// Print a definition made from a result table, to be completed by hand.
    FromResults {
        /// The table.
        #[command(flatten)]
        table: TableArgs,
        /// The election's title.
        #[arg(long, default_value = "Replayed election")]
        title: String,
    },
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("`{text}` is not a share between 0 and 1")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?;
    let duration = Duration::try_from(duration).map_err(|_| format!("`{text}` is negative"))?;
    if duration > INTERVAL_MAX { Err(format!("`{text}` is more than a minute")) } else { Ok(duration) }
}

/// Results that are published less often than once a minute aren't live.
const INTERVAL_MAX: Duration = Duration::from_secs(60);

fn column_range(text: &str) -> Result<(String, String), String> {
    match text.split_once("..") {
        Some((first, last)) if !first.is_empty() && !last.is_empty() => {
            Ok((first.to_owned(), last.to_owned()))
        }
        _ => Err(format!("`{text}` is not FIRST..LAST")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_its_variable() {
        Cli::command().debug_assert();
        let (mut commands, mut flags) = (vec![Cli::command()], 0);
        while let Some(command) = commands.pop() {
            for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
                let id = argument.get_id().as_str();
                if matches!(id, "help" | "version" | "title") {
                    continue;
                }
                flags += 1;
                let variable = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(variable.starts_with("TALLYBOARD_"), "--{id} of {}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(flags > 20);
    }

    #[test]
    fn an_empty_rate_switches_the_simulation_off() {
        let rate = |text: &str| {
            let cli = Cli::try_parse_from(["tallyboard", "serve", "--simulate", text]).unwrap();
            let Command::Serve(serve) = cli.command else { panic!("serve") };
            serve.simulate.unwrap().0
        };
        assert_eq!(rate("2000/s"), Some(Rate::PerSecond(2000.0)));
        assert_eq!(rate(""), None);
    }
}
