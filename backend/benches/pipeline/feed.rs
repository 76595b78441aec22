//! A WebSocket client that notes when what arrived, and looks at it later.

use std::{net::TcpStream, time::Duration};

use serde_json::Value;
use tallyboard_shared::Timestamp;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client::IntoClientRequest, stream::MaybeTlsStream};

use crate::{PATIENCE, server::Server};

/// A client of a server.
pub(crate) struct Feed(WebSocket<MaybeTlsStream<TcpStream>>);

/// A message as it arrived.
pub(crate) struct Frame {
    pub(crate) at: Timestamp,
    text: String,
}

impl Feed {
    pub(crate) fn connect(server: &Server) -> Self {
        let mut request = format!("ws://{}/ws", server.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "tallyboard.v1.json".parse().unwrap());
        let (socket, _) = tokio_tungstenite::tungstenite::connect(request).unwrap();
        let feed = Self(socket);
        feed.patience(PATIENCE);
        feed
    }

    fn patience(&self, patience: Duration) {
        if let MaybeTlsStream::Plain(stream) = self.0.get_ref() {
            stream.set_read_timeout(Some(patience)).unwrap();
        }
    }

    pub(crate) fn next(&mut self) -> Frame {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                return Frame { at: Timestamp::now(), text: text.to_string() };
            }
        }
    }

    /// Follows until `records` are covered in all; when that frame arrived.
    pub(crate) fn covers(&mut self, records: u64) -> Timestamp {
        let mut inputs = std::collections::BTreeMap::new();
        loop {
            let frame = self.next();
            inputs.extend(frame.inputs());
            if inputs.values().sum::<u64>() >= records {
                return frame.at;
            }
        }
    }
}

impl Frame {
    /// When the publisher made what the frame tells; `None` where it is none of a version.
    pub(crate) fn as_of(&self) -> Option<Timestamp> {
        let message: Value = serde_json::from_str(&self.text).unwrap();
        let as_of = message.pointer("/results/as_of").or_else(|| message.get("as_of"));
        as_of.and_then(Value::as_str).map(|as_of| as_of.parse().unwrap())
    }

    /// The next offsets that the frame tells, by partition: all of them in a welcome, what changed in an update.
    pub(crate) fn inputs(&self) -> Vec<(String, u64)> {
        let message: Value = serde_json::from_str(&self.text).unwrap();
        let inputs = message.pointer("/results/inputs").or_else(|| message.get("inputs"));
        let inputs = inputs.and_then(Value::as_object).into_iter().flatten();
        inputs.map(|(partition, next)| (partition.clone(), next.as_u64().unwrap())).collect()
    }
}
