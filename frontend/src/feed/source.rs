//! One connection to the server, by whichever way: messages come out of it, in the order in which they were sent.

use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use gloo_net::{
    eventsource::futures::{EventSource, EventSourceSubscription},
    websocket::{Message, futures::WebSocket},
};
use tallyboard_shared::{
    Timestamp,
    message::{ClientMessage, PROTOCOL_BINARY, ServerMessage},
};

use super::{polling::Poll, ways::Way};
use crate::wire;

/// What a browser calls events that have no name.
const UNNAMED: &str = "message";

/// A connection.
pub(super) enum Source {
    Socket {
        write: SplitSink<WebSocket, Message>,
        read: SplitStream<WebSocket>,
        is_binary: bool,
    },
    Events {
        messages: EventSourceSubscription,
        /// Dropped, it closes.
        _events: EventSource,
    },
    Polling(Box<Poll>),
}

/// What came.
pub(super) enum Incoming {
    /// A message of the server.
    Message(ServerMessage),
    /// Something that is none of this page's business: a message of a kind that it doesn't know.
    Unknown,
    /// A frame of another format: the server is of another build.
    OtherFormat,
}

impl Source {
    /// Opens a connection. What is asked for is what came after the version that is `known`, where the way lets one.
    pub(super) fn open(way: Way, is_binary: bool, known: Option<(u64, Timestamp)>) -> Option<Self> {
        match way {
            Way::Socket => {
                let url = resuming(socket_address()?, known);
                let socket = if is_binary {
                    WebSocket::open_with_protocol(&url, PROTOCOL_BINARY)
                } else {
                    WebSocket::open(&url)
                };
                let (write, read) = socket.ok()?.split();
                Some(Self::Socket { write, read, is_binary })
            }
            Way::Events => {
                let mut events = EventSource::new("api/v1/stream").ok()?;
                let messages = events.subscribe(UNNAMED).ok()?;
                Some(Self::Events { messages, _events: events })
            }
            Way::Polling => Some(Self::Polling(Box::default())),
        }
    }

    /// What comes next; `None` where the connection is closed or broken.
    pub(super) async fn next(&mut self) -> Option<Incoming> {
        let read = match self {
            Self::Socket { read, .. } => match read.next().await?.ok()? {
                Message::Text(frame) => wire::from_text_frame(&frame),
                Message::Bytes(frame) => match wire::from_binary_frame(&frame) {
                    Ok(message) => message,
                    Err(wire::Unreadable) => return Some(Incoming::OtherFormat),
                },
            },
            Self::Events { messages, .. } => {
                let (_, event) = messages.next().await?.ok()?;
                wire::from_text_frame(&event.data().as_string()?)
            }
            Self::Polling(poll) => Some(poll.next().await?),
        };
        Some(read.map_or(Incoming::Unknown, Incoming::Message))
    }

    /// Asks for what came after `version`; `false` where this connection can't, and only a new one would tell.
    pub(super) async fn resume(&mut self, version: u64) -> bool {
        let Self::Socket { write, is_binary, .. } = self else { return false };
        let request = ClientMessage::Resume { version };
        let request = if *is_binary {
            Message::Bytes(request.to_binary())
        } else {
            let Ok(request) = serde_json::to_string(&request) else { return false };
            Message::Text(request)
        };
        write.send(request).await.is_ok()
    }
}

/// The address that asks for what came after the version that is known, instead of everything.
fn resuming(url: String, known: Option<(u64, Timestamp)>) -> String {
    match known {
        Some((version, as_of)) => format!("{url}?resume={version}&as_of={as_of}"),
        None => url,
    }
}

/// Where the socket is: beside this page, encrypted where the page is.
fn socket_address() -> Option<String> {
    let location = web_sys::window()?.location();
    let scheme = if location.protocol().ok()? == "https:" { "wss" } else { "ws" };
    let path = location.pathname().ok()?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{scheme}://{}{folder}/ws", location.host().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_comes_back_asks_for_what_it_missed() {
        let url = || "ws://host/ws".to_owned();
        assert_eq!(resuming(url(), None), url());
        let known = Some((7, crate::board::samples::time(0)));
        assert_eq!(resuming(url(), known), "ws://host/ws?resume=7&as_of=2026-11-03T20:15:00Z");
    }
}
