//! Starts the dashboard in the page.

use leptos::prelude::*;
use tallyboard_frontend::{App, app::start_language};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

fn main() {
    console_error_panic_hook::set_once();
    // Leptos has no executor before something is mounted.
    spawn_local(async {
        start_language().await;
        let place = document()
            .get_element_by_id("app")
            .and_then(|place| place.dyn_into::<web_sys::HtmlElement>().ok());
        match place {
            Some(place) => mount_to(place, App).forget(),
            None => mount_to_body(App),
        }
    });
}
