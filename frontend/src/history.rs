//! What was published, as a bounded series of points: how the count moved, and how sound it was.
//!
//! The number of points never passes [`POINTS_MAX`]: every second one is dropped then, and from there on points
//! are kept further apart. The newest version is always the last point.

use std::sync::Arc;

use tallyboard_shared::message::HistoryPoint;

/// The most points that are kept.
pub const POINTS_MAX: usize = 300;

/// What belongs to one version.
pub trait Point {
    /// The version.
    fn version(&self) -> u64;
    /// When it was made, in milliseconds since 1970.
    fn as_of_ms(&self) -> i64;
}

impl Point for HistoryPoint {
    fn version(&self) -> u64 {
        self.version
    }

    fn as_of_ms(&self) -> i64 {
        self.as_of.as_millisecond()
    }
}

/// How the count moved.
pub type History = Series<HistoryPoint>;

/// The bounded series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<P> {
    // Shared with every board that is shown.
    points: Vec<Arc<P>>,
    /// The distance in time that kept points have at least, the last one aside.
    spacing_ms: i64,
}

impl<P> Default for Series<P> {
    fn default() -> Self {
        Self { points: Vec::new(), spacing_ms: 0 }
    }
}

impl<P: Point> Series<P> {
    /// The points, oldest first.
    #[must_use]
    pub fn points(&self) -> &[Arc<P>] {
        &self.points
    }

    /// Takes over what a server has followed; what is older than its first point is kept.
    pub fn merge(&mut self, followed: Vec<P>) {
        let Some(first) = followed.first().map(Point::version) else {
            return;
        };
        self.points.retain(|point| point.version() < first);
        self.points.extend(followed.into_iter().map(Arc::new));
        while self.points.len() > POINTS_MAX {
            self.thin();
        }
    }

    /// Adds the newest point; older versions than the last are ignored.
    pub fn push(&mut self, point: P) {
        let too_close = match self.points.as_slice() {
            [.., last] if point.version() <= last.version() => return,
            [.., kept, _] => point.as_of_ms() - kept.as_of_ms() < self.spacing_ms,
            _ => false,
        };
        if too_close {
            self.points.pop();
        }
        self.points.push(Arc::new(point));
        if self.points.len() > POINTS_MAX {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let last = self.points.len() - 1;
        let mut position = 0;
        self.points.retain(|_| {
            let keep = position % 2 == 0 || position == last;
            position += 1;
            keep
        });
        if let [first, .., last] = self.points.as_slice() {
            let span = last.as_of_ms() - first.as_of_ms();
            self.spacing_ms = span / i64::try_from(self.points.len()).unwrap_or(i64::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallyboard_shared::Timestamp;

    fn point(version: u64) -> HistoryPoint {
        HistoryPoint {
            version,
            as_of: Timestamp::from_millisecond(i64::try_from(version).unwrap() * 100).unwrap(),
            contests: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_long_night_stays_bounded_and_evenly_covered() {
        let mut history = History::default();
        for version in 0..20_000 {
            history.push(point(version));
            assert!(history.points().len() <= POINTS_MAX);
            assert_eq!(history.points().last().unwrap().version, version);
        }
        let points = history.points();
        assert_eq!(points[0].version, 0);
        assert!(points.len() > POINTS_MAX / 3);
        let widest = points.windows(2).map(|pair| pair[1].version - pair[0].version).max();
        assert!(widest.unwrap() < 400, "{widest:?}");
    }

    #[test]
    fn what_a_server_followed_replaces_the_same_time_only() {
        let mut history = History::default();
        (1..=10).for_each(|version| history.push(point(version)));
        history.merge((6..=12).map(point).collect());
        let versions: Vec<_> = history.points().iter().map(|point| point.version).collect();
        assert_eq!(versions, (1..=12).collect::<Vec<_>>());
        history.merge(Vec::new());
        assert_eq!(history.points().len(), 12);
        history.push(point(3));
        assert_eq!(history.points().last().unwrap().version, 12);
    }
}
