//! The news: one sentence, and what was counted and is outstanding.

use leptos::prelude::*;

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
    view! {
        <div class="lede">
            <h1 data-testid="headline">{move || headline.get()}</h1>
            <p data-testid="lede">{move || lede.get()}</p>
        </div>
    }
}
