//! The leading candidate: face, party, votes, margin, whether it is decided, who is next, and who comes behind.

use leptos::prelude::*;
use tallyboard_shared::{ids::CandidateId, results::Leader};

use super::{explained::Explained, face::Face};
use crate::{format, glossary::Term, say, standings::Standing, texts::tr};

/// So many faces stand in a row below the second's; everybody is in the table of candidates.
const BEHIND_MAX: usize = 4;

/// The leading candidate.
#[component]
pub fn LeadingCandidate(
    /// Ranked; the first leads.
    #[prop(into)]
    standings: Signal<Vec<Standing>>,
    /// Who is first by how much.
    #[prop(into)]
    leader: Signal<Option<Leader>>,
    /// Whether the polls are closed.
    #[prop(into)]
    closed: Signal<bool>,
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
            <p class="decided" data-testid="leader-decided" data-decided=move || decided_code(decided.get())>
                {move || decided_words(decided.get(), closed.get())}
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
            <Behind standings first next/>
        </div>
    }
}

/// One word for style sheets and tests.
fn decided_code(decided: Option<bool>) -> &'static str {
    match decided {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

fn decided_words(decided: Option<bool>, closed: bool) -> &'static str {
    match (decided, closed) {
        (Some(true), _) => tr("Decided: the votes still possible can't change who is first."),
        (Some(false), false) => tr("Not decided: the votes still possible can change who is first."),
        (Some(false), true) => {
            tr("Not decided: votes that were cast in time and haven't arrived can change who is first.")
        }
        (None, _) => tr("Whether it is decided can't be said: the electorate is unknown."),
    }
}

/// The faces of those behind the second, in a row.
#[component]
fn Behind(
    standings: Signal<Vec<Standing>>,
    first: Memo<Option<Standing>>,
    next: Memo<Option<Standing>>,
) -> impl IntoView {
    let ahead = move || {
        let id = |standing: Memo<Option<Standing>>| {
            standing.with(|standing| standing.as_ref().map(|standing| standing.id.clone()))
        };
        [id(first), id(next)]
    };
    let order = Memo::new(move |_| {
        let ahead = ahead();
        standings.with(|standings| {
            let behind = standings.iter().filter(|standing| !ahead.contains(&Some(standing.id.clone())));
            behind.take(BEHIND_MAX).map(|standing| standing.id.clone()).collect::<Vec<CandidateId>>()
        })
    });
    view! {
        <Show when=move || order.with(|order| !order.is_empty())>
            <ul class="behind" aria-label=tr("Behind them") data-testid="leader-behind">
                <For each=move || order.get() key=Clone::clone children=move |id| {
                    let standing = Memo::new(move |_| {
                        standings.with(|standings| standings.iter().find(|standing| standing.id == id).cloned())
                    });
                    let text = move |of: fn(&Standing) -> String| move || standing.with(|standing| standing.as_ref().map(of));
                    view! {
                        <li>
                            <Face standing/>
                            <span class="who">
                                <span>{text(|standing| standing.short_name.clone())}</span>
                                <strong>{text(|standing| format::percent(standing.share))}</strong>
                            </span>
                        </li>
                    }
                }/>
            </ul>
        </Show>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_polls_closed_only_what_was_cast_in_time_can_change_who_is_first() {
        assert!(decided_words(Some(false), false).contains("still possible can change"));
        assert!(decided_words(Some(false), true).contains("cast in time"));
        assert_eq!(decided_words(Some(true), true), decided_words(Some(true), false));
    }
}
