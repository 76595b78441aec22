//! The signs of numbers and the names of months, as the browser's `Intl` knows them.

use js_sys::{
    Array, Date, Function, Intl, Object, Reflect,
    wasm_bindgen::{JsCast, JsValue},
};

use crate::texts::{Catalogue, Language};

/// The catalogue of a language whose file has these lines, with the signs that the browser writes.
#[must_use]
pub fn catalogue(language: Language, lines: &'static str) -> Catalogue {
    let mut catalogue = Catalogue::of(language, lines);
    let locales = Array::of1(&language.tag().into());
    let numbers = Intl::NumberFormat::new(&locales, &Object::new());
    // Large enough for languages that begin with thousands at 10,000.
    let parts = numbers.format_to_parts(1_234_567.5);
    for part in parts.iter() {
        match (text_of(&part, "type").as_deref(), text_of(&part, "value")) {
            (Some("group"), Some(sign)) => catalogue.group = sign,
            (Some("decimal"), Some(sign)) => catalogue.decimal = sign,
            _ => {}
        }
    }
    if let Some(months) = months(&locales) {
        catalogue.months = months;
    }
    catalogue
}

fn text_of(part: &JsValue, key: &str) -> Option<String> {
    Reflect::get(part, &key.into()).ok()?.as_string()
}

fn months(locales: &Array) -> Option<Vec<String>> {
    let how = Object::new();
    Reflect::set(&how, &"month".into(), &"long".into()).ok()?;
    Reflect::set(&how, &"day".into(), &"numeric".into()).ok()?;
    let format = Intl::DateTimeFormat::new(locales, &how);
    (0..12)
        .map(|month| {
            let date = Date::new_with_year_month_day(2026, month, 15);
            // Beside a day, because some languages bend the name then.
            let parts = format.format_to_parts(&date);
            parts
                .iter()
                .find(|part| text_of(part, "type").as_deref() == Some("month"))
                .and_then(|part| text_of(&part, "value"))
        })
        .collect()
}

/// A function of JavaScript that writes a number in the language of the page.
#[must_use]
pub fn number_writer(language: Language) -> Option<Function> {
    let locales = Array::of1(&language.tag().into());
    Intl::NumberFormat::new(&locales, &Object::new()).format().dyn_into().ok()
}
