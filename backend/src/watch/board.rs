//! What a server has told: the newest results and how the count is doing.

use tallyboard_shared::{
    message::{ServerMessage, Status},
    results::Results,
    update::Gap,
};

/// What is known.
#[derive(Default)]
pub(super) struct Board {
    /// `None` before the first publication.
    pub(super) results: Option<Results>,
    /// `None` before the first message.
    pub(super) status: Option<Status>,
    pub(super) is_connected: bool,
}

impl Board {
    /// Takes a message.
    ///
    /// # Errors
    /// [`Gap`] where steps are missing.
    pub(super) fn take(&mut self, message: ServerMessage) -> Result<(), Gap> {
        match message {
            ServerMessage::Welcome(welcome) => {
                // A server that is behind takes nothing back.
                let known = self.results.as_ref();
                let is_older = known.zip(welcome.results.as_ref()).is_some_and(|(known, new)| {
                    known.election == new.election && new.version < known.version
                });
                if !is_older {
                    self.results = welcome.results;
                }
                Ok(())
            }
            ServerMessage::Update(update) => match &mut self.results {
                Some(results) if update.version <= results.version => Ok(()),
                Some(results) => results.apply(&update),
                None => Err(Gap { have: 0, need: update.previous }),
            },
            ServerMessage::Status(status) => {
                self.status = Some(status);
                Ok(())
            }
            ServerMessage::Goodbye(_) => Ok(()),
        }
    }

    /// How fresh the figures are, for people.
    pub(super) fn freshness(&self) -> String {
        use tallyboard_shared::message::FeedState;
        if !self.is_connected {
            return "not connected: trying again".into();
        }
        let Some(status) = &self.status else { return "connected".into() };
        let lag = status
            .lag
            .map_or_else(String::new, |lag| format!(", {} votes behind", super::format::count(lag)));
        match (status.state, status.stale_since) {
            (FeedState::Live, _) => "live".into(),
            (FeedState::CatchingUp, _) => format!("catching up{lag}"),
            (FeedState::Stale, Some(since)) => format!("STALE since {}", since.strftime("%H:%M:%S UTC")),
            (FeedState::Stale, None) => "STALE".into(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tallyboard_shared::{
        Timestamp,
        message::{FeedState, PROTOCOL_VERSION, Welcome},
        update::Update,
    };

    use super::*;
    use crate::{
        election,
        tally::{Cell, PartitionTally, merge},
    };

    /// The demonstration's results at a version with so many votes for the first two candidates.
    pub(in crate::watch) fn results(version: u64, votes: [u64; 2]) -> Results {
        let election = election::demo();
        let cells =
            (0..).zip(votes).map(|(candidate, votes)| Cell { candidate, location: 0, votes }).collect();
        let tally = PartitionTally::sample(&election, 0, votes.iter().sum(), cells);
        merge(&election, [&tally].into_iter(), version, Timestamp::UNIX_EPOCH)
    }

    pub(in crate::watch) fn welcome(results: Results) -> ServerMessage {
        let welcome = Welcome {
            protocol: PROTOCOL_VERSION,
            election: election::demo(),
            results: Some(results),
            history: Vec::new(),
        };
        ServerMessage::Welcome(Box::new(welcome))
    }

    fn update(from: &Results, to: &Results) -> ServerMessage {
        ServerMessage::Update(Box::new(Update::between(from, to).unwrap()))
    }

    #[test]
    fn steps_are_taken_in_their_order_and_nothing_is_taken_back() {
        let [three, four, five] =
            [(3, 10), (4, 11), (5, 12)].map(|(version, votes)| results(version, [votes, 1]));
        let mut board = Board::default();
        assert!(board.take(update(&three, &four)).is_err());
        board.take(welcome(three.clone())).unwrap();
        assert!(board.take(update(&four, &five)).is_err());
        board.take(update(&three, &four)).unwrap();
        board.take(update(&three, &four)).unwrap();
        assert_eq!(board.results.as_ref(), Some(&four));
        board.take(welcome(three)).unwrap();
        assert_eq!(board.results.as_ref(), Some(&four));
    }

    #[test]
    fn stale_figures_say_so() {
        let now: Timestamp = "2026-11-03T20:15:02Z".parse().unwrap();
        let status = |state, stale_since| {
            ServerMessage::Status(Status { state, now, version: Some(3), lag: Some(1700), stale_since })
        };
        let mut board = Board::default();
        assert_eq!(board.freshness(), "not connected: trying again");
        board.is_connected = true;
        board.take(status(FeedState::CatchingUp, None)).unwrap();
        assert_eq!(board.freshness(), "catching up, 1,700 votes behind");
        board.take(status(FeedState::Stale, Some(now))).unwrap();
        assert_eq!(board.freshness(), "STALE since 20:15:02 UTC");
        board.take(status(FeedState::Live, None)).unwrap();
        assert_eq!(board.freshness(), "live");
    }
}
