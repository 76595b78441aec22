//! Charts on the page: the only place that touches the handles of ECharts.
//!
//! A chart is initialized once its node is in sight, changed in place from then on as long as it is, fitted to its node whenever
//! that changes its size, and disposed of with its component. What it shows is a [`Drawing`], which the builders in
//! the submodules make of plain data with charming's types. Charming's own renderer stays out: it would bring a second
//! serializer of every type, and ECharts takes JSON as well.

pub mod curves;
pub mod drawing;
mod loading;
pub mod place_bars;
mod scale;
pub mod shares_donut;
pub mod shares_line;
pub mod votes_bar;

use leptos::{html, prelude::*};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use web_sys::ResizeObserver;

use drawing::Drawing;
use loading::Library;
pub use loading::{Loading, sight_of};

use crate::{
    intl,
    texts::{catalogue, tr},
};

#[wasm_bindgen]
extern "C" {
    /// An instance of ECharts.
    type Instance;

    #[wasm_bindgen(catch, js_namespace = echarts)]
    fn init(node: &web_sys::Element, theme: &JsValue, how: &JsValue) -> Result<Instance, JsValue>;

    #[wasm_bindgen(method, js_name = setOption)]
    fn set_option(this: &Instance, option: &JsValue, how: &JsValue);

    #[wasm_bindgen(js_namespace = echarts, js_name = getInstanceByDom)]
    fn instance_of(node: &web_sys::Element) -> Option<Instance>;

    #[wasm_bindgen(method)]
    fn on(this: &Instance, event: &str, listener: &JsValue);

    #[wasm_bindgen(method, catch, js_name = getRenderedCanvas)]
    fn rendered_canvas(this: &Instance, how: &JsValue) -> Result<web_sys::HtmlCanvasElement, JsValue>;

    #[wasm_bindgen(method)]
    fn resize(this: &Instance);

    #[wasm_bindgen(method)]
    fn dispose(this: &Instance);
}

/// A chart that is in the page; dropping it gives everything back.
struct Mounted {
    instance: Instance,
    how: JsValue,
    /// Writes numbers in the language of the page.
    writer: Option<js_sys::Function>,
    observer: Option<ResizeObserver>,
    _on_resize: Closure<dyn FnMut()>,
    _on_click: Closure<dyn FnMut(JsValue)>,
}

