//! Which of the encodings that there are a client is given.

use axum::http::{HeaderMap, header};

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
        let weight = |name: &str| {
            let named = |name: &str| asked.iter().find(|(asked, _)| asked.eq_ignore_ascii_case(name));
            named(name).or_else(|| named("*")).map_or(0, |(_, weight)| *weight)
        };
        let mut accepted: Vec<_> =
            Self::ALL.into_iter().filter(|encoding| weight(encoding.name()) > 0).collect();
        accepted.sort_by_key(|encoding| std::cmp::Reverse(weight(encoding.name())));
        accepted
    }
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
    }
}
