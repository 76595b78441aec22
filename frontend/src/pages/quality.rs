//! How sound the count is: for whoever runs the election.

use leptos::prelude::*;
use tallyboard_shared::results::CountStatus;

use super::shown::Shown;
use crate::{
    app::Context,
    charts::{curves::count_lines, drawing::Drawing, votes_bar::votes_bar},
    components::{
        chart_panel::{Chart, ChartPanel},
        facts::Facts,
        headline::Headline,
    },
    pace::{self, Pace},
    parts,
    quality::{self, over_time, over_time_table},
    texts::tr,
    timeline,
};

/// The quality of the count.
#[component]
pub fn QualityPage(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let context = Context::of_view();
    let board = context.feed.board;
    let says = Memo::new(move |_| {
        shown
            .results
            .with(|results| results.as_ref().map(|results| quality::says(&results.totals)))
            .unwrap_or_default()
    });
    let facts = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        shown
            .results
            .with(|results| {
                let results = results.as_deref();
                board.with(|board| {
                    results.map(|results| quality::facts(results, board.status.as_ref(), offset_minutes))
                })
            })
            .unwrap_or_default()
    });
    view! {
        <Headline headline=tr("Quality of the count").to_owned() lede=says/>
        <Facts facts/>
        <Reasons shown/>
        <Partitions shown/>
        <PaceOfVotes shown/>
        <OverTime/>
    }
}

/// What was not counted, by reason.
#[component]
pub fn Reasons(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let reasons = Memo::new(move |_| {
        shown
            .results
            .with(|results| results.as_ref().map(|results| quality::reasons(&results.totals)))
            .unwrap_or_default()
    });
    let drawing =
        Memo::new(move |_| reasons.with(|reasons| palette.with(|palette| votes_bar(reasons, palette))));
    let table = Memo::new(move |_| reasons.with(|reasons| parts::table(tr("Reason"), reasons)));
    let says = Memo::new(move |_| reasons.with(|reasons| parts::says(reasons)));
    let blank = Memo::new(move |_| {
        shown.results.with(|results| match results {
            Some(results) => quality::reasons_blank(&results.totals),
            None => Some(tr("Nothing was read yet.")),
        })
    });
    view! {
        <ChartPanel id="reasons" title=tr("Not counted, by reason") measure=tr("votes since the beginning")
            chart=Chart { drawing, table, says, blank }/>
    }
}

/// How many votes were cast when.
#[component]
fn PaceOfVotes(shown: Shown) -> impl IntoView {
    let context = Context::of_view();
    let track = timeline::follow();
    let is_over = Memo::new(move |_| {
        shown
            .results
            .with(|results| results.as_ref().is_some_and(|results| results.status == CountStatus::Closed))
    });
    let pace = Memo::new(move |_| {
        track.with(|track| track.timeline.as_ref().map(|timeline| pace::pace(timeline, is_over.get())))
    });
    let with =
        move |of: &dyn Fn(&Pace) -> String| pace.with(|pace| pace.as_ref().map(of).unwrap_or_default());
    let drawing = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        pace.with(|pace| {
            let Some(pace) = pace else { return Drawing::default() };
            context
                .theme
                .palette
                .with(|palette| count_lines(&pace.starts_ms, &[pace.curve()], palette, offset_minutes))
        })
    });
    let table = Memo::new(move |_| pace.with(|pace| pace.as_ref().map(Pace::table).unwrap_or_default()));
    let says = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        with(&|pace| pace.says(offset_minutes))
    });
    let now_ms = context.feed.now_ms;
    let measure = Signal::derive(move || {
        let warning = track.with(|track| track.warning(now_ms.get()));
        [Some(with(&Pace::measure)), warning].into_iter().flatten().collect::<Vec<_>>().join(". ")
    });
    let blank = Memo::new(move |_| match pace.with(|pace| pace.as_ref().map(|pace| pace.votes.len())) {
        None => Some(tr("The timeline is on its way.")),
        Some(0 | 1) => Some(tr("Nothing yet.")),
        Some(_) => None,
    });
    view! {
        <ChartPanel id="pace" title=tr("When votes were cast") measure chart=Chart { drawing, table, says, blank }/>
    }
}

#[component]
fn OverTime() -> impl IntoView {
    let context = Context::of_view();
    let series = Memo::new(move |_| context.feed.board.with(|board| over_time(&board.quality)));
    let drawing = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        series.with(|(times_ms, curves)| {
            context.theme.palette.with(|palette| count_lines(times_ms, curves, palette, offset_minutes))
        })
    });
    let table = Memo::new(move |_| context.feed.board.with(|board| over_time_table(&board.quality)));
    let says = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        series.with(|(times_ms, _)| quality::followed_since(times_ms, offset_minutes))
    });
    let blank = Memo::new(move |_| match series.with(|(times_ms, _)| times_ms.len()) {
        0 => Some(tr("Nothing yet.")),
        1 => Some(tr("There is only one version so far.")),
        _ => None,
    });
    view! {
        <ChartPanel id="quality-moved" title=tr("Late and not counted, over time")
            measure=tr("votes, as far as this page has followed the count") chart=Chart { drawing, table, says, blank }/>
    }
}

#[component]
fn Partitions(shown: Shown) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let parts = Memo::new(move |_| {
        shown.results.with(|results| results.as_deref().map(quality::partitions)).unwrap_or_default()
    });
    let drawing = Memo::new(move |_| {
        parts.with(|parts| {
            palette.with(|palette| votes_bar(&parts[..parts.len().min(quality::PARTITIONS_MAX)], palette))
        })
    });
    let table = Memo::new(move |_| parts.with(|parts| quality::partition_table(parts)));
    let says = Memo::new(move |_| {
        shown.results.with(|results| results.as_deref().map(quality::partitions_say)).unwrap_or_default()
    });
    let blank = Memo::new(move |_| parts.with(Vec::is_empty).then(|| tr("Nothing was read yet.")));
    view! {
        <ChartPanel id="partitions" title=tr("Partitions") measure=tr("records of the votes topic that are counted")
            chart=Chart { drawing, table, says, blank }/>
    }
}
