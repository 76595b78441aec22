//! A word's meaning, for whoever points at it, reaches it by keyboard or taps it (WCAG 1.4.13): it stays while the
//! pointer or the focus is on it, and goes with Escape.

use leptos::{html, prelude::*};

use crate::{glossary::Term, say};

/// The distance that an explanation keeps from the edges of the window, in pixels.
const EDGE: f64 = 8.0;

/// A question mark behind a word, and what it opens.
#[component]
pub fn Explained(
    /// The word.
    term: Term,
    /// Tells the places of a page apart where a word is explained.
    at: &'static str,
) -> impl IntoView {
    let id = format!("term-{}-{at}", term.code());
    let button = NodeRef::<html::Button>::new();
    let meaning = NodeRef::<html::Span>::new();
    let show = move || {
        let (Some(button), Some(meaning)) = (button.get_untracked(), meaning.get_untracked()) else { return };
        // What is shown already, or left the page, can't be shown: there is nothing to do then.
        if meaning.show_popover().is_err() {
            return;
        }
        let place = button.get_bounding_client_rect();
        let (x, y) = scrolled();
        let room = window_width() - f64::from(meaning.offset_width()) - EDGE;
        let style = web_sys::HtmlElement::style(&meaning);
        style.set_property("left", &format!("{}px", place.left().min(room).max(EDGE) + x)).ok();
        style.set_property("top", &format!("{}px", place.bottom() + y)).ok();
    };
    let hide = move || {
        if let Some(meaning) = meaning.get_untracked() {
            meaning.hide_popover().ok();
        }
    };
    view! {
        <span class="term" on:mouseenter=move |_| show() on:mouseleave=move |_| hide()>
            <button type="button" node_ref=button data-testid=id.clone()
                aria-label=say!("What it means: {word}", word = term.word()) aria-describedby=id.clone()
                on:focus=move |_| show() on:blur=move |_| hide() on:click=move |_| show()>"?"</button>
            <span class="meaning" popover="auto" role="tooltip" id=id node_ref=meaning>{term.meaning()}</span>
        </span>
    }
}

fn scrolled() -> (f64, f64) {
    let window = window();
    (window.page_x_offset().unwrap_or(0.0), window.page_y_offset().unwrap_or(0.0))
}

fn window_width() -> f64 {
    document().document_element().map_or(0.0, |root| f64::from(root.client_width()))
}
