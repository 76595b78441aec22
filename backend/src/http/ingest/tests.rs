//! Bodies that are read or not, and requests that have to wait.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, http::StatusCode, response::Response};
use tokio::sync::mpsc;
use tower_service::Service;

use super::*;
use crate::{
    election,
    http::testing,
    journal::{ExclusiveAppender, JournalError, Membership, Reader, TopicSpec},
};

#[track_caller]
fn check_readable(headers: &[(header::HeaderName, &str)], expected: bool) {
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
    assert_eq!(is_readable(&headers), expected, "{headers:?}");
}

#[test]
fn a_body_that_says_that_it_is_something_else_is_not_read() {
    check_readable(&[], true);
    check_readable(&[(header::CONTENT_TYPE, "Application/JSON; charset=utf-8")], true);
    check_readable(&[(header::CONTENT_TYPE, "application/x-ndjson")], true);
    check_readable(&[(header::CONTENT_TYPE, "multipart/form-data; boundary=x")], false);
    check_readable(&[(header::CONTENT_TYPE, "")], false);
    check_readable(&[(header::CONTENT_ENCODING, "gzip")], false);
    check_readable(&[(header::CONTENT_ENCODING, "identity")], true);
    check_readable(&[(header::CONTENT_ENCODING, "Identity")], true);
    check_readable(&[(header::CONTENT_ENCODING, "identity"), (header::CONTENT_ENCODING, "gzip")], false);
    for charset in ["utf-8", "UTF-8", "\"utf-8\"", "utf8", "us-ascii"] {
        let kind = format!("application/json; charset={charset}");
        check_readable(&[(header::CONTENT_TYPE, &kind)], true);
    }
    for charset in ["UTF-16", "utf-16le", "iso-8859-1", "", "\"UTF-16\""] {
        let kind = format!("application/json;Charset = {charset}");
        check_readable(&[(header::CONTENT_TYPE, &kind)], false);
    }
    check_readable(&[(header::CONTENT_TYPE, "application/x-ndjson; profile=x;")], true);
}

#[test]
fn a_body_is_one_vote_or_one_a_line() {
    assert_eq!(split(b"{\n \"a\": 1\n}\n"), [(1, b"{\n \"a\": 1\n}".as_slice())]);
    assert_eq!(split(b"\r\n \n\t{\n}\n"), [(3, b"{\n}".as_slice())]);
    assert_eq!(split(b"{\"a\":1}\n\n{\"b\":2}\r\n"), [(1, b"{\"a\":1}".as_slice()), (3, b"{\"b\":2}")]);
    assert_eq!(split(b"\n{\"a\":1}\nrubbish"), [(2, b"{\"a\":1}".as_slice()), (3, b"rubbish")]);
    assert!(split(b" \n ").is_empty());
}

/// A journal that takes appends and finishes none before it is told to.
#[derive(Default)]
struct Stuck {
    appends: AtomicUsize,
    is_released: Mutex<bool>,
    released: Condvar,
}

impl Stuck {
    fn release(&self) {
        *self.is_released.lock().unwrap() = true;
        self.released.notify_all();
    }
}

impl Journal for Stuck {
    fn append(&self, _: &str, records: Vec<NewRecord>) -> Result<Vec<Position>, JournalError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let is_released = self.is_released.lock().unwrap();
        drop(self.released.wait_while(is_released, |is_released| !*is_released).unwrap());
        Ok(vec![Position { partition: 0, offset: 0 }; records.len()])
    }

    fn ensure_topics(&self, _: &[TopicSpec]) -> Result<Vec<String>, JournalError> {
        unreachable!("ingest only appends")
    }

    fn bounds(&self, _: &str) -> Result<BTreeMap<u32, Range<u64>>, JournalError> {
        unreachable!("ingest only appends")
    }

    fn exclusive(&self, _: &str) -> Result<Box<dyn ExclusiveAppender>, JournalError> {
        unreachable!("ingest only appends")
    }

    fn read(&self, _: &str, _: &BTreeMap<u32, u64>) -> Result<Box<dyn Reader>, JournalError> {
        unreachable!("ingest only appends")
    }

    fn join(&self, _: &str, _: &str) -> Result<Box<dyn Membership>, JournalError> {
        unreachable!("ingest only appends")
    }
}

