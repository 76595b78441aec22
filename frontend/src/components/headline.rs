//! The news: one sentence, and what was counted and is outstanding.

use leptos::prelude::*;

use crate::app::Context;

/// How long a spoken headline stands before the next is spoken.
const SPOKEN_INTERVAL_MS: f64 = 15_000.0;

/// The news in words.
#[component]
pub fn Headline(
    /// One sentence.
    #[prop(into)]
    headline: Signal<String>,
    /// What was counted, and what is outstanding.
    #[prop(into)]
    lede: Signal<String>,
) -> impl IntoView {
    let now_ms = Context::of_view().feed.now_ms;
    let spoken = RwSignal::new(String::new());
    let spoken_at_ms = StoredValue::new(f64::NEG_INFINITY);
    Effect::new(move |_| {
        let now_ms = now_ms.get();
        let news = headline.get();
        if now_ms - spoken_at_ms.get_value() >= SPOKEN_INTERVAL_MS
            && spoken.with_untracked(|old| *old != news)
        {
            spoken_at_ms.set_value(now_ms);
            spoken.set(news);
        }
    });
    view! {
        <div class="lede">
            <h1 data-testid="headline">{move || headline.get()}</h1>
            <p data-testid="lede">{move || lede.get()}</p>
            // The visible headline changes too often to be read out each time.
            <p class="unseen" role="status" aria-live="polite">{move || spoken.get()}</p>
        </div>
    }
}
