//! The overview: the news, the figures, the charts, the map and the tables of one contest.

use leptos::prelude::*;
use tallyboard_shared::results::CountStatus;

use super::{
    later::{Below, LaterPanel},
    shown::Shown,
};
use crate::{
    address::Screen,
    app::{Context, Unfolding},
    charts::{
        drawing::Drawing,
        shares_donut::shares_donut,
        shares_line::{self, moments, shares_line},
        votes_bar::standings_bar,
    },
    components::{
        candidate_table::CandidateTable,
        chart_panel::{Chart, ChartPanel},
        contest_picker::ContestPicker,
        figures::Figures,
        headline::Headline,
        leader::LeadingCandidate,
        panel::Panel,
        place_table::PlaceTable,
    },
    navigation::Navigation,
    news,
    palette::Palette,
    parts::{self, Part},
    places::{PlaceRow, View},
    standings::Standing,
    texts::tr,
};

/// The overview.
#[component]
pub fn Overview(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let context = Context::of_view();
    let unfolding: Unfolding = expect_context();
    let headline = Memo::new(move |_| shown.contest.with(|contest| news::headline(contest.as_ref())));
    let lede = Memo::new(move |_| shown.lede(context.offset_minutes.get()));
    let rejected = Memo::new(move |_| {
        shown
            .results
            .with(|results| results.as_ref().is_some_and(|results| !results.totals.rejected.is_empty()))
    });
    // Where nothing is known of places there is no map.
    let has_places = Memo::new(move |_| {
        shown
            .election
            .with(|election| election.as_ref().is_some_and(|election| !election.locations.is_empty()))
    });
    view! {
        <ContestPicker shown/>
        <Headline headline lede/>
        <Figures results=shown.results/>
        <Show when=move || unfolding.has_reached(2)><Standings shown/></Show>
        <Show when=move || unfolding.has_reached(3)><Moved shown/></Show>
        <Show when=move || unfolding.has_reached(4)>
            <Show when=move || has_places.get()><LaterPanel panel=Below::Map shown/></Show>
            <LaterPanel panel=Below::Places shown/>
            <LaterPanel panel=Below::Candidates shown/>
            <Show when=move || rejected.get()><LaterPanel panel=Below::Reasons shown/></Show>
        </Show>
    }
}

/// Who leads, the votes of each as bars, and the shares as a donut.
#[component]
pub fn Standings(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let leader = Memo::new(move |_| shown.contest.with(|contest| contest.as_ref()?.leader.clone()));
    let closed = Memo::new(move |_| {
        shown
            .results
            .with(|results| results.as_ref().is_some_and(|results| results.status == CountStatus::Closed))
    });
    let blank = shown.blank;
    view! {
        <Panel id="leading" title=tr("In the lead") measure=tr("most votes counted")>
            <Show
                when=move || blank.with(Option::is_none)
                fallback=move || view! { <p class="blank" data-testid="blank">{move || blank.get()}</p> }
            >
                <LeadingCandidate standings=shown.standings leader closed/>
            </Show>
        </Panel>
        <VotesPanel shown/>
        <PartsPanel shown id="shares" title=tr("Shares") measure=tr("% of votes counted") draw=shares_donut/>
    }
}

/// The votes of each candidate as bars.
#[component]
pub fn VotesPanel(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    view! { <PartsPanel shown id="votes" title=tr("Votes by candidate") measure=tr("% of votes counted") draw=standings_bar/> }
}

#[component]
fn PartsPanel(
    shown: Shown,
    id: &'static str,
    title: &'static str,
    measure: &'static str,
    draw: fn(&[Part], &Palette) -> Drawing,
) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let navigation = Navigation::of_view();
    let parts = Memo::new(move |_| shown.folded.with(|folded| parts::of_standings(folded)));
    let all = Memo::new(move |_| shown.standings.with(|standings| parts::of_standings(standings)));
    let table = Memo::new(move |_| all.with(|parts| parts::table(tr("Candidate"), parts)));
    let says = Memo::new(move |_| parts.with(|parts| parts::says(parts)));
    let drawing = Memo::new(move |_| parts.with(|parts| palette.with(|palette| draw(parts, palette))));
    let to_contest = move |_: String| navigation.open(|address| *address = address.on(Screen::Contest));
    view! {
        <ChartPanel id title measure chart=Chart { drawing, table, says, blank: shown.blank } on_pick=to_contest/>
    }
}

#[component]
fn Moved(shown: Shown) -> impl IntoView {
    let context = Context::of_view();
    let (board, palette) = (context.feed.board, context.theme.palette);
    let moments = Memo::new(move |_| {
        let Some(contest) = shown.contest_id.get() else { return Vec::new() };
        shown
            .standings
            .with(|standings| board.with(|board| moments(board.history.points(), &contest, standings)))
    });
    let drawing = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        moments.with(|moments| {
            shown.standings.with(|standings| {
                palette.with(|palette| shares_line(moments, standings, palette, offset_minutes))
            })
        })
    });
    let table = Memo::new(move |_| {
        moments.with(|moments| shown.standings.with(|standings| shares_line::table(moments, standings)))
    });
    let says = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        moments.with(|moments| {
            shown.standings.with(|standings| shares_line::says(moments, standings, offset_minutes))
        })
    });
    view! {
        <ChartPanel id="moved" title=tr("How the count moved") measure=tr("% of votes counted, by time of publication")
            chart=Chart { drawing, table, says, blank: shown.blank }/>
    }
}

/// The table of candidates.
#[component]
pub fn Candidates(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let title = Memo::new(move |_| {
        let defined =
            shown.election.with(|election| election.as_ref().is_some_and(|election| election.defined));
        let title = shown.contest.with(|contest| contest.as_ref().map(|contest| contest.title.clone()));
        title.filter(|_| defined).unwrap_or_default()
    });
    view! {
        <Panel id="candidates" title=tr("Candidates") measure=title>
            <CandidateTable standings=shown.standings/>
        </Panel>
    }
}

/// The table of places.
#[component]
pub fn Places(
    /// Every place.
    #[prop(into)]
    rows: Signal<Vec<PlaceRow>>,
    /// Whose shares the rows have.
    #[prop(into)]
    standings: Signal<Vec<Standing>>,
) -> impl IntoView {
    let address = Navigation::of_view().address;
    let measure = Memo::new(move |_| {
        let registered =
            rows.with(|rows: &Vec<PlaceRow>| rows.iter().any(|row| row.registered_voters.is_some()));
        let measure = match (address.with(|address| address.places.view), registered) {
            (View::Candidates, _) => tr("% of the votes counted in each place"),
            (View::Turnout, true) => tr("ballots counted of registered voters"),
            (View::Turnout, false) => tr("ballots counted"),
        };
        measure.to_owned()
    });
    view! {
        <Panel id="places" title=tr("Places") measure=measure>
            <PlaceTable rows standings/>
        </Panel>
    }
}
