//! The overview: the news, the figures, the charts and the tables of one contest.

use leptos::prelude::*;
use tallyboard_shared::{ids::ContestId, results::ContestResult};

use crate::{
    app::Context,
    charts::{
        EChart,
        drawing::Drawing,
        shares_donut::shares_donut,
        shares_line::{moments, shares_line},
        votes_bar::votes_bar,
    },
    components::{
        candidate_table::CandidateTable,
        contest_picker::{Choice, ContestPicker},
        figures::Figures,
        header::use_freshness,
        headline::Headline,
        history_table::HistoryTable,
        leader::LeadingCandidate,
        notice::Waiting,
        panel::Panel,
        place_table::PlaceTable,
    },
    news,
    places::{self, PlaceRow},
    standings::{self, CHART_CANDIDATES_MAX, Standing},
};

/// The contest that is shown, and who stands where in it.
#[derive(Clone, Copy)]
struct Shown {
    contest: Memo<Option<ContestResult>>,
    standings: Memo<Vec<Standing>>,
    folded: Memo<Vec<Standing>>,
}

impl Shown {
    fn new(chosen: RwSignal<Option<ContestId>>) -> Self {
        let board = Context::of_view().feed.board;
        let contest = Memo::new(move |_| {
            chosen.with(|chosen| board.with(|board| board.contest(chosen.as_ref()).cloned()))
        });
        let standings = Memo::new(move |_| {
            contest.with(|contest| contest.as_ref().map(standings::ranked).unwrap_or_default())
        });
        Self {
            contest,
            standings,
            folded: Memo::new(move |_| {
                standings.with(|standings| standings::folded(standings, CHART_CANDIDATES_MAX))
            }),
        }
    }
}

/// Why there is nothing to draw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blank {
    NoVotes,
    Withheld,
}

impl Blank {
    fn of(contest: Option<&ContestResult>) -> Option<Self> {
        match contest {
            None => Some(Self::NoVotes),
            Some(contest) if contest.votes == 0 => Some(Self::NoVotes),
            Some(contest) => standings::is_withheld(contest).then_some(Self::Withheld),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NoVotes => "No votes yet.",
            Self::Withheld => "Withheld until the polls close.",
        }
    }
}

/// The overview.
#[component]
pub fn Overview() -> impl IntoView {
    let board = Context::of_view().feed.board;
    let welcomed = Memo::new(move |_| board.with(|board| board.election.is_some()));
    let freshness = use_freshness();
    view! {
        <main id="main" tabindex="-1" class:outdated=move || welcomed.get() && !freshness.get().is_current()>
            <Show when=move || welcomed.get() fallback=Waiting>
                <Contest/>
            </Show>
        </main>
    }
}

#[component]
fn Contest() -> impl IntoView {
    let context = Context::of_view();
    let board = context.feed.board;
    let chosen = RwSignal::new(None);
    let shown = Shown::new(chosen);
    let choices = Memo::new(move |_| {
        board.with(|board| {
            let contests = board.results.iter().flat_map(|results| &results.contests);
            contests
                .map(|contest| Choice { id: contest.id.clone(), title: contest.title.clone() })
                .collect::<Vec<_>>()
        })
    });
    let headline = Memo::new(move |_| shown.contest.with(|contest| news::headline(contest.as_ref())));
    let lede = Memo::new(move |_| {
        board.with(|board| {
            shown.contest.with(|contest| {
                let (results, election) = (board.results.as_ref(), board.election.as_ref());
                news::lede(results, contest.as_ref(), election, context.offset_minutes)
            })
        })
    });
    let results = Memo::new(move |_| board.with(|board| board.results.clone()));
    let candidates = Memo::new(move |_| shown.standings.with(Vec::len));
    view! {
        <ContestPicker choices chosen/>
        <Headline headline lede/>
        <Figures results candidates/>
        <Charts shown/>
        <Tables shown/>
    }
}

#[component]
fn Charts(shown: Shown) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let leader = Memo::new(move |_| shown.contest.with(|contest| contest.as_ref()?.leader.clone()));
    let bars =
        Memo::new(move |_| shown.folded.with(|folded| palette.with(|palette| votes_bar(folded, palette))));
    let donut =
        Memo::new(move |_| shown.folded.with(|folded| palette.with(|palette| shares_donut(folded, palette))));
    view! {
        <Panel id="leading" title="In the lead" measure="most votes counted">
            <Figured shown><LeadingCandidate standings=shown.standings leader/></Figured>
        </Panel>
        <Panel id="votes" title="Votes by candidate" measure="votes counted" table="candidates">
            <Figured shown><EChart id="chart-votes" drawing=bars/></Figured>
        </Panel>
        <Panel id="shares" title="Shares" measure="% of votes counted" table="candidates">
            <Figured shown><EChart id="chart-shares" drawing=donut/></Figured>
        </Panel>
        <Moved shown/>
    }
}

#[component]
fn Moved(shown: Shown) -> impl IntoView {
    let context = Context::of_view();
    let (board, palette) = (context.feed.board, context.theme.palette);
    let moments = Memo::new(move |_| {
        shown.contest.with(|contest| {
            let Some(contest) = contest else { return Vec::new() };
            shown
                .standings
                .with(|standings| board.with(|board| moments(board.history.points(), &contest.id, standings)))
        })
    });
    let line: Memo<Drawing> = Memo::new(move |_| {
        moments.with(|moments| {
            shown.standings.with(|standings| palette.with(|palette| shares_line(moments, standings, palette)))
        })
    });
    view! {
        <Panel id="moved" title="How the count moved" measure="% of votes counted, by time of publication">
            <Figured shown>
                <EChart id="chart-moved" drawing=line/>
                <HistoryTable moments standings=shown.standings/>
            </Figured>
        </Panel>
    }
}

#[component]
fn Tables(shown: Shown) -> impl IntoView {
    let board = Context::of_view().feed.board;
    let rows = Memo::new(move |_| {
        board.with(|board| {
            let locations = board.results.as_ref().map_or(&[][..], |results| &results.locations);
            shown.standings.with(|standings| {
                shown.contest.with(|contest| {
                    places::rows(locations, contest.as_ref().map(|contest| &contest.id), standings)
                })
            })
        })
    });
    let defined = Memo::new(move |_| {
        board.with(|board| board.election.as_ref().is_some_and(|election| election.defined))
    });
    let title = Memo::new(move |_| {
        shown.contest.with(|contest| {
            let title = contest.as_ref().map(|contest| contest.title.clone());
            title.filter(|_| defined.get()).unwrap_or_default()
        })
    });
    let measure = Memo::new(move |_| {
        let registered =
            rows.with(|rows: &Vec<PlaceRow>| rows.iter().any(|row| row.registered_voters.is_some()));
        if registered { "ballots counted of registered voters" } else { "ballots counted" }.to_owned()
    });
    view! {
        <Panel id="candidates" title="Candidates" measure=title>
            <CandidateTable standings=shown.standings/>
        </Panel>
        <Panel id="places" title="Turnout by place" measure=measure>
            <PlaceTable rows/>
        </Panel>
    }
}

/// Its children where there are figures, else the reason why there are none.
#[component]
fn Figured(shown: Shown, children: ChildrenFn) -> impl IntoView {
    let blank = Memo::new(move |_| shown.contest.with(|contest| Blank::of(contest.as_ref())));
    let words = move || blank.get().map(Blank::words);
    view! {
        <Show
            when=move || blank.with(Option::is_none)
            fallback=move || view! { <p class="blank" data-testid="blank">{words}</p> }
        >
            {children()}
        </Show>
    }
}
