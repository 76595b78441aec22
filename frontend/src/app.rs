//! The application: what every page shares, and the page that is shown.

use std::{sync::Arc, time::Duration};

use gloo_net::http::Request;
use leptos::prelude::*;
use leptos_router::components::Router;
use tallyboard_shared::results::Results;

use crate::{
    address::{Address, Screen, folder},
    board, charts,
    components::{
        footer::Footer,
        header::{Header, screen_name},
        notice::NotCurrent,
        spoken::Spoken,
    },
    feed::Feed,
    freshness::Link,
    intl,
    navigation::Navigation,
    outlines::Outlines,
    pages::{Page, later::Later},
    settings::{self, Choice, Settings, Zone},
    texts::{self, Language, tr},
    theme::Theme,
};

/// What every view may ask for. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Context {
    /// The election's results, as they come.
    pub feed: Feed,
    /// Light or dark.
    pub theme: Theme,
    /// What the reader chose.
    pub settings: Settings,
    /// The earlier version that is shown in place of the newest, once it is there; `None` outside the replay.
    pub replayed: RwSignal<Option<Option<Arc<Results>>>>,
    /// The shapes of the places; `None` where the definition has no map, and until [it is there](Later).
    pub outlines: RwSignal<Option<Arc<Outlines>>>,
    /// The offset from UTC of the times that are shown.
    pub offset_minutes: Signal<i32>,
}

/// How long the first figures are waited for before the page shows itself without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Fixes the language, before anything is built: the one that was chosen, else the browser's first that the page has.
/// English where its texts can't be had.
pub async fn start_language() {
    let wanted = settings::remembered_choice::<Language>()
        .unwrap_or_else(|| Language::of_tag(&window().navigator().language().unwrap_or_default()));
    let (language, lines) = match wanted.file() {
        None => (wanted, String::new()),
        Some(file) => match lines_of(file).await {
            Some(lines) => (wanted, lines),
            None => (Language::English, String::new()),
        },
    };
    // Once, and for as long as the page is open.
    texts::speak(intl::catalogue(language, lines.leak()));
    if let Some(root) = document().document_element() {
        // Without them the page is merely read out in another voice.
        root.set_attribute("lang", language.code()).ok();
        root.set_attribute("dir", language.direction()).ok();
    }
}

async fn lines_of(file: &str) -> Option<String> {
    let answer = Request::get(file).send().await.ok()?;
    answer.ok().then_some(())?;
    answer.text().await.ok()
}

impl Context {
    fn start() -> Self {
        let feed = Feed::start();
        let settings = Settings::remembered();
        let own = reader_offset_minutes();
        let offset_minutes = Signal::derive(move || match settings.zone.get() {
            Zone::Own => own,
            Zone::Utc => 0,
        });
        Effect::new(move |_| feed.pace_ms.set(settings.pace.get().interval_ms()));
        let replayed = RwSignal::new(None);
        let outlines = RwSignal::new(None);
        let theme = Theme::follow(settings.patterns);
        Self { feed, theme, settings, replayed, outlines, offset_minutes }
    }

    /// The results that the page shows.
    #[must_use]
    pub fn on_page(self) -> Option<Arc<Results>> {
        match self.replayed.get() {
            Some(replayed) => replayed,
            None => self.feed.board.with(|board| board.results.clone()),
        }
    }

    /// Whether neither the definition nor a vote names the contest that the address asks for: a link may be of another
    /// definition.
    #[must_use]
    pub fn lacks_contest(self, address: Memo<Address>) -> bool {
        self.feed.board.with(|board| {
            address.with(|address| board::is_unknown(board.results.as_deref(), address.contest.as_ref()))
        })
    }

    /// The context of the view that is being built.
    #[must_use]
    pub fn of_view() -> Self {
        expect_context()
    }
}

/// How much of its first screen the page has built. In one go that holds a phone up for half a second; so what is seen
/// first is shown first, and the rest follows, each part in a task of its own. Later screens are built at once.
#[derive(Clone, Copy)]
pub struct Unfolding(RwSignal<usize>);

