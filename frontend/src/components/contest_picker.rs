//! The choice of the contest, where there is more than one.

use leptos::prelude::*;
use tallyboard_shared::ids::ContestId;

use super::selector::Selector;
use crate::{navigation::Navigation, pages::shown::Shown, texts::tr};

/// The choice of the contest; absent where there is nothing to choose.
#[component]
pub fn ContestPicker(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let options = Memo::new(move |_| {
        shown.results.with(|results| {
            let contests = results.iter().flat_map(|results| &results.contests);
            contests.map(|contest| (contest.id.to_string(), contest.title.clone())).collect::<Vec<_>>()
        })
    });
    let chosen = Memo::new(move |_| shown.contest_id.get().map(|id| id.to_string()).unwrap_or_default());
    let choose = move |id: String| navigation.choose(|address| address.contest = Some(ContestId::new(id)));
    view! {
        <Show when=move || options.with(|options| options.len() > 1)>
            <Selector id="contest-picker" label=tr("Contest") options chosen on_choice=choose/>
        </Show>
    }
}
