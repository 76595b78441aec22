//! A choice among a few: a label and a list, or two candidates.

use leptos::prelude::*;

/// A choice from a list.
#[component]
pub fn Selector(
    /// Tells the choices of a page apart.
    id: &'static str,
    /// What is chosen.
    label: &'static str,
    /// Code and name of each.
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
    /// The code of what is chosen now.
    #[prop(into)]
    chosen: Signal<String>,
    /// Told the code of what was chosen.
    #[prop(into)]
    on_choice: Callback<String>,
) -> impl IntoView {
    let items = move || {
        let chosen = chosen.get();
        options
            .get()
            .into_iter()
            .map(|(code, name)| {
                let selected = code == chosen;
                view! { <option value=code selected=selected>{name}</option> }
            })
            .collect_view()
    };
    view! {
        <label class="picker">
            {label}" "
            <select data-testid=id on:change=move |event| on_choice.run(event_target_value(&event))>{items}</select>
        </label>
    }
}
