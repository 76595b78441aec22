//! `cargo xtask chaos`: a real election night on three brokers, while everything that can die, dies.
//!
//! A sender streams made-up votes (second ones, late ones and broken ones among them) into Apache Kafka, and servers
//! count them: all roles in one process, and each role in a process of its own. Meanwhile, at moments drawn from a
//! seed, processes are killed (SIGKILL) and frozen (SIGSTOP), their checkpoints damaged and their disk filled, and
//! brokers are stopped, killed, cut off, and relieved of their partitions.
//!
//! After every round of that all come back, and then three must agree to the vote: what is published, what a recount
//! says, and what the generator knows it sent; and every record that wasn't counted lies on `rejected_votes`. Over the whole run versions only grow, and no version is shown twice
//! with different content.

mod checkpoints;
mod checks;
mod disk;
mod fleet;
mod follower;
mod rejections;
mod sender;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use fastrand::Rng;

use self::{
    checks::Expected, disk::SmallDisk, fleet::Fleet, follower::Follower, rejections::Rejections,
    sender::Sender,
};
use crate::{
    kafka::cluster::Cluster,
    process::{self, Process},
    progress::{note, step},
    setup,
    workspace::Workspace,
};

/// So many processes at most are killed before everything is checked.
const KILLS_PER_ROUND: u32 = 10;
/// The mean time from one kill to the next: less than a count takes to come back, so that they overlap.
const TIME_PER_KILL: Duration = Duration::from_secs(3);
/// Long enough for a broker's fault and its end, whatever else happens.
const ROUND_MIN: Duration = Duration::from_secs(20);
/// How long a process stays away, in milliseconds.
const ABSENCE_MS: std::ops::Range<u64> = 0..3000;
/// How long a process or a broker is frozen, in milliseconds: longer than the group and the controller wait (6 s).
const FREEZE_MS: std::ops::Range<u64> = 8000..13_000;
/// How long a broker stays away, in milliseconds.
const OUTAGE_MS: std::ops::Range<u64> = 3000..12_000;
/// How long a disk is full, in milliseconds.
const FULL_DISK_MS: std::ops::Range<u64> = 4000..12_000;
/// How long the brokers may take to copy to each other what they missed.
const SYNC_LIMIT: Duration = Duration::from_secs(180);

/// How much happens.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// How many processes to kill
    #[arg(long, default_value_t = 24)]
    kills: u32,
    /// How many faults of brokers to cause
    #[arg(long, default_value_t = 4)]
    broker_faults: u32,
    /// The same seed draws the same faults, though not the same moments of the processes
    #[arg(long)]
    seed: Option<u64>,
    /// How many votes to send a second
    #[arg(long, default_value_t = 1500)]
    rate: u32,
    /// A program to try, in place of one that is built here
    #[arg(long, value_name = "TALLYBOARD")]
    program: Option<PathBuf>,
}

/// What happens to a broker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BrokerFault {
    Stop,
    Kill,
    Freeze,
    Move,
}

impl BrokerFault {
    const ALL: [Self; 4] = [Self::Stop, Self::Kill, Self::Freeze, Self::Move];

    fn name(self) -> &'static str {
        match self {
            Self::Stop => "stopped",
            Self::Kill => "killed",
            Self::Freeze => "cut off",
            Self::Move => "relieved of partitions",
        }
    }
}

/// What is due at a moment.
enum Act {
    /// Kills whoever the dice say, of those who run.
    Kill,
    Start(usize),
    Freeze,
    Thaw(usize),
    Fault(BrokerFault),
    BrokerBack(usize),
    FillDisk,
    FreeDisk,
}

/// What happened so far, by kind.
#[derive(Default)]
struct Record {
    kills: BTreeMap<String, u32>,
    broker_faults: BTreeMap<&'static str, u32>,
    freezes: u32,
    damages: BTreeMap<&'static str, u32>,
    full_disks: u32,
}

