//! The subprotocol [`PROTOCOL_BINARY`](crate::message::PROTOCOL_BINARY): the messages of [`crate::message`] in a third of the bytes.
//!
//! A frame is [`FORMAT`] and the message as postcard writes it: numbers, texts and lists in the order of the fields, no
//! names. So only those who know the very same messages can read it, and every change of a message is a new format: a
//! page that meets another one goes back to JSON. A field that JSON leaves out stands here as its empty value.

mod fill;

use serde::{Deserialize, Serialize};

use self::fill::Filled;
use crate::message::{ClientMessage, Goodbye, ServerMessage, Status, Welcome};
use crate::update::Update;

/// The first byte of every frame. It changes whenever a message does.
pub const FORMAT: u8 = 1;

/// A frame can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryError {
    /// It is of another format, whose number is the first byte; `None`: it is empty.
    Format(Option<u8>),
    /// It isn't a message of this format.
    Malformed,
}

/// What a frame from the server holds, by the number behind the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`Welcome`].
    Welcome,
    /// An [`Update`].
    Update,
    /// A [`Status`].
    Status,
    /// A [`Goodbye`].
    Goodbye,
}

/// What a frame from the server holds, and the bytes of that: for readers that do without postcard.
///
/// # Errors
/// [`BinaryError`] where the frame is none of this format, or of a kind that it doesn't have.
pub fn open(frame: &[u8]) -> Result<(Kind, &[u8]), BinaryError> {
    let (number, body) = message_of(frame)?.split_first().ok_or(BinaryError::Malformed)?;
    let kind = match number {
        0 => Kind::Welcome,
        1 => Kind::Update,
        2 => Kind::Status,
        3 => Kind::Goodbye,
        _ => return Err(BinaryError::Malformed),
    };
    Ok((kind, body))
}

/// [`ServerMessage`] as postcard can write it: numbered, not tagged by a field.
#[derive(Serialize)]
enum ToClient<'a> {
    Welcome(&'a Welcome),
    Update(&'a Update),
    Status(&'a Status),
    Goodbye(&'a Goodbye),
}

/// The same for reading.
#[derive(Deserialize)]
enum FromServer {
    Welcome(Box<Welcome>),
    Update(Box<Update>),
    Status(Status),
    Goodbye(Goodbye),
}

/// [`ClientMessage`], likewise.
#[derive(Serialize, Deserialize)]
enum FromClient {
    Resume { version: u64 },
    Ping,
}

impl ServerMessage {
    /// The message as a frame.
    ///
    /// # Panics
    /// Never: postcard can write everything that messages are made of.
    #[must_use]
    pub fn to_binary(&self) -> Vec<u8> {
        write(&match self {
            Self::Welcome(welcome) => ToClient::Welcome(welcome),
            Self::Update(update) => ToClient::Update(update),
            Self::Status(status) => ToClient::Status(status),
            Self::Goodbye(goodbye) => ToClient::Goodbye(goodbye),
        })
    }

    /// The message of a frame.
    ///
    /// # Errors
    /// [`BinaryError`] where the frame is none of this format.
    pub fn from_binary(frame: &[u8]) -> Result<Self, BinaryError> {
        Ok(match read(frame)? {
            FromServer::Welcome(welcome) => Self::Welcome(welcome),
            FromServer::Update(update) => Self::Update(update),
            FromServer::Status(status) => Self::Status(status),
            FromServer::Goodbye(goodbye) => Self::Goodbye(goodbye),
        })
    }
}

impl ClientMessage {
    /// The message as a frame.
    ///
    /// # Panics
    /// Never: postcard can write everything that messages are made of.
    #[must_use]
    pub fn to_binary(&self) -> Vec<u8> {
        write(&match self {
            Self::Resume { version } => FromClient::Resume { version: *version },
            Self::Ping => FromClient::Ping,
        })
    }

    /// The message of a frame.
    ///
    /// # Errors
    /// [`BinaryError`] where the frame is none of this format.
    pub fn from_binary(frame: &[u8]) -> Result<Self, BinaryError> {
        Ok(match read(frame)? {
            FromClient::Resume { version } => Self::Resume { version },
            FromClient::Ping => Self::Ping,
        })
    }
}

fn write(message: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(&Filled(message), vec![FORMAT]).expect("messages are made of what postcard can write")
}

fn read<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, BinaryError> {
    match postcard::take_from_bytes(message_of(frame)?) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(BinaryError::Malformed),
    }
}

fn message_of(frame: &[u8]) -> Result<&[u8], BinaryError> {
    match frame.split_first() {
        Some((&FORMAT, message)) => Ok(message),
        other => Err(BinaryError::Format(other.map(|(format, _)| *format))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frame_of_this_format_is_an_error() {
        let ping = ClientMessage::Ping.to_binary();
        assert_eq!(ClientMessage::from_binary(&ping), Ok(ClientMessage::Ping));
        let check =
            |frame: &[u8], error| assert_eq!(ClientMessage::from_binary(frame), Err(error), "{frame:?}");
        check(&[], BinaryError::Format(None));
        check(&[FORMAT + 1, 1], BinaryError::Format(Some(FORMAT + 1)));
        check(&[FORMAT], BinaryError::Malformed);
        check(&[FORMAT, 2], BinaryError::Malformed);
        check(&[ping, vec![0]].concat(), BinaryError::Malformed);
        // A length beyond the frame is no reason to reserve it.
        let endless = [&[FORMAT, 3, 0][..], &[0xff; 9], &[1]].concat();
        assert_eq!(ServerMessage::from_binary(&endless), Err(BinaryError::Malformed));
    }
}
