//! What the board makes of every message, in order and out of it.

use tallyboard_shared::{
    message::{FeedState, ServerMessage, Status},
    results::Results,
    update::Update,
};

use super::{
    Board, Step,
    samples::{results, time, welcome},
};

fn counted(version: u64) -> Results {
    results(version, Some(100), &[Some(version), Some(1)])
}

fn update(from: u64, to: u64) -> ServerMessage {
    ServerMessage::Update(Box::new(Update::between(&counted(from), &counted(to)).unwrap()))
}

fn status(version: Option<u64>) -> ServerMessage {
    ServerMessage::Status(Status {
        state: FeedState::Live,
        now: time(60),
        version,
        lag: Some(0),
        stale_since: None,
    })
}

fn board_at(version: u64) -> Board {
    let mut board = Board::default();
    board.apply(welcome(Some(counted(version))), 0.0);
    board
}

#[test]
fn updates_lead_to_what_a_fresh_page_is_sent() {
    let mut board = board_at(5);
    for version in 5..40 {
        assert_eq!(board.apply(update(version, version + 1), 1.0), Step::Continue);
    }
    assert_eq!(board.results.as_deref(), Some(&counted(40)));
    assert_eq!(board.history.points().len(), 36);
}

#[test]
fn a_gap_asks_for_the_whole_and_changes_nothing() {
    let mut board = board_at(5);
    assert_eq!(board.apply(update(6, 7), 1.0), Step::Resume { version: 5 });
    assert_eq!(board.results.as_deref(), Some(&counted(5)));
    assert_eq!(board.behind_since_ms, Some(1.0));
    board.apply(welcome(Some(counted(7))), 2.0);
    assert_eq!((board.version(), board.behind_since_ms), (Some(7), None));
}

#[test]
fn the_whole_is_asked_for_once_until_an_answer_is_overdue() {
    let mut board = board_at(5);
    assert_eq!(board.apply(update(6, 7), 100.0), Step::Resume { version: 5 });
    assert_eq!(board.apply(update(7, 8), 200.0), Step::Continue);
    assert_eq!(board.apply(update(8, 9), 2_100.0), Step::Resume { version: 5 });
    board.apply(welcome(Some(counted(9))), 2_200.0);
    assert_eq!(board.apply(update(10, 11), 2_300.0), Step::Resume { version: 9 });
}

#[test]
fn an_update_seen_already_is_ignored() {
    let mut board = board_at(5);
    assert_eq!(board.apply(update(3, 4), 1.0), Step::Continue);
    assert_eq!(board.version(), Some(5));
}

#[test]
fn a_server_that_is_behind_takes_nothing_back() {
    let mut board = board_at(9);
    board.apply(welcome(Some(counted(4))), 7.0);
    assert_eq!((board.version(), board.behind_since_ms), (Some(9), Some(7.0)));
    board.apply(welcome(None), 8.0);
    assert_eq!((board.version(), board.behind_since_ms), (Some(9), Some(7.0)));
    board.apply(welcome(Some(counted(9))), 9.0);
    assert_eq!(board.behind_since_ms, None);
}

#[test]
fn a_count_begun_anew_is_taken() {
    let mut board = board_at(9);
    let mut again = counted(2);
    again.as_of = time(1_000);
    board.apply(welcome(Some(again)), 7.0);
    assert_eq!(board.version(), Some(2));
    assert_eq!(board.history.points().len(), 1);
}

#[test]
fn another_definition_starts_from_nothing() {
    let mut board = board_at(9);
    let ServerMessage::Welcome(mut other) = welcome(None) else { unreachable!("it is a welcome") };
    other.election.definition_hash = "other".into();
    board.apply(ServerMessage::Welcome(other), 1.0);
    assert_eq!(board.version(), None);
    assert!(board.history.points().is_empty());
}

#[test]
fn the_first_publication_after_an_empty_welcome_asks_for_the_whole() {
    let mut board = Board::default();
    board.apply(welcome(None), 0.0);
    assert_eq!(board.apply(update(1, 2), 1.0), Step::Resume { version: 0 });
}

#[test]
fn results_that_never_arrive_are_asked_for_at_the_second_status() {
    let mut board = board_at(5);
    assert_eq!(board.apply(status(Some(5)), 1.0), Step::Continue);
    assert_eq!(board.apply(status(Some(6)), 2.0), Step::Continue);
    assert_eq!(board.apply(status(Some(6)), 4.0), Step::Resume { version: 5 });
    assert_eq!(board.behind_since_ms, Some(2.0));
    assert_eq!(board.apply(update(5, 6), 5.0), Step::Continue);
    assert_eq!(board.behind_since_ms, None);
}

#[test]
fn what_the_server_said_of_the_count_is_forgotten_with_a_new_welcome() {
    let mut board = board_at(5);
    board.apply(status(Some(5)), 1.0);
    assert_eq!(board.feed_state(), Some(FeedState::Live));
    board.apply(welcome(Some(counted(20))), 5.0);
    assert_eq!(board.feed_state(), None);
}

#[test]
fn another_protocol_is_refused() {
    let ServerMessage::Welcome(mut other) = welcome(Some(counted(1))) else {
        unreachable!("it is a welcome")
    };
    other.protocol = 99;
    let mut board = Board::default();
    assert_eq!(board.apply(ServerMessage::Welcome(other), 0.0), Step::Incompatible);
    assert_eq!(board.version(), None);
}