/// Runs the plan.
pub(crate) fn chaos(workspace: &Workspace, plan: &Plan) -> Result<()> {
    setup::for_kafka(workspace)?;
    if plan.program.is_none() {
        step("tallyboard: cargo build", || {
            process::run(workspace.command("cargo").args(["build", "-p", "tallyboard", "--bins"]))
        })?;
    }
    let seed = plan.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    note(&format!("seed {seed}: --kills {} --broker-faults {}", plan.kills, plan.broker_faults));
    let dir = tempfile::Builder::new().prefix("tallyboard-chaos-").tempdir()?;
    let outcome =
        Night::begin(workspace, plan, seed, dir.path().to_owned()).and_then(|mut night| night.run());
    if outcome.is_err() && !process::is_interrupted() {
        note(&format!("the logs are kept in {}", dir.keep().display()));
    }
    outcome
}

/// Everything that runs, and what is to happen to it.
struct Night<'a> {
    plan: &'a Plan,
    seed: u64,
    rng: Rng,
    // Fields drop in order: clients end before the brokers, and the disk is unmounted after its server.
    follower: Follower,
    sender: Sender,
    fleet: Fleet,
    disk: Option<SmallDisk>,
    moves: Vec<Process>,
    cluster: Cluster<'a>,
    due: Vec<(Instant, Act)>,
    faults: Vec<BrokerFault>,
    expected: Expected,
    rejections: Rejections,
    checks: u32,
    record: Record,
    started: Instant,
}

impl<'a> Night<'a> {
    fn begin(workspace: &'a Workspace, plan: &'a Plan, seed: u64, dir: PathBuf) -> Result<Self> {
        let cluster = Cluster::start(workspace)?;
        let program = plan.program.clone().unwrap_or_else(|| workspace.tallyboard("debug"));
        let definition = workspace.root.join("backend/elections/marenne.toml");
        let bootstrap = cluster.bootstrap();
        let disk = SmallDisk::mount(&dir.join(fleet::ON_SMALL_DISK))?;
        let sender = Sender::new(&program, &bootstrap, &dir, seed, plan.rate);
        let fleet = Fleet::new(&program, &bootstrap, &definition, &dir)?;
        let follower = Follower::start(fleet.viewers())?;
        let mut night = Self {
            plan,
            seed,
            rng: Rng::with_seed(seed),
            follower,
            sender,
            fleet,
            disk,
            moves: Vec::new(),
            cluster,
            due: Vec::new(),
            faults: Vec::new(),
            expected: Expected::default(),
            rejections: Rejections::default(),
            checks: 0,
            record: Record::default(),
            started: Instant::now(),
        };
        step("the first votes are counted", || {
            night.fleet.start_all()?;
            night.check()
        })?;
        Ok(night)
    }

    fn run(&mut self) -> Result<()> {
        let (mut number, started) = (0, Instant::now());
        while self.kills() < self.plan.kills || self.broker_faults() < self.plan.broker_faults {
            number += 1;
            step(&format!("round {number}"), || {
                self.draw();
                self.live_through()?;
                self.recover()?;
                self.check()
            })?;
        }
        self.follower.verdict()?;
        self.tell(started.elapsed());
        Ok(())
    }

    fn kills(&self) -> u32 {
        self.record.kills.values().sum()
    }

    fn broker_faults(&self) -> u32 {
        self.record.broker_faults.values().sum()
    }

    /// Draws what happens in a round, and when.
    fn draw(&mut self) {
        let kills_left = self.plan.kills.saturating_sub(self.kills());
        let faults_left = self.plan.broker_faults.saturating_sub(self.broker_faults());
        // Both kinds last until the end.
        let rounds_left = kills_left.div_ceil(KILLS_PER_ROUND).max(faults_left).max(1);
        let kills = kills_left.div_ceil(rounds_left);
        let faults = faults_left.div_ceil(rounds_left);
        let length = (TIME_PER_KILL * kills).max(ROUND_MIN);
        let acts = (0..kills).map(|_| Act::Kill).chain([Act::Freeze]);
        let mut acts: Vec<_> = acts.chain(self.disk.is_some().then_some(Act::FillDisk)).collect();
        for _ in 0..faults {
            if self.faults.is_empty() {
                // Every kind once before any comes again.
                self.faults = BrokerFault::ALL.to_vec();
                self.rng.shuffle(&mut self.faults);
            }
            acts.extend(self.faults.pop().map(Act::Fault));
        }
        let (now, length_ms) = (Instant::now(), u64::try_from(length.as_millis()).expect("a round is short"));
        for act in acts {
            self.due.push((now + Duration::from_millis(self.rng.u64(0..length_ms)), act));
        }
    }

