//! One process of a world: the real shells of its roles, to be stepped one by one.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tallyboard::{
    checkpoint::Checkpoints,
    journal::{Journal, JournalError, Topics},
    roles::{
        Clock, Pace, Shell,
        counter::{self, CounterSettings},
        publisher::{PublisherSettings, PublisherShell},
        viewer::{Feed, Follower, Frame, Protocol, PulseTaker, Shown, Subscription, ViewerSettings},
    },
    tally::FingerprintKey,
};
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{FeedState, ServerMessage, Status},
    results::Results,
};

use crate::{
    brokers::{Brokers, ProcessId},
    clock::SimulatedClock,
    disk::{Files, SimulatedDisk},
    journal::SimulatedJournal,
    plan::{Plan, Roles},
};

/// A process that runs.
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    shells: Vec<Running>,
    clock: Arc<SimulatedClock>,
    pub(crate) watching: Option<Watching>,
}

struct Running {
    name: &'static str,
    shell: Box<dyn Shell>,
    rests_until_ms: i64,
}

/// What a viewer showed, and a page that follows it.
pub(crate) struct Watching {
    pub(crate) feed: Arc<Feed>,
    pub(crate) shown: BTreeMap<u64, Arc<Shown>>,
    page: Page,
}

/// A page as a browser has it: a welcome, then steps.
struct Page {
    subscription: Subscription,
    results: Option<Results>,
}

impl Process {
    pub(crate) fn start(
        brokers: &Brokers,
        id: ProcessId,
        roles: Roles,
        plan: &Plan,
        election: &Arc<Election>,
        files: &Files,
        off_by_ms: i64,
    ) -> Self {
        let journal: Arc<dyn Journal> = Arc::new(SimulatedJournal::connect(brokers, id));
        let own_clock = Arc::new(SimulatedClock::start(brokers, off_by_ms));
        let clock: Arc<dyn Clock> = Arc::clone(&own_clock) as _;
        let publish_interval = Duration::from_millis(plan.publish_interval_ms);
        let topics = Topics::new("");
        let mut shells: Vec<(&'static str, Box<dyn Shell>)> = Vec::new();
        let mut watching = None;
        if roles.counter {
            let checkpoints = plan.checkpoint_interval_ms.and_then(|_| {
                let (files, brokers, failing) = (files.clone(), brokers.clone(), plan.disk_failing);
                let disk = SimulatedDisk { files, brokers, process: id, failing };
                Checkpoints::open(Arc::new(disk), &topics.votes).ok().map(Arc::new)
            });
            let settings = CounterSettings {
                election: Arc::clone(election),
                topics: topics.clone(),
                group: "counters".into(),
                publish_interval,
                // Another one for every process, as in life: tallies must not depend on it.
                key: checkpoints.as_ref().map_or_else(
                    || FingerprintKey::new(u128::from(id).to_le_bytes()),
                    |checkpoints| checkpoints.key(),
                ),
                checkpoints,
                checkpoint_interval: Duration::from_millis(plan.checkpoint_interval_ms.unwrap_or(0)),
                workers: plan.workers,
            };
            shells.extend(counter::shells(&journal, settings, &clock));
        }
        if roles.publisher {
            let settings = PublisherSettings {
                election: Arc::clone(election),
                topics: topics.clone(),
                group: "publisher".into(),
                publish_interval,
            };
            let publisher = PublisherShell::new(Arc::clone(&journal), settings, Arc::clone(&clock));
            shells.push(("publishing", Box::new(publisher)));
        }
        if roles.viewer {
            let status = Status {
                state: FeedState::CatchingUp,
                now: clock.now(),
                version: None,
                lag: None,
                stale_since: None,
            };
            let feed = Arc::new(Feed::new(Arc::clone(election), status));
            let settings = ViewerSettings { topics };
            let follower =
                Follower::new(Arc::clone(&journal), settings.clone(), Arc::clone(&feed), Arc::clone(&clock));
            shells.push(("viewing", Box::new(follower)));
            shells.push(("pulse", Box::new(PulseTaker::new(journal, settings, Arc::clone(&feed), clock))));
            watching = Some(Watching::new(feed));
        }
        let running = |(name, shell)| Running { name, shell, rests_until_ms: 0 };
        Self { id, shells: shells.into_iter().map(running).collect(), clock: own_clock, watching }
    }

    pub(crate) fn shells(&self) -> usize {
        self.shells.len()
    }

    /// Steps one shell, unless it rests.
    ///
    /// # Errors
    /// The shell's name and what it gave up with.
    pub(crate) fn step(
        &mut self,
        number: usize,
        brokers: &Brokers,
    ) -> Result<(), (&'static str, JournalError)> {
        let running = &mut self.shells[number];
        {
            let mut state = brokers.lock();
            if state.now_ms < running.rests_until_ms {
                return Ok(());
            }
            let (id, name) = (self.id, running.name);
            state.event(format_args!("process {id}: {name}"));
        }
        let pace = running.shell.step().map_err(|error| (running.name, error))?;
        if let Pace::Rest(rest) = pace {
            let rest_ms = i64::try_from(rest.as_millis()).expect("rests are short");
            running.rests_until_ms = brokers.lock().now_ms + rest_ms;
        }
        if let Some(watching) = &mut self.watching {
            watching.look();
        }
        Ok(())
    }

    /// As after a signal.
    pub(crate) fn finish(&mut self) {
        self.shells.iter_mut().for_each(|running| running.shell.finish());
    }

    pub(crate) fn set_clock(&self, off_by_ms: i64) {
        self.clock.off_by_ms.store(off_by_ms, Ordering::Relaxed);
    }
}

impl Watching {
    fn new(feed: Arc<Feed>) -> Self {
        let page = Page { subscription: feed.subscribe(), results: shown_results(&feed.shown()) };
        Self { feed, shown: BTreeMap::new(), page }
    }

