//! Notices: that the figures aren't current, and what stands in the page before there are any.

use leptos::prelude::*;

use super::header::use_freshness;
use crate::{app::Context, freshness::Freshness, texts::tr};

/// The strip that says why the figures aren't current; absent while they are.
#[component]
pub fn NotCurrent() -> impl IntoView {
    let freshness = use_freshness();
    let warning = Memo::new(move |_| freshness.get().warning());
    view! {
        <div role="alert">
            {move || warning.get().map(|words| view! {
                <p class="not-current" data-testid="not-current" data-state=move || freshness.get().code()>{words}</p>
            })}
        </div>
    }
}

/// The page before the first message of the server.
#[component]
pub fn Waiting() -> impl IntoView {
    let context = Context::of_view();
    let freshness = use_freshness();
    let unreachable = Memo::new(move |_| matches!(freshness.get(), Freshness::Unreachable { .. }));
    view! {
        <section class="boot" data-testid="waiting">
            {move || if unreachable.get() {
                view! {
                    <h1>{tr("The server can't be reached")}</h1>
                    <p>{tr("No figures are shown until it answers. The page keeps trying.")}</p>
                }.into_any()
            } else {
                view! {
                    <h1>{tr("Connecting to the count")}</h1>
                    <p>{tr("No figures are shown yet.")}</p>
                }.into_any()
            }}
            <p class="soft">{move || freshness.get().label(context.offset_minutes.get())}</p>
        </section>
    }
}
