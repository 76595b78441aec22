//! Who may send votes, and how fast: tokens by name, of which only digests are kept.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The name of the token that has none of its own.
const UNNAMED: &str = "default";

/// More tokens than anyone hands out by hand; every one is compared for every request.
const TOKENS_MAX: usize = 1000;

/// So far a token may be ahead of its rate: clients send in bursts, and several requests at a time.
const AHEAD_MAX: Duration = Duration::from_secs(10);

/// The tokens that are taken.
#[derive(Default)]
pub struct Tokens(Vec<Token>);

/// A token.
pub(super) struct Token {
    /// For the log.
    pub(super) name: String,
    digest: [u8; 32],
    allowance: Option<Allowance>,
}

/// What a token that has a rate may still send.
struct Allowance {
    rate: NonZero<u32>,
    /// When the votes so far would have been sent at this rate; `None` before the first.
    even_at: Mutex<Option<Instant>>,
}

/// Why a file of tokens can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// A line that isn't one.
    #[error("line {line}: {why}")]
    Line {
        /// The first is 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// There is none in it.
    #[error("there is no token in it")]
    Empty,
}

impl Tokens {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a token as it is sent, under the name `default`; at most `rate` votes a second.
    pub fn add(&mut self, token: &str, rate: Option<NonZero<u32>>) {
        self.0.push(Token::new(UNNAMED.into(), Sha256::digest(token).into(), rate));
    }

    /// Takes the tokens of a file: a line a token, with its name, the SHA-256 of what is sent in hexadecimal, and, where
    /// it isn't `rate`, how many votes a second it may send. `#` begins a comment.
    ///
    /// # Errors
    /// Where a line can't be read, or there is none.
    pub fn add_file(&mut self, text: &str, rate: Option<NonZero<u32>>) -> Result<(), TokensError> {
        let before = self.0.len();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default().trim();
            if content.is_empty() {
                continue;
            }
            let token = self.read(content, rate).map_err(|why| TokensError::Line { line, why })?;
            self.0.push(token);
        }
        if self.0.len() == before { Err(TokensError::Empty) } else { Ok(()) }
    }

    fn read(&self, line: &str, rate: Option<NonZero<u32>>) -> Result<Token, String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, digest, own_rate) = match words[..] {
            [name, digest] => (name, digest, None),
            [name, digest, rate] => (name, digest, Some(votes_per_second(rate)?)),
            _ => return Err("a token is a name, a SHA-256 in hexadecimal, and perhaps a rate".into()),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name == UNNAMED || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(format!("`{name}` is not a name: letters, digits, -, _ and ., and not `{UNNAMED}`"));
        }
        let digest = digest_of(digest).ok_or("the second word is not a SHA-256: 64 hexadecimal digits")?;
        if self.0.iter().any(|known| known.name == name || known.digest == digest) {
            return Err(format!("`{name}`, or its token, is there already"));
        }
        if self.0.len() >= TOKENS_MAX {
            return Err(format!("there are more than {TOKENS_MAX} tokens"));
        }
        Ok(Token::new(name.into(), digest, own_rate.or(rate)))
    }

    /// The token of a request. All are compared, and in the same time whatever was sent.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<&Token> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = given.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let digest = Sha256::digest(token.trim_start_matches(' '));
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.digest.ct_eq(digest.as_slice())) {
                found = Some(token);
            }
        }
        found
    }
}

impl Token {
    fn new(name: String, digest: [u8; 32], rate: Option<NonZero<u32>>) -> Self {
        let allowance = rate.map(|rate| Allowance { rate, even_at: Mutex::new(None) });
        Self { name, digest, allowance }
    }

    /// Whether the token may send a request with so many votes now.
    ///
    /// # Errors
    /// How long to wait where it may not, whatever the number of votes.
    pub(super) fn spend(&self, votes: u32, now: Instant) -> Result<(), Duration> {
        self.allowance.as_ref().map_or(Ok(()), |allowance| allowance.spend(votes, now))
    }
}

