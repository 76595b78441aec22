//! What all pages show something of: results, the contest that is asked for, and who stands where in it.

use std::sync::Arc;

use leptos::prelude::*;
use tallyboard_shared::{
    election::Election,
    ids::ContestId,
    results::{ContestResult, Results},
};

use crate::{
    app::Context,
    board,
    navigation::Navigation,
    news,
    places::{self, PlaceRow},
    standings::{self, CHART_CANDIDATES_MAX, Standing},
    table::Stamp,
    texts::tr,
};

/// What is shown. Copies are handles to the same state.
#[derive(Clone, Copy)]
pub struct Shown {
    /// What is counted.
    pub election: Memo<Option<Arc<Election>>>,
    /// The results; `None` before the first.
    pub results: Signal<Option<Arc<Results>>>,
    /// The contest.
    pub contest: Memo<Option<ContestResult>>,
    /// Its id.
    pub contest_id: Memo<Option<ContestId>>,
    /// Its candidates, most votes first.
    pub standings: Memo<Vec<Standing>>,
    /// The first of them, the others as one.
    pub folded: Memo<Vec<Standing>>,
    /// Every place.
    pub places: Memo<Vec<PlaceRow>>,
    /// Why there is nothing to draw of the candidates; `None` where there is.
    pub blank: Memo<Option<&'static str>>,
    /// Where the figures are from.
    pub stamp: Signal<Option<Stamp>>,
}

impl Shown {
    /// Shows results, in the contest that the address asks for.
    #[must_use]
    pub fn new(results: Signal<Option<Arc<Results>>>) -> Self {
        let address = Navigation::of_view().address;
        let chosen = Memo::new(move |_| address.with(|address| address.contest.clone()));
        Self::choosing(results, chosen.into())
    }

    /// Shows another contest of the same results.
    #[must_use]
    pub fn of_contest(self, contest: ContestId) -> Self {
        Self::choosing(self.results, Signal::stored(Some(contest)))
    }

    fn choosing(results: Signal<Option<Arc<Results>>>, chosen: Signal<Option<ContestId>>) -> Self {
        let board = Context::of_view().feed.board;
        let contest = Memo::new(move |_| {
            results.with(|results| board::contest(results.as_deref()?, chosen.get().as_ref()).cloned())
        });
        let standings = Memo::new(move |_| {
            contest.with(|contest| contest.as_ref().map(standings::ranked).unwrap_or_default())
        });
        let contest_id =
            Memo::new(move |_| contest.with(|contest| contest.as_ref().map(|contest| contest.id.clone())));
        Self {
            election: Memo::new(move |_| board.with(|board| board.election.clone())),
            results,
            contest,
            contest_id,
            standings,
            folded: Memo::new(move |_| {
                standings.with(|standings| standings::folded(standings, CHART_CANDIDATES_MAX))
            }),
            places: Memo::new(move |_| {
                results.with(|results| {
                    let locations =
                        results.as_ref().map(|results| places::counted(results)).unwrap_or_default();
                    standings.with(|standings| places::rows(locations, contest_id.get().as_ref(), standings))
                })
            }),
            blank: Memo::new(move |_| contest.with(|contest| blank(contest.as_ref()))),
            stamp: Memo::new(move |_| results.with(|results| results.as_deref().map(Stamp::of))).into(),
        }
    }

    /// What was counted, and what is outstanding.
    #[must_use]
    pub fn lede(self, offset_minutes: i32) -> String {
        self.results.with(|results| {
            self.contest.with(|contest| {
                self.election.with(|election| {
                    news::lede(results.as_deref(), contest.as_ref(), election.as_deref(), offset_minutes)
                })
            })
        })
    }

    /// Something of the results and the contest; the default before there are any.
    pub fn derive<T: Default>(self, of: impl FnOnce(&Results, &ContestResult) -> T) -> T {
        self.results.with(|results| {
            self.contest.with(|contest| match (results, contest) {
                (Some(results), Some(contest)) => of(results, contest),
                _ => T::default(),
            })
        })
    }
}

fn blank(contest: Option<&ContestResult>) -> Option<&'static str> {
    match contest {
        None => Some(tr("No votes yet.")),
        Some(contest) if contest.votes == 0 => Some(tr("No votes yet.")),
        Some(contest) => standings::is_withheld(contest).then(|| tr("Withheld until the polls close.")),
    }
}