    /// Lets everything happen that is due, until nothing more is.
    fn live_through(&mut self) -> Result<()> {
        while !self.due.is_empty() {
            process::pause()?;
            self.sender.tick()?;
            self.fleet.notice_ends()?;
            while let Some(next) = self.due.iter().position(|(at, _)| *at <= Instant::now()) {
                let (_, act) = self.due.swap_remove(next);
                self.perform(&act)?;
            }
        }
        Ok(())
    }

    fn later(&mut self, range: std::ops::Range<u64>, act: Act) {
        let wait = Duration::from_millis(self.rng.u64(range));
        self.due.push((Instant::now() + wait, act));
    }

    fn say(&self, what: &str) {
        note(&format!("{:7.1} s  {what}", self.started.elapsed().as_secs_f64()));
    }

    fn perform(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Kill => self.kill(),
            Act::Start(server) => {
                if self.rng.u8(0..3) == 0 {
                    self.damage_checkpoint(*server)?;
                }
                self.fleet.start(*server)
            }
            Act::Freeze => {
                let Some(server) = self.fleet.draw_running(&mut self.rng) else {
                    return Ok(());
                };
                self.say(&format!("{} is frozen", self.fleet.name(server)));
                self.record.freezes += 1;
                self.fleet.freeze(server)?;
                self.later(FREEZE_MS, Act::Thaw(server));
                Ok(())
            }
            Act::Thaw(server) => {
                self.say(&format!("{} goes on", self.fleet.name(*server)));
                self.fleet.thaw(*server)
            }
            Act::Fault(fault) => self.fault(*fault),
            Act::BrokerBack(broker) => {
                self.say(&format!("broker {} is back", broker + 1));
                let broker = &mut self.cluster.brokers()[*broker];
                if broker.is_up() { broker.thaw() } else { broker.start() }
            }
            Act::FillDisk => {
                let Some(disk) = &self.disk else { return Ok(()) };
                disk.fill()?;
                self.say("the small disk is full");
                self.record.full_disks += 1;
                self.later(FULL_DISK_MS, Act::FreeDisk);
                Ok(())
            }
            Act::FreeDisk => {
                self.say("the small disk has room again");
                self.disk.as_ref().map_or(Ok(()), SmallDisk::free)
            }
        }
    }

    /// The sender dies as often as any server.
    fn kill(&mut self) -> Result<()> {
        let running = self.fleet.draw_running(&mut self.rng);
        let name = match running {
            Some(server) if self.rng.usize(0..=self.fleet.len()) < self.fleet.len() => {
                self.fleet.kill(server)?;
                self.later(ABSENCE_MS, Act::Start(server));
                self.fleet.name(server).to_owned()
            }
            _ => {
                if !self.sender.kill()? {
                    // Between two portions nobody sends.
                    self.later(0..200, Act::Kill);
                    return Ok(());
                }
                "sender".to_owned()
            }
        };
        self.say(&format!("{name} is killed"));
        *self.record.kills.entry(name).or_default() += 1;
        Ok(())
    }

    fn damage_checkpoint(&mut self, server: usize) -> Result<()> {
        let dirs = self.fleet.data_dirs();
        if let Some((damage, file)) = checkpoints::damage(&dirs, server, &mut self.rng)? {
            self.say(&format!("{}: {file} is {damage}", self.fleet.name(server)));
            *self.record.damages.entry(damage).or_default() += 1;
        }
        Ok(())
    }

    fn fault(&mut self, fault: BrokerFault) -> Result<()> {
        let brokers = self.cluster.brokers();
        let well: Vec<_> = (0..brokers.len()).filter(|number| brokers[*number].is_well()).collect();
        let Some(number) = self.rng.choice(well) else {
            self.later(500..1500, Act::Fault(fault));
            return Ok(());
        };
        self.say(&format!("broker {} is {}", number + 1, fault.name()));
        let broker = &mut self.cluster.brokers()[number];
        match fault {
            BrokerFault::Stop => broker.stop()?,
            BrokerFault::Kill => broker.kill()?,
            BrokerFault::Freeze => broker.freeze()?,
            BrokerFault::Move => {
                let brokers = (1..=3).filter(|id| *id != number + 1).collect::<Vec<_>>();
                let tool = self.move_partitions(&brokers)?;
                self.moves.push(tool);
            }
        }
        match fault {
            BrokerFault::Stop | BrokerFault::Kill => self.later(OUTAGE_MS, Act::BrokerBack(number)),
            BrokerFault::Freeze => self.later(FREEZE_MS, Act::BrokerBack(number)),
            BrokerFault::Move => {}
        }
        *self.record.broker_faults.entry(fault.name()).or_default() += 1;
        Ok(())
    }

    /// Gives every partition of ours copies on these brokers alone, the leader drawn anew.
    fn move_partitions(&mut self, brokers: &[usize]) -> Result<Process> {
        let mut partitions = Vec::new();
        for (topic, count) in fleet::TOPICS {
            for partition in 0..count {
                let mut replicas = brokers.to_vec();
                self.rng.shuffle(&mut replicas);
                partitions
                    .push(serde_json::json!({"topic": topic, "partition": partition, "replicas": replicas}));
            }
        }
        let file = self.cluster.dir().join("moves.json");
        fs::write(&file, serde_json::json!({"version": 1, "partitions": partitions}).to_string())?;
        let file = file.to_str().context("a path of ours is text")?;
        let arguments = ["--reassignment-json-file", file, "--execute", "--additional"];
        self.cluster.tool(
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            &arguments,
            "moves.log",
        )
    }

    /// Everything runs again, and every broker has a copy of everything.
    fn recover(&mut self) -> Result<()> {
        for broker in self.cluster.brokers() {
            broker.wait_until_started()?;
        }
        let moved = !self.moves.is_empty();
        for mut tool in std::mem::take(&mut self.moves) {
            let status = tool.wait()?;
            if !status.success() {
                note("the brokers refused to move the partitions");
            }
        }
        if moved {
            let mut back = self.move_partitions(&[1, 2, 3])?;
            let status = back.wait()?;
            back.check(status).context("partitions couldn't be moved back")?;
        }
        let deadline = Instant::now() + SYNC_LIMIT;
        while !self.cluster.is_in_sync()? {
            self.sender.tick()?;
            if Instant::now() > deadline {
                bail!("the brokers didn't catch up with each other");
            }
            process::pause()?;
        }
        Ok(())
    }

    /// Waits until everything that was sent is counted, and compares.
    fn check(&mut self) -> Result<()> {
        let sent = self.sender.pause()?;
        self.expected.extend(&self.sender, sent)?;
        let (version, inputs) = checks::wait_until_shown(&mut self.fleet, &self.expected)?;
        self.fleet.recount()?;
        self.checks += 1;
        self.rejections.check(&self.cluster, &inputs, self.checks)?;
        self.fleet.notice_ends()?;
        self.follower.reached(version)?;
        self.say(&format!(
            "{sent} records sent, {} votes counted: published = recounted = sent, version {version}; {} records \
             rejected and written down, {} of them more than once",
            self.expected.votes(),
            self.rejections.counts().0,
            self.rejections.counts().1
        ));
        Ok(())
    }

    fn tell(&self, elapsed: Duration) {
        let list = |counts: &mut dyn Iterator<Item = (String, u32)>| {
            counts.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        let record = &self.record;
        let owned = |counts: &BTreeMap<&str, u32>| {
            list(&mut counts.iter().map(|(name, count)| ((*name).to_owned(), *count)))
        };
        note(&format!("seed {}, {:.0} s:", self.seed, elapsed.as_secs_f64()));
        let kills = list(&mut record.kills.iter().map(|(name, count)| (name.clone(), *count)));
        note(&format!("{} processes killed: {kills}", self.kills()));
        note(&format!("{} brokers' faults: {}", self.broker_faults(), owned(&record.broker_faults)));
        note(&format!("{} processes frozen, {} times a full disk", record.freezes, record.full_disks));
        note(&format!("checkpoints: {}", owned(&record.damages)));
        note(&format!("{} portions sent again", self.sender.repeats()));
        let (rejected, repeats) = self.rejections.counts();
        note(&format!("{rejected} records rejected, each on rejected_votes; {repeats} lie there again"));
        note(&format!("{} votes: none lost, none counted twice", self.expected.votes()));
    }
}
