//! `tallyboard serve`: the roles on their threads, the web on its runtime, one flag to stop them all.

use std::{num::NonZero, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{FeedState, Status},
};

use crate::{
    checkpoint::{Checkpoints, Directory},
    cli::{JournalArgs, Role, Serve},
    election::{self, Definition, Map},
    http::{self, App, Ingest, Tokens},
    journal::{
        DirectoryLock, Journal, TopicSpec, Topics,
        embedded::EmbeddedJournal,
        kafka::{KafkaJournal, KafkaSettings},
    },
    roles::{
        Clock, Shell, SystemClock,
        counter::{self, CounterSettings},
        drive,
        publisher::{PublisherSettings, PublisherShell},
        viewer::{Archive, Feed, Follower, PulseTaker, ViewerSettings},
    },
    shutdown::{self, Stop},
    simulate::{self, Electorate, Rate, Shape, Shares},
    tally::FingerprintKey,
    telemetry,
};

/// What goes wrong in the demonstration, so that there is something to see.
const DEMO_SHARES: Shares = Shares { duplicates: 0.012, late: 0.003, invalid: 0.004 };

/// A partition's tally is told so often while the publisher rests: a vote would otherwise wait for both intervals, one
/// behind the other. Measured in docs/benchmarks.md, "From a vote to the page, under load".
const TALLIES_PER_PUBLICATION: u32 = 4;

/// How long to wait between attempts to reach a broker that isn't there yet.
const BROKER_WAIT: Duration = Duration::from_secs(2);

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// Where the settings, the definition, the journal or the address can't be used, or a role had to give up.
pub fn run(args: Serve) -> anyhow::Result<()> {
    let (election, map) = definition(&args)?;
    let election = Arc::new(election);
    let metrics = telemetry::init_metrics().context("failed to set up metrics")?;
    let stop = Stop::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let tls = args.web.tls()?;
    // The address first: a second server must fail before it touches anything.
    let listen = args.web.listen;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(listen))
        .with_context(|| format!("failed to listen on {listen}"))?;
    runtime.spawn(stop_at_signal(stop.clone()));
    let _lock = DirectoryLock::take(&args.journal.data_dir)?;
    let journal = open_journal(&args.journal)?;
    let topics = Topics::new(&args.journal.topic_prefix);
    let status = Status {
        state: FeedState::CatchingUp,
        now: Timestamp::now(),
        version: None,
        lag: None,
        stale_since: None,
    };
    let feed = Arc::new(Feed::new(Arc::clone(&election), status));
    let tokens = tokens(&args)?;
    let ingest = (!tokens.is_empty())
        .then(|| Ingest::new(Arc::clone(&journal), topics.votes.clone(), &election, tokens));
    let archive = plays(&args.role, Role::Viewer)
        .then(|| Arc::new(Archive::new(Arc::clone(&journal), topics.results.clone(), Arc::clone(&feed))));
    let app = App::new(Arc::clone(&feed), archive, ingest, args.web.settings(), metrics, stop.clone())
        .with_map(map);
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!(election = %election.title, mode = ?election.mode, "listening on {scheme}://{}", listener.local_addr()?);
    let web = runtime.spawn({
        let stop = stop.clone();
        async move {
            let _guard = stop.guard();
            http::serve(listener, tls, app, stop.clone()).await
        }
    });
    let checkpoints = open_checkpoints(&args, &topics.votes);
    let journal = Arc::clone(&journal);
    let roles = Roles { journal, election, topics, checkpoints, args: &args, feed, stop: &stop };
    // The web is up already: a broker that isn't there yet is no reason to be taken for dead.
    let specs = roles.topics.specs(args.journal.partitions);
    let outcome = prepare_topics(&*roles.journal, &specs, &stop)
        .and_then(|prepared| if prepared { roles.run() } else { Ok(()) });
    stop.raise();
    let served = runtime.block_on(web).context("the web server panicked")?;
    // What still waits for a broker isn't waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome?;
    served.context("the web server failed")?;
    tracing::info!("stopped");
    Ok(())
}

async fn stop_at_signal(stop: Stop) {
    if let Err(error) = shutdown::signal().await {
        tracing::error!(%error, "signals can't be listened for");
        return;
    }
    tracing::info!("stopping; a second signal stops at once");
    stop.raise();
    if shutdown::signal().await.is_ok() {
        std::process::exit(130);
    }
}

