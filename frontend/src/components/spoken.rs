//! The one polite live region of the page: says the news at most every so often, and only where they changed.

use leptos::prelude::*;

use crate::{app::Context, navigation::Navigation, news};

/// How long spoken news stand before the next are spoken.
const SPOKEN_INTERVAL_MS: f64 = 15_000.0;

/// What was said last, and when.
#[derive(Debug, Default)]
struct Speaker(Option<(String, f64)>);

impl Speaker {
    /// Whether these news are said now; so they are taken for said.
    fn says(&mut self, news: &str, now_ms: f64) -> bool {
        let is_known =
            self.0.as_ref().is_some_and(|(said, at_ms)| said == news || now_ms - at_ms < SPOKEN_INTERVAL_MS);
        if !is_known {
            self.0 = Some((news.to_owned(), now_ms));
        }
        !is_known
    }
}

/// What is read out.
#[component]
pub fn Spoken() -> impl IntoView {
    let Context { feed, replayed, .. } = Context::of_view();
    let address = Navigation::of_view().address;
    let headline = Memo::new(move |_| {
        // The past is no news.
        if replayed.with(Option::is_some) {
            return None;
        }
        address.with(|address| {
            feed.board.with(|board| {
                board.results.as_ref()?;
                Some(news::headline(board.contest(address.contest.as_ref())))
            })
        })
    });
    let spoken = RwSignal::new(String::new());
    let speaker = StoredValue::new(Speaker::default());
    Effect::new(move |_| {
        let now_ms = feed.now_ms.get();
        let Some(news) = headline.get() else { return };
        let says = speaker.try_update_value(|speaker| speaker.says(&news, now_ms)).unwrap_or(false);
        if says {
            spoken.set(news);
        }
    });
    view! { <p class="unseen" role="status" aria-live="polite">{move || spoken.get()}</p> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_said_at_most_every_15_seconds_and_only_where_they_changed() {
        let mut speaker = Speaker::default();
        let said: Vec<_> =
            [("a", 0.0), ("b", 14_999.0), ("b", 15_000.0), ("b", 60_000.0), ("c", 60_400.0), ("d", 75_399.0)]
                .into_iter()
                .filter(|(news, now_ms)| speaker.says(news, *now_ms))
                .collect();
        assert_eq!(said, [("a", 0.0), ("b", 15_000.0), ("c", 60_400.0)]);
    }
}
