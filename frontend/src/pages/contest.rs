//! One contest in depth: the race, two of its candidates side by side, and its votes by party, place and group.

use leptos::prelude::*;
use tallyboard_shared::{election::Breakdown, ids::CandidateId};

use super::{overview::Places, shown::Shown};
use crate::{
    address::RaceForm,
    app::Context,
    charts::{
        curves::{self, count_lines, lead_line, share_bands},
        drawing::Drawing,
        place_bars::place_bars,
        shares_donut::shares_donut,
        votes_bar::{standings_bar, votes_bar},
    },
    components::{
        candidate_table::CandidateTable,
        chart_panel::{Chart, ChartPanel},
        contest_picker::ContestPicker,
        headline::Headline,
        panel::Panel,
        selector::Selector,
    },
    navigation::Navigation,
    news,
    parts::{self, Part},
    race::{self, Duel, Race},
    say,
    table::Table,
    texts::tr,
    timeline::{self, Track},
};

/// The contest.
#[component]
pub fn ContestPage(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    // Without a definition there is no contest before the first vote.
    let title = Memo::new(move |_| {
        shown.contest.with(|contest| {
            contest.as_ref().map_or_else(|| tr("No votes yet").to_owned(), |contest| contest.title.clone())
        })
    });
    let lede = Memo::new(move |_| {
        shown.contest.with(|contest| match contest {
            Some(contest) => news::headline(Some(contest)),
            None => tr("The figures appear here as soon as the first vote is counted.").to_owned(),
        })
    });
    let track = timeline::follow();
    let race = race_of(shown, track);
    let breakdowns = Memo::new(move |_| {
        shown.election.with(|election| election.as_ref().map(|election| election.breakdowns.clone()))
    });
    let has = move |by| breakdowns.with(|known| known.as_ref().is_some_and(|known| known.contains(&by)));
    view! {
        <ContestPicker shown/>
        <Headline headline=title lede/>
        <RacePanel shown track race/>
        <DuelPanel shown track race/>
        <Show when=move || has(Breakdown::Gender) || has(Breakdown::AgeBand)>
            <VotersPicker shown/>
        </Show>
        <Show when=move || has(Breakdown::Gender)>
            <Groups shown by=Breakdown::Gender id="gender" title=tr("Voters by gender") draw=shares_donut/>
        </Show>
        <Show when=move || has(Breakdown::AgeBand)>
            <Groups shown by=Breakdown::AgeBand id="ages" title=tr("Voters by age") draw=votes_bar/>
        </Show>
        <Parties shown/>
        <Splits shown/>
        <Panel id="candidates" title=tr("Candidates") measure=tr("votes counted")>
            <CandidateTable standings=shown.standings/>
        </Panel>
        <Places rows=shown.places standings=shown.standings/>
    }
}

/// The race alone, for a wall.
#[component]
pub fn WallRace(
    /// What is shown.
    shown: Shown,
) -> impl IntoView {
    let track = timeline::follow();
    let race = race_of(shown, track);
    view! { <RacePanel shown track race untouchable=true/> }
}

fn race_of(shown: Shown, track: RwSignal<Track>) -> Memo<Option<Race>> {
    Memo::new(move |_| {
        let contest = shown.contest_id.get()?;
        track.with(|track| shown.folded.with(|folded| race::race(track.timeline.as_ref()?, &contest, folded)))
    })
}

/// Why there is no race to draw.
fn race_blank(shown: Shown, race: Memo<Option<Race>>) -> Memo<Option<&'static str>> {
    Memo::new(move |_| {
        shown.blank.get().or_else(|| race.with(Option::is_none).then(|| tr("The timeline is on its way.")))
    })
}

/// The version that a race is of, and since when it isn't current.
fn race_measure(what: &'static str, track: RwSignal<Track>) -> Signal<String> {
    let now_ms = Context::of_view().feed.now_ms;
    Signal::derive(move || {
        let now_ms = now_ms.get();
        track.with(|track| match track.warning(now_ms) {
            Some(warning) => format!("{what}, {}. {warning}", track.version_words()),
            None => format!("{what}, {}", track.version_words()),
        })
    })
}