fn definition(args: &Serve) -> anyhow::Result<(Election, Option<Map>)> {
    match &args.election {
        Some(file) => read_definition_with_map(file),
        None if args.simulate.is_some_and(|rate| rate.0.is_some()) => {
            Ok((election::demo(), Some(election::demo_map())))
        }
        None => Ok((election::undefined(), None)),
    }
}

/// The tokens by which votes are taken; an empty variable in a compose file is none.
fn tokens(args: &Serve) -> anyhow::Result<Tokens> {
    let mut tokens = Tokens::default();
    if let Some(token) = args.ingest_token.as_deref().filter(|token| !token.is_empty()) {
        tokens.add(token, args.ingest_rate);
    }
    if let Some(file) = args.ingest_tokens.as_deref().filter(|file| !file.as_os_str().is_empty()) {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
        tokens.add_file(&text, args.ingest_rate).with_context(|| file.display().to_string())?;
    }
    Ok(tokens)
}

/// Reads a definition file.
///
/// # Errors
/// Where the file can't be read or isn't a sound definition.
pub fn read_definition(file: &Path) -> anyhow::Result<Election> {
    Ok(parse_definition(file)?.into_election())
}

/// Reads a definition file, and the map that it names.
///
/// # Errors
/// Where a file can't be read, or isn't a sound definition or a sound map of its places.
pub fn read_definition_with_map(file: &Path) -> anyhow::Result<(Election, Option<Map>)> {
    let definition = parse_definition(file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let map = definition.read_map(folder).with_context(|| file.display().to_string())?;
    Ok((definition.into_election(), map))
}

fn parse_definition(file: &Path) -> anyhow::Result<Definition> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    Definition::parse(&text).with_context(|| file.display().to_string())
}

/// Opens the journal that the settings name.
///
/// # Errors
/// Where it can't be opened, or its directory is in use.
pub fn open_journal(args: &JournalArgs) -> anyhow::Result<Arc<dyn Journal>> {
    let Some(servers) = &args.kafka else {
        return Ok(Arc::new(EmbeddedJournal::open(&args.data_dir.join("journal"))?));
    };
    let settings = KafkaSettings {
        bootstrap_servers: servers.clone(),
        properties: args.kafka_property.clone(),
        instance_id: instance_id(&args.data_dir)?,
    };
    Ok(Arc::new(KafkaJournal::new(settings)?))
}

/// The name of this process towards brokers, kept over restarts.
fn instance_id(data_dir: &Path) -> anyhow::Result<String> {
    let file = data_dir.join("instance-id");
    if let Ok(id) = std::fs::read_to_string(&file)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    std::fs::create_dir_all(data_dir).with_context(|| format!("failed to make {}", data_dir.display()))?;
    let id = format!("{:x}-{:x}", Timestamp::now().as_nanosecond(), std::process::id());
    std::fs::write(&file, &id).with_context(|| format!("failed to write {}", file.display()))?;
    Ok(id)
}

