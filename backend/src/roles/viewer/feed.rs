//! What a viewer shows, to be shared by everyone who is connected: encoded once per version, however many watch.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{FeedState, HistoryPoint, ServerMessage, Status},
    results::Results,
    timeline::Timeline,
    update::Update,
};
use tokio::sync::{broadcast, watch};

use super::recent::Recent;
use crate::roles::disclosure::Disclosed;

/// So many frames wait for a slow client, some seconds at full pace; one that lags further starts over from the
/// newest results.
const FRAMES_WAITING_MAX: usize = 64;

/// While votes lie uncounted, all browsers together are sent so many frames a second at most: what they take is taken
/// from the count. A frame costs the server some 12 µs, so this is a twentieth of a core (docs/benchmarks.md, "Counting beside
/// browsers").
const FRAMES_PER_SECOND_BEHIND: i64 = 4_000;

/// The newest version and the frames that lead to the next.
pub struct Feed {
    shown: watch::Sender<Arc<Shown>>,
    status: watch::Sender<Status>,
    frames: broadcast::Sender<Frame>,
    recent: Mutex<Recent>,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// As JSON.
    Json,
    /// As [`tallyboard_shared::binary`] says.
    Binary,
}

impl Protocol {
    /// A message in this protocol.
    ///
    /// # Panics
    /// Never: messages have only text keys.
    #[must_use]
    pub fn encode(self, message: &Disclosed<ServerMessage>) -> Bytes {
        match self {
            Self::Json => serde_json::to_vec(message).expect("messages have only text keys").into(),
            Self::Binary => message.to_binary().into(),
        }
    }
}

/// A message in every protocol, to be shared by all to whom it is sent.
pub struct Encoded {
    json: Bytes,
    binary: Bytes,
}

impl Encoded {
    /// The message, encoded.
    #[must_use]
    pub fn new(message: &Disclosed<ServerMessage>) -> Self {
        Self { json: Protocol::Json.encode(message), binary: Protocol::Binary.encode(message) }
    }

    /// The bytes for those who speak a protocol.
    #[must_use]
    pub fn bytes(&self, protocol: Protocol) -> Bytes {
        match protocol {
            Protocol::Json => self.json.clone(),
            Protocol::Binary => self.binary.clone(),
        }
    }

    /// The bytes of all protocols together.
    pub(super) fn len(&self) -> usize {
        self.json.len() + self.binary.len()
    }
}

/// One version as it is shown.
pub struct Shown {
    /// What is counted.
    pub election: Arc<Election>,
    /// The results; `None` before the first publication.
    pub results: Option<Disclosed<Results>>,
    history: Arc<[Disclosed<HistoryPoint>]>,
    timeline: Option<Disclosed<Arc<Timeline>>>,
    welcome: [OnceLock<Bytes>; 2],
    body: OnceLock<Bytes>,
    timeline_body: OnceLock<Bytes>,
}

/// Something to send to everyone.
#[derive(Clone)]
pub enum Frame {
    /// Everything starts over: send a welcome.
    Start,
    /// A step.
    Step(Arc<Step>),
    /// How the count is doing.
    Status(Arc<Encoded>),
}

/// The step from one version to the next.
pub struct Step {
    /// The version that it starts from.
    pub previous: u64,
    /// The version that it leads to.
    pub version: u64,
    /// When that was made.
    pub as_of: Timestamp,
    /// The message.
    pub message: Encoded,
}

impl Step {
    /// The step of an update, encoded.
    #[must_use]
    pub fn new(update: Disclosed<Update>) -> Self {
        let (previous, version, as_of) = (update.previous, update.version, update.as_of);
        Self { previous, version, as_of, message: Encoded::new(&Disclosed::update(update)) }
    }
}

/// What one client follows.
pub struct Subscription {
    /// The newest version, at any time.
    pub shown: watch::Receiver<Arc<Shown>>,
    /// The frames since the subscription.
    pub frames: broadcast::Receiver<Frame>,
    /// How the count is doing.
    pub status: watch::Receiver<Status>,
}

impl Shown {
    /// A version, not encoded yet.
    #[must_use]
    pub fn new(
        election: Arc<Election>,
        results: Option<Disclosed<Results>>,
        history: Arc<[Disclosed<HistoryPoint>]>,
        timeline: Option<Disclosed<Arc<Timeline>>>,
    ) -> Self {
        Self {
            election,
            results,
            history,
            timeline,
            welcome: Default::default(),
            body: OnceLock::new(),
            timeline_body: OnceLock::new(),
        }
    }

