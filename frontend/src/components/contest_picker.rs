//! The choice of the contest, where there is more than one.

use leptos::prelude::*;
use tallyboard_shared::ids::ContestId;

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The contest.
    pub id: ContestId,
    /// For people.
    pub title: String,
}

/// The choice of the contest; absent where there is nothing to choose.
#[component]
pub fn ContestPicker(
    /// In ballot order.
    #[prop(into)]
    choices: Signal<Vec<Choice>>,
    /// What was chosen; `None`: the first.
    chosen: RwSignal<Option<ContestId>>,
) -> impl IntoView {
    let several = Memo::new(move |_| choices.with(|choices| choices.len() > 1));
    let options = move || {
        let current = chosen.get();
        choices
            .get()
            .into_iter()
            .map(|choice| {
                let selected = current.as_ref() == Some(&choice.id);
                view! { <option value=choice.id.to_string() selected=selected>{choice.title}</option> }
            })
            .collect_view()
    };
    view! {
        <Show when=move || several.get()>
            <label class="picker">
                "Contest "
                <select
                    data-testid="contest-picker"
                    on:change=move |event| chosen.set(Some(ContestId::new(event_target_value(&event))))
                >
                    {options}
                </select>
            </label>
        </Show>
    }
}