impl Unfolding {
    /// The number of parts that follow the first.
    pub const PARTS: usize = 5;

    fn start(begins: Memo<bool>) -> Self {
        let unfolding = Self(RwSignal::new(0));
        Effect::new(move |_| {
            if begins.get() {
                unfolding.go_on();
            }
        });
        unfolding
    }

    fn go_on(self) {
        if self.0.get_untracked() < Self::PARTS {
            set_timeout(
                move || {
                    self.0.update(|parts| *parts += 1);
                    self.go_on();
                },
                Duration::ZERO,
            );
        }
    }

    /// Whether a part's turn has come, counted from 1.
    #[must_use]
    pub fn has_reached(self, part: usize) -> bool {
        self.0.get() >= part
    }
}

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    provide_context(Context::start());
    provide_context(charts::Loading::by_need());
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let base = StoredValue::new(folder(&path).to_owned());
    let begins = begins(Context::of_view().feed);
    let unfolding = Unfolding::start(begins);
    provide_context(unfolding);
    let later = Later::after(unfolding);
    provide_context(later);
    if !Address::parse(&path, &location.search().unwrap_or_default()).is_first() {
        later.ask();
    }
    Effect::new(move |_| {
        if let Some(boot) = document().get_element_by_id("boot").filter(|_| begins.get()) {
            boot.remove();
        }
    });
    view! { <Show when=move || begins.get()><Router base=base.get_value()><Shell/></Router></Show> }
}

/// From when on the page stands in place of what it said while the program was on its way: with the first figures, so
/// that nothing is shown only to be moved about, or once it is clear that they take longer.
fn begins(feed: Feed) -> Memo<bool> {
    let is_late = RwSignal::new(false);
    set_timeout(move || is_late.set(true), PATIENCE);
    Memo::new(move |begun: Option<&bool>| {
        begun.is_some_and(|begun| *begun)
            || is_late.get()
            || feed.board.with(|board| board.election.is_some())
            || !matches!(feed.link.get(), Link::Connecting | Link::Open(_))
    })
}

#[component]
fn Shell() -> impl IntoView {
    let navigation = Navigation::follow();
    provide_context(navigation);
    let board = Context::of_view().feed.board;
    let unfolding: Unfolding = expect_context();
    let screen = Memo::new(move |_| navigation.address.with(|address| address.screen));
    let title = Memo::new(move |_| {
        board.with(|board| board.election.as_ref().map(|election| election.title.clone()))
    });
    Effect::new(move |_| document().set_title(&page_title(screen.get(), title.get().as_deref())));
    // Whoever goes to another screen by keyboard goes on reading there.
    Effect::new(move |before: Option<Screen>| {
        let screen = screen.get();
        if before.is_some_and(|before| before != screen) {
            focus_main();
        }
        screen
    });
    let kiosk = Memo::new(move |_| navigation.address.with(|address: &Address| address.kiosk));
    Effect::new(move |_| {
        if let Some(body) = document().body() {
            body.set_class_name(if kiosk.get() { "wall" } else { "" });
        }
    });
    view! {
        <a class="skip" href="#main" on:click=move |event| {
            event.prevent_default();
            focus_main();
        }>{tr("Skip to the results")}</a>
        <Header/>
        <NotCurrent/>
        <Show when=move || unfolding.has_reached(1)><Page screen kiosk/></Show>
        <Show when=move || unfolding.has_reached(Unfolding::PARTS)><Footer/><Spoken/></Show>
    }
}

fn page_title(screen: Screen, election: Option<&str>) -> String {
    let name = (screen != Screen::Overview).then(|| screen_name(screen));
    name.into_iter().chain(election).chain(["Tallyboard"]).collect::<Vec<_>>().join(" · ")
}

fn focus_main() {
    let main = document().get_element_by_id("main");
    let main = main.and_then(|main| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(main).ok());
    if let Some(main) = main {
        // A page without its main part has nothing to focus.
        main.focus().ok();
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole minutes within a day")]
fn reader_offset_minutes() -> i32 {
    -js_sys::Date::new_0().get_timezone_offset() as i32
}