impl Allowance {
    /// Takes a request whole, however large: what it is ahead of the rate is for the next to wait for. So every request
    /// that is within the limits is taken at some time, and the wait is the same for each.
    fn spend(&self, votes: u32, now: Instant) -> Result<(), Duration> {
        let mut even_at = self.even_at.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = even_at.map_or(Duration::ZERO, |even_at| even_at.saturating_duration_since(now));
        if ahead > AHEAD_MAX {
            return Err(ahead - AHEAD_MAX);
        }
        *even_at = Some(now + ahead + Duration::from_secs(votes.into()) / self.rate.get());
        Ok(())
    }
}

/// A number of votes a second: `500/s` or `500`.
///
/// # Errors
/// What is wrong.
pub fn votes_per_second(text: &str) -> Result<NonZero<u32>, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).replace('_', "");
    number.parse().map_err(|_| format!("`{text}` is not a number of votes a second, such as 500/s"))
}

fn digest_of(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hexadecimal.len() != 64 || !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, position) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&hexadecimal[position..position + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ingest::LINES_MAX;

    /// The SHA-256 of `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn sent(token: &str) -> HeaderMap {
        [(header::AUTHORIZATION, token.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_token_is_known_by_its_digest() {
        let mut tokens = Tokens::default();
        tokens.add_file(&format!("# who\n\ncounty-7 {ABC} 500/s # until May\n"), None).unwrap();
        tokens.add("secret", None);
        let name = |headers: &HeaderMap| tokens.of(headers).map(|token| token.name.as_str());
        assert_eq!(name(&sent("Bearer abc")), Some("county-7"));
        assert_eq!(name(&sent("Bearer secret")), Some("default"));
        // A scheme is named in whatever case.
        assert_eq!([sent("bearer abc"), sent("BEARER  abc")].map(|sent| name(&sent)), [Some("county-7"); 2]);
        for wrong in ["Bearer ", "Bearer abcd", "Bearer ABC", "Basic abc", "abc", "Bearerabc", ABC] {
            assert_eq!(name(&sent(wrong)), None, "{wrong}");
        }
        assert_eq!(name(&HeaderMap::new()), None);
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = Tokens::default().add_file(text, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_file_that_is_wrong_is_told_by_its_line() {
        check("", "no token");
        check("# only this\n", "no token");
        check("county", "line 1: a token is");
        check(&format!("county {}", &ABC[1..]), "line 1: the second word");
        check(&format!("county {ABC} fast"), "line 1: `fast` is not a number");
        check(&format!("county {ABC} 0"), "line 1: `0` is not a number");
        check(&format!("a {ABC}\nb {ABC}"), "line 2: `b`, or its token, is there already");
        check(&format!("default {ABC}"), "line 1: `default` is not a name");
    }

    #[test]
    fn a_token_is_ahead_of_its_rate_by_ten_seconds_and_a_request_and_then_waits() {
        let mut tokens = Tokens::default();
        tokens.add("secret", NonZero::new(5));
        tokens.add("free", None);
        let token = tokens.of(&sent("Bearer secret")).unwrap();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(token.spend(50, at(0)), Ok(()));
        assert_eq!(token.spend(LINES_MAX, at(0)), Ok(()));
        // One vote and a full request wait for the same time.
        for votes in [1, LINES_MAX] {
            assert_eq!(token.spend(votes, at(0)), Err(Duration::from_secs(10_000)));
            assert_eq!(token.spend(votes, at(9_999)), Err(Duration::from_secs(1)));
        }
        assert_eq!(token.spend(1, at(10_000)), Ok(()));
        assert_eq!(token.spend(1, at(10_000)), Err(Duration::from_millis(200)));
        // What wasn't sent isn't saved up beyond the ten seconds.
        assert_eq!(token.spend(50, at(50_000)), Ok(()));
        assert_eq!(token.spend(1, at(50_000)), Ok(()));
        assert_eq!(token.spend(1, at(50_000)), Err(Duration::from_millis(200)));
        let free = tokens.of(&sent("Bearer free")).unwrap();
        assert!((0..10).all(|_| free.spend(LINES_MAX, at(0)).is_ok()));
    }
}
