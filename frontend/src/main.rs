//! Starts the dashboard in the page.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use tallyboard_frontend::{App, app::start_language};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

fn main() {
    console_error_panic_hook::set_once();
    // Leptos has no executor before something is mounted.
    spawn_local(async {
        // Each in a task of its own: the browser has just made the program ready, and in one go a phone would stand still.
        TimeoutFuture::new(0).await;
        start_language().await;
        TimeoutFuture::new(0).await;
        let place = document()
            .get_element_by_id("app")
            .and_then(|place| place.dyn_into::<web_sys::HtmlElement>().ok());
        match place {
            Some(place) => mount_to(place, App).forget(),
            None => mount_to_body(App),
        }
    });
}
