//! Where a request comes from.

use std::{net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::places::Place;

/// The other end of a connection; an extension of every request.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Held until the last request and WebSocket of the connection is over.
    pub(super) _place: Arc<Place>,
}

/// The header to which every proxy adds the address that it was called from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client behind a peer: the peer itself, or whom the proxies that we trust say that they speak for.
///
/// Read from the right: what stands left of the first address that isn't a trusted proxy's was written by a stranger.
pub(super) fn client_address(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut claims = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    while is_trusted(client, trusted) {
        let Some(claim) = claims.next().and_then(|claim| std::str::from_utf8(claim).ok()).and_then(address)
        else {
            break;
        };
        client = claim;
    }
    client
}

/// Whether the address is that of a proxy whose word is taken.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: with or without a port, IPv6 in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let socket = || text.parse().map(|socket: std::net::SocketAddr| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().or_else(|_| socket()).ok().or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let client = client_address(&headers, peer.parse().unwrap(), &trusted);
        assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
    }

    #[test]
    fn the_client_is_whom_trusted_proxies_name() {
        check("192.0.2.1", &[], "192.0.2.1");
        check("10.0.0.1", &["192.0.2.7"], "192.0.2.7");
        check("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7");
        check("10.0.0.1", &["192.0.2.7, 10.0.0.2"], "192.0.2.7");
        check("10.0.0.1", &["192.0.2.7", "10.0.0.2"], "192.0.2.7");
        check("2001:db8::1", &["[2001:db9::7]:443"], "2001:db9::7");
        check("10.0.0.1", &["192.0.2.7:5000"], "192.0.2.7");
    }

    #[test]
    fn a_strangers_word_is_worth_nothing() {
        check("192.0.2.1", &["198.51.100.1"], "192.0.2.1");
        check("10.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7");
        check("10.0.0.1", &["rubbish"], "10.0.0.1");
        check("10.0.0.1", &["192.0.2.7, rubbish, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &["10.0.0.3"], "10.0.0.3");
    }
}
