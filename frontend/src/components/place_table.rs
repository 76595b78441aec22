//! The places: a table of who leads and how many have voted, or of each candidate's share, that can be sorted, searched and
//! paged through.

use std::collections::HashMap;

use leptos::prelude::*;
use tallyboard_shared::ids::LocationId;

use super::selector::Selector;
use crate::{
    address::column_code,
    format,
    navigation::Navigation,
    places::{Arrangement, COLUMNS_MAX, Column, Lead, PAGE_LENS, Page, PlaceRow, View, arrange, lead_words},
    say,
    standings::{Standing, Tone},
    texts::tr,
};

/// The table of places.
#[component]
pub fn PlaceTable(
    /// In any order.
    #[prop(into)]
    rows: Signal<Vec<PlaceRow>>,
    /// Whose shares the rows have: the candidates of the whole, ranked.
    #[prop(into)]
    standings: Signal<Vec<Standing>>,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let arrangement = Memo::new(move |_| navigation.address.with(|address| address.places.clone()));
    let view = Memo::new(move |_| arrangement.with(|arrangement| arrangement.view));
    let page = Memo::new(move |_| arrangement.with(|arrangement| arrange(rows.get(), arrangement)));
    let order =
        Memo::new(move |_| page.with(|page| page.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>()));
    let by_id = Memo::new(move |_| {
        page.with(|page| {
            let rows = page.rows.iter().cloned();
            rows.map(|row| (row.id.clone(), row)).collect::<HashMap<LocationId, PlaceRow>>()
        })
    });
    let columns = Memo::new(move |_| {
        let column = |standing: &Standing| (standing.short_name.clone(), standing.tone.clone());
        standings.with(|standings| standings.iter().take(COLUMNS_MAX).map(column).collect::<Vec<_>>())
    });
    let unregistered = Memo::new(move |_| {
        rows.with(|rows| !rows.is_empty() && rows.iter().all(|row| row.registered_voters.is_none()))
    });
    view! {
        <div class="choices">
            <input
                type="search"
                class="search"
                placeholder=tr("Search places")
                aria-label=tr("Search places")
                data-testid="place-search"
                prop:value=move || arrangement.with(|arrangement| arrangement.search.clone())
                on:input=move |event| navigation.choose(|address| {
                    address.places.search = event_target_value(&event);
                    address.places.page = 0;
                })
            />
            <ViewSwitch view/>
        </div>
        <div class="scroll">
            <table class="places" class:unregistered=move || unregistered.get()
                class:shares=move || view.get() == View::Candidates data-testid="place-table">
                <caption class="unseen">{move || match view.get() {
                    View::Turnout => tr("Places with their first candidate, ballots and turnout, sortable by every column"),
                    View::Candidates => tr("Places with the share of each candidate, sortable by every column"),
                }}</caption>
                <Head arrangement view columns/>
                <tbody>
                    <For each=move || order.get() key=Clone::clone children=move |id| {
                        let row = Memo::new(move |_| by_id.with(|by_id| by_id.get(&id).cloned()));
                        view! { <Row row view columns/> }
                    }/>
                </tbody>
            </table>
            <Show when=move || order.with(Vec::is_empty)>
                <p class="blank">{move || if rows.with(Vec::is_empty) {
                    tr("No places yet.")
                } else {
                    tr("No place matches the search.")
                }}</p>
            </Show>
        </div>
        <Pager page arrangement/>
    }
}

/// The candidates who have a column: what labels them, and their colors.
type Columns = Memo<Vec<(String, Tone)>>;

/// The names of the columns, which sort by them.
#[component]
fn Head(arrangement: Memo<Arrangement>, view: Memo<View>, columns: Columns) -> impl IntoView {
    view! {
        <thead>
            <tr>
                <SortHeader arrangement column=Column::Name name=tr("Place")/>
                {move || match view.get() {
                    View::Turnout => view! {
                        <SortHeader arrangement column=Column::Lead name=tr("Leads by")/>
                        <SortHeader arrangement column=Column::Votes name=tr("Ballots")/>
                        <SortHeader arrangement column=Column::Registered name=tr("Registered")/>
                        <SortHeader arrangement column=Column::Turnout name=tr("Turnout")/>
                    }.into_any(),
                    View::Candidates => view! {
                        {(0..columns.with(Vec::len)).map(|position| view! {
                            <ShareHeader arrangement position columns/>
                        }).collect_view()}
                        <SortHeader arrangement column=Column::Votes name=tr("Ballots")/>
                    }.into_any(),
                }}
            </tr>
        </thead>
    }
}

