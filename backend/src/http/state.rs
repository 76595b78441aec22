//! How the newest results relate to the votes, in the headers of an answer.
//!
//! It belongs to the moment and not to the version: the same version is live now and stale in a minute, also for whoever
//! is answered that nothing has changed. Whoever asks for results again and again needs no other route to know.

use axum::{
    http::{HeaderName, HeaderValue},
    response::Response,
};
use tallyboard_shared::{Timestamp, message::FeedState};

use super::App;

/// The state in one word.
pub(super) const STATE: HeaderName = HeaderName::from_static("tallyboard-state");

/// When it was looked at, every other second: one that stands still is that of an answer which was kept too long.
pub(super) const STATE_TIME: HeaderName = HeaderName::from_static("tallyboard-state-time");

/// Since when the results may be out of date; absent while they aren't.
pub(super) const STALE_SINCE: HeaderName = HeaderName::from_static("tallyboard-stale-since");

/// Adds the state of now.
pub(super) fn tell(app: &App, response: &mut Response) {
    let status = app.0.feed.status();
    let headers = response.headers_mut();
    headers.insert(STATE, HeaderValue::from_static(word(status.state)));
    headers.insert(STATE_TIME, time(status.now));
    if let Some(since) = status.stale_since {
        headers.insert(STALE_SINCE, time(since));
    }
}

/// A state as it is on every wire.
fn word(state: FeedState) -> &'static str {
    match state {
        FeedState::Live => "live",
        FeedState::CatchingUp => "catching_up",
        FeedState::Stale => "stale",
    }
}

fn time(time: Timestamp) -> HeaderValue {
    HeaderValue::try_from(time.to_string()).expect("a time is plain ASCII")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{
        Router,
        body::Body,
        http::{HeaderMap, Request, StatusCode, header},
    };
    use tallyboard_shared::message::Status;
    use tower_service::Service;

    use super::*;
    use crate::{
        election,
        http::testing,
        roles::{
            disclosure::disclose,
            viewer::{Feed, Frame, Shown},
        },
        tally::merge,
    };

    fn status(state: FeedState, second: i64) -> Status {
        let at = |second| Timestamp::from_second(second).unwrap();
        let stale_since = (state == FeedState::Stale).then(|| at(0));
        Status { state, now: at(second), version: Some(1), lag: Some(0), stale_since }
    }

    async fn answer(router: &Router, path: &str, headers: &[(HeaderName, &str)]) -> (StatusCode, HeaderMap) {
        let mut request = Request::get(path).header(header::HOST, "t");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = router.clone().call(request).await.unwrap();
        (response.status(), response.headers().clone())
    }

    fn said(headers: &HeaderMap) -> [Option<&str>; 3] {
        [STATE, STATE_TIME, STALE_SINCE].map(|name| headers.get(name).map(|value| value.to_str().unwrap()))
    }

    #[test]
    fn words_are_those_of_the_wire() {
        for state in [FeedState::Live, FeedState::CatchingUp, FeedState::Stale] {
            assert_eq!(serde_json::to_value(state).unwrap(), word(state));
        }
    }

    #[tokio::test]
    async fn every_answer_with_the_newest_results_says_how_they_are_now() {
        let election = Arc::new(election::demo());
        let feed = Arc::new(Feed::new(Arc::clone(&election), status(FeedState::CatchingUp, 1)));
        let router = testing::app_showing(Arc::clone(&feed)).router();
        let ask = async |headers: &[(HeaderName, &str)]| answer(&router, "/api/v1/results", headers).await;
        let starting = [Some("catching_up"), Some("1970-01-01T00:00:01Z"), None];
        let (code, headers) = ask(&[]).await;
        assert_eq!((code, said(&headers)), (StatusCode::SERVICE_UNAVAILABLE, starting));

        let results = merge(&election, std::iter::empty(), 1, Timestamp::UNIX_EPOCH);
        let results = disclose(&election, results);
        feed.show(Shown::new(election, Some(results), Arc::from([]), None), Frame::Start);
        let expected = [
            (status(FeedState::Live, 3), [Some("live"), Some("1970-01-01T00:00:03Z"), None]),
            (
                status(FeedState::Stale, 5),
                [Some("stale"), Some("1970-01-01T00:00:05Z"), Some("1970-01-01T00:00:00Z")],
            ),
            (status(FeedState::Live, 7), [Some("live"), Some("1970-01-01T00:00:07Z"), None]),
        ];
        for (status, expected) in expected {
            // The version stays: only what is said of it differs, however it is answered.
            feed.report(status);
            let (code, headers) = ask(&[]).await;
            assert_eq!((code, said(&headers)), (StatusCode::OK, expected));
            let tag = headers[header::ETAG].to_str().unwrap();
            let (code, headers) = ask(&[(header::IF_NONE_MATCH, tag)]).await;
            assert_eq!((code, said(&headers)), (StatusCode::NOT_MODIFIED, expected));
            for encoding in ["br", "gzip"] {
                let (code, headers) = ask(&[(header::ACCEPT_ENCODING, encoding)]).await;
                assert_eq!((code, said(&headers)), (StatusCode::OK, expected));
                assert_eq!(headers[header::CONTENT_ENCODING], encoding);
            }
            let (code, headers) = answer(&router, "/api/v1/results?contest=president", &[]).await;
            assert_eq!((code, said(&headers)), (StatusCode::OK, expected));
        }
        // A version that is asked for by its number may be kept for good; what is said of now may not.
        let (code, headers) = answer(&router, "/api/v1/results?version=1", &[]).await;
        assert_eq!((code, said(&headers)), (StatusCode::OK, [None; 3]));
    }
}
