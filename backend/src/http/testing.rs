//! The routes without a network, and WebSockets without sockets, for tests.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Sink, SinkExt, Stream};
use metrics_exporter_prometheus::PrometheusBuilder;
use tallyboard_shared::{Timestamp, message::Status};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use tokio_websockets::{Error, Message};

use super::*;
use crate::election;

/// More than any test needs.
const LIMITS: Limits =
    Limits { connections: 8, connections_per_address: 8, message_bytes: 1, messages_per_second: 1 };

/// An application whose feed nobody fills.
pub(super) fn app(ingest: Option<Ingest>) -> App {
    let status = Status {
        state: FeedState::Live,
        now: Timestamp::UNIX_EPOCH,
        version: None,
        lag: Some(0),
        stale_since: None,
    };
    let feed = Arc::new(Feed::new(Arc::new(election::demo()), status));
    app_of(feed, None, ingest, PrometheusBuilder::new().build_recorder().handle())
}

/// An application that shows this feed, and takes no votes.
pub(super) fn app_showing(feed: Arc<Feed>) -> App {
    app_of(feed, None, None, PrometheusBuilder::new().build_recorder().handle())
}

/// An application that shows this feed, this archive and these metrics.
pub(super) fn app_of(
    feed: Arc<Feed>,
    archive: Option<Arc<Archive>>,
    ingest: Option<Ingest>,
    metrics: PrometheusHandle,
) -> App {
    let settings = Settings {
        allowed_origins: Vec::new(),
        trusted_proxies: Vec::new(),
        is_encrypted: false,
        limits: LIMITS,
    };
    App::new(feed, archive, ingest, settings, metrics, Stop::default())
}

/// The server's end of a connection.
pub(super) struct Line {
    to_client: PollSender<Message>,
    from_client: mpsc::Receiver<Result<Message, Error>>,
}

impl Line {
    /// A connection that holds so many messages in each direction, and the client's end of it.
    pub(super) fn new(
        messages: usize,
    ) -> (Self, mpsc::Sender<Result<Message, Error>>, mpsc::Receiver<Message>) {
        let (to_server, from_client) = mpsc::channel(messages);
        let (to_client, from_server) = mpsc::channel(messages);
        (Self { to_client: PollSender::new(to_client), from_client }, to_server, from_server)
    }
}

impl Stream for Line {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.from_client.poll_recv(context)
    }
}

impl Sink<Message> for Line {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.to_client.poll_ready_unpin(context).map_err(|_| Error::AlreadyClosed)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.to_client.start_send_unpin(message).map_err(|_| Error::AlreadyClosed)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.to_client.poll_flush_unpin(context).map_err(|_| Error::AlreadyClosed)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.to_client.poll_close_unpin(context).map_err(|_| Error::AlreadyClosed)
    }
}
