//! The top of the page: name, mode, the state of the figures, and the theme.

use leptos::prelude::*;
use tallyboard_shared::election::Mode;

use crate::{app::Context, format, freshness::Freshness};

/// The top of the page.
#[component]
pub fn Header() -> impl IntoView {
    let context = Context::of_view();
    let board = context.feed.board;
    let title = Memo::new(move |_| {
        board.with(|board| board.election.as_ref().map(|election| election.title.clone()))
    });
    let mode = Memo::new(move |_| board.with(|board| board.election.as_ref().map(|election| election.mode)));
    let dark = context.theme.dark;
    view! {
        <header class="top">
            <b class="brand">"Tallyboard"</b>
            <span class="election" data-testid="election-title">{move || title.get()}</span>
            <div class="push">
                <FreshnessChip/>
                <button
                    type="button"
                    data-testid="theme-toggle"
                    aria-label=move || if dark.get() { "Change to the light theme" } else { "Change to the dark theme" }
                    on:click=move |_| context.theme.toggle()
                >
                    {move || if dark.get() { "Light" } else { "Dark" }}
                </button>
            </div>
        </header>
        {move || mode.get().and_then(mode_words).map(|(name, words)| view! {
            <aside class="mode" data-testid="mode-banner" aria-label="Kind of election"><strong>{name}</strong>" "{words}</aside>
        })}
    }
}

/// What must be said of an election that isn't real.
fn mode_words(mode: Mode) -> Option<(&'static str, &'static str)> {
    match mode {
        Mode::Simulation => Some(("Simulation.", "Every vote on this page is made up.")),
        Mode::Test => Some(("Test.", "A trial run: these votes decide nothing.")),
        Mode::Live => None,
    }
}

#[component]
fn FreshnessChip() -> impl IntoView {
    let context = Context::of_view();
    let freshness = use_freshness();
    let detail = Memo::new(move |_| {
        let now_ms = context.feed.now_ms.get();
        context.feed.board.with(|board| {
            let (version, as_of) = (board.version()?, board.as_of()?);
            let as_of_ms = as_of.as_millisecond() as f64;
            let age_ms = now_ms + board.clock_offset_ms - as_of_ms;
            Some(format!("version {} · {}", format::count(version), format::age(age_ms)))
        })
    });
    view! {
        <span class="chip" data-testid="connection" data-state=move || freshness.get().code()>
            <i class="dot" aria-hidden="true"></i>
            <span data-testid="connection-label">{move || freshness.get().label(context.offset_minutes)}</span>
            <span class="detail" data-testid="connection-version">
                {move || detail.get().map(|detail| format!("\u{a0}· {detail}"))}
            </span>
        </span>
    }
}

/// The verdict about the figures, for every view that shows it.
#[must_use]
pub fn use_freshness() -> Memo<Freshness> {
    let feed = Context::of_view().feed;
    Memo::new(move |_| {
        let (link, now_ms) = (feed.link.get(), feed.now_ms.get());
        feed.board.with(|board| Freshness::assess(link, board, now_ms))
    })
}
