//! One place: its candidates, its turnout beside that of the whole, the night there, and the way up and down the tree of places.
//! Without a place, all places.

use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use tallyboard_shared::{
    ids::{ContestId, LocationId},
    results::{LocationResult, Results},
    versions::PlaceHistory,
};

use super::{overview::Places, shown::Shown};
use crate::{
    app::Context,
    charts::{
        curves::count_lines,
        drawing::Drawing,
        votes_bar::{shares_bar, standings_bar},
    },
    components::{
        candidate_table::CandidateTable,
        chart_panel::{Chart, ChartPanel},
        contest_picker::ContestPicker,
        facts::Facts,
        figure_table::FigureTable,
        headline::Headline,
        map::MapPanel,
        missing::NoSuchPlace,
        panel::Panel,
        place_table::PlaceTable,
    },
    navigation::Navigation,
    parts::{self, Part},
    place_history, places,
    spot::{self, Spot},
    standings,
    table::Table,
    texts::tr,
    wire,
};

/// The place that the address names, else all places.
#[component]
pub fn PlacePage(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let address = Navigation::of_view().address;
    let id = Memo::new(move |_| address.with(|address| address.place.clone()));
    view! {
        <ContestPicker shown/>
        {move || match id.get() {
            Some(id) => view! { <OnePlace shown id/> }.into_any(),
            None => view! { <AllPlaces shown/> }.into_any(),
        }}
    }
}

#[component]
fn AllPlaces(shown: Shown) -> impl IntoView {
    let lede = Memo::new(move |_| {
        shown.results.with(|results| results.as_deref().map(all_words).unwrap_or_default())
    });
    let roots = Memo::new(move |_| {
        shown.election.with(|election| {
            shown.results.with(|results| match (election, results) {
                (Some(election), Some(results)) => spot::roots(election, results),
                _ => Vec::new(),
            })
        })
    });
    let is_tree = Memo::new(move |_| {
        shown.results.with(|results| results.as_ref().is_some_and(|results| !results.regions.is_empty()))
    });
    view! {
        <Headline headline=tr("All places").to_owned() lede/>
        <MapPanel shown/>
        <Show when=move || is_tree.get()><Regions shown roots/></Show>
        <Places rows=shown.places standings=shown.standings/>
    }
}

/// Where the way down begins.
#[component]
fn Regions(shown: Shown, roots: Memo<Vec<LocationResult>>) -> impl IntoView {
    let navigation = Navigation::of_view();
    let table = Memo::new(move |_| {
        let rows = roots.with(|roots| {
            shown.standings.with(|standings| places::rows(roots, shown.contest_id.get().as_ref(), standings))
        });
        places::table(&rows, |place| navigation.to_place(place))
    });
    view! {
        <Panel id="regions" title=tr("Regions") measure=tr("ballots counted in all their parts")>
            <FigureTable id="regions" table caption=tr("Regions")/>
        </Panel>
    }
}

fn all_words(results: &Results) -> String {
    let counting = results.locations.iter().filter(|place| place.votes > 0).count();
    spot::all_words(counting, results.locations.len())
}

#[component]
fn OnePlace(shown: Shown, id: LocationId) -> impl IntoView {
    let id = StoredValue::new(id);
    let spot = Memo::new(move |_| {
        shown.election.with(|election| {
            shown
                .results
                .with(|results| id.with_value(|id| spot::spot(election.as_deref()?, results.as_deref()?, id)))
        })
    });
    let there = Memo::new(move |_| (spot.with(Option::is_some), shown.results.with(Option::is_some)));
    move || match there.get() {
        (true, _) => view! { <Standing shown spot/> }.into_any(),
        (false, true) => view! { <NoSuchPlace/> }.into_any(),
        // Nothing was published yet: which places there are without a definition isn't known.
        (false, false) => view! {
            <Headline headline=tr("No votes yet").to_owned()
                lede=tr("The figures appear here as soon as the first vote is counted.").to_owned()/>
        }
        .into_any(),
    }
}

