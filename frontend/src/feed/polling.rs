//! The results by asking for them: the last way, where neither WebSockets nor events come through.
//!
//! What is answered is told as the messages that a WebSocket would have brought. Unchanged results are answered by
//! their tag alone.

use std::collections::VecDeque;

use gloo_net::http::{Request, Response};
use gloo_timers::future::TimeoutFuture;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{FeedState, PROTOCOL_VERSION, ServerMessage, Status, Welcome},
    results::Results,
};

use crate::wire;

/// The time between two questions; the server lets answers be kept for a second.
pub(crate) const INTERVAL_S: u32 = 2;

/// What was answered so far.
#[derive(Default)]
pub(super) struct Poll {
    /// Names the newest results that were answered.
    tag: Option<String>,
    version: Option<u64>,
    election: Option<Election>,
    /// What was answered and isn't told yet.
    untold: VecDeque<ServerMessage>,
}

impl Poll {
    /// The next message; `None` where the server doesn't answer as it should.
    pub(super) async fn next(&mut self) -> Option<ServerMessage> {
        if self.untold.is_empty() {
            if self.election.is_some() {
                TimeoutFuture::new(INTERVAL_S * 1_000).await;
            }
            self.ask().await?;
        }
        self.untold.pop_front()
    }

    async fn ask(&mut self) -> Option<()> {
        let mut request = Request::get("api/v1/results");
        if let Some(tag) = &self.tag {
            request = request.header("If-None-Match", tag);
        }
        let answer = request.send().await.ok()?;
        let now = clock_of(&answer);
        match answer.status() {
            200 => {
                let results: Results = wire::from_json(&answer.text().await.ok()?)?;
                self.tag = answer.headers().get("ETag");
                self.version = Some(results.version);
                self.welcome(Some(results)).await?;
            }
            304 => {}
            // Nothing is published yet; what else may be wrong says so in other words.
            503 if is_empty(&answer).await? => {
                if self.election.is_none() {
                    self.welcome(None).await?;
                }
            }
            _ => return None,
        }
        let state = state().await?;
        let status = Status { state, now, version: self.version, lag: None, stale_since: None };
        self.untold.push_back(ServerMessage::Status(status));
        Some(())
    }

    async fn welcome(&mut self, results: Option<Results>) -> Option<()> {
        let hash = results.as_ref().map(|results| &results.election.definition_hash);
        let election =
            self.election.take().filter(|known| hash.is_none_or(|hash| *hash == known.definition_hash));
        let election = match election {
            Some(election) => election,
            None => {
                let answer = Request::get("api/v1/election").send().await.ok()?;
                answer.ok().then_some(())?;
                wire::from_json(&answer.text().await.ok()?)?
            }
        };
        self.election = Some(election.clone());
        let welcome = Welcome { protocol: PROTOCOL_VERSION, election, results, history: Vec::new() };
        self.untold.push_back(ServerMessage::Welcome(Box::new(welcome)));
        Some(())
    }
}

/// Whether the server has no results yet, by the code of its problem.
async fn is_empty(answer: &Response) -> Option<bool> {
    Some(answer.text().await.ok()?.contains("\"no_results_yet\""))
}

/// What the server says of its results; `None` where it doesn't answer.
async fn state() -> Option<FeedState> {
    let answer = Request::get("readyz").send().await.ok()?;
    Some(match answer.status() {
        503 => not_ready(&answer.text().await.ok()?),
        // A proxy that doesn't pass the question on says nothing about the results.
        _ => FeedState::Live,
    })
}

fn not_ready(words: &str) -> FeedState {
    if words.starts_with("stale") { FeedState::Stale } else { FeedState::CatchingUp }
}

/// The server's clock, to the second; ours where a proxy doesn't pass it on.
fn clock_of(answer: &Response) -> Timestamp {
    let date = answer.headers().get("Date").map(|date| js_sys::Date::parse(&date));
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 stay below 2^53")]
    let now_ms = date.filter(|date| date.is_finite()).unwrap_or_else(js_sys::Date::now) as i64;
    Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_stale_is_called_stale() {
        assert_eq!(not_ready("stale\n"), FeedState::Stale);
        assert_eq!(not_ready("nothing published yet\n"), FeedState::CatchingUp);
    }
}