    /// Looks at what is shown, and lets the page take what it was sent.
    fn look(&mut self) {
        let shown = self.feed.shown();
        if let Some((newest, _)) = self.shown.last_key_value() {
            assert!(shown.version() >= *newest, "a viewer went back from {newest} to {}", shown.version());
        }
        self.shown.entry(shown.version()).or_insert(shown);
        self.page.take();
    }

    /// What the page and the viewer disagree about.
    pub(crate) fn page_differs(&self) -> bool {
        self.page.results != shown_results(&self.feed.shown())
    }
}

impl Page {
    fn take(&mut self) {
        loop {
            match self.subscription.frames.try_recv() {
                Ok(Frame::Status(_)) => {}
                Ok(Frame::Start) => self.start_over(),
                Ok(Frame::Step(step)) => {
                    let known = self.results.as_ref().map_or(0, |results| results.version);
                    if step.version <= known {
                        continue;
                    }
                    if step.previous != known {
                        self.start_over();
                        continue;
                    }
                    let message = match step.version % 2 {
                        0 => ServerMessage::from_binary(&step.message.bytes(Protocol::Binary)).ok(),
                        _ => serde_json::from_slice(&step.message.bytes(Protocol::Json)).ok(),
                    };
                    let Some(ServerMessage::Update(update)) = message else {
                        panic!("the step to {} isn't an update", step.version);
                    };
                    let results = self.results.as_mut().expect("known");
                    results.apply(&update).expect("it starts from what the page has");
                }
                Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_)) => self.start_over(),
                Err(_) => return,
            }
        }
    }

    fn start_over(&mut self) {
        self.results = shown_results(&self.subscription.shown.borrow());
    }
}

fn shown_results(shown: &Shown) -> Option<Results> {
    shown.results.as_deref().cloned()
}

/// The beginning of time, for what was never published.
pub(crate) const NEVER: Timestamp = Timestamp::MIN;
