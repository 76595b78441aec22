//! The results by asking for them: the last way, where neither WebSockets nor events come through.
//!
//! What is answered is told as the messages that a WebSocket would have brought. Unchanged results are answered by
//! their tag alone. Whether they follow the votes is in the headers of every answer, also when it was looked at: answers
//! that somebody on the way keeps too long don't pass for new.

use std::collections::VecDeque;

use gloo_net::http::{Request, Response};
use gloo_timers::future::TimeoutFuture;
use tallyboard_shared::{
    Timestamp,
    election::Election,
    message::{FeedState, PROTOCOL_VERSION, ServerMessage, Status, Welcome},
    moment::moment,
    results::Results,
};

use super::SILENCE_MS;
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
    heard: Heard,
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
        let mut answer = get_results(self.tag.as_deref()).await?;
        if answer.status() == 304 && State::said_by(&answer).is_none() {
            // A cache on the way may say so of its own accord, without what the server says.
            answer = get_results(None).await?;
        }
        // Whoever says nothing of it isn't the server.
        let said = State::said_by(&answer)?;
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
        let State { state, stale_since, .. } = self.heard.judge(said, js_sys::Date::now());
        let status = Status { state, now, version: self.version, lag: None, stale_since };
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

async fn get_results(tag: Option<&str>) -> Option<Response> {
    let mut request = Request::get("api/v1/results");
    if let Some(tag) = tag {
        request = request.header("If-None-Match", tag);
    }
    request.send().await.ok()
}

/// What the server says of its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    state: FeedState,
    /// Since when they may be out of date.
    stale_since: Option<Timestamp>,
    /// When the server looked.
    time: Timestamp,
}

impl State {
    fn said_by(answer: &Response) -> Option<Self> {
        let headers = answer.headers();
        Self::read(|name| headers.get(name))
    }

    /// What the headers say; `None` where they say nothing that can be understood.
    fn read(header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let state = match header("Tallyboard-State")?.as_str() {
            "live" => FeedState::Live,
            "catching_up" => FeedState::CatchingUp,
            "stale" => FeedState::Stale,
            _ => return None,
        };
        let time = moment(&header("Tallyboard-State-Time")?)?;
        let stale_since = header("Tallyboard-Stale-Since").and_then(|since| moment(&since));
        Some(Self { state, stale_since, time })
    }
}

/// What the server said last, by its clock, and when that was heard first, by ours.
#[derive(Default)]
struct Heard(Option<(Timestamp, f64)>);

impl Heard {
    /// What is said at `now_ms` of our clock, or that it is stale: the server looks every two seconds, so who says the
    /// same for long repeats what somebody else once said.
    fn judge(&mut self, said: State, now_ms: f64) -> State {
        let known = self.0.filter(|(time, _)| *time == said.time);
        let (_, since_ms) = *self.0.insert(known.unwrap_or((said.time, now_ms)));
        if now_ms - since_ms < f64::from(SILENCE_MS) {
            return said;
        }
        State { state: FeedState::Stale, stale_since: said.stale_since.or(Some(said.time)), ..said }
    }
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

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_headers_say_is_understood_or_nothing_is() {
        let read = |headers: &[(&str, &str)]| {
            State::read(|asked| {
                let header = headers.iter().find(|(name, _)| *name == asked);
                header.map(|(_, value)| (*value).to_owned())
            })
        };
        let time = ("Tallyboard-State-Time", "1970-01-01T00:00:09Z");
        let live = State { state: FeedState::Live, stale_since: None, time: at(9) };
        assert_eq!(read(&[("Tallyboard-State", "live"), time]), Some(live));
        let catching_up = State { state: FeedState::CatchingUp, ..live };
        assert_eq!(read(&[("Tallyboard-State", "catching_up"), time]), Some(catching_up));
        let since = ("Tallyboard-Stale-Since", "1970-01-01T00:00:05Z");
        let stale = State { state: FeedState::Stale, stale_since: Some(at(5)), ..live };
        assert_eq!(read(&[("Tallyboard-State", "stale"), time, since]), Some(stale));
        for nothing in [&[time][..], &[("Tallyboard-State", "live")], &[("Tallyboard-State", "fine"), time]] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_server_whose_clock_stands_still_is_an_answer_that_was_kept() {
        let mut heard = Heard::default();
        let live = |second| State { state: FeedState::Live, stale_since: None, time: at(second) };
        assert_eq!(heard.judge(live(100), 0.0), live(100));
        assert_eq!(heard.judge(live(102), 2_000.0), live(102));
        assert_eq!(heard.judge(live(102), 7_900.0), live(102));
        let stale = State { state: FeedState::Stale, stale_since: Some(at(102)), ..live(102) };
        assert_eq!(heard.judge(live(102), 8_000.0), stale);
        assert_eq!(heard.judge(live(102), 60_000.0), stale);
        // A page that slept hears something new at once; another viewer may have looked a little earlier.
        assert_eq!(heard.judge(live(160), 62_000.0), live(160));
        assert_eq!(heard.judge(live(159), 64_000.0), live(159));
        assert_eq!(heard.judge(State { time: at(162), ..stale }, 66_000.0).stale_since, Some(at(102)));
    }
}