impl Mounted {
    /// `None` where ECharts can't draw.
    fn new(
        node: &web_sys::Element,
        on_pick: Option<Callback<String>>,
        width_px: RwSignal<i32>,
    ) -> Option<Self> {
        let instance = init(node, &JsValue::NULL, &how_sharp(node)?).ok()?;
        let fitted = JsValue::from(&instance).unchecked_into::<Instance>();
        let observed = node.clone();
        let on_resize = Closure::<dyn FnMut()>::new(move || {
            fitted.resize();
            let newest = observed.client_width();
            width_px.maybe_update(|width_px| std::mem::replace(width_px, newest) != newest);
        });
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok();
        if let Some(observer) = &observer {
            observer.observe(node);
        }
        let on_click = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            if let (Some(on_pick), Some(key)) = (on_pick, picked(&event)) {
                on_pick.run(key);
            }
        });
        instance.on("click", on_click.as_ref());
        Some(Self {
            instance,
            // Series are matched by id: those that stay move in place, those of another contest go.
            how: js_sys::JSON::parse(r#"{"replaceMerge":["series"]}"#).ok()?,
            writer: intl::number_writer(catalogue().language),
            observer,
            _on_resize: on_resize,
            _on_click: on_click,
        })
    }

    fn draw(&self, drawing: &Drawing, width_px: i32) {
        if let Ok(option) = js_sys::JSON::parse(&drawing.to_json(width_px)) {
            if let Some(writer) = &self.writer {
                write_numbers(&option, writer);
            }
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

/// As many pixels as the screen has, on an enlarged page too.
fn how_sharp(node: &web_sys::Element) -> Option<JsValue> {
    let zoom = js_sys::Reflect::get(node, &"currentCSSZoom".into()).ok().and_then(|zoom| zoom.as_f64());
    let ratio = window().device_pixel_ratio() * zoom.unwrap_or(1.0);
    let how = js_sys::Object::new();
    js_sys::Reflect::set(&how, &"devicePixelRatio".into(), &ratio.into()).ok()?;
    Some(how.into())
}

/// Lets numbers on axes and in tooltips be written by `writer`: an option of JSON alone can't hold a function.
fn write_numbers(option: &JsValue, writer: &js_sys::Function) {
    let get =
        |object: &JsValue, key: &str| js_sys::Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED);
    let set = |object: &JsValue, key: &str| {
        if object.is_object() {
            // A plain object takes whatever is set.
            js_sys::Reflect::set(object, &key.into(), writer).ok();
        }
    };
    set(&get(option, "tooltip"), "valueFormatter");
    let axis = get(option, "yAxis");
    let label = get(&axis, "axisLabel");
    if get(&axis, "type").as_string().as_deref() == Some("value") && get(&label, "formatter").is_undefined() {
        set(&label, "formatter");
    }
}

/// The key of the bar or slice that was clicked.
fn picked(event: &JsValue) -> Option<String> {
    let data = js_sys::Reflect::get(event, &"data".into()).ok()?;
    let key = js_sys::Reflect::get(&data, &"key".into()).ok()?.as_string()?;
    (!key.is_empty()).then_some(key)
}

/// How many pixels of a picture make one of the page.
const PICTURE_SCALE: f64 = 2.0;

/// A chart as a canvas, as it is drawn now; `None` where there is no such chart.
#[must_use]
pub fn rendered(id: &str, ground: &str) -> Option<web_sys::HtmlCanvasElement> {
    let instance = instance_of(&document().get_element_by_id(id)?)?;
    let how = js_sys::Object::new();
    js_sys::Reflect::set(&how, &"pixelRatio".into(), &PICTURE_SCALE.into()).ok()?;
    js_sys::Reflect::set(&how, &"backgroundColor".into(), &ground.into()).ok()?;
    instance.rendered_canvas(&how).ok()
}

/// A chart that follows `drawing`.
#[component]
pub fn EChart(
    /// Unique in the page; also the test id.
    #[prop(into)]
    id: String,
    /// What is drawn.
    #[prop(into)]
    drawing: Signal<Drawing>,
    /// Told the key of the bar or slice that was clicked.
    #[prop(optional_no_strip)]
    on_pick: Option<Callback<String>>,
    /// Told once it is drawn.
    #[prop(optional)]
    is_drawn: RwSignal<bool>,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let mounted = StoredValue::new_local(None::<Mounted>);
    let missing = RwSignal::new(false);
    let loading: Loading = expect_context();
    let is_seen = sight_of(node);
    // Names are cut where there is no room for them.
    let width_px = RwSignal::new(0);
    Effect::new(move |_| {
        let Some(element) = node.get().filter(|_| is_seen.get()) else { return };
        match loading.library(drawing.with(Drawing::has_controls)) {
            Library::NotAsked | Library::OnItsWay => return,
            Library::There => {}
            Library::Missing => return missing.set(true),
        }
        width_px.track();
        drawing.with(|drawing| {
            mounted.update_value(|mounted| {
                if mounted.is_none() {
                    width_px.update_untracked(|width_px| *width_px = element.client_width());
                    *mounted = Mounted::new(&element, on_pick, width_px);
                }
                match mounted {
                    Some(mounted) => {
                        mounted.draw(drawing, width_px.get_untracked());
                        is_drawn.maybe_update(|is_drawn| !std::mem::replace(is_drawn, true));
                    }
                    None => missing.set(true),
                }
            });
        });
    });
    on_cleanup(move || {
        mounted.try_update_value(Option::take);
    });
    view! {
        <div class="chart" id=id.clone() data-testid=id node_ref=node></div>
        <Show when=move || missing.get()>
            <p class="note">{tr("The chart can't be drawn here. The table has its figures.")}</p>
        </Show>
    }
}