#[component]
fn RacePanel(
    shown: Shown,
    track: RwSignal<Track>,
    race: Memo<Option<Race>>,
    #[prop(optional)] untouchable: bool,
) -> impl IntoView {
    let context = Context::of_view();
    let address = Navigation::of_view().address;
    let form = Memo::new(move |_| address.with(|address| address.race));
    let with = move |of: &dyn Fn(&Race, &[crate::standings::Standing]) -> String| {
        race.with(|race| race.as_ref().map(|race| shown.folded.with(|folded| of(race, folded))))
            .unwrap_or_default()
    };
    let drawing = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        race.with(|race| {
            let Some(race) = race else { return Drawing::default() };
            let curves = shown.folded.with(|folded| curves::of_race(race, folded));
            let times_ms = &race.times_ms[race.beginning()..];
            let drawing = context.theme.palette.with(|palette| match form.get() {
                RaceForm::Lines => count_lines(times_ms, &curves, palette, offset_minutes),
                RaceForm::Shares => share_bands(times_ms, &curves, palette, offset_minutes),
            });
            if untouchable { drawing.untouchable() } else { drawing }
        })
    });
    let table = Memo::new(move |_| {
        race.with(|race| race.as_ref().map(|race| shown.folded.with(|folded| race.table(folded))))
            .unwrap_or_default()
    });
    let says = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        with(&|race, folded| race.says(folded, offset_minutes))
    });
    let blank = race_blank(shown, race);
    let measure = race_measure(tr("by the time at which votes were cast"), track);
    view! {
        <ChartPanel id="race" title=tr("The race") measure chart=Chart { drawing, table, says, blank }
            choices=move || view! { <RaceFormPicker form/> }/>
    }
}

#[component]
fn RaceFormPicker(form: Memo<RaceForm>) -> impl IntoView {
    let navigation = Navigation::of_view();
    let forms = [(RaceForm::Lines, "lines", tr("Votes")), (RaceForm::Shares, "shares", tr("Shares"))];
    let buttons = forms.map(|(one, code, name)| {
        view! {
            <button type="button" data-testid=format!("race-{code}")
                aria-pressed=move || (form.get() == one).to_string()
                on:click=move |_| navigation.choose(|address| address.race = one)>{name}</button>
        }
    });
    view! { <span class="switch" role="group" aria-label=tr("What the race shows")>{buttons.into_iter().collect_view()}</span> }
}

#[component]
fn DuelPanel(shown: Shown, track: RwSignal<Track>, race: Memo<Option<Race>>) -> impl IntoView {
    let context = Context::of_view();
    let address = Navigation::of_view().address;
    let rivals = Memo::new(move |_| address.with(|address| address.rivals.clone()));
    let duel = Memo::new(move |_| {
        shown.standings.with(|standings| {
            let rivals = rivals.get();
            shown.derive(|results, contest| race::duel(standings, &rivals, &results.locations, &contest.id))
        })
    });
    // The race again, of these two alone: they needn't be among the first.
    let pair = Memo::new(move |_| duel.with(|duel| duel.as_ref().map(|duel| duel.pair.clone())));
    let leads = Memo::new(move |_| {
        let (pair, contest) = (pair.get()?, shown.contest_id.get()?);
        let race = track.with(|track| race::race(track.timeline.as_ref()?, &contest, &pair))?;
        let leads = race.leads(0, 1);
        Some((race, leads, pair))
    });
    let drawing = Memo::new(move |_| {
        let offset_minutes = context.offset_minutes.get();
        leads.with(|leads| match leads {
            Some((race, leads, pair)) => context.theme.palette.with(|palette| {
                let beginning = race.beginning();
                let times_ms = &race.times_ms[beginning..];
                lead_line(times_ms, &leads[beginning..], pair, palette, offset_minutes)
            }),
            None => Drawing::default(),
        })
    });
    let table = Memo::new(move |_| {
        leads.with(|leads| match leads {
            Some((race, leads, pair)) => race::duel_table(race, leads, pair),
            None => Table::default(),
        })
    });
    let says = Memo::new(move |_| duel.with(|duel| duel.as_ref().map(Duel::says).unwrap_or_default()));
    let blank = race_blank(shown, race);
    let measure = race_measure(tr("votes ahead, by the time at which votes were cast"), track);
    view! {
        <ChartPanel id="duel" title=tr("Head to head") measure chart=Chart { drawing, table, says, blank }
            choices=move || view! { <Rival shown pair position=0/><Rival shown pair position=1/> }/>
    }
}

#[component]
fn Rival(
    shown: Shown,
    pair: Memo<Option<[crate::standings::Standing; 2]>>,
    position: usize,
) -> impl IntoView {
    let navigation = Navigation::of_view();
    let options = candidate_options(shown);
    let chosen = Memo::new(move |_| {
        pair.with(|pair| pair.as_ref().map(|pair| pair[position].id.to_string())).unwrap_or_default()
    });
    let choose = move |id: String| {
        let pair = pair.get_untracked();
        navigation.choose(|address| {
            // Who was there by rank stays when the ranks change.
            address.rivals = pair.map_or([None, None], |pair| pair.map(|standing| Some(standing.id)));
            address.rivals[position] = Some(CandidateId::new(id));
        });
    };
    let (id, label) = if position == 0 { ("duel-first", tr("First")) } else { ("duel-second", tr("Second")) };
    view! { <Selector id label options chosen on_choice=choose/> }
}