#[component]
fn ViewSwitch(view: Memo<View>) -> impl IntoView {
    let navigation = Navigation::of_view();
    let buttons = [
        (View::Turnout, "places-turnout", tr("Turnout")),
        (View::Candidates, "places-candidates", tr("Candidates")),
    ];
    let buttons = buttons.map(|(one, id, name)| {
        view! {
            <button type="button" data-testid=id aria-pressed=move || (view.get() == one).to_string()
                on:click=move |_| navigation.choose(|address| address.places.look_at(one))>{name}</button>
        }
    });
    view! { <span class="switch" role="group" aria-label=tr("What the table shows")>{buttons.into_iter().collect_view()}</span> }
}

/// How a column is sorted: whether from the greatest on, `None` where by another.
fn sorted_by(arrangement: Memo<Arrangement>, column: Column) -> Memo<Option<bool>> {
    Memo::new(move |_| {
        arrangement.with(|arrangement| (arrangement.column == column).then_some(arrangement.descending))
    })
}

fn in_words(sorted: Option<bool>) -> &'static str {
    match sorted {
        Some(true) => "descending",
        Some(false) => "ascending",
        None => "none",
    }
}

#[component]
fn SortHeader(arrangement: Memo<Arrangement>, column: Column, name: &'static str) -> impl IntoView {
    let sorted = sorted_by(arrangement, column);
    let numeric = !matches!(column, Column::Name | Column::Lead);
    view! {
        <th scope="col" class:num=numeric class:ballots=column == Column::Votes class:registered=column == Column::Registered
            class:turnout=column == Column::Turnout aria-sort=move || in_words(sorted.get())>
            <SortButton column sorted>{name}</SortButton>
        </th>
    }
}

#[component]
fn ShareHeader(arrangement: Memo<Arrangement>, position: usize, columns: Columns) -> impl IntoView {
    let column = Column::Share(position);
    let sorted = sorted_by(arrangement, column);
    let tone = move || columns.with(|columns| columns.get(position).map(|(_, tone)| tone.css()));
    let name = move || columns.with(|columns| columns.get(position).map(|(name, _)| name.clone()));
    view! {
        <th scope="col" class="num share" style=("--tone", tone) aria-sort=move || in_words(sorted.get())>
            <SortButton column sorted><span class="cut" dir="auto">{name}</span></SortButton>
        </th>
    }
}

#[component]
fn SortButton(column: Column, sorted: Memo<Option<bool>>, children: Children) -> impl IntoView {
    let navigation = Navigation::of_view();
    view! {
        <button type="button" data-testid=format!("sort-{}", column_code(column))
            on:click=move |_| navigation.choose(|address| address.places.sort_by(column))>
            {children()}
            <span class="arrow" aria-hidden="true">{move || match sorted.get() {
                Some(true) => "▼",
                Some(false) => "▲",
                None => "",
            }}</span>
        </button>
    }
}

#[component]
fn Row(row: Memo<Option<PlaceRow>>, view: Memo<View>, columns: Columns) -> impl IntoView {
    let text =
        move |of: fn(&PlaceRow) -> String| move || row.with(|row| row.as_ref().map(of).unwrap_or_default());
    let navigation = Navigation::of_view();
    let href = Memo::new(move |_| {
        row.with(|row| row.as_ref().map(|row| navigation.to_place(&row.id)).unwrap_or_default())
    });
    let votes = move || view! { <td class="num ballots" data-testid="place-votes">{text(|row| format::count(row.votes))}</td> };
    view! {
        <tr data-testid="place-row">
            <th scope="row"><a href=move || href.get()>{text(|row| row.name.clone())}</a></th>
            {move || match view.get() {
                View::Turnout => view! { <Lead row/>{votes()}<Turnout row/> }.into_any(),
                View::Candidates => view! {
                    {(0..columns.with(Vec::len)).map(|position| view! { <Share row position/> }).collect_view()}
                    {votes()}
                }.into_any(),
            }}
        </tr>
    }
}

