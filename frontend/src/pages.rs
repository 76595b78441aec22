//! Pages, one per file, and what they share.

pub mod contest;
pub mod later;
pub mod overview;
pub mod place;
pub mod quality;
pub mod replay;
pub mod shown;
pub mod wall;

use leptos::prelude::*;

use self::{later::LaterScreen, overview::Overview, shown::Shown};
use crate::{
    address::Screen,
    app::{Context, Unfolding},
    components::{
        chart_panel::Source,
        header::use_freshness,
        missing::{NoSuchContest, NoSuchScreen},
        notice::Waiting,
    },
    navigation::Navigation,
};

/// The page of a screen.
#[component]
pub fn Page(
    /// Which.
    #[prop(into)]
    screen: Signal<Screen>,
    /// Whether the page hangs on a wall.
    #[prop(into)]
    kiosk: Signal<bool>,
) -> impl IntoView {
    let context = Context::of_view();
    let board = context.feed.board;
    let welcomed = Memo::new(move |_| board.with(|board| board.election.is_some()));
    let freshness = use_freshness();
    let unfolding: Unfolding = expect_context();
    let results = Memo::new(move |_| board.with(|board| board.results.clone()));
    let shown = Shown::new(results.into());
    provide_context(Source(shown.stamp));
    let address = Navigation::of_view().address;
    // What is shown of a different contest must not pass for the one that was asked for.
    let is_unknown = Memo::new(move |_| context.lacks_contest(address));
    let page = move || match (screen.get(), kiosk.get()) {
        (Screen::Nowhere, _) => view! { <NoSuchScreen/> }.into_any(),
        _ if is_unknown.get() => view! { <NoSuchContest/> }.into_any(),
        (Screen::Overview, false) => view! { <Overview shown/> }.into_any(),
        (screen, kiosk) => view! { <LaterScreen screen kiosk shown/> }.into_any(),
    };
    view! {
        <main id="main" tabindex="-1" class:unfolding=move || !unfolding.has_reached(Unfolding::PARTS)
            class:outdated=move || welcomed.get() && freshness.get().fades()>
            <Show when=move || welcomed.get() fallback=Waiting>{page}</Show>
        </main>
    }
}
