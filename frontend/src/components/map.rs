//! The map, of outlines where the definition has them, else of tiles: every place is a link, so it can be read and
//! followed without a mouse.

use std::{collections::HashMap, sync::Arc};

use leptos::prelude::*;
use tallyboard_shared::ids::{CandidateId, LocationId};

use super::{
    chart_panel::Tools, figure_table::FigureTable, followed::Followed, panel::Panel, selector::Selector,
};
use crate::{
    app::Context,
    download, map_art,
    navigation::Navigation,
    outlines::{self, Outlines},
    pages::shown::Shown,
    say,
    table::Stamp,
    texts::tr,
    tiles::{self, PATTERNS_LEN, Paint, Tile, tiles},
};

/// The map; absent where the definition has none and gives no place a tile.
#[component]
pub fn MapPanel(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let paint = Memo::new(move |_| navigation.address.with(|address| address.paint.clone()));
    let context = Context::of_view();
    let outlines = context.outlines;
    let placed = Memo::new(move |_| {
        outlines.with(|outlines| match outlines {
            Some(outlines) => tiles::outlined(outlines),
            None => shown.election.with(|election| election.as_deref().map(tiles::tiled).unwrap_or_default()),
        })
    });
    let drawn = Memo::new(move |_| {
        shown.results.with(|results| {
            let Some(results) = results else { return Vec::new() };
            placed.with(|placed| {
                shown.standings.with(|standings| {
                    tiles(placed, results, shown.contest_id.get().as_ref(), standings, &paint.get())
                })
            })
        })
    });
    let measure = Memo::new(move |_| paint.with(tiles::depth_words).to_owned());
    let patterned = Memo::new(move |_| context.theme.palette.with(|palette| palette.patterns));
    let save = Callback::new(move |stamp: Stamp| {
        context.theme.palette.with_untracked(|palette| {
            let art = drawn.with_untracked(|drawn| match outlines.get_untracked() {
                Some(outlines) => map_art::of_outlines(&outlines, drawn, palette),
                None => map_art::of_tiles(drawn, palette),
            });
            download::map(&art, palette, "map", tr("Map"), &stamp);
        });
    });
    let table =
        Memo::new(move |_| drawn.with(|drawn| tiles::table(drawn, |place| navigation.to_place(place))));
    let says = Memo::new(move |_| drawn.with(|drawn| shown.places.with(|places| tiles::says(drawn, places))));
    let open = RwSignal::new(false);
    view! {
        <Show when=move || drawn.with(|drawn| !drawn.is_empty())>
            <Panel id="map" title=tr("Map") measure tools=move || view! {
                <Tools id="map" title=tr("Map") open table on_picture=save/>
            }>
                <div class="choices"><PaintPicker shown paint/></div>
                <div class="map" class:patterned=move || patterned.get()>
                    {move || match outlines.get() {
                        Some(outlines) => view! { <Shapes shown outlines drawn/> }.into_any(),
                        None => view! { <Tiles shown drawn/> }.into_any(),
                    }}
                    <Show when=move || paint.with(|paint| *paint == Paint::Leader)>
                        <Legend shown drawn/>
                    </Show>
                </div>
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

/// Whose color is whose.
#[component]
fn Legend(shown: Shown, drawn: Memo<Vec<Tile>>) -> impl IntoView {
    let leading = Memo::new(move |_| {
        drawn.with(|drawn| shown.standings.with(|standings| tiles::legend(drawn, standings)))
    });
    let items = move || {
        leading.get().into_iter().map(|(name, tone, pattern)| view! {
            <li>
                <i class="swatch" data-pattern=pattern.map(|pattern| pattern.to_string()) style=("--tone", tone.css())></i>
                {name}
            </li>
        }).collect_view()
    };
    view! { <ul class="legend" data-testid="map-legend">{items}</ul> }
}

/// Lines for eyes that don't tell the colors apart, in an order that no two neighbors of the list resemble each other.
const HATCHES: [&str; PATTERNS_LEN] = [
    "M-2 2L2-2M0 10L10 0M8 12L12 8",
    "M5 0V10",
    "M0 5H10",
    "M-2 8L2 12M0 0L10 10M8-2L12 2",
    "M5 0V10M0 5H10",
    "M2 2H4M7 7H9",
];

#[component]
fn Shapes(shown: Shown, outlines: Arc<Outlines>, drawn: Memo<Vec<Tile>>) -> impl IntoView {
    let followed = Followed::new(drawn);
    let positions: HashMap<LocationId, usize> = drawn
        .with_untracked(|drawn| drawn.iter().enumerate().map(|(at, tile)| (tile.id.clone(), at)).collect());
    let hatches = HATCHES.into_iter().enumerate().map(|(number, lines)| {
        view! {
            <pattern id=format!("hatch-{number}") width="10" height="10" patternUnits="userSpaceOnUse">
                <path d=lines class="hatch"/>
            </pattern>
        }
    });
    let shapes = outlines.shapes.iter().map(|shape| {
        let id = shape.id.clone();
        let tile = followed.tile(id.clone(), positions.get(&id).copied().unwrap_or(usize::MAX));
        view! { <ShapeLink shown id tile path=shape.path.clone() label=shape.label/> }
    });
    let frame = format!("-2 -2 {:.0} {:.0}", outlines::WIDTH + 4.0, outlines.height + 4.0);
    view! {
        <svg class="outlines" viewBox=frame data-testid="map-outlines" role="group" aria-label=tr("Map")>
            <defs>{hatches.collect_view()}</defs>
            {shapes.collect_view()}
        </svg>
    }
}

#[component]
fn ShapeLink(
    shown: Shown,
    id: LocationId,
    tile: RwSignal<Option<Tile>>,
    path: String,
    label: Option<[f64; 2]>,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let text =
        move |of: fn(&Tile) -> String| move || tile.with(|tile| tile.as_ref().map(of).unwrap_or_default());
    let id = StoredValue::new(id);
    let href = move || id.with_value(|id| navigation.to_place(id));
    let tone = move || tile.with(|tile| tile.as_ref()?.tone.as_ref().map(crate::standings::Tone::css));
    let depth = move || tile.with(|tile| tile.as_ref().map(|tile| format!("{:.0}%", tile.depth * 100.0)));
    let (pointed, hint) = hint_of(shown, tile);
    let hatch = move || {
        let pattern = tile.with(|tile| tile.as_ref().and_then(|tile| tile.pattern));
        pattern.map_or_else(|| "none".to_owned(), |pattern| format!("url(#hatch-{pattern})"))
    };
    // The router follows links of HTML alone.
    let follow = move |event: leptos::ev::MouseEvent| {
        let elsewhere = event.ctrl_key() || event.meta_key() || event.shift_key() || event.button() != 0;
        if !elsewhere {
            event.prevent_default();
            navigation.open(|address| *address = address.at(id.get_value()));
        }
    };
    let hatched = path.clone();
    view! {
        <g>
            <a href=href on:click=follow on:pointerenter=move |_| pointed.set(true) on:pointerleave=move |_| pointed.set(false)
                style=("--tone", tone) style=("--depth", depth) aria-label=text(Tile::accessible_name)>
                <title>{hint}</title>
                <path class="ground" d=path/>
                <path class="hatched" d=hatched fill=hatch/>
                {label.map(|[x, y]| view! {
                    <text x=format!("{x:.1}") y=format!("{:.1}", y - 2.0)>{text(Tile::short_id)}</text>
                    <text class="figure" x=format!("{x:.1}") y=format!("{:.1}", y + 15.0)>{text(|tile| tile.figure.clone())}</text>
                })}
            </a>
        </g>
    }
}

/// What is said of a place to whoever points at it, and whether somebody does: a thousand such texts in each version are
/// not written for nobody.
fn hint_of(
    shown: Shown,
    tile: RwSignal<Option<Tile>>,
) -> (RwSignal<bool>, impl Fn() -> String + Copy + Send) {
    let pointed = RwSignal::new(false);
    let hint = move || {
        tile.with(|tile| match tile {
            Some(tile) if pointed.get() => {
                shown.places.with(|rows| shown.standings.with(|standings| tile.hint(rows, standings)))
            }
            Some(tile) => tile.meaning(),
            None => String::new(),
        })
    };
    (pointed, hint)
}

#[component]
fn Tiles(shown: Shown, drawn: Memo<Vec<Tile>>) -> impl IntoView {
    let order = Memo::new(move |_| {
        drawn.with(|drawn| {
            let tiles = drawn.iter().enumerate();
            tiles.map(|(at, tile)| (tile.id.clone(), tile.row, tile.column, at)).collect::<Vec<_>>()
        })
    });
    let followed = Followed::new(drawn);
    view! {
        <ul class="tiles" data-testid="map-tiles">
            <For each=move || order.get() key=|(id, row, column, _)| (id.clone(), *row, *column) children=move |(id, row, column, at)| {
                let tile = followed.tile(id.clone(), at);
                view! { <TileLink shown id tile row column/> }
            }/>
        </ul>
    }
}

#[component]
fn TileLink(
    shown: Shown,
    id: LocationId,
    tile: RwSignal<Option<Tile>>,
    row: u16,
    column: u16,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let text =
        move |of: fn(&Tile) -> String| move || tile.with(|tile| tile.as_ref().map(of).unwrap_or_default());
    let id = StoredValue::new(id);
    let href = move || id.with_value(|id| navigation.to_place(id));
    let tone = move || tile.with(|tile| tile.as_ref()?.tone.as_ref().map(crate::standings::Tone::css));
    let depth = move || tile.with(|tile| tile.as_ref().map(|tile| format!("{:.0}%", tile.depth * 100.0)));
    let (pointed, hint) = hint_of(shown, tile);
    let pattern = move || {
        tile.with(|tile| tile.as_ref().and_then(|tile| tile.pattern).map(|pattern| pattern.to_string()))
    };
    view! {
        <li style=("grid-row", row.to_string()) style=("grid-column", column.to_string())>
            <a class="tile" href=href data-pattern=pattern style=("--tone", tone) style=("--depth", depth)
                on:pointerenter=move |_| pointed.set(true) on:pointerleave=move |_| pointed.set(false)
                title=hint aria-label=text(Tile::accessible_name)>
                <b>{text(Tile::short_id)}</b>
                <span>{text(|tile| tile.figure.clone())}</span>
            </a>
        </li>
    }
}