#[component]
fn Lead(row: Memo<Option<PlaceRow>>) -> impl IntoView {
    let tone = move || {
        row.with(|row| match row.as_ref().map(|row| &row.lead) {
            Some(Lead::Led { tone, .. }) => Some(tone.css()),
            _ => None,
        })
    };
    view! {
        <td class="lead">
            {move || tone().map(|tone| view! { <i class="swatch" aria-hidden="true" style=("--tone", tone)></i> })}
            {move || row.with(|row| row.as_ref().map(|row| lead_words(&row.lead)).unwrap_or_default())}
        </td>
    }
}

#[component]
fn Turnout(row: Memo<Option<PlaceRow>>) -> impl IntoView {
    let turnout = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.turnout)));
    let registered = move || row.with(|row| row.as_ref().and_then(|row| row.registered_voters));
    let width = move || format!("{:.1}%", turnout.get().unwrap_or(0.0).clamp(0.0, 1.0) * 100.0);
    view! {
        <td class="num registered">{move || format::count_or_dash(registered())}</td>
        <td class="num turnout">
            <span class="meter" aria-hidden="true"><i style=("--part", width)></i></span>
            <span class="value">{move || format::percent(turnout.get())}</span>
        </td>
    }
}

/// The share of a candidate in a place, in bold type where nobody has more.
#[component]
fn Share(row: Memo<Option<PlaceRow>>, position: usize) -> impl IntoView {
    let share = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.share(position))));
    let is_most = Memo::new(move |_| row.with(|row| row.as_ref().is_some_and(|row| row.is_most(position))));
    let withheld = move || row.with(|row| matches!(row.as_ref().map(|row| &row.lead), Some(Lead::Withheld)));
    view! {
        <td class="num share" class:most=move || is_most.get()>{move || match share.get() {
            None if withheld() && position == 0 => tr("withheld").to_owned(),
            share => format::percent(share),
        }}</td>
    }
}

#[component]
fn Pager(page: Memo<Page>, arrangement: Memo<Arrangement>) -> impl IntoView {
    let navigation = Navigation::of_view();
    let turn = move |to: usize| navigation.choose(|address| address.places.page = to);
    let words = move || {
        page.with(|page| {
            let places = format::counted(page.matching as u64, "place", "places");
            say!(
                "{places} · page {page} of {pages}",
                places = places,
                page = page.page + 1,
                pages = page.page_count
            )
        })
    };
    let lens: Vec<_> = PAGE_LENS.map(|len| (len.to_string(), len.to_string())).into();
    let len = Memo::new(move |_| arrangement.with(|arrangement| arrangement.page_len.to_string()));
    // A list that fits on the shortest page has no pages to be cut into.
    let is_long = Memo::new(move |_| page.with(|page| page.matching > PAGE_LENS[0]));
    let cut = move |code: String| {
        let page_len = code.parse().unwrap_or(PAGE_LENS[0]);
        navigation.choose(|address| address.places.cut_by(page_len));
    };
    view! {
        <nav class="pager" aria-label=tr("Pages of the table of places")>
            <button type="button" data-testid="page-previous"
                disabled=move || page.with(|page| page.page == 0)
                on:click=move |_| turn(page.with_untracked(|page| page.page.saturating_sub(1)))>{tr("Previous")}</button>
            <span data-testid="page-position">{words}</span>
            <button type="button" data-testid="page-next"
                disabled=move || page.with(|page| page.page + 1 >= page.page_count)
                on:click=move |_| turn(page.with_untracked(|page| page.page + 1))>{tr("Next")}</button>
            <Show when=move || is_long.get()>
                <Selector id="page-len" label=tr("Rows") options=lens.clone() chosen=len on_choice=cut/>
            </Show>
        </nav>
    }
}
