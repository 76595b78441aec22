//! The night again, version by version: a scrubber, a pace to play at, and a way back to the figures of now.

use std::sync::Arc;

use gloo_net::http::Request;
use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use serde::de::DeserializeOwned;
use tallyboard_shared::{results::Results, versions::Versions};

use super::{
    overview::{Places, Standings},
    shown::Shown,
};
use crate::{
    address::Screen,
    app::Context,
    components::{
        candidate_table::CandidateTable, chart_panel::Source, contest_picker::ContestPicker,
        figures::Figures, headline::Headline, map::MapPanel, panel::Panel, selector::Selector,
    },
    format,
    navigation::Navigation,
    news,
    replay::{Event, Replay, Speed, Unread},
    texts::tr,
    wire,
};

/// How often the list is read again: the night goes on.
const LIST_INTERVAL_MS: u32 = 30_000;

/// How long a server without a list is left alone.
const LIST_RETRY_MS: u32 = 2_000;

/// What the parts of the page share.
#[derive(Clone, Copy)]
struct Player {
    replay: RwSignal<Replay>,
    wanted: Memo<Option<u64>>,
    playing: RwSignal<bool>,
    speed: RwSignal<Speed>,
    navigation: Navigation,
}

impl Player {
    fn start() -> Self {
        let navigation = Navigation::of_view();
        let replay = RwSignal::new(Replay::default());
        let wanted = Memo::new(move |_| {
            let asked = navigation.address.with(|address| address.version);
            replay.with(|replay| replay.beginning(asked))
        });
        let player = Self {
            replay,
            wanted,
            playing: RwSignal::new(false),
            speed: RwSignal::new(Speed::default()),
            navigation,
        };
        player.list();
        Effect::new(move |_| {
            if let Some(version) = wanted.get() {
                player.read(version);
            }
        });
        player.keep_playing();
        player
    }

    fn tell(self, event: Event) {
        // Whoever left the screen isn't told any more.
        let wanted = self.wanted.try_get_untracked().flatten();
        self.replay.try_update(|replay| replay.apply(event, wanted));
    }

    fn list(self) {
        spawn_local(async move {
            loop {
                self.tell(Event::Listed(read::<Versions>("api/v1/versions").await.ok()));
                let listed = self.replay.try_with_untracked(|replay| replay.versions.is_some());
                let Some(listed) = listed else { return };
                TimeoutFuture::new(if listed { LIST_INTERVAL_MS } else { LIST_RETRY_MS }).await;
            }
        });
    }

    fn read(self, version: u64) {
        spawn_local(async move {
            let results = read::<Results>(&format!("api/v1/results?version={version}")).await;
            self.tell(Event::Read(version, results.map(Arc::new)));
        });
    }

    fn keep_playing(self) {
        spawn_local(async move {
            loop {
                let Some(speed) = self.speed.try_get_untracked() else { return };
                TimeoutFuture::new(speed.step_ms()).await;
                let Some(playing) = self.playing.try_get_untracked() else { return };
                if playing {
                    self.step();
                }
            }
        });
    }

    /// Goes to the next version, once the one before is there; stops at the end.
    fn step(self) {
        let Some(version) = self.wanted.get_untracked() else { return };
        let is_there = self.replay.with_untracked(|replay| {
            replay.trouble.is_none()
                && replay.results.as_ref().is_some_and(|results| results.version == version)
        });
        if !is_there {
            return;
        }
        match self.replay.with_untracked(|replay| replay.next(version)) {
            Some(next) => self.go_to(next),
            None => self.playing.set(false),
        }
    }

    fn go_to(self, version: u64) {
        self.navigation.choose(|address| address.version = Some(version));
    }
}

async fn read<T: DeserializeOwned>(path: &str) -> Result<T, Unread> {
    let answer = Request::get(path).send().await.map_err(|_| Unread::NoAnswer)?;
    match answer.status() {
        200 => {
            let text = answer.text().await.map_err(|_| Unread::NoAnswer)?;
            wire::from_json(&text).ok_or(Unread::NoAnswer)
        }
        404 => Err(Unread::NoSuchVersion),
        _ => Err(Unread::NoAnswer),
    }
}