    /// The version; 0 before the first publication.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.results.as_ref().map_or(0, |results| results.version)
    }

    /// The welcome message.
    pub fn welcome(&self, protocol: Protocol) -> Bytes {
        let welcome = || {
            let welcome = Disclosed::welcome(&self.election, self.results.as_ref(), &self.history);
            protocol.encode(&welcome)
        };
        self.welcome[protocol as usize].get_or_init(welcome).clone()
    }

    /// The results as the body of an answer; `None` before the first publication.
    pub fn body(&self) -> Option<Bytes> {
        let results = self.results.as_ref()?;
        let encode = || Bytes::from(serde_json::to_vec(results).expect("results have only text keys"));
        Some(self.body.get_or_init(encode).clone())
    }

    /// The timeline; `None` before one was published.
    #[must_use]
    pub fn timeline(&self) -> Option<&Disclosed<Arc<Timeline>>> {
        self.timeline.as_ref()
    }

    /// The timeline as the body of an answer; `None` before one was published.
    pub fn timeline_body(&self) -> Option<Bytes> {
        let timeline = self.timeline.as_ref()?;
        let encode = || Bytes::from(serde_json::to_vec(&***timeline).expect("a timeline has only text keys"));
        Some(self.timeline_body.get_or_init(encode).clone())
    }
}

impl Feed {
    /// A feed before the first publication.
    #[must_use]
    pub fn new(election: Arc<Election>, status: Status) -> Self {
        let shown = Shown::new(election, None, Arc::from([]), None);
        Self {
            shown: watch::Sender::new(Arc::new(shown)),
            status: watch::Sender::new(status),
            frames: broadcast::Sender::new(FRAMES_WAITING_MAX),
            recent: Mutex::default(),
        }
    }

    /// Keeps a step for those who come back. Where none leads to this version, there is nothing to give to those who have
    /// an older one.
    pub(crate) fn remember(&self, shown: &Shown, frame: &Frame) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        match (frame, &shown.results) {
            (Frame::Step(step), _) => recent.add(step),
            (_, results) => recent.start(results.as_deref()),
        }
    }

    /// Shows a version and sends the frame that leads to it.
    pub(crate) fn show(&self, shown: Shown, frame: Frame) {
        // The version before the frame: whoever subscribes in between sees the frame as known already.
        self.shown.send_replace(Arc::new(shown));
        self.send(frame);
    }

    /// How long to rest between one version that is shown and the next, in milliseconds: not at all once every vote is
    /// counted, nor for a handful of browsers, and longer the more are connected while votes lie uncounted.
    pub(super) fn rest_ms(&self) -> i64 {
        if self.status.borrow().state == FeedState::Live {
            return 0;
        }
        let connected = i64::try_from(self.frames.receiver_count()).unwrap_or(i64::MAX);
        connected.saturating_mul(1_000) / FRAMES_PER_SECOND_BEHIND
    }

    /// Tells everyone how the count is doing.
    pub(crate) fn report(&self, status: Status) {
        self.send(Frame::Status(Arc::new(Encoded::new(&Disclosed::status(status.clone())))));
        self.status.send_replace(status);
    }

    /// The steps from a version to the newest; `None` where they are no longer kept, or the version was made at another
    /// time than the client says: then it is of another count.
    #[must_use]
    pub fn since(&self, version: u64, as_of: Option<Timestamp>) -> Option<Vec<Arc<Step>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).since(version, as_of)
    }

    /// The steps that a client of this version has missed; `None` where they can't be had, or would be more than the
    /// newest version in full.
    #[must_use]
    pub fn missed(
        &self,
        version: u64,
        as_of: Option<Timestamp>,
        protocol: Protocol,
    ) -> Option<Vec<Arc<Step>>> {
        let steps = self.since(version, as_of)?;
        let missed: usize = steps.iter().map(|step| step.message.bytes(protocol).len()).sum();
        (missed == 0 || missed < self.shown().welcome(protocol).len()).then_some(steps)
    }

    fn send(&self, frame: Frame) {
        // With nobody connected there is nobody to send to.
        drop(self.frames.send(frame));
    }

    /// The newest version.
    #[must_use]
    pub fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.borrow())
    }

    /// How the count is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Follows from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        // The frames first: a version that is shown in between comes as both, and is told apart by its number.
        let frames = self.frames.subscribe();
        Subscription { frames, shown: self.shown.subscribe(), status: self.status.subscribe() }
    }
}
