//! What the first screen leads to: the other screens, and the panels further down.
//!
//! With the feature `split` that is a part of the program by itself, with all that nothing else needs
//! (`xtask/src/dashboard/split.rs`): a reader waits for what is seen first alone. The part is fetched once that stands,
//! and at once where the address names another screen or such a panel comes near. Without the feature it is always there.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use gloo_net::http::Request;
use leptos::{html, prelude::*, task::spawn_local};

use super::{
    contest::ContestPage,
    overview::{Candidates, Places},
    place::PlacePage,
    quality::{QualityPage, Reasons},
    replay::ReplayPage,
    shown::Shown,
    wall::Wall,
};
use crate::{
    address::Screen,
    app::{Context, Unfolding},
    charts::sight_of,
    components::{map::MapPanel, panel::Panel},
    freshness::Link,
    outlines::Outlines,
    texts::tr,
};

/// The first screen has the line for itself until it has stood so long.
const QUIET: Duration = Duration::from_secs(4);

/// What a part that isn't there is told by.
#[cfg(feature = "split")]
type Absent = wasm_split_helpers::SplitLoaderError;
#[cfg(not(feature = "split"))]
type Absent = std::convert::Infallible;

/// What the part builds.
#[derive(Clone, Copy)]
enum Wanted {
    Screen(Screen),
    Wall,
    Panel(Below),
}

/// Panels of the overview that are further down than a screen is high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Below {
    /// The map of the places.
    Map,
    /// The table of places.
    Places,
    /// The table of candidates.
    Candidates,
    /// Why votes weren't counted.
    Reasons,
}

impl Below {
    /// The id of the panel.
    fn id(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Places => "places",
            Self::Candidates => "candidates",
            Self::Reasons => "reasons",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Map => tr("Map"),
            Self::Places => tr("Places"),
            Self::Candidates => tr("Candidates"),
            Self::Reasons => tr("Not counted, by reason"),
        }
    }
}

#[cfg_attr(feature = "split", wasm_split_helpers::wasm_split(later, fallible, preload(fetch_part)))]
fn build(wanted: Wanted, shown: Shown) -> Result<AnyView, Absent> {
    Ok(match wanted {
        Wanted::Wall => view! { <Wall shown/> }.into_any(),
        Wanted::Panel(Below::Map) => view! { <MapPanel shown/> }.into_any(),
        Wanted::Panel(Below::Places) => {
            view! { <Places rows=shown.places standings=shown.standings/> }.into_any()
        }
        Wanted::Panel(Below::Candidates) => view! { <Candidates shown/> }.into_any(),
        Wanted::Panel(Below::Reasons) => view! { <Reasons shown/> }.into_any(),
        Wanted::Screen(Screen::Contest) => view! { <ContestPage shown/> }.into_any(),
        Wanted::Screen(Screen::Place) => view! { <PlacePage shown/> }.into_any(),
        Wanted::Screen(Screen::Replay) => view! { <ReplayPage/> }.into_any(),
        Wanted::Screen(Screen::Quality) => view! { <QualityPage shown/> }.into_any(),
        // Which aren't parts of it.
        Wanted::Screen(Screen::Overview | Screen::Nowhere) => ().into_any(),
    })
}

#[cfg_attr(feature = "split", wasm_split_helpers::wasm_split(later, fallible))]
fn read_map(geojson: String) -> Result<Option<Arc<Outlines>>, Absent> {
    Ok(Outlines::parse(&geojson).map(Arc::new))
}

/// Calls what the part has; `None` while it isn't there.
#[cfg(feature = "split")]
fn called<T>(call: impl Future<Output = Result<T, Absent>>) -> Option<T> {
    // What is there is called without waiting.
    futures_util::FutureExt::now_or_never(call)?.ok()
}

#[cfg(not(feature = "split"))]
fn called<T>(called: Result<T, Absent>) -> Option<T> {
    called.ok()
}

/// Calls what the part has, for the first time.
#[cfg(feature = "split")]
async fn awaited<T>(call: impl Future<Output = Result<T, Absent>>) -> Option<T> {
    call.await.ok()
}

#[cfg(not(feature = "split"))]
async fn awaited<T>(called: Result<T, Absent>) -> Option<T> {
    called.ok()
}

#[cfg(not(feature = "split"))]
async fn fetch_part() -> Result<(), Absent> {
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    NotAsked,
    OnItsWay,
    There,
    /// It couldn't be fetched; whoever asks again has it fetched again.
    Missing,
}

/// Whether the part is there. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Later {
    part: RwSignal<Part>,
    outlines: RwSignal<Option<Arc<Outlines>>>,
}