/// Creates and checks topics; waits for brokers that aren't there yet. False where stopped meanwhile.
///
/// # Errors
/// Where a topic that is there can't serve.
pub fn prepare_topics(journal: &dyn Journal, topics: &[TopicSpec], stop: &Stop) -> anyhow::Result<bool> {
    while !stop.is_raised() {
        match journal.ensure_topics(topics) {
            Ok(warnings) => {
                warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                return Ok(true);
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "waiting for the journal");
                std::thread::sleep(BROKER_WAIT);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// The checkpoints in the data directory. A disk that has no room for them is no reason not to count.
fn open_checkpoints(args: &Serve, topic: &str) -> Option<Arc<Checkpoints>> {
    if args.checkpoint_interval.is_zero() || !plays(&args.role, Role::Counter) {
        return None;
    }
    let directory = args.journal.data_dir.join("checkpoints");
    let opened = Directory::open(&directory).and_then(|disk| Checkpoints::open(Arc::new(disk), topic));
    let warn = |error: &std::io::Error| {
        tracing::error!(%error, directory = %directory.display(), "there will be no checkpoints: a restart counts from the first vote");
    };
    opened.inspect_err(warn).ok().map(Arc::new)
}

/// Whether a process with these roles plays one; all of them where none is named.
fn plays(roles: &[Role], role: Role) -> bool {
    roles.is_empty() || roles.contains(&role)
}

struct Roles<'a> {
    journal: Arc<dyn Journal>,
    election: Arc<Election>,
    topics: Topics,
    checkpoints: Option<Arc<Checkpoints>>,
    args: &'a Serve,
    feed: Arc<Feed>,
    stop: &'a Stop,
}

impl Roles<'_> {
    /// Runs the roles until stopped; the first that gives up takes the others along.
    fn run(&self) -> anyhow::Result<()> {
        let mut shells = self.shells();
        let outcome = self.drive(&mut shells);
        shells.iter_mut().for_each(|(_, shell)| shell.finish());
        outcome
    }

    fn drive(&self, shells: &mut [(&'static str, Box<dyn Shell>)]) -> anyhow::Result<()> {
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (name, shell) in shells {
                let thread = std::thread::Builder::new().name((*name).into());
                threads.push((*name, thread.spawn_scoped(scope, || drive(&mut **shell, self.stop))?));
            }
            if let Some(rate) = self.args.simulate.and_then(|rate| rate.0) {
                std::thread::Builder::new()
                    .name("simulation".into())
                    .spawn_scoped(scope, move || self.simulate(rate))?;
            }
            let mut outcome = Ok(());
            for (name, thread) in threads {
                let result = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                outcome = outcome.and(result.with_context(|| format!("{name} gave up")));
            }
            outcome
        })
    }

    fn shells(&self) -> Vec<(&'static str, Box<dyn Shell>)> {
        let group = |name: &str| format!("{}tallyboard-{name}", self.args.journal.topic_prefix);
        let publish_interval = self.args.publish_interval;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let journal = || Arc::clone(&self.journal);
        let mut shells: Vec<(_, Box<dyn Shell>)> = Vec::new();
        if plays(&self.args.role, Role::Counter) {
            let settings = CounterSettings {
                election: Arc::clone(&self.election),
                topics: self.topics.clone(),
                group: group("counters"),
                publish_interval: publish_interval / TALLIES_PER_PUBLICATION,
                key: self
                    .checkpoints
                    .as_ref()
                    .map_or_else(FingerprintKey::random, |checkpoints| checkpoints.key()),
                checkpoints: self.checkpoints.clone(),
                checkpoint_interval: self.args.checkpoint_interval,
                workers: std::thread::available_parallelism().map_or(1, NonZero::get),
            };
            shells.extend(counter::shells(&self.journal, settings, &clock));
        }
        if plays(&self.args.role, Role::Publisher) {
            let settings = PublisherSettings {
                election: Arc::clone(&self.election),
                topics: self.topics.clone(),
                group: group("publisher"),
                publish_interval,
            };
            let publisher = PublisherShell::new(journal(), settings, Arc::clone(&clock));
            shells.push(("publishing", Box::new(publisher)));
        }
        if plays(&self.args.role, Role::Viewer) {
            let settings = ViewerSettings { topics: self.topics.clone() };
            let feed = || Arc::clone(&self.feed);
            let follower = Follower::new(journal(), settings.clone(), feed(), Arc::clone(&clock));
            shells.push(("viewing", Box::new(follower)));
            shells.push(("pulse", Box::new(PulseTaker::new(journal(), settings, feed(), clock))));
        }
        shells
    }

    /// Goes on where the log ends, so that a restarted demonstration doesn't repeat itself.
    ///
    /// The election has a definition: the demonstration's where none was named.
    fn simulate(&self, rate: Rate) {
        let topic = self.topics.votes.as_str();
        let first = loop {
            match self.journal.bounds(topic) {
                Ok(bounds) => break bounds.values().map(|bounds| bounds.end).sum(),
                // A topic that was just made takes a moment to be known.
                Err(error) if error.is_transient() && !self.stop.is_raised() => {
                    tracing::info!(%error, "the simulation waits");
                    std::thread::sleep(BROKER_WAIT);
                }
                Err(error) => {
                    tracing::error!(%error, "the simulation can't start");
                    return;
                }
            }
        };
        let electorate = Electorate::new((*self.election).clone(), 1, DEMO_SHARES, Shape::Short);
        match simulate::send(&electorate, &(&*self.journal, topic), rate, first, None, self.stop) {
            Ok(sent) if sent.exhausted => tracing::info!("every made-up voter has had their chance"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the simulation ended"),
        }
    }
}
