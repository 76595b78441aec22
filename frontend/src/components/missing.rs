//! What stands where an address leads to nothing: that it does, and a way back.

use leptos::prelude::*;

use super::headline::Headline;
use crate::{navigation::Navigation, texts::tr};

/// That there is nothing here.
#[component]
pub fn Missing(
    /// What there isn't.
    headline: &'static str,
    /// Why.
    lede: &'static str,
    /// Where the way back leads.
    #[prop(into)]
    href: Signal<String>,
    /// What is there.
    way: &'static str,
) -> impl IntoView {
    view! {
        <Headline headline=headline.to_owned() lede=lede.to_owned()/>
        <p><a class="button" data-testid="way-back" href=move || href.get()>{way}</a></p>
    }
}

/// That no screen has this path.
#[component]
pub fn NoSuchScreen() -> impl IntoView {
    view! {
        <Missing headline=tr("No such screen") lede=tr("Nothing has this address. It may be old, or mistyped.")
            href=to_overview() way=tr("To the overview")/>
    }
}

/// That the contest isn't one of the election's.
#[component]
pub fn NoSuchContest() -> impl IntoView {
    view! {
        <Missing headline=tr("No such contest") lede=tr("Neither the definition nor a vote names it.")
            href=to_overview() way=tr("To the overview")/>
    }
}

/// That the place isn't one of the election's.
#[component]
pub fn NoSuchPlace() -> impl IntoView {
    let navigation = Navigation::of_view();
    let href = Memo::new(move |_| navigation.to_screen(crate::address::Screen::Place));
    view! {
        <Missing headline=tr("No such place") lede=tr("Neither the definition nor a vote names it.")
            href way=tr("All places")/>
    }
}

fn to_overview() -> Memo<String> {
    let address = Navigation::of_view().address;
    Memo::new(move |_| address.with(|address| address.back().href()))
}
