//! `tallyboard watch`: the results of a server in a terminal, live over its WebSocket; plain lines where the output is
//! read by a program.

mod board;
mod format;
mod lines;
mod screen;

use std::{io::IsTerminal, time::Duration};

use anyhow::{Context, bail};
use futures_util::StreamExt;
use tallyboard_shared::message::{PROTOCOL_JSON, ServerMessage};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use self::{board::Board, lines::Lines, screen::Screen};
use crate::{cli::Watch, shutdown};

/// The server tells how the count is doing every two seconds: who hears nothing for so long isn't connected any more.
const SILENCE_MAX: Duration = Duration::from_secs(6);

/// Connecting takes no longer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The wait before the next attempt doubles between these, and is random, so that not everyone comes at once.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// A screen is drawn no more often than one can see.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where the results are shown.
trait View {
    /// Shows what there is.
    fn show(&mut self, board: &Board) -> std::io::Result<()>;
}

/// Watches until SIGINT or SIGTERM.
///
/// # Errors
/// Where the address is none, the server isn't a Tallyboard, or the output is closed.
pub fn watch(args: &Watch) -> anyhow::Result<()> {
    let url = socket_url(&args.from)?;
    let connector = args.trust.websocket()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let out = std::io::stdout();
    let contest = args.contest.clone();
    runtime.block_on(async {
        let is_screen = out.is_terminal();
        let mut view: Box<dyn View> = if is_screen {
            Box::new(Screen::open(out, contest)?)
        } else {
            Box::new(Lines::new(out, contest))
        };
        tokio::select! {
            stopped = shutdown::signal() => Ok(stopped?),
            ended = follow(&url, connector.as_ref(), &mut *view) => match ended {
                // Whoever read the lines has had enough of them.
                Err(error) if is_closed(&error) => Ok(()),
                ended => ended,
            },
        }
    })
}

fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The address of the WebSocket of a server.
fn socket_url(base: &str) -> anyhow::Result<String> {
    let base = base.trim_end_matches('/');
    match base.split_once("://") {
        Some(("http", server)) if !server.is_empty() => Ok(format!("ws://{server}/ws")),
        Some(("https", server)) if !server.is_empty() => Ok(format!("wss://{server}/ws")),
        _ => bail!("`{base}` is not the address of a server, such as http://127.0.0.1:8080"),
    }
}

/// Connects again and again, and shows what comes.
async fn follow(url: &str, connector: Option<&Connector>, view: &mut dyn View) -> anyhow::Result<()> {
    let mut board = Board::default();
    let mut wait = RETRY_MIN;
    loop {
        match timeout(CONNECT_TIMEOUT, connect(url, connector.cloned())).await {
            Ok(Ok(socket)) => {
                if listen(socket, &mut board, view).await? {
                    wait = RETRY_MIN;
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, "no connection"),
            Err(_) => tracing::debug!("no connection in time"),
        }
        board.is_connected = false;
        view.show(&board)?;
        sleep(jittered(wait)).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

async fn connect(
    url: &str,
    connector: Option<Connector>,
) -> Result<Socket, tokio_tungstenite::tungstenite::Error> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL_JSON));
    Ok(connect_async_tls_with_config(request, None, false, connector).await?.0)
}

/// Shows what comes until the connection ends; whether anything came.
async fn listen(mut socket: Socket, board: &mut Board, view: &mut dyn View) -> anyhow::Result<bool> {
    let mut has_come = false;
    let mut drawn: Option<Instant> = None;
    let mut is_behind = false;
    loop {
        let until_drawn = drawn.map_or(Duration::ZERO, |drawn| DRAW_INTERVAL.saturating_sub(drawn.elapsed()));
        if is_behind && until_drawn.is_zero() {
            view.show(board)?;
            (drawn, is_behind) = (Some(Instant::now()), false);
        }
        let patience = if is_behind { until_drawn } else { SILENCE_MAX };
        let text = match timeout(patience, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return Ok(has_come),
            Ok(Some(Ok(_))) => continue,
            Err(_) if is_behind => continue,
            Err(_) => return Ok(has_come),
        };
        let message: ServerMessage =
            serde_json::from_str(&text).context("the server doesn't speak Tallyboard's protocol")?;
        has_come = true;
        board.is_connected = true;
        if board.take(message).is_err() {
            // A step is missing: a new connection begins with everything.
            return Ok(has_come);
        }
        is_behind = true;
    }
}

/// Between half and all of it.
fn jittered(wait: Duration) -> Duration {
    use std::hash::BuildHasher;
    let random = std::collections::hash_map::RandomState::new().hash_one(0u8);
    let thousandths = (random % 500) as u32 + 500;
    wait * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_address_leads_to_its_socket() {
        assert_eq!(socket_url("http://127.0.0.1:8080/").unwrap(), "ws://127.0.0.1:8080/ws");
        assert_eq!(socket_url("https://results.example").unwrap(), "wss://results.example/ws");
        for wrong in ["results.example", "http://", "ftp://results.example", ""] {
            assert!(socket_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn waits_are_spread_over_half_of_them() {
        for _ in 0..100 {
            let wait = jittered(RETRY_MAX);
            assert!(wait >= RETRY_MAX / 2 && wait <= RETRY_MAX, "{wait:?}");
        }
    }
}
