//! The totals: votes, electorate, turnout, candidates, places, and what was not counted.

use leptos::prelude::*;
use tallyboard_shared::{reason::Reason, results::Results};

use crate::format;

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
    results: Signal<Option<Results>>,
    /// How many stand in the contest that is shown.
    #[prop(into)]
    candidates: Signal<usize>,
) -> impl IntoView {
    let figures = Memo::new(move |_| results.with(|results| figures(results.as_ref(), candidates.get())));
    view! {
        <dl class="figures">
            {(0..FIGURES_LEN).map(|position| {
                let figure = Memo::new(move |_| figures.with(|figures| figures[position].clone()));
                let Figure { id, name, .. } = figure.get_untracked();
                view! {
                    <div>
                        <dt>{name}</dt>
                        <dd data-testid=id>{move || figure.with(|figure| figure.value.clone())}</dd>
                        <dd class="note">{move || figure.with(|figure| figure.note.clone())}</dd>
                    </div>
                }
            }).collect_view()}
        </dl>
    }
}

const FIGURES_LEN: usize = 6;

fn figures(results: Option<&Results>, candidates: usize) -> [Figure; FIGURES_LEN] {
    let figure = |id, name, value, note| Figure {
        id,
        name,
        value,
        note,
    };
    let totals = results.map(|results| &results.totals);
    let contests = results.map_or(0, |results| results.contests.len());
    let places = results.map_or(0, |results| results.locations.len());
    let counting =
        results.map(|results| results.locations.iter().filter(|place| place.votes > 0).count() as u64);
    let late = totals.map_or(0, |totals| totals.late);
    let votes_note = match (contests, late) {
        (0 | 1, 0) => String::new(),
        (0 | 1, _) => format!("{} late", format::count(late)),
        (_, 0) => format!("in {contests} contests"),
        _ => format!("in {contests} contests, {} late", format::count(late)),
    };
    let registered = totals.and_then(|totals| totals.registered_voters);
    let turnout = totals.and_then(|totals| totals.turnout);
    let known = |known, note: &str| {
        if known {
            note.to_owned()
        } else {
            "electorate unknown".to_owned()
        }
    };
    let rejected = totals.map(|totals| totals.rejected_sum());
    let most_frequent = totals.and_then(|totals| {
        let (reason, votes) = totals.rejected.iter().max_by_key(|(_, votes)| **votes)?;
        Some(format!("{} {}", format::count(*votes), reason_words(*reason)))
    });
    [
        figure(
            "total-votes",
            "Votes counted",
            format::count_or_dash(totals.map(|totals| totals.votes)),
            votes_note,
        ),
        figure(
            "total-registered",
            "Registered voters",
            format::count_or_dash(registered),
            known(registered.is_some(), "in all places"),
        ),
        figure(
            "total-turnout",
            "Turnout",
            format::percent(turnout),
            known(turnout.is_some(), "of registered voters"),
        ),
        figure(
            "total-candidates",
            "Candidates",
            format::count_or_dash(results.map(|_| candidates as u64)),
            "in this contest".to_owned(),
        ),
        figure(
            "total-places",
            "Places with votes",
            format::count_or_dash(counting),
            format!("of {}", format::count(places as u64)),
        ),
        figure(
            "total-rejected",
            "Not counted",
            format::count_or_dash(rejected),
            most_frequent.unwrap_or_else(|| "no vote rejected".to_owned()),
        ),
    ]
}

/// A reason as the note of a number of votes.
fn reason_words(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "unreadable",
        Reason::MissingField => "incomplete",
        Reason::TooLarge => "too large",
        Reason::InvalidWeight => "not one vote each",
        Reason::UnknownContest => "for an unknown contest",
        Reason::UnknownCandidate => "for an unknown candidate",
        Reason::UnknownLocation => "from an unknown place",
        Reason::NotOnBallot => "not on the ballot",
        Reason::DuplicateVoter => "second votes",
        Reason::BeforeOpen => "before the polls opened",
        Reason::AfterClose => "after the polls closed",
        Reason::FutureTime => "dated in the future",
        Reason::Late => "too late",
        Reason::SimulatedInLive => "simulated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    #[test]
    fn unknown_figures_are_never_zero() {
        let figures = figures(None, 0);
        assert!(
            figures.iter().all(|figure| figure.value == format::UNKNOWN),
            "{figures:?}"
        );
    }

    #[test]
    fn totals_and_their_notes() {
        let mut results = samples::results(1, Some(100), &[Some(50), Some(10)]);
        results.totals.late = 4;
        results.totals.rejected = [(Reason::Malformed, 2), (Reason::DuplicateVoter, 30)].into();
        let figures = figures(Some(&results), 2);
        let texts: Vec<_> = figures
            .iter()
            .map(|figure| figure.value.replace('\u{202f}', " "))
            .collect();
        assert_eq!(texts, ["60", "100", "60.0 %", "2", "1", "32"]);
        assert_eq!(
            (figures[0].note.as_str(), figures[5].note.as_str()),
            ("4 late", "30 second votes")
        );
    }
}
