//! What the reader can set for all screens.

use leptos::prelude::*;

use super::selector::Selector;
use crate::{
    app::Context,
    settings::{self, Choice},
};

/// The settings, behind a button.
#[component]
pub fn SettingsMenu() -> impl IntoView {
    let settings = Context::of_view().settings;
    view! {
        <details class="menu" data-testid="settings">
            <summary>"Settings"</summary>
            <div class="sheet">
                <Setting id="setting-zone" label="Time zone" value=settings.zone/>
                <Setting id="setting-pace" label="Updates" value=settings.pace/>
                <Setting id="setting-patterns" label="Patterns in charts" value=settings.patterns/>
            </div>
        </details>
    }
}

#[component]
fn Setting<T: Choice + Send + Sync>(
    id: &'static str,
    label: &'static str,
    value: RwSignal<T>,
) -> impl IntoView {
    let options =
        T::ALL.iter().map(|choice| (choice.code().to_owned(), choice.name().to_owned())).collect::<Vec<_>>();
    let options = Signal::stored(options);
    let chosen = Memo::new(move |_| value.get().code().to_owned());
    let choose = move |code: String| {
        let choice = T::parse(&code);
        value.set(choice);
        settings::remember(choice);
    };
    view! { <Selector id label options chosen on_choice=choose/> }
}
