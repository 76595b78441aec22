//! A world: processes, votes and faults, in an order that the seed alone decides.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use tallyboard::journal::{ExclusiveAppender, Journal, JournalError, NewRecord, Position, Topics};
use tallyboard_shared::{election::Election, message::FeedState};

use crate::{
    ballots::Ballots,
    brokers::{Brokers, ProcessId, State},
    disk::Files,
    invariants::{self, Seen},
    journal::SimulatedJournal,
    plan::{Plan, Roles},
    process::{Process, Watching},
    trace::Trace,
};

/// Who sends the votes; processes that count have higher numbers.
const PRODUCER: ProcessId = 0;

/// In so many rounds, each a step of every shell, everything that was sent is counted and shown once all faults are
/// healed; far more than it takes.
const QUIET_ROUNDS_MAX: u32 = 1500;

/// Rounds after everything is counted and shown, in which nothing may change any more.
const ROUNDS_AFTER: u32 = 20;

/// A lull: so many rounds, so far apart, in which only rubbish is sent. After the time of all of them every partition
/// is idle; members of groups are heard of often enough between two.
const LULL_ROUNDS: u32 = 25;
const LULL_ROUND_MS: i64 = 4000;

/// What came of a seed.
pub(crate) struct Outcome {
    /// What went wrong.
    pub(crate) violation: Option<String>,
    /// Tells this run from others.
    pub(crate) fingerprint: (u64, u64),
    pub(crate) seen: Seen,
}

/// Runs a seed from its plan to its checks.
pub(crate) fn run(seed: u64, trace: Trace) -> Outcome {
    attempt(seed, trace, |world, seen| {
        world.live()?;
        world.settle()?;
        world.lull()?;
        invariants::check(world, seen)
    })
}

/// Runs a seed, deletes the head of a log, loses the checkpoints, and starts everyone again.
pub(crate) fn run_incomplete(seed: u64, trace: Trace) -> Outcome {
    attempt(seed, trace, |world, seen| {
        world.live()?;
        world.settle()?;
        let before = world.versions();
        if world.behead() {
            world.resume_incomplete()?;
            invariants::check_published(world)?;
            if world.refusals == 0 {
                return Err("nobody refused to count an incomplete log".into());
            }
            seen.versions += world.versions() - before;
            seen.counted += u64::from(world.refusals);
        }
        Ok(())
    })
}

