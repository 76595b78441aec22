//! Files that leave the page: tables as CSV, charts as PNG. Each says of which version and mode it is.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, CanvasRenderingContext2d, HtmlAnchorElement, HtmlCanvasElement, Url};

use crate::{
    charts,
    table::{Stamp, Table},
};

/// Saves a table.
pub fn csv(table: &Table, what: &str, stamp: &Stamp) {
    let text = table.csv(stamp);
    // A file that can't be made is no reason to stop the page: nothing is saved then, and the reader sees that.
    save_text(&text, &stamp.file_name(what, "csv")).ok();
}

fn save_text(text: &str, name: &str) -> Result<(), JsValue> {
    let kind = BlobPropertyBag::new();
    kind.set_type("text/csv;charset=utf-8");
    // The mark at the beginning is what spreadsheets know UTF-8 by.
    let parts = js_sys::Array::of2(&"\u{feff}".into(), &text.into());
    let url = Url::create_object_url_with_blob(&Blob::new_with_str_sequence_and_options(&parts, &kind)?)?;
    save(&url, name)?;
    Url::revoke_object_url(&url)
}

/// Saves a chart with its title above and where it is from below.
pub fn picture(chart_id: &str, what: &str, title: &str, stamp: &Stamp) {
    let colors = document().body().and_then(|body| window().get_computed_style(&body).ok().flatten());
    let color = |name: &str| {
        colors.as_ref().and_then(|colors| colors.get_property_value(name).ok()).unwrap_or_default()
    };
    let (ground, ink) = (color("background-color"), color("color"));
    let url = charts::rendered(chart_id, &ground)
        .and_then(|chart| framed(&chart, title, &stamp.line(), &ground, &ink).ok())
        .and_then(|picture| picture.to_data_url().ok());
    if let Some(url) = url {
        save(&url, &stamp.file_name(what, "png")).ok();
    }
}

/// The height of the strips above and below a chart, and the size of the text in them, in pixels of the picture.
const STRIP: f64 = 64.0;
const TITLE: f64 = 30.0;
const FOOT: f64 = 20.0;

fn framed(
    chart: &HtmlCanvasElement,
    title: &str,
    foot: &str,
    ground: &str,
    ink: &str,
) -> Result<HtmlCanvasElement, JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    let (width, height) = (f64::from(chart.width()), f64::from(chart.height()));
    canvas.set_width(chart.width());
    canvas.set_height(chart.height() + 2 * 64);
    let context =
        canvas.get_context("2d")?.ok_or(JsValue::NULL)?.unchecked_into::<CanvasRenderingContext2d>();
    context.set_fill_style_str(ground);
    context.fill_rect(0.0, 0.0, width, height + 2.0 * STRIP);
    context.draw_image_with_html_canvas_element(chart, 0.0, STRIP)?;
    context.set_fill_style_str(ink);
    context.set_font(&format!("600 {TITLE}px Georgia, serif"));
    context.fill_text_with_max_width(title, 16.0, STRIP - 20.0, width - 32.0)?;
    context.set_font(&format!("{FOOT}px system-ui, sans-serif"));
    context.fill_text_with_max_width(foot, 16.0, height + 2.0 * STRIP - 22.0, width - 32.0)?;
    Ok(canvas)
}

fn save(url: &str, name: &str) -> Result<(), JsValue> {
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(url);
    link.set_download(name);
    link.click();
    Ok(())
}
