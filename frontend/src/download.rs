//! Files that leave the page: tables as CSV, charts as PNG. Each says of which version and mode it is.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, CanvasRenderingContext2d, CanvasWindingRule, HtmlAnchorElement, HtmlCanvasElement,
    Path2d, Url,
};

use crate::{
    charts,
    map_art::MapArt,
    palette::Palette,
    table::{Stamp, Table},
    texts::catalogue,
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
    let (ground, ink) = ground_and_ink();
    if let Some(chart) = charts::rendered(chart_id, &ground) {
        save_picture(&chart, what, title, stamp, &ground, &ink);
    }
}

/// Saves a map likewise.
pub fn map(art: &MapArt, palette: &Palette, what: &str, title: &str, stamp: &Stamp) {
    let (ground, ink) = ground_and_ink();
    if let Ok(map) = painted(art, palette, &ground) {
        save_picture(&map, what, title, stamp, &ground, &ink);
    }
}

fn ground_and_ink() -> (String, String) {
    let colors = document().body().and_then(|body| window().get_computed_style(&body).ok().flatten());
    let color = |name: &str| {
        colors.as_ref().and_then(|colors| colors.get_property_value(name).ok()).unwrap_or_default()
    };
    (color("background-color"), color("color"))
}

fn save_picture(drawn: &HtmlCanvasElement, what: &str, title: &str, stamp: &Stamp, ground: &str, ink: &str) {
    let picture = framed(drawn, title, &stamp.line(), ground, ink);
    if let Ok(url) = picture.and_then(|picture| picture.to_data_url()) {
        save(&url, &stamp.file_name(what, "png")).ok();
    }
}

/// The room around a map, and how many pixels of its picture make one of it.
const MAP_MARGIN: f64 = 16.0;
const MAP_SCALE: f64 = 1.5;

fn painted(art: &MapArt, palette: &Palette, ground: &str) -> Result<HtmlCanvasElement, JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    let pixels = |length: f64| (length + 2.0 * MAP_MARGIN) * MAP_SCALE;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousand pixels")]
    let whole = |length: f64| pixels(length).ceil() as u32;
    canvas.set_width(whole(art.width));
    canvas.set_height(whole(art.height));
    let context =
        canvas.get_context("2d")?.ok_or(JsValue::NULL)?.unchecked_into::<CanvasRenderingContext2d>();
    context.set_fill_style_str(ground);
    context.fill_rect(0.0, 0.0, pixels(art.width), pixels(art.height));
    context.scale(MAP_SCALE, MAP_SCALE)?;
    context.translate(MAP_MARGIN, MAP_MARGIN)?;
    context.set_stroke_style_str(&palette.soft);
    context.set_line_width(0.7);
    context.set_text_align("center");
    for area in &art.areas {
        let path = Path2d::new_with_path_string(&area.path)?;
        context.set_fill_style_str(&palette.card);
        context.fill_with_path_2d_and_winding(&path, CanvasWindingRule::Evenodd);
        if let Some(color) = &area.color {
            context.set_global_alpha(area.depth);
            context.set_fill_style_str(color);
            context.fill_with_path_2d_and_winding(&path, CanvasWindingRule::Evenodd);
            context.set_global_alpha(1.0);
        }
        context.stroke_with_path(&path);
    }
    // Over all areas: a label may reach beyond its own.
    context.set_fill_style_str(&palette.ink);
    for (area, [x, y]) in art.areas.iter().filter_map(|area| Some((area, area.label?))) {
        context.set_font("600 15px system-ui, sans-serif");
        context.fill_text(&area.lines[0], x, y - 2.0)?;
        context.set_font("12px system-ui, sans-serif");
        context.fill_text(&area.lines[1], x, y + 14.0)?;
    }
    Ok(canvas)
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
    // Outside of the page a canvas doesn't know where lines begin.
    let direction = catalogue().language.direction();
    js_sys::Reflect::set(&context, &"direction".into(), &direction.into())?;
    context.set_text_align("start");
    let begin = if direction == "rtl" { width - 16.0 } else { 16.0 };
    context.set_font(&format!("600 {TITLE}px Georgia, \"Liberation Serif\", serif"));
    context.fill_text_with_max_width(title, begin, STRIP - 20.0, width - 32.0)?;
    context.set_font(&format!("{FOOT}px system-ui, sans-serif"));
    context.fill_text_with_max_width(foot, begin, height + 2.0 * STRIP - 22.0, width - 32.0)?;
    Ok(canvas)
}

fn save(url: &str, name: &str) -> Result<(), JsValue> {
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(url);
    link.set_download(name);
    link.click();
    Ok(())
}
