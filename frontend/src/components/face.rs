//! A candidate's face: the picture where there is one, else initials, in a ring of the candidate's color.

use leptos::prelude::*;

use crate::{format, standings::Standing};

/// The face of a candidate.
#[component]
pub fn Face(
    /// Whose.
    #[prop(into)]
    standing: Signal<Option<Standing>>,
) -> impl IntoView {
    // Which picture didn't load: another one may.
    let (failed, set_failed) = signal(None::<String>);
    let tone = move || standing.with(|standing| standing.as_ref().map(|standing| standing.tone.css()));
    let photo = Memo::new(move |_| {
        let url = standing.with(|standing| standing.as_ref()?.photo_url.clone());
        url.filter(|url| failed.with(|failed| failed.as_ref() != Some(url)))
    });
    let initials =
        move || standing.with(|standing| standing.as_ref().map(|standing| format::initials(&standing.name)));
    view! {
        <span class="face" style=("--tone", tone) aria-hidden="true">
            {move || match photo.get() {
                Some(url) => view! {
                    <img src=url.clone() alt="" referrerpolicy="no-referrer" loading="lazy"
                        on:error=move |_| set_failed.set(Some(url.clone()))/>
                }.into_any(),
                None => initials().into_any(),
            }}
        </span>
    }
}
