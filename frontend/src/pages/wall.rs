//! The page on a wall: large, one scene after the other, for days and without hands.

use leptos::prelude::*;
use tallyboard_shared::ids::ContestId;

use super::{contest::WallRace, overview::VotesPanel, shown::Shown};
use crate::{
    app::Context,
    components::{headline::Headline, map::MapPanel},
    navigation::Navigation,
    news,
    texts::tr,
    wall::{Scene, Subject, scene_at, scenes},
};

/// The wall.
#[component]
pub fn Wall(
    /// What is shown; its contest is that of the address.
    shown: Shown,
) -> impl IntoView {
    let context = Context::of_view();
    let address = Navigation::of_view().address;
    let asked = Memo::new(move |_| address.with(|address| address.contest.clone()));
    let has_map = Memo::new(move |_| {
        context.outlines.with(Option::is_some)
            || shown.election.with(|election| {
                election
                    .as_ref()
                    .is_some_and(|election| election.locations.iter().any(|place| place.tile.is_some()))
            })
    });
    let all = Memo::new(move |_| {
        shown.results.with(|results| {
            results
                .as_ref()
                .map(|results| scenes(results, asked.get().as_ref(), has_map.get()))
                .unwrap_or_default()
        })
    });
    let scene = Memo::new(move |_| {
        let now_ms = context.feed.now_ms.get();
        all.with(|scenes| scene_at(scenes, now_ms).cloned())
    });
    move || match scene.get() {
        Some(Scene { contest, subject }) => view! { <SceneView shown contest subject/> }.into_any(),
        None => view! { <Headline headline=tr("No votes yet").to_owned() lede=String::new()/> }.into_any(),
    }
}

#[component]
fn SceneView(shown: Shown, contest: ContestId, subject: Subject) -> impl IntoView {
    let context = Context::of_view();
    let shown = shown.of_contest(contest);
    let headline = Memo::new(move |_| shown.contest.with(|contest| news::headline(contest.as_ref())));
    let lede = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        shown.lede(offset_minutes)
    });
    let picture = match subject {
        Subject::Votes => view! { <VotesPanel shown/> }.into_any(),
        Subject::Map => view! { <MapPanel shown/> }.into_any(),
        Subject::Race => view! { <WallRace shown/> }.into_any(),
    };
    view! {
        <Headline headline lede/>
        {picture}
    }
}
