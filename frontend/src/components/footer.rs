//! The foot of the page: what exactly was counted, so that anyone can count again.

use leptos::prelude::*;
use tallyboard_shared::results::Results;

use crate::{app::Context, format};

/// The foot of the page.
#[component]
pub fn Footer() -> impl IntoView {
    let context = Context::of_view();
    let board = context.feed.board;
    let zone = move || format::zone(context.offset_minutes.get());
    let counted = Memo::new(move |_| context.on_page().as_deref().map(counted_words));
    let hash = Memo::new(move |_| {
        board.with(|board| {
            board.election.as_ref().map(|election| format::short_hash(&election.definition_hash))
        })
    });
    let version = Memo::new(move |_| {
        let shown = context.on_page()?;
        let as_of = format::clock(shown.as_of, context.offset_minutes.get());
        Some(format!("Version {} of {as_of}", format::count(shown.version)))
    });
    view! {
        <footer>
            <span data-testid="inputs">{move || counted.get()}</span>
            <span data-testid="footer-version">{move || version.get()}</span>
            <span data-testid="definition">{move || hash.get().map(|hash| format!("Definition {hash}"))}</span>
            <span data-testid="zone">{move || format!("Times are in {}", zone())}</span>
            <a href="api/v1/results" rel="external">"Results as JSON"</a>
            <span>{concat!("Tallyboard ", env!("CARGO_PKG_VERSION"))}</span>
        </footer>
    }
}

fn counted_words(results: &Results) -> String {
    let records = results.inputs.values().sum();
    let partitions = format::counted(results.inputs.len() as u64, "partition", "partitions");
    match (results.inputs.values().min(), results.inputs.values().max()) {
        (Some(least), Some(most)) if least != most => format!(
            "Counted: {} in {partitions}, up to offsets {} to {}",
            format::counted(records, "record", "records"),
            format::count(*least),
            format::count(*most)
        ),
        (_, Some(most)) => format!(
            "Counted: {} in {partitions}, up to offset {}",
            format::counted(records, "record", "records"),
            format::count(*most)
        ),
        _ => "Counted: nothing yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;
    use tallyboard_shared::ids::Partition;

    #[test]
    fn what_was_counted() {
        let mut results = samples::results(1, None, &[Some(1_200)]);
        assert_eq!(counted_words(&results), "Counted: 1,200 records in 1 partition, up to offset 1,200");
        results.inputs.insert(Partition(1), 34);
        assert_eq!(
            counted_words(&results),
            "Counted: 1,234 records in 2 partitions, up to offsets 34 to 1,200"
        );
        results.inputs.clear();
        assert_eq!(counted_words(&results), "Counted: nothing yet");
    }
}