#[component]
fn Standing(shown: Shown, spot: Memo<Option<Spot>>) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let of =
        move |text: &dyn Fn(&Spot) -> String| spot.with(|spot| spot.as_ref().map(text).unwrap_or_default());
    let name = Memo::new(move |_| of(&|spot| spot.place.name.clone()));
    let there = Memo::new(move |_| {
        spot.with(|spot| {
            shown.contest.with(|contest| match (spot, contest) {
                (Some(spot), Some(contest)) => {
                    standings::ranked_in(contest, spot::votes_of(&spot.place, &contest.id))
                }
                _ => Vec::new(),
            })
        })
    });
    let folded = Memo::new(move |_| {
        there.with(|there| parts::of_standings(&standings::folded(there, standings::CHART_CANDIDATES_MAX)))
    });
    let blank = Memo::new(move |_| there.with(|there| spot::blank(spot.get().as_ref(), there)));
    let says = Memo::new(move |_| folded.with(|parts| parts::says(parts)));
    let lede = Memo::new(move |_| {
        blank.get().map_or_else(|| there.with(|there| spot::lead_words(there)), str::to_owned)
    });
    let facts = Memo::new(move |_| {
        spot.with(|spot| {
            shown.results.with(|results| match (spot, results) {
                (Some(spot), Some(results)) => spot::facts(&spot.place, results),
                _ => Vec::new(),
            })
        })
    });
    let drawing =
        Memo::new(move |_| folded.with(|parts| palette.with(|palette| standings_bar(parts, palette))));
    let table =
        Memo::new(move |_| there.with(|there| parts::table(tr("Candidate"), &parts::of_standings(there))));
    let below = Memo::new(move |_| {
        spot.with(|spot| spot.as_ref().map(|spot| spot.parts.clone())).unwrap_or_default()
    });
    view! {
        <Above spot/>
        <Headline headline=name lede/>
        <Facts facts/>
        <ChartPanel id="there" title=tr("Votes there") measure=tr("% of the votes counted in this place")
            chart=Chart { drawing, table, says, blank }/>
        <Turnout shown spot/>
        <Through shown spot there/>
        <Panel id="candidates" title=tr("Candidates") measure=tr("in this place")>
            <CandidateTable standings=there/>
        </Panel>
        <Show when=move || below.with(|parts| !parts.is_empty())>
            <Parts shown parts=below/>
        </Show>
    }
}

/// How often the history of a place is read again.
const HISTORY_INTERVAL_MS: u32 = 15_000;

/// How long the server is left alone while there are no two versions with figures of the place.
const HISTORY_RETRY_MS: u32 = 3_000;

/// The place through the night; absent before there are two versions with its figures.
#[component]
fn Through(shown: Shown, spot: Memo<Option<Spot>>, there: Memo<Vec<standings::Standing>>) -> impl IntoView {
    let context = Context::of_view();
    let id = Memo::new(move |_| spot.with(|spot| spot.as_ref().map(|spot| spot.place.id.clone())));
    let read = RwSignal::new(None::<PlaceHistory>);
    let history = Memo::new(move |_| {
        let read = read.get()?;
        spot.with(|spot| {
            shown
                .results
                .with(|results| Some(place_history::up_to(read, results.as_deref()?, &spot.as_ref()?.place)))
        })
    });
    let folded =
        Memo::new(move |_| there.with(|there| standings::folded(there, standings::CHART_CANDIDATES_MAX)));
    let with = move |of: &mut dyn FnMut(&PlaceHistory, &ContestId, &[standings::Standing])| {
        let Some(contest) = shown.contest_id.get() else { return };
        history.with(|history| {
            if let Some(history) = history {
                folded.with(|folded| of(history, &contest, folded));
            }
        });
    };
    let curves = Memo::new(move |_| {
        let contest = shown.contest_id.get()?;
        history
            .with(|history| folded.with(|folded| place_history::curves(history.as_ref()?, &contest, folded)))
    });
    spawn_local(async move {
        // Another place, or another screen, ends it.
        while let Some(Some(id)) = id.try_get_untracked() {
            if !context.feed.is_held()
                && let Some(newest) = read_history(&id).await
            {
                read.try_update(|read| *read = Some(newest));
            }
            let is_there = curves.try_with_untracked(Option::is_some).unwrap_or(false);
            TimeoutFuture::new(if is_there { HISTORY_INTERVAL_MS } else { HISTORY_RETRY_MS }).await;
        }
    });
    let drawing = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        curves.with(|curves| match curves {
            Some((times_ms, curves)) => {
                context.theme.palette.with(|palette| count_lines(times_ms, curves, palette, offset_minutes))
            }
            None => Drawing::default(),
        })
    });
    let table = Memo::new(move |_| {
        let mut table = Table::default();
        with(&mut |history, contest, folded| table = place_history::table(history, contest, folded));
        table
    });
    let says = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        let mut says = String::new();
        with(&mut |history, contest, folded| {
            says = place_history::says(history, contest, folded, offset_minutes);
        });
        says
    });
    let blank = Memo::new(|_| None);
    view! {
        <Show when=move || curves.with(Option::is_some)>
            <ChartPanel id="through" title=tr("Through the night") measure=tr("votes counted here, by time of publication")
                chart=Chart { drawing, table, says, blank }/>
        </Show>
    }
}

