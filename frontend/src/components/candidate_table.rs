//! All candidates of the contest, most votes first.

use std::collections::HashMap;

use leptos::prelude::*;
use tallyboard_shared::ids::CandidateId;

use super::face::Face;
use crate::{format, standings::Standing, texts::tr};

/// The table of candidates.
#[component]
pub fn CandidateTable(
    /// Ranked.
    #[prop(into)]
    standings: Signal<Vec<Standing>>,
) -> impl IntoView {
    let order = Memo::new(move |_| {
        standings.with(|standings| standings.iter().map(|standing| standing.id.clone()).collect::<Vec<_>>())
    });
    let by_id = Memo::new(move |_| {
        let standings = standings.get().into_iter();
        standings.map(|standing| (standing.id.clone(), standing)).collect::<HashMap<CandidateId, Standing>>()
    });
    view! {
        <div class="scroll tall" tabindex="0" role="group" aria-label=tr("All candidates")>
            <table class="candidates" data-testid="candidate-table">
                <caption class="unseen">{tr("Candidates with their party, votes and share of the votes counted")}</caption>
                <thead>
                    <tr>
                        <th scope="col">{tr("Candidate")}</th>
                        <th scope="col" class="num">{tr("Share")}</th>
                        <th scope="col" class="num">{tr("Votes")}</th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || order.get() key=Clone::clone children=move |id| {
                        let standing = Memo::new(move |_| by_id.with(|by_id| by_id.get(&id).cloned()));
                        view! { <CandidateRow standing/> }
                    }/>
                </tbody>
            </table>
            <Show when=move || order.with(Vec::is_empty)>
                <p class="blank">{tr("The candidates are taken from the votes as they come.")}</p>
            </Show>
        </div>
    }
}

#[component]
fn CandidateRow(standing: Memo<Option<Standing>>) -> impl IntoView {
    let text = move |of: fn(&Standing) -> String| {
        move || standing.with(|standing| standing.as_ref().map(of).unwrap_or_default())
    };
    let votes = text(|standing| match standing.votes {
        Some(votes) => format::count(votes),
        None => tr("withheld").to_owned(),
    });
    view! {
        <tr data-testid="candidate-row">
            <th scope="row">
                <span class="person">
                    <Face standing/>
                    <span class="who">
                        <strong>{text(|standing| standing.name.clone())}</strong>
                        <span>{text(|standing| standing.party.clone().unwrap_or_default())}</span>
                    </span>
                </span>
            </th>
            <td class="num"><strong>{text(|standing| format::percent(standing.share))}</strong></td>
            <td class="num" data-testid="candidate-votes">{votes}</td>
        </tr>
    }
}