/// A server with a journal that is stuck, and times of its own.
struct Site {
    journal: Arc<Stuck>,
    app: App,
    router: Router,
}

impl Site {
    fn new(wait_max: Duration, body_timeout: Duration) -> Self {
        let journal = Arc::new(Stuck::default());
        let mut tokens = Tokens::default();
        tokens.add("secret", None);
        let ingest = Ingest::new(Arc::clone(&journal) as _, "votes".into(), &election::demo(), tokens);
        let app = testing::app(Some(Ingest { wait_max, body_timeout, ..ingest }));
        Self { journal, router: app.clone().router(), app }
    }

    fn ingest(&self) -> &Ingest {
        self.app.0.ingest.as_ref().unwrap()
    }

    fn post(&self, body: impl Into<Body>) -> tokio::task::JoinHandle<Response> {
        let request = Request::post("/api/v1/votes").header(header::AUTHORIZATION, "Bearer secret");
        let call = self.router.clone().call(request.body(body.into()).unwrap());
        tokio::spawn(async { call.await.unwrap() })
    }

    fn vote(&self) -> tokio::task::JoinHandle<Response> {
        let now = Timestamp::now();
        self.post(format!(
            r#"{{"voter_id":"v","candidate_id":"okafor","location_id":"AL","voting_time":"{now}"}}"#
        ))
    }

    /// Lets the journal go on: everything that was held is stored.
    async fn release(&self, held: Vec<tokio::task::JoinHandle<Response>>) {
        self.journal.release();
        for held in held {
            assert_eq!(held.await.unwrap().status(), StatusCode::OK);
        }
    }

    /// Fills every place for a body.
    async fn fill(&self) -> Vec<tokio::task::JoinHandle<Response>> {
        let held = (0..REQUESTS_AT_ONCE_MAX).map(|_| self.vote()).collect();
        until(|| self.journal.appends.load(Ordering::SeqCst) == REQUESTS_AT_ONCE_MAX).await;
        held
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn code(response: Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice::<serde_json::Value>(&body).unwrap()["code"].as_str().unwrap().to_owned()
}

async fn is_put_off(response: Response) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], RETRY_AFTER_S.to_string());
    assert_eq!(code(response).await, "journal_behind");
}

#[tokio::test]
async fn more_requests_than_may_wait_are_put_off_at_once_and_all_others_are_stored() {
    let site = Site::new(Duration::from_secs(3600), BODY_TIMEOUT);
    let mut held = site.fill().await;
    held.extend((0..REQUESTS_WAITING_MAX).map(|_| site.vote()));
    until(|| site.ingest().waiting.available_permits() == 0).await;
    is_put_off(site.vote().await.unwrap()).await;
    site.release(held).await;
    assert_eq!(site.ingest().places.available_permits(), REQUESTS_AT_ONCE_MAX);
    assert_eq!(site.ingest().waiting.available_permits(), REQUESTS_WAITING_MAX);
}

#[tokio::test]
async fn a_request_that_waits_too_long_is_put_off_and_may_come_again() {
    let site = Site::new(Duration::from_millis(10), BODY_TIMEOUT);
    let held = site.fill().await;
    is_put_off(site.vote().await.unwrap()).await;
    site.release(held).await;
    assert_eq!(site.vote().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_and_its_place_is_free() {
    let site = Site::new(WAIT_MAX, Duration::from_millis(10));
    let (client, line) = mpsc::channel(1);
    client.send(Ok::<_, std::io::Error>("{\"voter_id\":")).await.unwrap();
    let pieces = futures_util::stream::unfold(line, async |mut line| Some((line.recv().await?, line)));
    let answer = site.post(Body::from_stream(pieces));
    // The first piece is read, and then nothing comes.
    until(|| client.capacity() == 1).await;
    until(|| site.ingest().places.available_permits() == REQUESTS_AT_ONCE_MAX).await;
    drop(client);
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(code(answer).await, "timed_out");
    assert_eq!(site.journal.appends.load(Ordering::SeqCst), 0);
}
