//! The frame of a panel: its title, what is measured, and what it holds.

use leptos::prelude::*;

/// A panel.
#[component]
pub fn Panel(
    /// Names the panel in the page: the target of links, and where its place in the grid is decided.
    id: &'static str,
    /// The title.
    title: &'static str,
    /// What is measured, in which unit.
    #[prop(into)]
    measure: Signal<String>,
    /// The panel that has the same figures as a table.
    #[prop(optional)]
    table: Option<&'static str>,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    let heading = StoredValue::new(format!("{id}-title"));
    view! {
        <section class="panel" id=id aria-labelledby=heading.get_value()>
            <header>
                <h2 id=heading.get_value()>{title}</h2>
                <p class="measure">{move || measure.get()}</p>
                {table.map(|table| view! { <a href=format!("#{table}")>"Table"</a> })}
            </header>
            {children()}
        </section>
    }
}