fn attempt(
    seed: u64,
    trace: Trace,
    course: impl FnOnce(&mut World, &mut Seen) -> Result<(), String>,
) -> Outcome {
    let plan = Plan::new(seed);
    let brokers = Brokers::new(seed ^ 0x0b0e, plan.likeness, trace);
    let mut seen = Seen::default();
    let attempt =
        catch_unwind(AssertUnwindSafe(|| course(&mut World::new(seed, plan, brokers.clone()), &mut seen)));
    let violation = match attempt {
        Ok(outcome) => outcome.err(),
        Err(panic) => Some(format!("a panic: {}", panic_text(&*panic))),
    };
    let state = brokers.lock();
    Outcome { violation, fingerprint: state.trace.fingerprint(), seen }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A world under way.
pub(crate) struct World {
    pub(crate) plan: Plan,
    rng: Xoshiro256PlusPlus,
    pub(crate) brokers: Brokers,
    pub(crate) topics: Topics,
    pub(crate) ballots: Ballots,
    producer: SimulatedJournal,
    /// For votes in transactions; [`None`] before the first and after a failure.
    appender: Option<Box<dyn ExclusiveAppender>>,
    /// Sent, not acknowledged.
    pending: Option<Vec<NewRecord>>,
    /// Sent and acknowledged, with the places where these are known.
    pub(crate) acknowledged: Vec<(Option<Position>, NewRecord)>,
    pub(crate) machines: Vec<Machine>,
    processes: ProcessId,
    edition: usize,
    /// How often a process was stopped.
    stops: u32,
    /// Whether the head of a log was deleted, and how often a process refused to count for it.
    incomplete: bool,
    pub(crate) refusals: u32,
}

/// Where a process runs, is started again after it died, and leaves its files.
pub(crate) struct Machine {
    roles: Roles,
    pub(crate) process: Option<Process>,
    starts_at_ms: i64,
    clock_off_by_ms: i64,
    files: Files,
}

impl Machine {
    fn new(number: u8, roles: Roles) -> Self {
        let files = Files::default();
        // Made up here, as a process would make it up at random.
        files.put("fingerprint-key", &[number; 16]);
        Self { roles, process: None, starts_at_ms: 0, clock_off_by_ms: 0, files }
    }
}

impl World {
    fn new(seed: u64, plan: Plan, brokers: Brokers) -> Self {
        let producer = SimulatedJournal::connect(&brokers, PRODUCER);
        let topics = Topics::new("");
        producer.ensure_topics(&topics.specs(plan.vote_partitions)).expect("nothing fails yet");
        brokers.lock().weather = plan.weather;
        let machines =
            (0..).zip(&plan.processes).map(|(number, roles)| Machine::new(number, *roles)).collect();
        Self {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed),
            ballots: Ballots::new(seed ^ 0xba11, plan.voters),
            machines,
            plan,
            brokers,
            topics,
            producer,
            appender: None,
            pending: None,
            acknowledged: Vec::new(),
            processes: PRODUCER,
            edition: 0,
            stops: 0,
            incomplete: false,
            refusals: 0,
        }
    }

    /// The definition that is counted by now.
    pub(crate) fn election(&self) -> &Election {
        &self.plan.editions[self.edition]
    }

    /// The main part: votes, steps and faults.
    fn live(&mut self) -> Result<(), String> {
        let editions = u32::try_from(self.plan.editions.len()).expect("few");
        for step in 0..self.plan.steps {
            let edition = (step * editions / self.plan.steps) as usize;
            if edition != self.edition {
                self.edition = edition;
                // Everyone is stopped before anyone counts by another definition.
                (0..self.machines.len()).for_each(|machine| self.end(machine));
            }
            let long = self.rng.random_range(0..300);
            let ms = match long {
                0 => self.rng.random_range(0..15_000),
                1..4 => self.rng.random_range(0..2_000),
                _ => self.rng.random_range(0..=self.plan.step_ms),
            };
            self.brokers.lock().pass(ms);
            self.start_those_due();
            if self.rng.random_ratio(self.plan.sending, 1000) {
                self.send();
            }
            let machine = self.rng.random_range(0..self.machines.len());
            self.trouble(machine);
            let shells = self.machines[machine].process.as_ref().map_or(0, Process::shells);
            if shells > 0 {
                let shell = self.rng.random_range(0..shells);
                self.step(machine, shell)?;
            }
        }
        Ok(())
    }

    /// Heals everything and waits until all is counted and shown.
    fn settle(&mut self) -> Result<(), String> {
        self.edition = self.plan.editions.len() - 1;
        self.brokers.lock().heal();
        for machine in 0..self.machines.len() {
            let process = self.machines[machine].process.as_ref();
            if process.is_some_and(|process| self.brokers.lock().is_full(process.id)) {
                self.end(machine);
            }
        }
        self.replace_publishers();
        let mut after = 0;
        for _ in 0..QUIET_ROUNDS_MAX {
            for machine in &mut self.machines {
                machine.starts_at_ms = 0;
            }
            self.start_those_due();
            if self.pending.is_some() {
                self.send();
            }
            self.step_all()?;
            self.brokers.lock().pass(30);
            after = if self.is_settled() { after + 1 } else { 0 };
            if after > ROUNDS_AFTER {
                return Ok(());
            }
        }
        Err(format!("not everything is shown after {QUIET_ROUNDS_MAX} quiet rounds: {}", self.shown_inputs()))
    }

    /// Sometimes starts those anew who only publish: they find what lies on the topics now, from counters that go on.
    fn replace_publishers(&mut self) {
        if self.plan.chaos.stop == 0 || self.rng.random() {
            return;
        }
        for machine in 0..self.machines.len() {
            let roles = self.machines[machine].roles;
            if roles.publisher && !roles.counter {
                self.end(machine);
            }
        }
    }

    /// Lets time pass in which no vote is counted, and waits once more until all is shown.
    fn lull(&mut self) -> Result<(), String> {
        for _ in 0..LULL_ROUNDS {
            self.brokers.lock().pass(LULL_ROUND_MS);
            let now_ms = self.brokers.lock().now_ms;
            let rubbish: Vec<_> =
                (0..self.rng.random_range(0..3)).map(|_| self.ballots.next_rubbish(now_ms)).collect();
            self.send_batch(rubbish);
            self.step_all()?;
        }
        self.settle()
    }

    fn versions(&self) -> u64 {
        self.brokers.lock().topics[&self.topics.results].partitions[0].committed().count() as u64
    }

    /// Deletes the first records of a log, as a topic with finite retention does; false where there is none to delete.
    fn behead(&mut self) -> bool {
        self.incomplete = true;
        for machine in 0..self.machines.len() {
            self.end(machine);
            self.machines[machine].files.clear();
        }
        let mut state = self.brokers.lock();
        let votes = state.topics.get_mut(&self.topics.votes).expect("made at the beginning");
        let Some(log) = votes.partitions.iter_mut().find(|log| log.end() > 1) else { return false };
        log.start = log.end() / 2;
        true
    }

    fn resume_incomplete(&mut self) -> Result<(), String> {
        for _ in 0..300 {
            self.brokers.lock().pass(100);
            self.start_those_due();
            self.step_all()?;
        }
        Ok(())
    }

    fn step_all(&mut self) -> Result<(), String> {
        for machine in 0..self.machines.len() {
            for shell in 0..self.machines[machine].process.as_ref().map_or(0, Process::shells) {
                self.step(machine, shell)?;
            }
        }
        Ok(())
    }

    /// The next offset of each partition that isn't empty.
    pub(crate) fn expected_inputs(&self) -> BTreeMap<u32, u64> {
        let state = self.brokers.lock();
        let logs = (0..).zip(&state.topics[&self.topics.votes].partitions);
        logs.map(|(partition, log)| (partition, log.end())).filter(|(_, end)| *end > 0).collect()
    }

    fn is_settled(&self) -> bool {
        let expected = self.expected_inputs();
        let viewers = self.machines.iter().filter(|machine| machine.roles.viewer);
        let settled = |machine: &Machine| {
            let watching = machine.process.as_ref().and_then(|process| process.watching.as_ref());
            watching.is_some_and(|watching| self.shows_all(watching, &expected))
        };
        self.pending.is_none() && viewers.clone().all(settled)
    }

    /// Whether a viewer shows everything, and says so.
    fn shows_all(&self, watching: &Watching, expected: &BTreeMap<u32, u64>) -> bool {
        let (shown, status) = (watching.feed.shown(), watching.feed.status());
        let Some(results) = &shown.results else { return false };
        let inputs = results.inputs.iter().filter(|(_, offset)| **offset > 0);
        let inputs: BTreeMap<_, _> = inputs.map(|(partition, offset)| (partition.0, *offset)).collect();
        // Versions are there once each, from 1 on.
        results.election.definition_hash == self.election().definition_hash
            && inputs == *expected
            && results.version == self.versions()
            && (status.state, status.version, status.lag) == (FeedState::Live, Some(results.version), Some(0))
    }

    fn shown_inputs(&self) -> String {
        let watching = self.machines.iter().filter_map(|machine| machine.process.as_ref()?.watching.as_ref());
        let shown: Vec<_> = watching
            .map(|watching| {
                let shown = watching.feed.shown();
                shown.results.as_ref().map(|results| (results.version, results.inputs.clone()))
            })
            .collect();
        format!("{shown:?}, expected {:?}", self.expected_inputs())
    }

    fn start_those_due(&mut self) {
        let now_ms = self.brokers.lock().now_ms;
        for machine in &mut self.machines {
            if machine.process.is_none() && machine.starts_at_ms <= now_ms {
                self.processes += 1;
                let election = Arc::new(self.plan.editions[self.edition].clone());
                let (id, off_by_ms) = (self.processes, machine.clock_off_by_ms);
                let (roles, files) = (machine.roles, &machine.files);
                let process =
                    Process::start(&self.brokers, id, roles, &self.plan, &election, files, off_by_ms);
                machine.process = Some(process);
            }
        }
    }

    fn step(&mut self, machine: usize, shell: usize) -> Result<(), String> {
        let Some(process) = &mut self.machines[machine].process else { return Ok(()) };
        let id = process.id;
        let outcome = process.step(shell, &self.brokers);
        if self.brokers.lock().is_dead(id) {
            self.bury(machine);
            return Ok(());
        }
        match outcome {
            Ok(()) => Ok(()),
            // Its name is somebody else's: the process ends and is started again.
            Err((_, JournalError::Fenced(_))) => {
                self.end(machine);
                Ok(())
            }
            Err((_, JournalError::Gone { .. })) if self.incomplete => {
                self.refusals += 1;
                self.end(machine);
                Ok(())
            }
            Err((name, error)) => Err(format!("process {id} gave up {name}: {error}")),
        }
    }

    /// What may happen to a machine in a step.
    fn trouble(&mut self, machine: usize) {
        let chaos = self.plan.chaos;
        let Some(id) = self.machines[machine].process.as_ref().map(|process| process.id) else { return };
        let rng = &mut self.rng;
        let mut happens = |odds: u32| odds > 0 && rng.random_ratio(odds, 10_000);
        if happens(chaos.kill) {
            self.brokers.lock().kill(id);
            self.bury(machine);
        } else if happens(chaos.stop) {
            self.end(machine);
        } else if happens(chaos.doom) {
            let calls = self.rng.random_range(0..12);
            self.brokers.lock().doom(id, calls);
        } else if happens(chaos.cut_off) {
            let ms = if self.rng.random() {
                self.rng.random_range(0..3_000)
            } else {
                self.rng.random_range(0..25_000)
            };
            self.brokers.lock().cut_off(id, ms);
        } else if happens(chaos.set_clock) {
            let off_by_ms = self.rng.random_range(-60_000..60_000);
            self.machines[machine].clock_off_by_ms = off_by_ms;
            self.machines[machine].process.as_ref().expect("it runs").set_clock(off_by_ms);
        } else if happens(chaos.fill_disk) {
            self.brokers.lock().fill_disk(id);
        } else if self.brokers.lock().is_full(id) && self.rng.random_ratio(1, 30) {
            // Somebody has made room, and restarts it.
            self.end(machine);
        }
    }

    /// A process has died: nothing that it would have done still happens.
    fn bury(&mut self, machine: usize) {
        let pause_ms = self.rng.random_range(0..5_000);
        let now_ms = self.brokers.lock().now_ms;
        let other = self.rng.random_range(0..self.machines.len());
        let other = self.machines[other].files.clone();
        let machine = &mut self.machines[machine];
        machine.process = None;
        machine.starts_at_ms = now_ms + pause_ms;
        let mut state = self.brokers.lock();
        machine.files.lose_power(&mut state);
        let chaos = self.plan.chaos;
        if state.happens(chaos.rot)
            && let Some(name) = machine.files.rot(&mut state)
        {
            state.event(format_args!("a bit of {name} turns over"));
        }
        if state.happens(chaos.replace_files) {
            let copied: bool = state.rng.random();
            state.event(format_args!("files are {}", if copied { "copied" } else { "lost" }));
            if copied {
                machine.files.copy(&other);
            } else {
                machine.files.clear();
            }
        }
    }

    /// A process is stopped cleanly.
    fn end(&mut self, machine: usize) {
        if let Some(process) = &mut self.machines[machine].process {
            let id = process.id;
            self.brokers.lock().event(format_args!("process {id} is stopped"));
            process.finish();
            self.stops += 1;
            self.bury(machine);
        }
    }

    /// Sends votes: those that weren't acknowledged again, or new ones.
    fn send(&mut self) {
        let batch = match self.pending.take() {
            Some(batch) => batch,
            None => {
                let now_ms = self.brokers.lock().now_ms;
                (0..self.rng.random_range(1..10)).map(|_| self.ballots.next(now_ms)).collect()
            }
        };
        self.send_batch(batch);
    }

    fn send_batch(&mut self, batch: Vec<NewRecord>) {
        let as_one = self.plan.in_transactions && self.rng.random();
        let outcome = if as_one {
            self.append_as_one(&batch).map(|()| vec![None; batch.len()])
        } else {
            let places = self.producer.append(&self.topics.votes, batch.clone());
            places.map(|places| places.into_iter().map(Some).collect())
        };
        match outcome {
            Ok(places) => self.acknowledged.extend(places.into_iter().zip(batch)),
            // Sometimes a producer gives up, and its votes may be there or not.
            Err(_) if self.rng.random_ratio(1, 5) => {}
            Err(_) => self.pending = Some(batch),
        }
    }

    fn append_as_one(&mut self, batch: &[NewRecord]) -> Result<(), JournalError> {
        let appender = match &mut self.appender {
            Some(appender) => appender,
            None => self.appender.insert(self.producer.exclusive("voting")?),
        };
        let records = batch.iter().map(|record| (self.topics.votes.clone(), record.clone()));
        let outcome = appender.append_all(records.collect());
        if outcome.is_err() {
            // A failed transaction spoils its appender.
            self.appender = None;
        }
        outcome
    }

    /// Whether this world can have doubled what is written at least once.
    pub(crate) fn may_repeat(&self, state: &State) -> bool {
        let only_slow = state.faults.keys().all(|fault| ["slow", "compaction", "refused"].contains(fault));
        self.machines.len() > 1 || self.plan.editions.len() > 1 || self.stops > 0 || !only_slow
    }
}