/// Every candidate, in the order of the ballot, so that the list stands still while ranks change.
fn candidate_options(shown: Shown) -> Memo<Vec<(String, String)>> {
    Memo::new(move |_| {
        shown.contest.with(|contest| {
            let candidates = contest.iter().flat_map(|contest| &contest.candidates);
            candidates.map(|candidate| (candidate.id.to_string(), candidate.name.clone())).collect()
        })
    })
}

#[component]
fn VotersPicker(shown: Shown) -> impl IntoView {
    let navigation = Navigation::of_view();
    let candidates = candidate_options(shown);
    let options = Memo::new(move |_| {
        let all = (String::new(), tr("everybody").to_owned());
        std::iter::once(all).chain(candidates.get()).collect::<Vec<_>>()
    });
    let chosen = Memo::new(move |_| {
        navigation
            .address
            .with(|address| address.voters_of.as_ref().map(ToString::to_string))
            .unwrap_or_default()
    });
    let choose = move |id: String| {
        navigation.choose(|address| address.voters_of = (!id.is_empty()).then(|| CandidateId::new(id)));
    };
    view! { <div><Selector id="voters-of" label=tr("Groups of voters: votes for") options chosen on_choice=choose/></div> }
}

#[component]
fn Groups(
    shown: Shown,
    by: Breakdown,
    id: &'static str,
    title: &'static str,
    draw: fn(&[Part], &crate::palette::Palette) -> Drawing,
) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let address = Navigation::of_view().address;
    let voters_of = Memo::new(move |_| address.with(|address| address.voters_of.clone()));
    let groups = Memo::new(move |_| {
        let voters_of = voters_of.get();
        shown.derive(|results, contest| parts::by_group(results, &contest.id, by, voters_of.as_ref()))
    });
    let drawing = Memo::new(move |_| groups.with(|groups| palette.with(|palette| draw(groups, palette))));
    let table = Memo::new(move |_| {
        shown.standings.with(|standings| {
            shown.derive(|results, contest| parts::group_table(results, &contest.id, by, standings))
        })
    });
    let says = Memo::new(move |_| groups.with(|groups| parts::says(groups)));
    let blank = Memo::new(move |_| groups.with(|groups| parts::groups_blank(groups)));
    let measure = Memo::new(move |_| {
        let name = voters_of.get().and_then(|id| {
            shown.standings.with(|standings| {
                standings.iter().find(|standing| standing.id == id).map(|standing| standing.name.clone())
            })
        });
        name.map_or_else(|| tr("votes counted").to_owned(), |name| say!("votes for {name}", name = name))
    });
    view! { <ChartPanel id title measure chart=Chart { drawing, table, says, blank }/> }
}

#[component]
fn Parties(shown: Shown) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let parties = Memo::new(move |_| shown.standings.with(|standings| parts::by_party(standings)));
    let drawing = Memo::new(move |_| {
        parties.with(|parties| {
            let shown = &parties[..parties.len().min(crate::standings::CHART_CANDIDATES_MAX)];
            palette.with(|palette| standings_bar(shown, palette))
        })
    });
    let table = Memo::new(move |_| parties.with(|parties| parts::table(tr("Party"), parties)));
    let says = Memo::new(move |_| parties.with(|parties| parts::says(parties)));
    view! {
        <ChartPanel id="parties" title=tr("By party") measure=tr("% of votes counted")
            chart=Chart { drawing, table, says, blank: shown.blank }/>
    }
}

#[component]
fn Splits(shown: Shown) -> impl IntoView {
    let palette = Context::of_view().theme.palette;
    let navigation = Navigation::of_view();
    let splits = Memo::new(move |_| {
        shown.folded.with(|folded| {
            shown.derive(|results, contest| parts::splits(&results.locations, &contest.id, folded))
        })
    });
    let drawing = Memo::new(move |_| {
        splits.with(|splits| {
            shown.folded.with(|folded| palette.with(|palette| place_bars(splits, folded, palette)))
        })
    });
    let href = move |place: &str| navigation.to_place(&tallyboard_shared::ids::LocationId::new(place));
    let table = Memo::new(move |_| {
        splits.with(|splits| shown.folded.with(|folded| parts::split_table(splits, folded, href)))
    });
    let says = Memo::new(move |_| splits.with(|splits| parts::splits_say(splits)));
    let to_place = move |place: String| {
        navigation.open(|address| *address = address.at(tallyboard_shared::ids::LocationId::new(place)));
    };
    view! {
        <ChartPanel id="splits" title=tr("By place") measure=tr("% of the votes there, places with the most votes")
            chart=Chart { drawing, table, says, blank: shown.blank } on_pick=to_place/>
    }
}
