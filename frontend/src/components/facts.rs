//! A row of figures, each with its name and what it means.

use leptos::prelude::*;

use super::explained::Explained;
use crate::{glossary::Term, quality::Fact};

/// A row of figures; there are always the same.
#[component]
pub fn Facts(
    /// The figures.
    #[prop(into)]
    facts: Signal<Vec<Fact>>,
) -> impl IntoView {
    let count = Memo::new(move |_| facts.with(Vec::len));
    let figures = move || {
        (0..count.get())
            .map(|position| {
                let fact = Memo::new(move |_| facts.with(|facts| facts.get(position).cloned()));
                let text = move |of: fn(&Fact) -> String| {
                    move || fact.with(|fact| fact.as_ref().map(of).unwrap_or_default())
                };
                let term = fact.with_untracked(|fact| Term::of_figure(fact.as_ref()?.id));
                view! {
                    <div>
                        <dt>
                            {text(|fact| fact.name.to_owned())}
                            {term.map(|term| view! { <Explained term at="facts"/> })}
                        </dt>
                        <dd data-testid=text(|fact| format!("fact-{}", fact.id))>{text(|fact| fact.value.clone())}</dd>
                        <dd class="note">{text(|fact| fact.note.clone())}</dd>
                    </div>
                }
            })
            .collect_view()
    };
    view! { <dl class="figures" style=("--figures", move || count.get().to_string())>{figures}</dl> }
}
