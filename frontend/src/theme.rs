//! Light and dark: what the reader chose, else what the system prefers, and the colors that follow for the charts.
//!
//! `theme.js` applies a remembered choice before the first paint; this module changes and remembers it.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{HtmlElement, MediaQueryList};

use crate::{
    palette::{Palette, TOKENS},
    settings::Patterns,
};

/// Where the choice is remembered; `theme.js` reads the same.
const STORAGE_KEY: &str = "tallyboard.theme";

/// The question whether the reader wants more contrast.
const MORE_CONTRAST: &str = "(prefers-contrast: more)";

/// The question whether the reader's system decides the colors: the tokens are the system's then.
const FORCED_COLORS: &str = "(forced-colors: active)";

/// The theme of the page. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Theme {
    /// Whether the page is dark.
    pub dark: RwSignal<bool>,
    /// The colors in force, for charts.
    pub palette: RwSignal<Palette>,
    patterns: RwSignal<Patterns>,
}

impl Theme {
    /// Reads the page's theme, and follows the system's as long as nothing was chosen.
    #[must_use]
    pub fn follow(patterns: RwSignal<Patterns>) -> Self {
        let theme = Self {
            dark: RwSignal::new(is_dark()),
            palette: RwSignal::new(read_palette(patterns.get_untracked())),
            patterns,
        };
        Effect::new(move |_| theme.palette.set(read_palette(patterns.get())));
        let on_change = Closure::<dyn FnMut()>::new(move || theme.refresh());
        for query in
            ["(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)", MORE_CONTRAST, FORCED_COLORS]
        {
            if let Some(list) = media(query) {
                list.set_onchange(Some(on_change.as_ref().unchecked_ref()));
            }
        }
        // The page follows the system for as long as it is open.
        on_change.forget();
        theme
    }

    /// Changes to the other theme and remembers it.
    pub fn toggle(self) {
        let name = if self.dark.get_untracked() { "light" } else { "dark" };
        if let Some(root) = root() {
            // A page without the attribute, or without storage, is merely in the theme of the system.
            root.dataset().set("theme", name).ok();
        }
        if let Some(storage) = window().local_storage().ok().flatten() {
            storage.set_item(STORAGE_KEY, name).ok();
        }
        self.refresh();
    }

    fn refresh(self) {
        self.dark.set(is_dark());
        self.palette.set(read_palette(self.patterns.get_untracked()));
    }
}

fn root() -> Option<HtmlElement> {
    document().document_element()?.dyn_into().ok()
}

fn media(query: &str) -> Option<MediaQueryList> {
    window().match_media(query).ok().flatten()
}

fn is_dark() -> bool {
    match root().and_then(|root| root.dataset().get("theme")).as_deref() {
        Some("dark") => true,
        Some("light") => false,
        _ => media("(prefers-color-scheme: dark)").is_some_and(|list| list.matches()),
    }
}

/// The values of the tokens; a token itself may be a pair of colors, so each is put on an element and read there.
fn read_palette(patterns: Patterns) -> Palette {
    let asked = |query| media(query).is_some_and(|list| list.matches());
    let still = asked("(prefers-reduced-motion: reduce)");
    let patterns = match patterns {
        Patterns::On => true,
        Patterns::Off => false,
        Patterns::System => asked(MORE_CONTRAST) || asked(FORCED_COLORS),
    };
    let probe = document().create_element("i").ok().and_then(|probe| probe.dyn_into::<HtmlElement>().ok());
    let (Some(probe), Some(body)) = (probe, document().body()) else {
        return Palette::default();
    };
    // Else every color that is forced would be read as the one color of text.
    probe.style().set_property("forced-color-adjust", "none").ok();
    if body.append_child(&probe).is_err() {
        return Palette::default();
    }
    let values: Vec<String> = TOKENS
        .iter()
        .map(|token| {
            probe.style().set_property("color", &format!("var({token})")).ok();
            let style = window().get_computed_style(&probe).ok().flatten();
            style.and_then(|style| style.get_property_value("color").ok()).unwrap_or_default()
        })
        .collect();
    probe.remove();
    Palette::from_tokens(values.into_iter(), still, patterns)
}
