//! A chart with all that belongs to it: what is measured, a sentence of what it says, its table, and both as files.

use leptos::prelude::*;

use super::{figure_table::FigureTable, panel::Panel};
use crate::{
    charts::{EChart, drawing::Drawing},
    download, say,
    table::{Stamp, Table},
    texts::tr,
};

/// Where the figures of a page are from. Pages provide it; panels put it on what leaves the page.
#[derive(Clone, Copy)]
pub struct Source(pub Signal<Option<Stamp>>);

/// What a panel shows.
#[derive(Clone, Copy)]
pub struct Chart {
    /// What is drawn.
    pub drawing: Memo<Drawing>,
    /// The same as a table.
    pub table: Memo<Table>,
    /// What it says.
    pub says: Memo<String>,
    /// Why there is nothing to draw; `None` where there is.
    pub blank: Memo<Option<&'static str>>,
}

/// A chart in its panel.
#[component]
pub fn ChartPanel(
    /// Names the panel in the page; the chart is `chart-` and this.
    id: &'static str,
    /// The title.
    title: &'static str,
    /// What is measured, in which unit.
    #[prop(into)]
    measure: Signal<String>,
    /// What is shown.
    chart: Chart,
    /// Choices above the chart.
    #[prop(optional, into)]
    choices: Option<ViewFn>,
    /// Told the key of the bar or slice that was clicked.
    #[prop(optional, into)]
    on_pick: Option<Callback<String>>,
) -> impl IntoView {
    let Chart { drawing, table, says, blank } = chart;
    let open = RwSignal::new(false);
    let drawn = Memo::new(move |_| blank.with(Option::is_none));
    let (is_printed, is_drawn) = (printed(), RwSignal::new(false));
    // Paper shows the table of a chart that nobody scrolled to before it was printed.
    let in_figures = Memo::new(move |_| open.get() || is_printed.get() && !is_drawn.get());
    view! {
        <Panel id title measure tools=move || view! {
            <Show when=move || drawn.get()><Tools id title open table chart_id=chart_id(id)/></Show>
        }>
            {choices.map(|choices| view! { <div class="choices">{choices.run()}</div> })}
            <Show
                when=move || drawn.get()
                fallback=move || view! { <p class="blank" data-testid="blank">{move || blank.get()}</p> }
            >
                <EChart id=chart_id(id) drawing on_pick is_drawn/>
                <p class="says" data-testid=format!("says-{id}")>{move || says.get()}</p>
                <Show when=move || in_figures.get()>
                    <FigureTable id table caption=title/>
                </Show>
            </Show>
        </Panel>
    }
}

/// Whether the page is being printed.
fn printed() -> RwSignal<bool> {
    let is_printed = RwSignal::new(false);
    let before = window_event_listener(leptos::ev::beforeprint, move |_| is_printed.set(true));
    let after = window_event_listener(leptos::ev::afterprint, move |_| is_printed.set(false));
    on_cleanup(move || {
        before.remove();
        after.remove();
    });
    is_printed
}

fn chart_id(panel: &str) -> String {
    format!("chart-{panel}")
}

/// Table, CSV and PNG, in the same place on every panel.
#[component]
pub fn Tools(
    /// Of the panel.
    id: &'static str,
    /// Of the panel.
    title: &'static str,
    /// Whether the table is shown.
    open: RwSignal<bool>,
    /// The figures.
    table: Memo<Table>,
    /// The chart that becomes a picture; without one there is none.
    #[prop(optional, into)]
    chart_id: Option<String>,
    /// Saves another picture than that of a chart.
    #[prop(optional, into)]
    on_picture: Option<Callback<Stamp>>,
) -> impl IntoView {
    let Source(stamp) = expect_context();
    let save_csv = move || {
        if let Some(stamp) = stamp.get_untracked() {
            download::csv(&table.get_untracked(), id, &stamp);
        }
    };
    let has_picture = chart_id.is_some() || on_picture.is_some();
    let save_picture = move || {
        let Some(stamp) = stamp.get_untracked() else { return };
        match (&chart_id, on_picture) {
            (Some(chart_id), _) => download::picture(chart_id, id, title, &stamp),
            (None, Some(on_picture)) => on_picture.run(stamp),
            (None, None) => {}
        }
    };
    view! {
        <span class="tools">
            <button type="button" class="quiet" data-testid=format!("table-{id}")
                aria-expanded=move || open.get().to_string() aria-label=say!("Table: {title}", title = title)
                on:click=move |_| open.update(|open| *open = !*open)>{tr("Table")}</button>
            <button type="button" class="quiet" data-testid=format!("csv-{id}")
                aria-label=say!("CSV file: {title}", title = title) on:click=move |_| save_csv()>"CSV"</button>
            {has_picture.then(|| view! {
                <button type="button" class="quiet" data-testid=format!("png-{id}")
                    aria-label=say!("PNG picture: {title}", title = title) on:click=move |_| save_picture()>"PNG"</button>
            })}
        </span>
    }
}
