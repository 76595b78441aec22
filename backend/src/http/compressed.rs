//! Answers in the encoding that a client takes, compressed once for everyone who asks for the same.
//!
//! Whoever asks for a version asks for the same bytes as everyone else. They are known by a hash of their own, so that
//! nothing has to say when they change; the least wanted make room.

use std::{hash::Hasher, io::Write};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use brotli::CompressorWriter;
use flate2::write::GzEncoder;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::encoding::Encoding;
use crate::tally::FingerprintKey;

/// So much is kept, compressed: the newest version in every form, and some hundred parts and earlier ones.
const KEPT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// About as many answers as that holds.
const ANSWERS: usize = 1000;

/// What is smaller isn't worth it.
const BYTES_MIN: usize = 256;

/// Where Brotli gains most for its time.
const BROTLI_QUALITY: u32 = 5;
const BROTLI_WINDOW_BITS: u32 = 22;
const BROTLI_BUFFER_BYTES: usize = 64 * 1024;

/// Names an answer in an encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u128, Encoding);

#[derive(Clone)]
struct BySize;

impl Weighter<Key, Bytes> for BySize {
    fn weight(&self, _: &Key, compressed: &Bytes) -> u64 {
        compressed.len() as u64
    }
}

/// What was compressed lately.
pub(super) struct Compressed {
    /// A stranger who asks for parts can't make two of them look like one.
    hash_key: [u8; 16],
    kept: Cache<Key, Bytes, BySize>,
}

impl Compressed {
    pub(super) fn new() -> Self {
        // One shard: in a part of the room a large answer would find none.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(ANSWERS)
            .weight_capacity(KEPT_BYTES_MAX)
            .build()
            .expect("both capacities are given");
        let kept =
            Cache::with_options(options, BySize, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { hash_key: FingerprintKey::random().to_bytes(), kept }
    }

    /// The answer as the client takes it best.
    pub(super) async fn answer(&self, asked: &HeaderMap, body: Bytes) -> Response {
        let encoding = Encoding::accepted(asked).first().copied().filter(|_| body.len() >= BYTES_MIN);
        let mut response = match encoding {
            None => body.into_response(),
            Some(encoding) => {
                let mut response = self.compressed(encoding, body).await.into_response();
                let encoding = HeaderValue::from_static(encoding.name());
                response.headers_mut().insert(header::CONTENT_ENCODING, encoding);
                response
            }
        };
        response.headers_mut().insert(header::VARY, header::ACCEPT_ENCODING.into());
        response
    }

    async fn compressed(&self, encoding: Encoding, body: Bytes) -> Bytes {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        hasher.write(&body);
        let key = Key(hasher.finish128().as_u128(), encoding);
        // Whoever asks meanwhile waits for the first.
        let compress = async { tokio::task::spawn_blocking(move || compress(encoding, &body)).await };
        match self.kept.get_or_insert_async(&key, compress).await {
            Ok(compressed) => compressed,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

fn compress(encoding: Encoding, body: &[u8]) -> Bytes {
    let written = match encoding {
        Encoding::Brotli => {
            let mut writer =
                CompressorWriter::new(Vec::new(), BROTLI_BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
            writer.write_all(body).map(|()| writer.into_inner())
        }
        Encoding::Gzip => {
            let mut writer = GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(body).and_then(|()| writer.finish())
        }
    };
    written.expect("writing to memory never fails").into()
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::Arc};

    use http_body_util::BodyExt;

    use super::*;

    fn asking(encoding: &str) -> HeaderMap {
        [(header::ACCEPT_ENCODING, encoding.parse().unwrap())].into_iter().collect()
    }

    async fn answer(compressed: &Compressed, encoding: &str, body: &[u8]) -> (Option<String>, Bytes) {
        let response = compressed.answer(&asking(encoding), Bytes::copy_from_slice(body)).await;
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
        let encoding = response.headers().get(header::CONTENT_ENCODING);
        let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
        (encoding, response.into_body().collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn an_answer_is_compressed_as_the_client_takes_it_and_reads_as_it_was() {
        let (compressed, body) = (Compressed::new(), b"{\"version\":7}".repeat(1000));
        let (encoding, bytes) = answer(&compressed, "gzip, br", &body).await;
        let mut read = Vec::new();
        brotli::Decompressor::new(&*bytes, 4096).read_to_end(&mut read).unwrap();
        assert_eq!((encoding.as_deref(), &read, bytes.len() < 100), (Some("br"), &body, true));
        let (encoding, bytes) = answer(&compressed, "gzip", &body).await;
        read.clear();
        flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut read).unwrap();
        assert_eq!((encoding.as_deref(), &read, bytes.len() < 200), (Some("gzip"), &body, true));
        assert_eq!(answer(&compressed, "identity", &body).await, (None, body.into()));
        assert_eq!(answer(&compressed, "br", b"small").await, (None, Bytes::from_static(b"small")));
    }

    #[tokio::test]
    async fn the_same_answer_is_compressed_once_however_many_ask_and_others_are_told_apart() {
        let (compressed, body) = (Arc::new(Compressed::new()), b"{\"version\":7}".repeat(100_000));
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let (compressed, body) = (Arc::clone(&compressed), body.clone());
                tokio::spawn(async move { answer(&compressed, "br", &body).await.1 })
            })
            .collect();
        let mut places = std::collections::HashSet::new();
        for asking in asking {
            places.insert(asking.await.unwrap().as_ptr());
        }
        assert_eq!((places.len(), compressed.kept.len()), (1, 1), "all share the bytes of the first");
        answer(&compressed, "br", &b"{\"version\":8}".repeat(100_000)).await;
        assert_eq!(compressed.kept.len(), 2);
    }

    #[tokio::test]
    async fn what_is_kept_has_a_bound() {
        let compressed = Compressed::new();
        // What can't be made smaller.
        let mut random = 1u64;
        for _ in 0..80 {
            let body: Vec<u8> = (0..1_000_000)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (random >> 56) as u8
                })
                .collect();
            assert!(answer(&compressed, "gzip", &body).await.1.len() > 990_000);
        }
        assert!(compressed.kept.weight() <= KEPT_BYTES_MAX && compressed.kept.len() > 10);
    }
}
