//! The leading candidate: face, party, votes, margin, whether it is decided, and who is next.

use leptos::prelude::*;
use tallyboard_shared::results::Leader;

use super::{explained::Explained, face::Face};
use crate::{format, glossary::Term, say, standings::Standing, texts::tr};

/// The leading candidate.
#[component]
pub fn LeadingCandidate(
    /// Ranked; the first leads.
    #[prop(into)]
    standings: Signal<Vec<Standing>>,
    /// Who is first by how much.
    #[prop(into)]
    leader: Signal<Option<Leader>>,
) -> impl IntoView {
    let first = Memo::new(move |_| {
        let leader = leader.get()?;
        standings
            .with(|standings| standings.iter().find(|standing| standing.id == leader.candidate_id).cloned())
    });
    // Of several that are level, the first in the order of the ballot is shown above.
    let next = Memo::new(move |_| {
        let first = first.get()?;
        standings.with(|standings| standings.iter().find(|standing| standing.id != first.id).cloned())
    });
    let text = move |of: fn(&Standing) -> String| move || first.with(|first| first.as_ref().map(of));
    let next_text = move |of: fn(&Standing) -> String| move || next.with(|next| next.as_ref().map(of));
    let margin = move || leader.with(|leader| leader.as_ref().map(|leader| leader.margin));
    let ahead = move || match margin() {
        Some(0) => tr("level with the next").to_owned(),
        Some(margin) => {
            let ahead = say!("{votes} ahead of the next", votes = format::counted(margin, "vote", "votes"));
            let shares =
                first.with(|first| first.as_ref()?.share).zip(next.with(|next| next.as_ref()?.share));
            let points = shares.map(|(first, next)| (first - next) * 100.0);
            points.map_or(ahead.clone(), |points| {
                say!("{ahead} ({points} points)", ahead = ahead, points = format::decimal(points))
            })
        }
        None => format::UNKNOWN.to_owned(),
    };
    let decided = Memo::new(move |_| leader.with(|leader| leader.as_ref().and_then(|leader| leader.decided)));
    view! {
        <div class="leading" data-testid="leader">
            <Face standing=first/>
            <div class="who">
                <strong data-testid="leader-name">{text(|first| first.name.clone())}</strong>
                <span>{text(|first| first.party.clone().unwrap_or_default())}</span>
            </div>
            <dl>
                <div>
                    <dt>{tr("Votes")}</dt>
                    <dd data-testid="leader-votes">{text(|first| format::count_or_dash(first.votes))}</dd>
                </div>
                <div>
                    <dt>{tr("Share")}<Explained term=Term::Share at="leader"/></dt>
                    <dd>{text(|first| format::percent(first.share))}</dd>
                </div>
            </dl>
            <p class="ahead" data-testid="leader-margin">{ahead}</p>
            <p class="decided" data-testid="leader-decided" data-decided=move || format!("{:?}", decided.get())>
                {move || match decided.get() {
                    Some(true) => tr("Decided: the votes still possible can't change who is first."),
                    Some(false) => tr("Not decided: the votes still possible can change who is first."),
                    None => tr("Whether it is decided can't be said: the electorate is unknown."),
                }}
                <Explained term=Term::Decided at="leader"/>
            </p>
            <Show when=move || next.with(Option::is_some)>
                <div class="next" data-testid="leader-next">
                    <span class="label">{tr("In second place")}</span>
                    <span class="person">
                        <Face standing=next/>
                        <span class="who">
                            <strong>{next_text(|next| next.name.clone())}</strong>
                            <span>{next_text(|next| next.party.clone().unwrap_or_default())}</span>
                        </span>
                    </span>
                    <span class="num">
                        <strong>{next_text(|next| format::percent(next.share))}</strong>
                        <span>{next_text(|next| format::count_or_dash(next.votes))}</span>
                    </span>
                </div>
            </Show>
        </div>
    }
}
