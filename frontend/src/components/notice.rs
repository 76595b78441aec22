//! Notices: that the figures aren't current, and what stands in the page before there are any.

use leptos::prelude::*;

use super::header::use_freshness;
use crate::{app::Context, freshness::Freshness, texts::tr};

/// The strip that says why the figures aren't current; absent while they are, and before there are any.
#[component]
pub fn NotCurrent() -> impl IntoView {
    let context = Context::of_view();
    let freshness = use_freshness();
    let warning = Memo::new(move |_| {
        let has_begun = context.feed.board.with(|board| board.election.is_some());
        freshness.get().warning().filter(|_| has_begun)
    });
    view! {
        <div role="alert">
            {move || warning.get().map(|words| view! {
                <p class="not-current" data-testid="not-current" data-state=move || freshness.get().code()>
                    {words}" "<ReloadButton/>
                </p>
            })}
        </div>
    }
}

/// What helps where the page is older than its server; absent everywhere else.
#[component]
fn ReloadButton() -> impl IntoView {
    let freshness = use_freshness();
    let is_old = Memo::new(move |_| freshness.get() == Freshness::Incompatible);
    // A browser that doesn't reload has a button of its own for that.
    let reload = move |_| {
        window().location().reload().ok();
    };
    view! {
        <Show when=move || is_old.get()>
            <button type="button" data-testid="reload" on:click=reload>{tr("Reload")}</button>
        </Show>
    }
}

/// The page before the first message of the server.
#[component]
pub fn Waiting() -> impl IntoView {
    let context = Context::of_view();
    let freshness = use_freshness();
    let words = Memo::new(move |_| match freshness.get() {
        Freshness::Unreachable { .. } => (
            tr("The server can't be reached"),
            tr("No figures are shown until it answers. The page keeps trying."),
        ),
        Freshness::Incompatible => {
            (tr("This page is older than its server"), tr("No figures are shown until it is reloaded."))
        }
        _ => (tr("Connecting to the count"), tr("No figures are shown yet.")),
    });
    view! {
        <section class="boot" data-testid="waiting">
            <h1>{move || words.get().0}</h1>
            <p>{move || words.get().1}</p>
            <p class="soft">{move || freshness.get().label(context.offset_minutes.get())}</p>
            <p><ReloadButton/></p>
        </section>
    }
}
