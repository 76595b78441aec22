//! The timeline of the server, read every few seconds while a screen shows it.
//!
//! What was read and whether it is still current is one state, changed by [`Track::apply`]; [`follow`] asks.

use std::{cell::Cell, rc::Rc};

use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use tallyboard_shared::timeline::Timeline;

use crate::{app::Context, board::Board, format, say, wire};

/// How long the server is left alone between two questions; it answers unchanged timelines with a tag alone.
const INTERVAL_MS: u32 = 4_000;

/// How often is looked whether something was published.
const WAIT_MS: u32 = 500;

/// Older than this, a timeline isn't passed off as current any more.
const STALE_MS: f64 = 15_000.0;

/// What is known of the timeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// The newest; `None` before the first answer.
    pub timeline: Option<Timeline>,
    /// When it was read, by our clock.
    read_ms: Option<f64>,
}

impl Track {
    /// Takes an answer that came at `now_ms`, `None` where there was none, while the page shows results of version
    /// `shown`. A lower version never takes the place of a higher, unless the count has begun anew.
    pub fn apply(&mut self, answer: Option<Timeline>, shown: Option<u64>, now_ms: f64) {
        let Some(timeline) = answer else { return };
        let older = self.timeline.as_ref().is_some_and(|known| {
            timeline.version < known.version && shown.is_none_or(|shown| shown >= known.version)
        });
        if !older {
            self.timeline = Some(timeline);
            self.read_ms = Some(now_ms);
        }
    }

    /// What must be said of it at `now_ms`; `None` while it is current.
    #[must_use]
    pub fn warning(&self, now_ms: f64) -> Option<String> {
        let age_ms = now_ms - self.read_ms?;
        (age_ms > STALE_MS).then(|| say!("Not current: read {age}.", age = format::age(age_ms)))
    }

    /// The version of the results that it belongs to, in words.
    #[must_use]
    pub fn version_words(&self) -> String {
        self.timeline
            .as_ref()
            .map(|known| say!("version {version}", version = format::count(known.version)))
            .unwrap_or_default()
    }
}

/// Follows the timeline for as long as the view is there.
#[must_use]
pub fn follow() -> RwSignal<Track> {
    let track = RwSignal::new(Track::default());
    let feed = Context::of_view().feed;
    let gone = Rc::new(Cell::new(false));
    let mark = StoredValue::new_local(Rc::clone(&gone));
    on_cleanup(move || mark.with_value(|gone| gone.set(true)));
    spawn_local(async move {
        while !gone.get() {
            // A page that stands still stands still as a whole.
            // Before the first publication there is nothing to ask for.
            if feed.live.with_value(|live| live.version().is_none()) {
                TimeoutFuture::new(WAIT_MS).await;
                continue;
            }
            if !feed.is_held() {
                let answer = read().await;
                if gone.get() {
                    return;
                }
                let shown = feed.live.with_value(Board::version);
                track.update(|track| track.apply(answer, shown, js_sys::Date::now()));
            }
            TimeoutFuture::new(INTERVAL_MS).await;
        }
    });
    track
}

async fn read() -> Option<Timeline> {
    let answer = Request::get("api/v1/timeline").send().await.ok()?;
    answer.ok().then_some(())?;
    wire::from_json(&answer.text().await.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::tests::timeline;

    #[test]
    fn an_old_timeline_is_not_passed_off_as_current() {
        let mut track = Track::default();
        assert_eq!(track.warning(1e9), None, "nothing is shown yet");
        track.apply(Some(timeline(&[&[1]])), Some(1), 1_000.0);
        track.apply(None, Some(1), 12_000.0);
        assert_eq!(track.warning(15_000.0), None);
        assert_eq!(track.warning(31_000.0), Some("Not current: read 30 s ago.".to_owned()));
        track.apply(Some(timeline(&[&[2]])), Some(1), 32_000.0);
        assert_eq!(track.warning(33_000.0), None);
    }

    #[test]
    fn a_server_that_is_behind_takes_nothing_back() {
        let mut track = Track::default();
        let at = |version, votes| Timeline { version, ..timeline(&[&[votes]]) };
        track.apply(Some(at(9, 5)), Some(9), 0.0);
        track.apply(Some(at(8, 4)), Some(9), 20_000.0);
        assert_eq!(track.timeline, Some(at(9, 5)));
        assert!(track.warning(20_000.0).is_some(), "what is shown is as old as it was");
        assert_eq!(track.version_words(), "version 9");
        track.apply(Some(at(2, 1)), Some(2), 21_000.0);
        assert_eq!(track.version_words(), "version 2", "a count that began anew");
    }
}
