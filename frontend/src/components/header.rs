//! The top of the page: name, screens, mode, the state of the figures, and what the reader can set.

use leptos::prelude::*;
use tallyboard_shared::election::Mode;

use super::settings_menu::SettingsMenu;
use crate::{
    address::Screen, app::Context, format, freshness::Freshness, navigation::Navigation, say, texts::tr,
};

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
    let held = Memo::new(move |_| context.feed.held_since_ms.with(Option::is_some));
    view! {
        <header class="top">
            <b class="brand">"Tallyboard"</b>
            <span class="election" data-testid="election-title">{move || title.get()}</span>
            <Screens/>
            <div class="push">
                <FreshnessChip/>
                <button type="button" data-testid="pause"
                    on:click=move |_| context.feed.hold_or_go_on()>
                    {move || if held.get() { tr("Resume") } else { tr("Pause") }}
                </button>
                <button
                    type="button"
                    data-testid="theme-toggle"
                    // The name begins with what is seen (WCAG 2.5.3).
                    aria-label=move || {
                        let (seen, meaning) = theme_words(dark.get());
                        format!("{seen}: {meaning}")
                    }
                    on:click=move |_| context.theme.toggle()
                >
                    {move || theme_words(dark.get()).0}
                </button>
                <SettingsMenu/>
            </div>
        </header>
        {move || mode.get().and_then(mode_words).map(|(name, words)| view! {
            <aside class="mode" data-testid="mode-banner" aria-label=tr("Kind of election")><strong>{name}</strong>" "{words}</aside>
        })}
    }
}

/// What the button for the other theme shows, and what it does.
fn theme_words(dark: bool) -> (&'static str, &'static str) {
    if dark {
        (tr("Light"), tr("Change to the light theme"))
    } else {
        (tr("Dark"), tr("Change to the dark theme"))
    }
}

/// A screen's name.
#[must_use]
pub fn screen_name(screen: Screen) -> &'static str {
    match screen {
        Screen::Overview => tr("Overview"),
        Screen::Contest => tr("Contest"),
        Screen::Place => tr("Places"),
        Screen::Replay => tr("Replay"),
        Screen::Quality => tr("Quality"),
        Screen::Nowhere => tr("No such screen"),
    }
}

#[component]
fn Screens() -> impl IntoView {
    let (context, navigation) = (Context::of_view(), Navigation::of_view());
    let is_lost = Memo::new(move |_| context.lacks_contest(navigation.address));
    let links = Screen::ALL.map(|screen| {
        let href = Memo::new(move |_| match is_lost.get() {
            // A contest that there isn't leads to nothing on any screen.
            true => navigation.address.with(|address| address.back().on(screen).href()),
            false => navigation.to_screen(screen),
        });
        let here = Memo::new(move |_| navigation.address.with(|address| address.screen == screen));
        view! {
            <a href=move || href.get() aria-current=move || here.get().then_some("page")
                data-testid=format!("screen-{}", screen.code())>{screen_name(screen)}</a>
        }
    });
    view! { <nav class="screens" aria-label=tr("Screens")>{links.into_iter().collect_view()}</nav> }
}

/// What must be said of an election that isn't real.
fn mode_words(mode: Mode) -> Option<(&'static str, &'static str)> {
    match mode {
        Mode::Simulation => Some((tr("Simulation."), tr("Every vote on this page is made up."))),
        Mode::Test => Some((tr("Test."), tr("A trial run: these votes decide nothing."))),
        Mode::Live => None,
    }
}

#[component]
fn FreshnessChip() -> impl IntoView {
    let context = Context::of_view();
    let freshness = use_freshness();
    let detail = Memo::new(move |_| {
        let now_ms = context.feed.now_ms.get();
        let shown = context.on_page()?;
        let age_ms = now_ms + context.feed.live.with_value(|live| live.clock_offset_ms)
            - shown.as_of.as_millisecond() as f64;
        let version = say!("version {version}", version = format::count(shown.version));
        Some((version, format::age(age_ms)))
    });
    let link = context.feed.link;
    let label = Memo::new(move |_| {
        let freshness = freshness.get();
        let detour = link.get().detour().filter(|_| freshness.is_current());
        let label = freshness.label(context.offset_minutes.get());
        [Some(label), detour].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    });
    view! {
        <span class="chip" data-testid="connection" data-state=move || freshness.get().code() data-way=move || link.get().code()>
            <i class="dot" aria-hidden="true"></i>
            <span data-testid="connection-label">{move || label.get()}</span>
            <span class="detail" data-testid="connection-version">
                <span class="version">{move || detail.get().map(|(version, _)| format!("\u{a0}· {version}"))}</span>
                {move || detail.get().map(|(_, age)| format!("\u{a0}· {age}"))}
            </span>
        </span>
    }
}

/// The verdict about the figures, for every view that shows it.
#[must_use]
pub fn use_freshness() -> Memo<Freshness> {
    let Context { feed, replayed, .. } = Context::of_view();
    Memo::new(move |_| {
        if replayed.with(Option::is_some) {
            return Freshness::Replayed;
        }
        let (link, now_ms) = (feed.link.get(), feed.now_ms.get());
        feed.board.track();
        let held_since_ms = feed.held_since_ms.get();
        feed.live.with_value(|live| Freshness::assess(link, live, now_ms)).when_held(held_since_ms)
    })
}
