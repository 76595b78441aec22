//! The application: what every page shares, and the page that is shown.

use leptos::prelude::*;

use crate::{
    components::{footer::Footer, header::Header, notice::NotCurrent},
    feed::Feed,
    pages::overview::Overview,
    theme::Theme,
};

/// What every view may ask for. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Context {
    /// The election's results, as they come.
    pub feed: Feed,
    /// Light or dark.
    pub theme: Theme,
    /// The reader's offset from UTC.
    pub offset_minutes: i32,
}

impl Context {
    /// The context of the view that is being built.
    #[must_use]
    pub fn of_view() -> Self {
        expect_context()
    }
}

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let context =
        Context { feed: Feed::start(), theme: Theme::follow(), offset_minutes: reader_offset_minutes() };
    provide_context(context);
    let board = context.feed.board;
    Effect::new(move |_| {
        let title = board.with(|board| board.election.as_ref().map(|election| election.title.clone()));
        if let Some(title) = title {
            document().set_title(&format!("{title} · Tallyboard"));
        }
    });
    view! {
        <a class="skip" href="#main">"Skip to the results"</a>
        <Header/>
        <NotCurrent/>
        <Overview/>
        <Footer/>
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole minutes within a day")]
fn reader_offset_minutes() -> i32 {
    -js_sys::Date::new_0().get_timezone_offset() as i32
}
