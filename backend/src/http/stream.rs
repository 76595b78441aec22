//! The results as server-sent events: the WebSocket's messages, for places where WebSockets are blocked.
//!
//! Nothing is queued per client: a message is taken from the feed's one bounded channel when the connection has room
//! for it, and a client that falls behind gets the newest results in a welcome instead. A client that takes nothing is
//! cut off by the connection's time-out on writes, and every client takes one of the places for those that stay
//! connected.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use tallyboard_shared::{
    Timestamp,
    message::{Goodbye, GoodbyeReason},
};
use tokio::sync::broadcast::error::RecvError;

use super::{
    App,
    peer::Peer,
    places::Place,
    problem::{Code, Problem},
    socket::origin_is_allowed,
};
use crate::roles::{
    disclosure::Disclosed,
    viewer::{Frame, Protocol, Step, Subscription},
};

/// The header by which a browser that comes back says what it has.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The results as events
///
/// The messages of the WebSocket as server-sent events, one an event, as `/api/asyncapi.yaml` says. The id of an
/// `update` or `welcome` is the version that the client has after it and when that was made; other events have none. A
/// browser that comes back is sent only what it missed, or a `welcome` where that is no longer kept or would be more.
#[utoipa::path(
    get,
    path = "/api/v1/stream",
    tag = "live",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event, such as `1234@2026-11-03T20:15:00.123Z`")),
    responses((status = OK, body = String, content_type = "text/event-stream", description = "Events without end")),
)]
pub(super) async fn stream(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !origin_is_allowed(&headers, &app.0.settings.allowed_origins) {
        let detail = "pages of this origin may not connect; see --allowed-origin";
        return Err(Problem::new(Code::OriginNotAllowed, detail));
    }
    let place = app.place(&headers, &peer)?;
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(read_id);
    let follower = Follower::new(app, last, place);
    let events = stream::unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    // nginx would keep events back to fill its buffers.
    Ok(([(HeaderName::from_static("x-accel-buffering"), "no")], Sse::new(events)).into_response())
}

/// What a client follows, and what it has.
struct Follower {
    app: App,
    feed: Subscription,
    /// The version that the client has; `None` before the welcome.
    sent: Option<u64>,
    /// Steps that the client missed; they are shared with the feed.
    missed: VecDeque<Arc<Step>>,
    stage: Stage,
    _place: Place,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    Status,
    Follow,
    End,
}

impl Follower {
    fn new(app: App, last: Option<(u64, Timestamp)>, place: Place) -> Self {
        metrics::gauge!("tallyboard_event_stream_clients").increment(1.0);
        let feed = app.0.feed.subscribe();
        let missed =
            last.and_then(|(version, as_of)| app.0.feed.missed(version, Some(as_of), Protocol::Json));
        let sent = last.filter(|_| missed.is_some()).map(|(version, _)| version);
        let missed = missed.unwrap_or_default().into();
        Self { app, feed, sent, missed, stage: Stage::Start, _place: place }
    }

    /// The next event; `None` after the last.
    async fn next(&mut self) -> Option<Event> {
        if self.stage == Stage::Start {
            self.stage = Stage::Status;
            if self.sent.is_none() {
                return Some(self.welcome());
            }
        }
        if let Some(step) = self.missed.pop_front() {
            return Some(self.step(&step));
        }
        if self.stage == Stage::Status {
            self.stage = Stage::Follow;
            let status = self.app.0.feed.status();
            return Some(event(&Protocol::Json.encode(&Disclosed::status(status))));
        }
        let stop = self.app.0.stop.clone();
        while self.stage == Stage::Follow {
            let frame = tokio::select! {
                biased;
                () = stop.raised() => Err(RecvError::Closed),
                frame = self.feed.frames.recv() => frame,
            };
            match frame {
                Ok(Frame::Step(step)) if self.sent.is_some_and(|sent| step.version <= sent) => {}
                Ok(Frame::Step(step)) if self.sent == Some(step.previous) => return Some(self.step(&step)),
                Ok(Frame::Start | Frame::Step(_)) => return Some(self.welcome()),
                Ok(Frame::Status(status)) => return Some(event(&status.bytes(Protocol::Json))),
                Err(RecvError::Lagged(missed)) => {
                    metrics::counter!("tallyboard_event_stream_frames_skipped_total").increment(missed);
                    return Some(self.welcome());
                }
                Err(RecvError::Closed) => {
                    self.stage = Stage::End;
                    let message = "the server is stopping; come back".into();
                    let goodbye = Goodbye { reason: GoodbyeReason::Restart, message };
                    return Some(event(&Protocol::Json.encode(&Disclosed::goodbye(goodbye))));
                }
            }
        }
        None
    }