async fn read_history(id: &LocationId) -> Option<PlaceHistory> {
    let id: String = form_urlencoded::byte_serialize(id.as_str().as_bytes()).collect();
    // In a path a plus is a plus.
    let path = format!("api/v1/locations/{}/history", id.replace('+', "%20"));
    let answer = Request::get(&path).send().await.ok()?;
    answer.ok().then_some(())?;
    wire::from_json(&answer.text().await.ok()?)
}

/// The way up.
#[component]
fn Above(spot: Memo<Option<Spot>>) -> impl IntoView {
    let navigation = Navigation::of_view();
    let above = Memo::new(move |_| {
        spot.with(|spot| spot.as_ref().map(|spot| spot.above.clone())).unwrap_or_default()
    });
    let all = Memo::new(move |_| navigation.to_screen(crate::address::Screen::Place));
    let links = move || {
        above
            .get()
            .into_iter()
            .map(|(id, name)| view! { <li><a href=navigation.to_place(&id)>{name}</a></li> })
            .collect_view()
    };
    view! {
        <nav class="above" aria-label=tr("What this place is a part of") data-testid="above">
            <ol><li><a href=move || all.get()>{tr("All places")}</a></li>{links}</ol>
        </nav>
    }
}

#[component]
fn Turnout(shown: Shown, spot: Memo<Option<Spot>>) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let parts: Memo<Vec<Part>> = Memo::new(move |_| {
        spot.with(|spot| {
            shown.results.with(|results| match (spot, results) {
                (Some(spot), Some(results)) => spot::turnouts(spot, results),
                _ => Vec::new(),
            })
        })
    });
    let drawing = Memo::new(move |_| parts.with(|parts| palette.with(|palette| shares_bar(parts, palette))));
    let table = Memo::new(move |_| parts.with(|parts| spot::turnout_table(parts)));
    let says = Memo::new(move |_| parts.with(|parts| spot::turnout_says(parts)));
    let blank = Memo::new(move |_| {
        let unknown = parts.with(|parts| parts.first().is_none_or(|part| part.share.is_none()));
        unknown.then(|| tr("The electorate of this place is unknown."))
    });
    view! {
        <ChartPanel id="turnout" title=tr("Turnout") measure=tr("% of registered voters")
            chart=Chart { drawing, table, says, blank }/>
    }
}

/// Places with the way down into them.
#[component]
fn Parts(shown: Shown, parts: Memo<Vec<LocationResult>>) -> impl IntoView {
    let rows = Memo::new(move |_| {
        parts.with(|parts| {
            shown.standings.with(|standings| places::rows(parts, shown.contest_id.get().as_ref(), standings))
        })
    });
    view! {
        <Panel id="parts" title=tr("Its parts") measure=tr("ballots counted")>
            <PlaceTable rows standings=shown.standings/>
        </Panel>
    }
}
