//! A table of figures, with links where its rows lead somewhere.

use leptos::prelude::*;

use crate::{
    app::Context,
    format, say,
    table::{Cell, ROWS_MAX, Row, Table},
};

/// A table of figures; only its first rows where there are many.
#[component]
pub fn FigureTable(
    /// Tells the tables of a page apart.
    id: &'static str,
    /// The figures.
    #[prop(into)]
    table: Signal<Table>,
    /// What they are.
    #[prop(into)]
    caption: String,
) -> impl IntoView {
    let offset_minutes = Context::of_view().offset_minutes;
    let head = move || {
        table.with(|table| {
            let first = view! { <th scope="col">{table.first}</th> };
            let columns = table.columns.iter().enumerate().map(|(position, name)| {
                // As its cells stand.
                let first = table.rows.first().and_then(|row| row.cells.get(position));
                view! { <th scope="col" class:num=first.is_none_or(Cell::is_figure)>{name.clone()}</th> }
            });
            (first, columns.collect_view())
        })
    };
    let body = move || {
        let offset_minutes = offset_minutes.get();
        table.with(|table| {
            table.rows.iter().take(ROWS_MAX).map(|row| row_view(row, offset_minutes)).collect_view()
        })
    };
    let more = move || {
        let more = table.with(|table| table.rows.len().saturating_sub(ROWS_MAX));
        (more > 0).then(|| {
            say!("And {rows} more in the CSV file.", rows = format::counted(more as u64, "row", "rows"))
        })
    };
    let label = say!("{caption}: table", caption = caption);
    view! {
        <div class="scroll tall" tabindex="0" role="group" aria-label=label>
            <table data-testid=format!("figures-{id}")>
                <caption class="unseen">{caption}</caption>
                <thead><tr>{head}</tr></thead>
                <tbody>{body}</tbody>
            </table>
            {move || more().map(|more| view! { <p class="note">{more}</p> })}
        </div>
    }
}

fn row_view(row: &Row, offset_minutes: i32) -> impl IntoView + use<> {
    let name = row.name.words(offset_minutes);
    let name = match &row.href {
        Some(href) => view! { <a href=href.clone()>{name}</a> }.into_any(),
        None => name.into_any(),
    };
    let cells = row.cells.iter().map(|cell| {
        view! { <td class:num=cell.is_figure()>{Cell::words(cell, offset_minutes)}</td> }
    });
    view! { <tr><th scope="row">{name}</th>{cells.collect_view()}</tr> }
}
