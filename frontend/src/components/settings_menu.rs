//! What the reader can set for all screens.

use leptos::{ev, html, prelude::*, wasm_bindgen::JsCast};

use super::selector::Selector;
use crate::{
    app::Context,
    navigation::Navigation,
    settings::{self, Choice},
    texts::{Language, catalogue, tr},
};

/// The settings, behind a button. They go with Escape, and when the reader turns to something else: what lies under them
/// must not keep the focus unseen (WCAG 2.4.11).
#[component]
pub fn SettingsMenu() -> impl IntoView {
    let settings = Context::of_view().settings;
    let navigation = Navigation::of_view();
    let menu = NodeRef::<html::Details>::new();
    let button = NodeRef::<html::Summary>::new();
    let close = move || {
        if let Some(menu) = menu.get_untracked() {
            menu.set_open(false);
        }
    };
    let is_elsewhere = move |target: Option<web_sys::EventTarget>| {
        let target = target.and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        target.is_some_and(|target| menu.get_untracked().is_some_and(|menu| !menu.contains(Some(&target))))
    };
    let elsewhere = window_event_listener(ev::pointerdown, move |event| {
        if is_elsewhere(event.target()) {
            close();
        }
    });
    on_cleanup(move || elsewhere.remove());
    let on_key = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && menu.get_untracked().is_some_and(|menu| menu.open()) {
            close();
            if let Some(button) = button.get_untracked() {
                button.focus().ok();
            }
        }
    };
    view! {
        <details class="menu" data-testid="settings" node_ref=menu on:keydown=on_key
            on:focusout=move |event| if is_elsewhere(event.related_target()) { close() }>
            <summary node_ref=button>{tr("Settings")}</summary>
            <div class="sheet">
                <Setting id="setting-zone" label=tr("Time zone") value=settings.zone/>
                <Setting id="setting-pace" label=tr("Updates") value=settings.pace/>
                <LanguagePicker/>
                <Setting id="setting-patterns" label=tr("Patterns in charts") value=settings.patterns/>
                <a class="button" data-testid="to-wall" href=move || navigation.to_wall() on:click=move |_| close()>
                    {tr("Show on a wall")}
                </a>
            </div>
        </details>
    }
}

/// Another language is another page: it begins anew, at the same address.
#[component]
fn LanguagePicker() -> impl IntoView {
    let options = Language::ALL
        .iter()
        .map(|language| (language.code().to_owned(), language.name().to_owned()))
        .collect::<Vec<_>>();
    let choose = move |code: String| {
        settings::remember(Language::parse(&code));
        // A browser that doesn't reload shows the language with the next visit.
        window().location().reload().ok();
    };
    let chosen = Signal::stored(catalogue().language.code().to_owned());
    view! {
        <Selector id="setting-language" label=tr("Language") options=Signal::stored(options) chosen on_choice=choose/>
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
