//! The page's address as a signal, and the ways to change it.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
    location::{BrowserUrl, LocationProvider},
};
use tallyboard_shared::ids::LocationId;

use crate::address::{Address, Screen, folder};

type Go = Box<dyn Fn(&str, NavigateOptions)>;

/// Where the reader is. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Navigation {
    /// What is looked at.
    pub address: Memo<Address>,
    go: StoredValue<Go, LocalStorage>,
    folder: StoredValue<String>,
}

impl Navigation {
    /// Follows the router; to be called within it.
    #[must_use]
    pub fn follow() -> Self {
        let location = use_location();
        let address = Memo::new(move |_| {
            location.pathname.with(|path| location.search.with(|query| Address::parse(path, query)))
        });
        // The router waits with the browser's address until the new view stands.
        let browser = use_context::<BrowserUrl>();
        Effect::new(move |_| {
            address.track();
            if let Some(browser) = &browser {
                browser.ready_to_complete();
            }
        });
        let navigate = use_navigate();
        Self {
            address,
            go: StoredValue::new_local(Box::new(move |path: &str, options| navigate(path, options))),
            folder: StoredValue::new(location.pathname.with_untracked(|path| folder(path).to_owned())),
        }
    }

    /// The navigation of the page that is being built.
    #[must_use]
    pub fn of_view() -> Self {
        expect_context()
    }

    /// Changes a choice on the screen: goes there in place, so that the way back leads to the screen before.
    pub fn choose(self, change: impl FnOnce(&mut Address)) {
        self.go_to(change, true);
    }

    /// Goes to another view.
    pub fn open(self, change: impl FnOnce(&mut Address)) {
        self.go_to(change, false);
    }

    fn go_to(self, change: impl FnOnce(&mut Address), replace: bool) {
        let before = self.address.get_untracked();
        let mut address = before.clone();
        change(&mut address);
        if address == before {
            return;
        }
        let href = address.href();
        let path = self.folder.with_value(|folder| format!("{folder}/{}", href.trim_start_matches("./")));
        let scroll = address.screen != before.screen;
        let options = NavigateOptions { replace, scroll, resolve: false, ..NavigateOptions::default() };
        self.go.with_value(|go| go(&path, options));
    }

    /// A link to a screen, in the contest that is shown.
    #[must_use]
    pub fn to_screen(self, screen: Screen) -> String {
        self.address.with(|address| address.on(screen).href())
    }

    /// A link to the page for a wall.
    #[must_use]
    pub fn to_wall(self) -> String {
        self.address.with(|address| address.on_wall().href())
    }

    /// A link to a place, in the contest that is shown.
    #[must_use]
    pub fn to_place(self, place: &LocationId) -> String {
        self.address.with(|address| address.at(place.clone()).href())
    }
}
