//! The one polite live region of the page: says the news at most every so often, and only where they changed.

use leptos::prelude::*;

use crate::{app::Context, navigation::Navigation, news};

/// How long spoken news stand before the next are spoken.
const SPOKEN_INTERVAL_MS: f64 = 15_000.0;

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
    let spoken_at_ms = StoredValue::new(f64::NEG_INFINITY);
    Effect::new(move |_| {
        let now_ms = feed.now_ms.get();
        let Some(news) = headline.get() else { return };
        if now_ms - spoken_at_ms.get_value() >= SPOKEN_INTERVAL_MS
            && spoken.with_untracked(|old| *old != news)
        {
            spoken_at_ms.set_value(now_ms);
            spoken.set(news);
        }
    });
    view! { <p class="unseen" role="status" aria-live="polite">{move || spoken.get()}</p> }
}
