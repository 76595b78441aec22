//! Connections: who is let in, how long they may take for anything, and how they end.
//!
//! axum answers requests; what lies below is here, because axum's own server has no time-outs. Every read and every
//! write has one: the handshake of TLS, the head of a request (and the wait for it), the request as a whole
//! (`answer_in_time`), and each write.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::{
    App, BODY_BYTES_MAX,
    peer::{Peer, is_trusted},
    places::Places,
    problem::{Code, Problem},
};
use crate::shutdown::Stop;

/// How long a client may take to agree on encryption.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the head of a request may take, and how long a connection may lie idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a request may take from its head to the head of the answer, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A client that takes nothing for so long is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// A request's head of so many bytes is read. A longer one is refused, unless its end was read with what went before: one
/// read takes at most as much again, or what room there is in the buffer.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// So little waits unsent in the kernel: a slow client is noticed by us, and spared what is out of date, before
/// megabytes of it lie there.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 32 * 1024;

/// So many more are let in than may stay: to be told so, and for requests that only take a moment.
const HEADROOM: usize = 256;

/// So much of a body that is refused is read, for so long.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait where no connection can be accepted, most often for lack of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// How long connections get to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often samples of histograms are put into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Serves until stopped; open connections get a few seconds to end.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: App,
    stop: Stop,
) -> std::io::Result<()> {
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            app.0.metrics.run_upkeep();
        }
    };
    tokio::select! {
        () = accept(&listener, tls, &app, &stop) => {}
        () = upkeep => unreachable!("upkeep goes on as long as the server"),
    }
    // Whoever comes from now on finds another server, or none.
    drop(listener);
    let connections = &app.0.connections;
    connections.close();
    if timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections that didn't end are cut");
    }
    Ok(())
}

/// Lets clients in until stopped.
async fn accept(listener: &TcpListener, tls: Option<TlsAcceptor>, app: &App, stop: &Stop) {
    let limits = app.0.settings.limits;
    let places =
        Places::new(limits.connections + HEADROOM, limits.connections_per_address.saturating_add(HEADROOM));
    let router = app.clone().router();
    let mut stopped = pin!(stop.raised());
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Some(peer) = admit(&places, app, address) else { continue };
        let connection = connection(stream, tls.clone(), router.clone(), peer, stop.clone());
        app.0.connections.spawn(connection);
    }
}

/// A place for whoever called; `None` where there is no more. Proxies that we trust stand for many.
fn admit(places: &Arc<Places>, app: &App, address: SocketAddr) -> Option<Peer> {
    let address = address.ip();
    let for_itself = (!is_trusted(address, &app.0.settings.trusted_proxies)).then_some(address);
    match places.take(for_itself) {
        Ok(place) => Some(Peer { address, _place: Arc::new(place) }),
        Err(_) => {
            metrics::counter!("tallyboard_connections_refused_total").increment(1);
            None
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, peer: Peer, stop: Stop) {
    // Neither is needed for answers to be right.
    drop(stream.set_nodelay(true));
    #[cfg(target_os = "linux")]
    drop(socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX));
    let Some(tls) = tls else { return http(stream, router, peer, stop).await };
    match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, router, peer, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client can't agree on encryption"),
        Err(_) => tracing::debug!("a client takes too long to agree on encryption"),
    }
}

async fn http<S>(stream: S, router: Router, peer: Peer, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(WRITE_TIMEOUT));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.raised() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Reads a body that nobody wants, as far as that is soon done: closing a connection on which something lies unread would
/// take the answer along.
pub(super) async fn discard(mut body: Body) {
    let reading = async {
        let mut bytes = 0;
        while bytes < DISCARDED_BYTES_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // Whoever sends for longer has been told by the close.
    drop(timeout(DISCARD_TIMEOUT, reading).await);
}

/// Gives up a request that takes too long to arrive, or to be answered. One that announces more than may be is told so
/// before it has arrived.
pub(super) async fn answer_in_time(request: Request, next: Next) -> Response {
    if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        discard(request.into_body()).await;
        return Problem::new(Code::BodyTooLarge, "the body is longer than a request may be").into_response();
    }
    timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::new(Code::TimedOut, "the request took too long").into_response())
}
