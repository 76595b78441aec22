//! The map of tiles: every tile is a link to its place, so it can be read and followed without a mouse.

use std::collections::HashMap;

use leptos::prelude::*;
use tallyboard_shared::ids::CandidateId;

use super::{chart_panel::Tools, figure_table::FigureTable, panel::Panel, selector::Selector};
use crate::{
    navigation::Navigation,
    pages::shown::Shown,
    say,
    texts::tr,
    tiles::{self, Paint, Tile, tiles},
};

/// The map; absent where the definition gives no place a tile.
#[component]
pub fn MapPanel(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let paint = Memo::new(move |_| navigation.address.with(|address| address.paint.clone()));
    let drawn = Memo::new(move |_| {
        shown.election.with(|election| {
            shown.results.with(|results| match (election, results) {
                (Some(election), Some(results)) => shown.standings.with(|standings| {
                    tiles(election, results, shown.contest_id.get().as_ref(), standings, &paint.get())
                }),
                _ => Vec::new(),
            })
        })
    });
    let table =
        Memo::new(move |_| drawn.with(|drawn| tiles::table(drawn, |place| navigation.to_place(place))));
    let says = Memo::new(move |_| drawn.with(|drawn| shown.places.with(|places| tiles::says(drawn, places))));
    let open = RwSignal::new(false);
    view! {
        <Show when=move || drawn.with(|drawn| !drawn.is_empty())>
            <Panel id="map" title=tr("Map") measure=tr("a tile for each place") tools=move || view! {
                <Tools id="map" title=tr("Map") open table/>
            }>
                <div class="choices"><PaintPicker shown paint/></div>
                <Tiles drawn/>
                <p class="says" data-testid="says-map">{move || says.get()}</p>
                <Show when=move || open.get()><FigureTable id="map" table caption=tr("Map")/></Show>
            </Panel>
        </Show>
    }
}

#[component]
fn PaintPicker(shown: Shown, paint: Memo<Paint>) -> impl IntoView {
    let navigation = Navigation::of_view();
    let options = Memo::new(move |_| {
        let code = |paint: Paint| paint.code().unwrap_or_default();
        let shares = shown.folded.with(|folded| {
            let named = folded.iter().filter(|standing| !standing.id.as_str().is_empty());
            let option = |id: &CandidateId, name: &str| {
                (code(Paint::Share(id.clone())), say!("Share of {name}", name = name))
            };
            named.map(|standing| option(&standing.id, &standing.name)).collect::<Vec<_>>()
        });
        let fixed = [
            (code(Paint::Leader), tr("Who leads").to_owned()),
            (code(Paint::Turnout), tr("Turnout").to_owned()),
            (code(Paint::Outstanding), tr("Votes outstanding").to_owned()),
        ];
        fixed.into_iter().chain(shares).collect::<Vec<_>>()
    });
    let chosen = Memo::new(move |_| paint.get().code().unwrap_or_default());
    let choose = move |code: String| navigation.choose(|address| address.paint = Paint::parse(&code));
    view! { <Selector id="map-paint" label=tr("Color") options chosen on_choice=choose/> }
}

#[component]
fn Tiles(drawn: Memo<Vec<Tile>>) -> impl IntoView {
    let order = Memo::new(move |_| {
        drawn.with(|drawn| {
            drawn.iter().map(|tile| (tile.id.clone(), tile.row, tile.column)).collect::<Vec<_>>()
        })
    });
    let by_id = Memo::new(move |_| {
        drawn
            .with(|drawn| drawn.iter().map(|tile| (tile.id.clone(), tile.clone())).collect::<HashMap<_, _>>())
    });
    view! {
        <ul class="tiles" data-testid="map-tiles">
            <For each=move || order.get() key=Clone::clone children=move |(id, row, column)| {
                let tile = Memo::new(move |_| by_id.with(|by_id| by_id.get(&id).cloned()));
                view! { <TileLink tile row column/> }
            }/>
        </ul>
    }
}

#[component]
fn TileLink(tile: Memo<Option<Tile>>, row: u16, column: u16) -> impl IntoView {
    let navigation = Navigation::of_view();
    let text =
        move |of: fn(&Tile) -> String| move || tile.with(|tile| tile.as_ref().map(of).unwrap_or_default());
    let href = move || tile.with(|tile| tile.as_ref().map(|tile| navigation.to_place(&tile.id)));
    let tone = move || tile.with(|tile| tile.as_ref()?.tone.as_ref().map(crate::standings::Tone::css));
    let depth = move || tile.with(|tile| tile.as_ref().map(|tile| format!("{:.0}%", tile.depth * 100.0)));
    view! {
        <li style=("grid-row", row.to_string()) style=("grid-column", column.to_string())>
            <a class="tile" href=href style=("--tone", tone) style=("--depth", depth)
                title=text(|tile| format!("{}: {}", tile.name, tile.words))
                aria-label=text(|tile| format!("{}: {}", tile.name, tile.words))>
                <b>{text(|tile| tile.id.as_str().chars().take(4).collect())}</b>
                <span>{text(|tile| tile.figure.clone())}</span>
            </a>
        </li>
    }
}