/// The replay.
#[component]
pub fn ReplayPage() -> impl IntoView {
    let context = Context::of_view();
    let player = Player::start();
    let results = Memo::new(move |_| player.replay.with(|replay| replay.results.clone()));
    let shown = Shown::new(results.into());
    provide_context(Source(shown.stamp));
    Effect::new(move |_| context.replayed.set(Some(results.get())));
    on_cleanup(move || context.replayed.set(None));
    let headline = Memo::new(move |_| shown.contest.with(|contest| news::headline(contest.as_ref())));
    let lede = Memo::new(move |_| shown.lede(context.offset_minutes.get()));
    view! {
        <Controls player/>
        <Show when=move || results.with(Option::is_some) fallback=move || view! {
            <Headline headline=tr("Replay").to_owned() lede=tr("The versions are on their way.").to_owned()/>
        }>
            <ContestPicker shown/>
            <Headline headline lede/>
            <Figures results=shown.results/>
            <Standings shown/>
            <MapPanel shown/>
            <Places rows=shown.places standings=shown.standings/>
            <Panel id="candidates" title=tr("Candidates") measure=tr("at this version")>
                <CandidateTable standings=shown.standings/>
            </Panel>
        </Show>
    }
}

#[component]
fn Controls(player: Player) -> impl IntoView {
    let Player { replay, wanted, playing, speed, navigation } = player;
    let offset_minutes = Context::of_view().offset_minutes;
    let last = Memo::new(move |_| replay.with(|replay| replay.points().len().saturating_sub(1)));
    let position = Memo::new(move |_| replay.with(|replay| replay.position(wanted.get().unwrap_or(0))));
    let words = Memo::new(move |_| {
        let offset_minutes = offset_minutes.get();
        replay
            .with(|replay| {
                let point = replay.points().get(position.get())?;
                Some(format::replayed(wanted.get()?, point.as_of, offset_minutes))
            })
            .unwrap_or_default()
    });
    let notice = Memo::new(move |_| {
        let asked = navigation.address.with(|address| address.version);
        replay.with(|replay| replay.notice(asked))
    });
    let ends = Memo::new(move |_| {
        let offset_minutes = offset_minutes.get();
        replay.with(|replay| {
            let (first, last) = replay.points().first().zip(replay.points().last())?;
            Some([first, last].map(|point| format::clock(point.as_of, offset_minutes)))
        })
    });
    let scrub = move |text: String| {
        playing.set(false);
        let version = text
            .parse()
            .ok()
            .and_then(|position| replay.with_untracked(|replay| replay.version_at(position)));
        if let Some(version) = version {
            player.go_to(version);
        }
    };
    let play = move || {
        // From the end it begins again.
        let at_end = wanted
            .get_untracked()
            .is_some_and(|version| replay.with_untracked(|replay| replay.next(version).is_none()));
        let first = replay.with_untracked(|replay| replay.beginning(None));
        if let Some(first) = first.filter(|_| at_end && !playing.get_untracked()) {
            player.go_to(first);
        }
        playing.update(|playing| *playing = !*playing);
    };
    let speeds =
        Signal::stored(Speed::ALL.map(|speed| (speed.code().to_owned(), speed.name().to_owned())).to_vec());
    let chosen = Memo::new(move |_| speed.get().code().to_owned());
    let live = Memo::new(move |_| navigation.to_screen(Screen::Overview));
    view! {
        <section class="player" aria-label=tr("Replay") data-testid="player">
            <div class="choices">
                <button type="button" data-testid="replay-play" on:click=move |_| play()>
                    {move || if playing.get() { tr("Stop") } else { tr("Play") }}
                </button>
                <Selector id="replay-speed" label=tr("Speed") options=speeds chosen
                    on_choice=move |code: String| speed.set(Speed::parse(&code))/>
                <a class="button first" data-testid="replay-live" href=move || live.get()>{tr("Back to live")}</a>
            </div>
            <input type="range" class="scrubber" min="0" step="1" data-testid="replay-scrubber"
                aria-label=tr("Version") aria-valuetext=move || words.get()
                max=move || last.get().to_string()
                prop:value=move || position.get().to_string()
                on:input=move |event| scrub(event_target_value(&event))/>
            <p class="ends">
                <span>{move || ends.get().map(|ends| ends[0].clone())}</span>
                <strong data-testid="replay-now">{move || words.get()}</strong>
                <span>{move || ends.get().map(|ends| ends[1].clone())}</span>
            </p>
            {move || notice.get().map(|notice| view! {
                <p class="trouble" role="status" data-testid="replay-trouble">{notice}</p>
            })}
        </section>
    }
}
