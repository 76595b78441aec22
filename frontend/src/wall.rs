//! What a page on a wall shows when: one scene after the other, of one contest or of all.

use tallyboard_shared::{
    ids::ContestId,
    results::{ContestResult, Results},
};

use crate::board;

/// How long a scene stands.
pub const SCENE_MS: f64 = 15_000.0;

/// What stands beside the headline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The votes of each candidate.
    Votes,
    /// Who leads where.
    Map,
    /// The race by the time at which votes were cast.
    Race,
}

/// One scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Of this contest.
    pub contest: ContestId,
    /// What is shown of it.
    pub subject: Subject,
}

/// The scenes in their order: of the contest that is asked for, else of every contest with votes, or of the first; none
/// where there is no such contest.
#[must_use]
pub fn scenes(results: &Results, asked: Option<&ContestId>, has_map: bool) -> Vec<Scene> {
    let is_asked = |contest: &&ContestResult| asked.is_none_or(|asked| contest.id == *asked);
    let mut contests: Vec<_> =
        results.contests.iter().filter(is_asked).filter(|contest| contest.votes > 0).collect();
    if contests.is_empty() {
        contests.extend(board::contest(results, asked));
    }
    let subjects = [Some(Subject::Votes), has_map.then_some(Subject::Map), Some(Subject::Race)];
    contests
        .into_iter()
        .flat_map(|contest| {
            subjects.into_iter().flatten().map(|subject| Scene { contest: contest.id.clone(), subject })
        })
        .collect()
}

/// The scene that stands at `now_ms`; all walls change at the same moment.
#[must_use]
pub fn scene_at(scenes: &[Scene], now_ms: f64) -> Option<&Scene> {
    let count = scenes.len().max(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "scenes since 1970: positive, and far below 2^53"
    )]
    let number = (now_ms / SCENE_MS).max(0.0) as usize;
    scenes.get(number % count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::samples;

    fn results() -> Results {
        let mut results = samples::results(1, None, &[Some(3), Some(1)]);
        let other =
            |id: &str, votes| ContestResult { id: ContestId::new(id), votes, ..results.contests[0].clone() };
        let others = [other("mayor", 4), other("empty", 0)];
        results.contests.extend(others);
        results
    }

    fn names(scenes: &[Scene]) -> Vec<(&str, Subject)> {
        scenes.iter().map(|scene| (scene.contest.as_str(), scene.subject)).collect()
    }

    #[test]
    fn every_contest_with_votes_has_its_turn() {
        use Subject::{Map, Race, Votes};
        let results = results();
        let all = scenes(&results, None, false);
        assert_eq!(
            names(&all),
            [("president", Votes), ("president", Race), ("mayor", Votes), ("mayor", Race)]
        );
        let mayor = scenes(&results, Some(&ContestId::new("mayor")), true);
        assert_eq!(names(&mayor), [("mayor", Votes), ("mayor", Map), ("mayor", Race)]);
        let empty = scenes(&results, Some(&ContestId::new("empty")), false);
        assert_eq!(names(&empty), [("empty", Votes), ("empty", Race)], "no other contest takes its place");
        assert!(scenes(&results, Some(&ContestId::new("nobody")), true).is_empty());
    }

    #[test]
    fn scenes_follow_each_other_for_ever() {
        let scenes = scenes(&results(), None, true);
        let at = |number: u32| scene_at(&scenes, f64::from(number) * SCENE_MS + 1.0).unwrap();
        assert_eq!((at(0), at(1), at(6)), (&scenes[0], &scenes[1], &scenes[0]));
        assert_eq!(scene_at(&scenes, -5.0), Some(&scenes[0]));
        assert_eq!(scene_at(&[], 0.0), None);
    }
}