impl Later {
    /// Fetches the part when the first screen has stood for a while and the server is there; where that fails, as often
    /// as the server comes back.
    #[must_use]
    pub fn after(unfolding: Unfolding) -> Self {
        let context = Context::of_view();
        let later = Self { part: RwSignal::new(Part::NotAsked), outlines: context.outlines };
        let is_quiet = RwSignal::new(false);
        let is_open = Memo::new(move |_| matches!(context.feed.link.get(), Link::Open(_)));
        Effect::new(move |_| {
            if unfolding.has_reached(Unfolding::PARTS) {
                set_timeout(move || is_quiet.set(true), QUIET);
            }
        });
        Effect::new(move |_| {
            if is_quiet.get() && is_open.get() {
                later.ask();
            }
        });
        later
    }

    /// Has the part fetched, unless it is there or on its way, and the shapes of the map with it.
    pub fn ask(self) {
        if matches!(self.part.get_untracked(), Part::OnItsWay | Part::There) {
            return;
        }
        self.part.set(Part::OnItsWay);
        spawn_local(async move {
            let (part, map) = join(fetch_part(), fetch_map()).await;
            if let Some(map) = map.filter(|_| part.is_ok()) {
                self.outlines.set(awaited(read_map(map)).await.flatten());
            }
            self.part.set(if part.is_ok() { Part::There } else { Part::Missing });
        });
    }
}

/// The map, where the definition names one; without an answer the tiles are shown.
async fn fetch_map() -> Option<String> {
    let answer = Request::get("api/v1/map").send().await.ok()?;
    (answer.status() == 200).then_some(())?;
    answer.text().await.ok()
}

/// A screen that isn't the first, once its part of the program is there.
#[component]
pub fn LaterScreen(
    /// Which.
    screen: Screen,
    /// Whether the page hangs on a wall.
    kiosk: bool,
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let later: Later = expect_context();
    later.ask();
    let wanted = if kiosk { Wanted::Wall } else { Wanted::Screen(screen) };
    move || match later.part.get() {
        Part::There => called(build(wanted, shown)),
        Part::Missing => Some(view! { <Missing/> }.into_any()),
        Part::NotAsked | Part::OnItsWay => None,
    }
}

/// In the place of a screen that couldn't be fetched.
#[component]
fn Missing() -> impl IntoView {
    let later: Later = expect_context();
    view! {
        <section class="boot" data-testid="missing-screen">
            <h1>{tr("This screen can't be fetched")}</h1>
            <p>{tr("The overview is still there.")}</p>
            <p><button type="button" data-testid="fetch-again" on:click=move |_| later.ask()>{tr("Try again")}</button></p>
        </section>
    }
}

/// A panel, once it has come near and its part of the program is there.
#[component]
pub fn LaterPanel(
    /// Which.
    panel: Below,
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let later: Later = expect_context();
    let part = Memo::new(move |_| match later.part.get() {
        Part::NotAsked => Part::OnItsWay,
        part => part,
    });
    // The panels that waited for the part are built one after the other: all of them in one task hold a phone up.
    let is_turn = RwSignal::new(later.part.get_untracked() == Part::There);
    Effect::new(move |_| {
        if part.get() == Part::There && !is_turn.get_untracked() {
            set_timeout(
                move || {
                    // Where the panel has left the page meanwhile, there is no turn to take.
                    is_turn.try_set(true);
                },
                Duration::ZERO,
            );
        }
    });
    move || match part.get() {
        Part::There if is_turn.get() => called(build(Wanted::Panel(panel), shown)),
        Part::Missing => Some(view! { <MissingPanel panel/> }.into_any()),
        _ => Some(view! { <Place panel/> }.into_any()),
    }
}

/// In the place of a panel that couldn't be fetched.
#[component]
fn MissingPanel(panel: Below) -> impl IntoView {
    let later: Later = expect_context();
    view! {
        <Panel id=panel.id() title=panel.title() measure="">
            <div class="blank">
                <p>{tr("This can't be fetched at the moment.")}</p>
                <button type="button" data-testid="fetch-panel" on:click=move |_| later.ask()>{tr("Try again")}</button>
            </div>
        </Panel>
    }
}

/// Where a panel will be.
#[component]
fn Place(panel: Below) -> impl IntoView {
    let later: Later = expect_context();
    let node = NodeRef::<html::Section>::new();
    let is_near = sight_of(node);
    Effect::new(move |_| {
        if is_near.get() {
            later.ask();
        }
    });
    view! { <section class="panel coming" id=panel.id() node_ref=node></section> }
}
