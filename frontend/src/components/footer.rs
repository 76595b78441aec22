//! The foot of the page: what exactly was counted, so that anyone can count again.

use leptos::prelude::*;
use tallyboard_shared::results::Results;

use crate::{app::Context, format, say, texts::tr};

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
        Some(say!("Version {version} of {time}", version = format::count(shown.version), time = as_of))
    });
    view! {
        <footer>
            <span data-testid="inputs">{move || counted.get()}</span>
            <span data-testid="footer-version">{move || version.get()}</span>
            <span data-testid="definition">{move || hash.get().map(|hash| say!("Definition {hash}", hash = hash))}</span>
            <span data-testid="zone">{move || say!("Times are in {zone}", zone = zone())}</span>
            <a href="api/v1/results" rel="external">{tr("Results as JSON")}</a>
            <span>{concat!("Tallyboard ", env!("CARGO_PKG_VERSION"))}</span>
        </footer>
    }
}

fn counted_words(results: &Results) -> String {
    let records = results.inputs.values().sum();
    let partitions = format::counted(results.inputs.len() as u64, "partition", "partitions");
    match (results.inputs.values().min(), results.inputs.values().max()) {
        (Some(least), Some(most)) if least != most => say!(
            "Counted: {records} in {partitions}, up to offsets {least} to {most}",
            records = format::counted(records, "record", "records"),
            partitions = partitions,
            least = format::count(*least),
            most = format::count(*most)
        ),
        (_, Some(most)) => say!(
            "Counted: {records} in {partitions}, up to offset {most}",
            records = format::counted(records, "record", "records"),
            partitions = partitions,
            most = format::count(*most)
        ),
        _ => tr("Counted: nothing yet").to_owned(),
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
