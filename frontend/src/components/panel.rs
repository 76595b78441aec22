//! The frame of a panel: its title, what is measured, its tools, and what it holds.

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
    /// What can be done with it, at the end of the line of its title.
    #[prop(optional, into)]
    tools: Option<ViewFn>,
    /// What it holds.
    children: Children,
) -> impl IntoView {
    let heading = StoredValue::new(format!("{id}-title"));
    view! {
        <section class="panel" id=id aria-labelledby=heading.get_value()>
            <header>
                <h2 id=heading.get_value()>{title}</h2>
                <p class="measure">{move || measure.get()}</p>
                {tools.map(|tools| tools.run())}
            </header>
            {children()}
        </section>
    }
}