    fn welcome(&mut self) -> Event {
        let shown = self.feed.shown.borrow_and_update().clone();
        self.sent = Some(shown.version());
        let event = event(&shown.welcome(Protocol::Json));
        match &shown.results {
            Some(results) => event.id(id(results.version, results.as_of)),
            None => event,
        }
    }

    fn step(&mut self, step: &Step) -> Event {
        self.sent = Some(step.version);
        event(&step.message.bytes(Protocol::Json)).id(id(step.version, step.as_of))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        metrics::gauge!("tallyboard_event_stream_clients").decrement(1.0);
    }
}

fn event(json: &Bytes) -> Event {
    Event::default().data(std::str::from_utf8(json).expect("JSON is UTF-8"))
}

/// A version alone could be of another count, which has the same numbers.
fn id(version: u64, as_of: Timestamp) -> String {
    format!("{version}@{as_of}")
}

fn read_id(id: &str) -> Option<(u64, Timestamp)> {
    let (version, as_of) = id.split_once('@')?;
    Some((version.parse().ok()?, as_of.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use tallyboard_shared::{
        message::{FeedState, Status},
        results::Results,
    };

    use super::*;
    use crate::{
        election,
        http::testing,
        roles::{
            disclosure::disclose,
            viewer::{Feed, Shown},
        },
        tally::merge,
    };

    fn results(version: u64) -> Disclosed<Results> {
        let as_of = Timestamp::from_second(version.cast_signed()).unwrap();
        disclose(&election::demo(), merge(&election::demo(), std::iter::empty(), version, as_of))
    }

    fn show(feed: &Feed, version: u64, frame: Frame) {
        let shown = Shown::new(Arc::new(election::demo()), Some(results(version)), Arc::from([]), None);
        feed.remember(&shown, &frame);
        feed.show(shown, frame);
    }

    #[tokio::test]
    async fn who_comes_back_is_sent_what_was_missed_unless_that_is_more_than_there_is() {
        let now = Timestamp::UNIX_EPOCH;
        let status = Status { state: FeedState::Live, now, version: None, lag: None, stale_since: None };
        let feed = Arc::new(Feed::new(Arc::new(election::demo()), status));
        let app = testing::app_showing(Arc::clone(&feed));
        show(&feed, 1, Frame::Start);
        let steps = feed.shown().welcome(Protocol::Json).len() as u64 / 100;
        for version in 2..2 + steps {
            let update = results(version - 1).step_to(&results(version)).unwrap();
            show(&feed, version, Frame::Step(Arc::new(Step::new(update))));
        }
        let newest = feed.shown().version();
        // Whether the client starts over, and the version that it then has.
        let first = async |last: u64| {
            let place = app.0.streams.take(None).ok().unwrap();
            let mut follower = Follower::new(app.clone(), Some((last, results(last).as_of)), place);
            let starts_over = follower.sent.is_none();
            assert!(follower.next().await.is_some());
            (starts_over, follower.sent)
        };
        assert!(feed.since(1, None).is_some(), "every step is kept");
        assert_eq!(first(1).await, (true, Some(newest)));
        assert_eq!(first(newest - 2).await, (false, Some(newest - 1)));
        assert_eq!(first(newest).await, (false, Some(newest)));
    }

    #[test]
    fn an_id_that_is_read_is_the_one_that_was_written() {
        let as_of = "2026-11-03T20:15:00.123Z".parse().unwrap();
        assert_eq!(read_id(&id(1234, as_of)), Some((1234, as_of)));
        for wrong in ["", "1234", "@", "1234@yesterday", "-1@2026-11-03T20:15:00Z"] {
            assert_eq!(read_id(wrong), None, "{wrong}");
        }
    }
}
