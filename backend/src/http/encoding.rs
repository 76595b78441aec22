//! Which of the encodings that there are a client is given.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};

/// How a file was compressed when the dashboard was built, or an answer is when it is asked for first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Encoding {
    /// The smaller.
    Brotli,
    /// For clients that don't read Brotli: browsers do so over HTTPS and on localhost only.
    Gzip,
}

impl Encoding {
    /// Every encoding, the smallest first.
    pub(super) const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// What stands behind the name of a file that is compressed so.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }

    /// The name in `Accept-Encoding` and `Content-Encoding`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Those that the client takes, the best first: by the weight that it gives them, then the smaller.
    pub(super) fn accepted(headers: &HeaderMap) -> Vec<Self> {
        let asked = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let asked: Vec<_> = asked.flat_map(|value| value.split(',')).filter_map(weighted).collect();
        let named = |name: &str| asked.iter().find(|(asked, _)| asked.eq_ignore_ascii_case(name));
        let weight = |name: &str| named(name).or_else(|| named("*")).map_or(0, |(_, weight)| *weight);
        // Who would rather have the answer as it is says so.
        let plain = named("identity").map_or(0, |(_, weight)| *weight);
        let is_wanted = |encoding: &Self| (plain.max(1)..).contains(&weight(encoding.name()));
        let mut accepted: Vec<_> = Self::ALL.into_iter().filter(is_wanted).collect();
        accepted.sort_by_key(|encoding| std::cmp::Reverse(weight(encoding.name())));
        accepted
    }
}

/// Leaves of what a request says of encodings those of ours that it takes, in its order.
///
/// One that takes none of them, and not even the answer as it is, is answered as it is all the same: what was asked for has
/// been done by then, and a 406 in its place would say that it wasn't.
pub(super) async fn settled(mut request: Request) -> Request {
    let accepted = Encoding::accepted(request.headers());
    let headers = request.headers_mut();
    headers.remove(header::ACCEPT_ENCODING);
    for (encoding, weight) in accepted.iter().zip(["", ";q=0.5"]) {
        let said = HeaderValue::try_from(format!("{}{weight}", encoding.name()));
        headers.append(header::ACCEPT_ENCODING, said.expect("names and weights are plain ASCII"));
    }
    request
}

/// An encoding and its weight in thousandths; `None` where that can't be read.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let (name, parameter) = item.split_once(';').unwrap_or((item, "q=1"));
    let weight: f32 = parameter.trim().strip_prefix("q=")?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
    Some((name.trim(), thousandths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &[&str], expected: &[Encoding]) {
        let mut headers = HeaderMap::new();
        for asked in asked {
            headers.append(header::ACCEPT_ENCODING, asked.parse().unwrap());
        }
        assert_eq!(Encoding::accepted(&headers), expected, "{asked:?}");
    }

    #[test]
    fn the_client_chooses_and_the_smaller_wins_a_tie() {
        use Encoding::{Brotli, Gzip};
        check(&[], &[]);
        check(&["identity"], &[]);
        check(&["gzip, deflate, br, zstd"], &[Brotli, Gzip]);
        check(&["gzip", "br"], &[Brotli, Gzip]);
        check(&["GZIP"], &[Gzip]);
        check(&["br;q=0.5, gzip;q=0.8"], &[Gzip, Brotli]);
        check(&["br;q=0, *"], &[Gzip]);
        check(&["*"], &[Brotli, Gzip]);
        check(&["br;level=9, gzip; q=0.001"], &[Gzip]);
        check(&["gzip;q=0.5, identity;q=0"], &[Gzip]);
        check(&["*;q=0"], &[]);
        check(&["identity, gzip;q=0.5"], &[]);
        check(&["identity;q=0.5, gzip;q=0.5, br;q=0.4"], &[Gzip]);
        check(&["zstd, identity;q=0"], &[]);
    }

    #[tokio::test]
    async fn what_is_left_of_a_request_says_the_same_in_our_words() {
        for (asked, left) in [
            ("gzip;q=0.5, deflate, br;q=0.7, identity;q=0", &["br", "gzip;q=0.5"][..]),
            ("gzip;q=3, br;q=0.2", &["gzip", "br;q=0.5"]),
            ("zstd, identity;q=0", &[]),
            ("*;q=0", &[]),
        ] {
            let request = Request::builder().header(header::ACCEPT_ENCODING, asked);
            let request = request.body(axum::body::Body::empty()).unwrap();
            let expected = Encoding::accepted(request.headers());
            let request = settled(request).await;
            let seen: Vec<_> = request.headers().get_all(header::ACCEPT_ENCODING).iter().collect();
            assert_eq!(seen, left, "{asked}");
            assert_eq!(Encoding::accepted(request.headers()), expected, "{asked}");
        }
    }
}
