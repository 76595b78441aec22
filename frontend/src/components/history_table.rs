//! The figures of the line chart as a table: some of its moments, evenly spread.

use leptos::prelude::*;
use tallyboard_shared::Timestamp;

use crate::{
    app::Context,
    charts::shares_line::{LINES_MAX, Moment},
    format,
    standings::Standing,
};

/// Rows of the table.
const ROWS_MAX: usize = 10;

/// The moments of the line chart, behind a button.
#[component]
pub fn HistoryTable(
    /// Oldest first.
    #[prop(into)]
    moments: Signal<Vec<Moment>>,
    /// The candidates, in the order of each moment's shares.
    #[prop(into)]
    standings: Signal<Vec<Standing>>,
) -> impl IntoView {
    let offset_minutes = Context::of_view().offset_minutes;
    let (open, set_open) = signal(false);
    let names = Memo::new(move |_| {
        standings.with(|standings| {
            standings.iter().take(LINES_MAX).map(|standing| standing.name.clone()).collect::<Vec<_>>()
        })
    });
    let rows = move || {
        moments.with(|moments| {
            spread(moments, ROWS_MAX)
                .map(|moment| {
                    let cells = moment.shares.iter().map(|share| {
                        let share = share.map(|percent| percent / 100.0);
                        view! { <td class="num">{format::percent(share)}</td> }
                    });
                    view! {
                        <tr>
                            <th scope="row">{moment_words(moment.time_ms, offset_minutes)}</th>
                            {cells.collect_view()}
                        </tr>
                    }
                })
                .collect_view()
        })
    };
    view! {
        <button type="button" class="quiet" data-testid="history-toggle" aria-expanded=move || open.get().to_string()
            on:click=move |_| set_open.update(|open| *open = !*open)>
            {move || if open.get() { "Hide the table" } else { "Show as table" }}
        </button>
        <Show when=move || open.get()>
            <div class="scroll">
                <table data-testid="history-table">
                    <caption class="unseen">"Share of the votes by candidate, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Time"</th>
                            {move || names.get().into_iter().map(|name| view! {
                                <th scope="col" class="num">{name}</th>
                            }).collect_view()}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </Show>
    }
}

/// At most `max` items, newest first, the newest always among them.
fn spread<T>(items: &[T], max: usize) -> impl Iterator<Item = &T> {
    items.iter().rev().step_by(items.len().div_ceil(max).max(1))
}

fn moment_words(time_ms: i64, offset_minutes: i32) -> String {
    Timestamp::from_millisecond(time_ms)
        .map_or_else(|_| format::UNKNOWN.to_owned(), |time| format::clock(time, offset_minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_always_shown() {
        let items: Vec<_> = (0..95).collect();
        let shown: Vec<_> = spread(&items, 10).copied().collect();
        assert_eq!((shown[0], shown.len()), (94, 10));
        assert_eq!(spread(&items[..3], 10).count(), 3);
        assert_eq!(spread(&items[..0], 10).count(), 0);
    }
}
