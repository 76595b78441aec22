//! Turnout by place: a table that can be sorted, searched and paged through.

use std::collections::HashMap;

use leptos::prelude::*;
use tallyboard_shared::ids::LocationId;

use crate::{
    address::column_code,
    format,
    navigation::Navigation,
    places::{Arrangement, Column, Lead, Page, PlaceRow, arrange, lead_words},
    say,
    texts::tr,
};

/// The table of places.
#[component]
pub fn PlaceTable(
    /// In any order.
    #[prop(into)]
    rows: Signal<Vec<PlaceRow>>,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let arrangement = Memo::new(move |_| navigation.address.with(|address| address.places.clone()));
    let page = Memo::new(move |_| arrangement.with(|arrangement| arrange(rows.get(), arrangement)));
    let order =
        Memo::new(move |_| page.with(|page| page.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>()));
    let by_id = Memo::new(move |_| {
        page.with(|page| {
            let rows = page.rows.iter().cloned();
            rows.map(|row| (row.id.clone(), row)).collect::<HashMap<LocationId, PlaceRow>>()
        })
    });
    let unregistered = Memo::new(move |_| {
        rows.with(|rows| !rows.is_empty() && rows.iter().all(|row| row.registered_voters.is_none()))
    });
    view! {
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
        <div class="scroll">
            <table class="places" class:unregistered=move || unregistered.get() data-testid="place-table">
                <caption class="unseen">{tr("Places with their first candidate, ballots and turnout, sortable by every column")}</caption>
                <thead>
                    <tr>
                        <SortHeader arrangement column=Column::Name name=tr("Place") numeric=false/>
                        <SortHeader arrangement column=Column::Lead name=tr("Leads by") numeric=false/>
                        <SortHeader arrangement column=Column::Votes name=tr("Ballots") numeric=true/>
                        <SortHeader arrangement column=Column::Registered name=tr("Registered") numeric=true/>
                        <SortHeader arrangement column=Column::Turnout name=tr("Turnout") numeric=true/>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || order.get() key=Clone::clone children=move |id| {
                        let row = Memo::new(move |_| by_id.with(|by_id| by_id.get(&id).cloned()));
                        view! { <Row row/> }
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
        <Pager page/>
    }
}

#[component]
fn SortHeader(
    arrangement: Memo<Arrangement>,
    column: Column,
    name: &'static str,
    numeric: bool,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let sorted = Memo::new(move |_| {
        arrangement.with(|arrangement| (arrangement.column == column).then_some(arrangement.descending))
    });
    view! {
        <th scope="col" class:num=numeric class:registered=column == Column::Registered class:turnout=column == Column::Turnout aria-sort=move || match sorted.get() {
            Some(true) => "descending",
            Some(false) => "ascending",
            None => "none",
        }>
            <button type="button" data-testid=format!("sort-{}", column_code(column))
                on:click=move |_| navigation.choose(|address| address.places.sort_by(column))>
                {name}
                <span class="arrow" aria-hidden="true">{move || match sorted.get() {
                    Some(true) => "▼",
                    Some(false) => "▲",
                    None => "",
                }}</span>
            </button>
        </th>
    }
}

#[component]
fn Row(row: Memo<Option<PlaceRow>>) -> impl IntoView {
    let text =
        move |of: fn(&PlaceRow) -> String| move || row.with(|row| row.as_ref().map(of).unwrap_or_default());
    let navigation = Navigation::of_view();
    let href = Memo::new(move |_| {
        row.with(|row| row.as_ref().map(|row| navigation.to_place(&row.id)).unwrap_or_default())
    });
    let tone = move || {
        row.with(|row| match row.as_ref().map(|row| &row.lead) {
            Some(Lead::Led { tone, .. }) => Some(tone.css()),
            _ => None,
        })
    };
    let width = move || {
        let turnout = row.with(|row| row.as_ref().and_then(|row| row.turnout));
        format!("{:.1}%", turnout.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0)
    };
    view! {
        <tr data-testid="place-row">
            <th scope="row"><a href=move || href.get()>{text(|row| row.name.clone())}</a></th>
            <td class="lead">
                {move || tone().map(|tone| view! { <i class="swatch" aria-hidden="true" style=("--tone", tone)></i> })}
                {text(|row| lead_words(&row.lead))}
            </td>
            <td class="num" data-testid="place-votes">{text(|row| format::count(row.votes))}</td>
            <td class="num registered">{text(|row| format::count_or_dash(row.registered_voters))}</td>
            <td class="num turnout">
                <span class="meter" aria-hidden="true"><i style=("--part", width)></i></span>
                <span class="value">{text(|row| format::percent(row.turnout))}</span>
            </td>
        </tr>
    }
}

#[component]
fn Pager(page: Memo<Page>) -> impl IntoView {
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
    view! {
        <nav class="pager" aria-label=tr("Pages of the table of places")>
            <button type="button" data-testid="page-previous"
                disabled=move || page.with(|page| page.page == 0)
                on:click=move |_| turn(page.with_untracked(|page| page.page.saturating_sub(1)))>{tr("Previous")}</button>
            <span data-testid="page-position">{words}</span>
            <button type="button" data-testid="page-next"
                disabled=move || page.with(|page| page.page + 1 >= page.page_count)
                on:click=move |_| turn(page.with_untracked(|page| page.page + 1))>{tr("Next")}</button>
        </nav>
    }
}
