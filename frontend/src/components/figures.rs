//! The totals: votes, electorate, turnout, who hasn't voted, places, and what was not counted.

use std::sync::Arc;

use leptos::prelude::*;
use tallyboard_shared::{
    reason::Reason,
    results::{Results, Totals},
};

use super::explained::Explained;
use crate::{format, glossary::Term, say, texts::tr};

/// One figure: its name, its value, and what there is to add.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Figure {
    id: &'static str,
    name: &'static str,
    value: String,
    note: String,
}

/// The totals of the election.
#[component]
pub fn Figures(
    /// The newest results; `None` before the first publication.
    #[prop(into)]
    results: Signal<Option<Arc<Results>>>,
) -> impl IntoView {
    let figures = Memo::new(move |_| results.with(|results| figures(results.as_deref())));
    view! {
        <dl class="figures">
            {(0..FIGURES_LEN).map(|position| {
                let figure = Memo::new(move |_| figures.with(|figures| figures[position].clone()));
                let Figure { id, name, .. } = figure.get_untracked();
                view! {
                    <div>
                        <dt>
                            {name}
                            {Term::of_figure(id).map(|term| view! { <Explained term at="totals"/> })}
                        </dt>
                        <dd data-testid=id>{move || figure.with(|figure| figure.value.clone())}</dd>
                        <dd class="note">{move || figure.with(|figure| figure.note.clone())}</dd>
                    </div>
                }
            }).collect_view()}
        </dl>
    }
}

const FIGURES_LEN: usize = 6;

fn figures(results: Option<&Results>) -> [Figure; FIGURES_LEN] {
    let figure = |id, name, value, note: String| Figure {
        id,
        name,
        value,
        note: if results.is_some() { note } else { String::new() },
    };
    let totals = results.map(|results| &results.totals);
    let registered = totals.and_then(|totals| totals.registered_voters);
    let turnout = totals.and_then(|totals| totals.turnout);
    let places: &[_] = results.map_or(&[], |results| &results.locations);
    let counting = places.iter().filter(|place| place.votes > 0).count();
    let count_known = |number: usize| format::count_or_dash(results.map(|_| number as u64));
    let electorate = |known: bool, note: &str| if known { note } else { tr("electorate unknown") }.to_owned();
    let votes = format::count_or_dash(totals.map(|totals| totals.votes));
    let registered_note = electorate(registered.is_some(), tr("in all places"));
    let turnout_note = electorate(turnout.is_some(), tr("of registered voters"));
    // Ballots: in several contests a voter casts several votes.
    let ballots: u64 = places.iter().map(|place| place.votes).sum();
    let outstanding = registered.map(|registered| registered.saturating_sub(ballots));
    let outstanding_note = turnout.map_or_else(
        || tr("electorate unknown").to_owned(),
        |turnout| say!("{share} of all", share = format::percent(Some((1.0 - turnout).max(0.0)))),
    );
    let places_note = say!("of {number}", number = format::count(places.len() as u64));
    let rejected = format::count_or_dash(totals.map(Totals::rejected_sum));
    [
        figure("total-votes", tr("Votes counted"), votes, results.map(votes_note).unwrap_or_default()),
        figure(
            "total-registered",
            tr("Registered voters"),
            format::count_or_dash(registered),
            registered_note,
        ),
        figure("total-turnout", tr("Turnout"), format::percent(turnout), turnout_note),
        figure("total-outstanding", tr("Not voted"), format::count_or_dash(outstanding), outstanding_note),
        figure("total-places", tr("Places with votes"), count_known(counting), places_note),
        figure("total-rejected", tr("Not counted"), rejected, totals.map(rejected_note).unwrap_or_default()),
    ]
}

/// What the votes are for, and how many of them were late.
fn votes_note(results: &Results) -> String {
    let late = || format::counted(results.totals.late, "late", "late");
    let contests = || format::counted(results.contests.len() as u64, "contest", "contests");
    let candidates = results.contests.first().map_or(0, |contest| contest.candidates.len());
    let candidates = || format::counted(candidates as u64, "candidate", "candidates");
    match (results.contests.len(), results.totals.late) {
        (0, 0) => String::new(),
        (0, _) => late(),
        (1, 0) => say!("for {candidates}", candidates = candidates()),
        (1, _) => say!("for {candidates}, {late}", candidates = candidates(), late = late()),
        (_, 0) => say!("in {contests}", contests = contests()),
        _ => say!("in {contests}, {late}", contests = contests(), late = late()),
    }
}

/// The most frequent reason.
fn rejected_note(totals: &Totals) -> String {
    let most = totals.rejected.iter().max_by_key(|(_, votes)| **votes);
    most.map_or_else(
        || tr("no vote rejected").to_owned(),
        |(reason, votes)| match reason_words(*reason) {
            Some(words) => format!("{} {words}", format::count(*votes)),
            None => format::counted(*votes, "duplicate", "duplicates"),
        },
    )
}

/// A reason as the note of a number of votes; `None` for duplicates, which have a noun of their own.
fn reason_words(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Malformed => tr("unreadable"),
        Reason::MissingField => tr("incomplete"),
        Reason::TooLarge => tr("too large"),
        Reason::InvalidWeight => tr("not one vote each"),
        Reason::UnknownContest => tr("for an unknown contest"),
        Reason::UnknownCandidate => tr("for an unknown candidate"),
        Reason::UnknownLocation => tr("from an unknown place"),
        Reason::NotOnBallot => tr("not on the ballot"),
        Reason::DuplicateVoter => return None,
        Reason::BeforeOpen => tr("before the polls opened"),
        Reason::AfterClose => tr("after the polls closed"),
        Reason::FutureTime => tr("dated in the future"),
        Reason::Late => tr("too late"),
        Reason::SimulatedInLive => tr("simulated"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    #[test]
    fn unknown_figures_are_never_zero() {
        let figures = figures(None);
        assert!(figures.iter().all(|figure| figure.value == format::UNKNOWN), "{figures:?}");
    }

    #[test]
    fn totals_and_their_notes() {
        let mut results = samples::results(1, Some(100), &[Some(50), Some(10)]);
        results.totals.late = 4;
        results.totals.rejected = [(Reason::Malformed, 2), (Reason::DuplicateVoter, 30)].into();
        let figures = figures(Some(&results));
        let texts: Vec<_> = figures.iter().map(|figure| figure.value.replace('\u{202f}', " ")).collect();
        assert_eq!(texts, ["60", "100", "60.0 %", "40", "1", "32"]);
        assert_eq!(
            (figures[0].note.as_str(), figures[5].note.as_str()),
            ("for 2 candidates, 4 late", "30 duplicates")
        );
        results.totals.rejected = [(Reason::DuplicateVoter, 1)].into();
        results.contests.push(results.contests[0].clone());
        assert_eq!(
            (votes_note(&results).as_str(), rejected_note(&results.totals).as_str()),
            ("in 2 contests, 4 late", "1 duplicate")
        );
    }
}
