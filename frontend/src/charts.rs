//! Charts on the page: the only place that touches the handles of ECharts.
//!
//! A chart is initialized once its node is in the page, changed in place from then on, fitted to its node whenever
//! that changes its size, and disposed of with its component. What it shows is a [`Drawing`], which the builders in
//! the submodules make of plain data with charming's types. Charming's own renderer stays out: it would bring a second
//! serializer of every type, and ECharts takes JSON as well.

pub mod drawing;
pub mod shares_donut;
pub mod shares_line;
pub mod votes_bar;

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::ResizeObserver;

use drawing::Drawing;

#[wasm_bindgen]
extern "C" {
    /// An instance of ECharts.
    type Instance;

    #[wasm_bindgen(catch, js_namespace = echarts)]
    fn init(node: &web_sys::Element) -> Result<Instance, JsValue>;

    #[wasm_bindgen(method, js_name = setOption)]
    fn set_option(this: &Instance, option: &JsValue, how: &JsValue);

    #[wasm_bindgen(method)]
    fn resize(this: &Instance);

    #[wasm_bindgen(method)]
    fn dispose(this: &Instance);
}

/// A chart that is in the page; dropping it gives everything back.
struct Mounted {
    instance: Instance,
    how: JsValue,
    observer: Option<ResizeObserver>,
    _on_resize: Closure<dyn FnMut()>,
}

impl Mounted {
    /// `None` where ECharts wasn't loaded or can't draw.
    fn new(node: &web_sys::Element) -> Option<Self> {
        let loaded = js_sys::Reflect::has(&js_sys::global(), &"echarts".into()).unwrap_or(false);
        if !loaded {
            return None;
        }
        let instance = init(node).ok()?;
        let fitted = JsValue::from(&instance).unchecked_into::<Instance>();
        let on_resize = Closure::<dyn FnMut()>::new(move || fitted.resize());
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok();
        if let Some(observer) = &observer {
            observer.observe(node);
        }
        Some(Self {
            instance,
            // Series are matched by id: those that stay move in place, those of another contest go.
            how: js_sys::JSON::parse(r#"{"replaceMerge":["series"]}"#).ok()?,
            observer,
            _on_resize: on_resize,
        })
    }

    fn draw(&self, drawing: &Drawing) {
        if let Ok(option) = js_sys::JSON::parse(&drawing.to_json()) {
            self.instance.set_option(&option, &self.how);
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
        self.instance.dispose();
    }
}

/// A chart that follows `drawing`.
#[component]
pub fn EChart(
    /// Unique in the page; also the test id.
    id: &'static str,
    /// What is drawn.
    #[prop(into)]
    drawing: Signal<Drawing>,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let mounted = StoredValue::new_local(None::<Mounted>);
    let missing = RwSignal::new(false);
    Effect::new(move |_| {
        let Some(element) = node.get() else { return };
        drawing.with(|drawing| {
            mounted.update_value(|mounted| {
                if mounted.is_none() {
                    *mounted = Mounted::new(&element);
                }
                match mounted {
                    Some(mounted) => mounted.draw(drawing),
                    None => missing.set(true),
                }
            });
        });
    });
    on_cleanup(move || {
        mounted.try_update_value(Option::take);
    });
    view! {
        <div class="chart" id=id data-testid=id node_ref=node></div>
        <Show when=move || missing.get()>
            <p class="note">"The chart can't be drawn here. The table has its figures."</p>
        </Show>
    }
}
