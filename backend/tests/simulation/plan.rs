//! What a seed decides before anything happens: who takes part, what is counted, and which faults there are.

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use tallyboard::election::{self, Definition};
use tallyboard_shared::election::Election;

use crate::{
    ballots::definition,
    brokers::{Likeness, Weather},
};

/// The roles of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roles {
    pub(crate) counter: bool,
    pub(crate) publisher: bool,
    pub(crate) viewer: bool,
}

const ALL: Roles = Roles { counter: true, publisher: true, viewer: true };

/// How likely something happens to a process in one step of the world, in ten thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chaos {
    /// It dies at once.
    pub(crate) kill: u32,
    /// It dies within its next calls, in the middle of a step.
    pub(crate) doom: u32,
    /// It is stopped and finishes what is in hand.
    pub(crate) stop: u32,
    /// It reaches nobody for a while.
    pub(crate) cut_off: u32,
    /// The clock on its wall is set.
    pub(crate) set_clock: u32,
    /// The embedded journal's disk is full.
    pub(crate) fill_disk: u32,
    /// A bit of some file turns over while it doesn't run; in thousandths, at every start.
    pub(crate) rot: u32,
    /// Its files are lost or replaced by those of another machine; in thousandths, at every start.
    pub(crate) replace_files: u32,
}

/// The plan of one run.
pub(crate) struct Plan {
    pub(crate) likeness: Likeness,
    pub(crate) vote_partitions: u32,
    pub(crate) processes: Vec<Roles>,
    /// Counting threads of a process.
    pub(crate) workers: usize,
    pub(crate) voters: u32,
    pub(crate) steps: u32,
    /// So long a step of the world takes at most.
    pub(crate) step_ms: i64,
    /// How likely votes are sent in one step, in thousandths.
    pub(crate) sending: u32,
    /// Whether votes are also sent in transactions, whose ends no reader sees.
    pub(crate) in_transactions: bool,
    pub(crate) publish_interval_ms: u64,
    /// [`None`]: no checkpoints.
    pub(crate) checkpoint_interval_ms: Option<u64>,
    /// How often an operation of a disk fails, in thousandths.
    pub(crate) disk_failing: u32,
    /// The definitions, one after the other.
    pub(crate) editions: Vec<Election>,
    pub(crate) weather: Weather,
    pub(crate) chaos: Chaos,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let embedded = rng.random_ratio(1, 5);
        let calm = rng.random_ratio(1, 12);
        let likeness = if embedded { Likeness::Embedded } else { Likeness::Kafka };
        let editions = if rng.random_ratio(1, 6) { 2 } else { 1 };
        let mut plan = Self {
            likeness,
            vote_partitions: rng.random_range(1..=4),
            processes: if embedded { vec![ALL] } else { processes(&mut rng) },
            workers: rng.random_range(1..=2),
            voters: rng.random_range(20..200),
            steps: rng.random_range(150..900),
            step_ms: rng.random_range(1..30),
            sending: rng.random_range(20..120),
            in_transactions: !embedded && rng.random_ratio(1, 4),
            publish_interval_ms: [0, 10, 100, 1000][rng.random_range(0..4)],
            checkpoint_interval_ms: [None, Some(0), Some(50), Some(500)][rng.random_range(0..4)],
            disk_failing: 0,
            editions: (0..editions).map(|number| edition(&mut rng, number)).collect(),
            weather: Weather::default(),
            chaos: Chaos::default(),
        };
        if !calm {
            plan.storm(&mut rng);
        }
        if rng.random_ratio(1, 100) {
            plan.crowd();
        }
        plan
    }

    /// So many votes over so long a time that a timeline has to grow wider.
    fn crowd(&mut self) {
        (self.voters, self.steps, self.step_ms, self.sending) = (5_000, 900, 600, 300);
        for election in &mut self.editions {
            election.opens_at = None;
            election.closes_at = None;
            election.timeline_window_ms = 1000;
        }
    }

    /// Chooses the faults of this run: some kinds are left out, so that the others are seen alone too.
    fn storm(&mut self, rng: &mut Xoshiro256PlusPlus) {
        let mut odds = |most: u32| if rng.random() { rng.random_range(1..=most) } else { 0 };
        self.chaos = Chaos {
            kill: odds(80),
            doom: odds(250),
            stop: odds(60),
            cut_off: odds(80),
            set_clock: odds(40),
            fill_disk: 0,
            rot: odds(300),
            replace_files: odds(200),
        };
        self.disk_failing = odds(200);
        self.weather.slow = odds(400);
        if self.likeness == Likeness::Embedded {
            self.chaos.fill_disk = odds(30);
            self.chaos.cut_off = 0;
            return;
        }
        self.weather = Weather {
            refused: odds(100),
            lost_acknowledgement: odds(250),
            torn: odds(100),
            delayed: odds(150),
            doubled: odds(100),
            aborted: odds(250),
            hanging: odds(200),
            slow: self.weather.slow,
            rebalance: odds(40),
            late_news: odds(800),
            compaction: odds(40),
        };
    }
}

fn processes(rng: &mut Xoshiro256PlusPlus) -> Vec<Roles> {
    let mut roles = match rng.random_range(0..3) {
        0 => return vec![ALL; rng.random_range(1..=3)],
        // One machine for each role.
        1 => [(true, false, false), (false, true, false), (false, false, true)].to_vec(),
        _ => vec![(true, true, false), (true, false, true)],
    };
    let more = [(true, false, false), (false, true, false), (false, false, true), (true, true, true)];
    roles.extend((0..rng.random_range(0..2)).map(|_| more[rng.random_range(0..more.len())]));
    roles.into_iter().map(|(counter, publisher, viewer)| Roles { counter, publisher, viewer }).collect()
}

fn edition(rng: &mut Xoshiro256PlusPlus, number: u32) -> Election {
    match definition(rng, number) {
        text if text.is_empty() => election::undefined(),
        text => Definition::parse(&text).expect("the definitions of worlds are sound").into_election(),
    }
}
