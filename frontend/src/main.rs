//! Starts the dashboard in the page.

use leptos::prelude::*;
use wasm_bindgen::JsCast;

fn main() {
    console_error_panic_hook::set_once();
    let place =
        document().get_element_by_id("app").and_then(|place| place.dyn_into::<web_sys::HtmlElement>().ok());
    match place {
        Some(place) => {
            // What the page said while the program was on its way.
            place.set_inner_html("");
            mount_to(place, tallyboard_frontend::App).forget();
        }
        None => mount_to_body(tallyboard_frontend::App),
    }
}
