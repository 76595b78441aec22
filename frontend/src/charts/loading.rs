//! ECharts by need: fetched for the first chart that comes into sight, and what nobody sees isn't drawn.
//!
//! A reader on a phone has the figures long before the first chart is scrolled to, and doesn't wait for the library.

use leptos::{html::ElementType, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{HtmlScriptElement, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit};

/// A chart counts as seen while it is so near to what is.
const NEAR: &str = "200px 0px";

/// Whether ECharts is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    NotAsked,
    OnItsWay,
    There,
    /// It can't be had; the tables have its figures.
    Missing,
}

/// Where the two parts of ECharts stand, for all charts of the page.
#[derive(Clone, Copy)]
pub struct Loading {
    charts: RwSignal<Library>,
    controls: RwSignal<Library>,
}

impl Loading {
    /// Nothing is fetched yet.
    #[must_use]
    pub fn by_need() -> Self {
        Self { charts: RwSignal::new(Library::NotAsked), controls: RwSignal::new(Library::NotAsked) }
    }

    /// Where ECharts stands, with the controls where they are wanted; what nobody has asked for before is fetched.
    pub(super) fn library(self, with_controls: bool) -> Library {
        let charts = asked(self.charts, "echarts");
        // Both are on their way at the same time, and run in this order.
        let controls = if with_controls { asked(self.controls, "echarts-controls") } else { Library::There };
        if charts == Library::There { controls } else { charts }
    }
}

fn asked(part: RwSignal<Library>, name: &str) -> Library {
    let library = part.get();
    if library != Library::NotAsked {
        return library;
    }
    let asked = if fetch(part, name).is_some() { Library::OnItsWay } else { Library::Missing };
    part.set(asked);
    asked
}

/// The page names the scripts without running them.
fn fetch(state: RwSignal<Library>, name: &str) -> Option<()> {
    let named = document().get_element_by_id(name)?;
    let script: HtmlScriptElement = document().create_element("script").ok()?.dyn_into().ok()?;
    for attribute in ["src", "integrity"] {
        if let Some(value) = named.get_attribute(attribute) {
            script.set_attribute(attribute, &value).ok()?;
        }
    }
    script.set_async(false);
    let on_load = Closure::once_into_js(move || state.set(Library::There));
    let on_error = Closure::once_into_js(move || state.set(Library::Missing));
    script.set_onload(Some(on_load.unchecked_ref()));
    script.set_onerror(Some(on_error.unchecked_ref()));
    document().head()?.append_child(&script).ok()?;
    Some(())
}

/// Whether an element is in sight, or near it; on paper everything is.
#[must_use]
pub fn sight_of<E>(node: NodeRef<E>) -> RwSignal<bool>
where
    E: ElementType + 'static,
    E::Output: AsRef<web_sys::Element> + JsCast + Clone + 'static,
{
    let is_seen = RwSignal::new(false);
    let sight = StoredValue::new_local(None::<Sight>);
    Effect::new(move |_| {
        if let Some(element) = node.get() {
            sight.set_value(Sight::new(element.as_ref(), is_seen));
        }
    });
    let printed = window_event_listener(leptos::ev::beforeprint, move |_| is_seen.set(true));
    on_cleanup(move || {
        printed.remove();
        sight.try_update_value(Option::take);
    });
    is_seen
}

struct Sight {
    observer: IntersectionObserver,
    _on_change: Closure<dyn FnMut(js_sys::Array)>,
}

impl Sight {
    /// Tells `is_seen`; a browser that can't watch shows everything.
    fn new(element: &web_sys::Element, is_seen: RwSignal<bool>) -> Option<Self> {
        let on_change = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
            let newest = entries.pop().unchecked_into::<IntersectionObserverEntry>();
            is_seen.set(newest.is_intersecting());
        });
        let how = IntersectionObserverInit::new();
        how.set_root_margin(NEAR);
        let observer = IntersectionObserver::new_with_options(on_change.as_ref().unchecked_ref(), &how).ok();
        let Some(observer) = observer else {
            is_seen.set(true);
            return None;
        };
        observer.observe(element);
        Some(Self { observer, _on_change: on_change })
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}
