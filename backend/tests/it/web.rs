//! The routes, the refusals and the sockets of the program.

use serde_json::{Value, json};
use tallyboard_shared::message::{FeedState, GoodbyeReason, ServerMessage};
use tokio_tungstenite::tungstenite::Message;

use crate::server::{Browser, Server, TOKEN, demo_definition, free_address, run};

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) fn site(arguments: &[&str]) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &free_address(), arguments);
    Site { server, directory }
}

pub(crate) fn demo_site() -> Site {
    demo_definition_site(&[])
}

/// The demonstration's election, with further arguments, once it shows results.
pub(crate) fn demo_definition_site(arguments: &[&str]) -> Site {
    let definition = demo_definition();
    let mut site = site(&[&["--election", definition.to_str().unwrap()], arguments].concat());
    site.server
        .wait_for("readiness", |server| server.get("/readyz").is_some_and(|(status, _)| status == 200));
    site
}

pub(crate) fn post(server: &Server, token: &str, body: &str) -> (u16, Value) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut response = ureq::Agent::from(config)
        .post(server.url("/api/v1/votes"))
        .header("authorization", format!("Bearer {token}"))
        .send(body)
        .unwrap();
    (
        response.status().as_u16(),
        serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap(),
    )
}

pub(crate) fn vote(voter: &str, candidate: &str, place: &str) -> String {
    let now = tallyboard_shared::Timestamp::now();
    json!({"voter_id": voter, "candidate_id": candidate, "voting_time": now, "location_id": place})
        .to_string()
}

#[test]
fn votes_by_http_are_answered_line_by_line_and_counted_once() {
    let mut site = demo_site();
    let lines = [
        vote("ada", "okafor", "AL"),
        vote("ada", "haddad", "AL"),
        vote("bo", "nobody", "AL"),
        "rubbish".into(),
        vote("cy", "okafor", "Nowhere"),
        vote("di", "haddad", "Brant"),
    ];
    let (status, receipt) = post(&site.server, TOKEN, &lines.join("\n"));
    assert_eq!((status, &receipt["accepted"], &receipt["refused"]), (200, &json!(3), &json!(3)), "{receipt}");
    let reasons: Vec<_> =
        receipt["lines"].as_array().unwrap().iter().map(|line| line["reason"].as_str()).collect();
    let expected = [None, None, Some("unknown_candidate"), Some("malformed"), Some("unknown_location"), None];
    assert_eq!(reasons, expected);
    assert!(!receipt.to_string().contains("ada"), "an answer names no voter");
    let results = site.server.results_of(3);
    assert_eq!(results.totals.votes, 2);
    assert_eq!(results.totals.rejected_sum(), 1);
    // Two ballots in one place would tell who voted for whom.
    assert!(
        results.locations.iter().flat_map(|place| &place.contests).all(|contest| contest.votes.is_none())
    );
}

#[test]
fn votes_need_the_token_and_a_server_without_one_takes_none() {
    let site = demo_site();
    let (status, problem) = post(&site.server, "wrong", &vote("ada", "okafor", "AL"));
    assert_eq!((status, problem["code"].as_str()), (401, Some("unauthorized")));
    let (status, problem) = post(&site.server, TOKEN, &"x".repeat(17 * 1024 * 1024));
    assert_eq!((status, problem["code"].as_str()), (413, Some("body_too_large")));
    let (status, problem) = post(&site.server, TOKEN, "");
    assert_eq!((status, problem["code"].as_str()), (400, Some("empty")));
    let (status, text) =
        run(&["simulate", "--to", &site.server.url(""), "--ingest-token", "wrong", "--count", "5"]);
    assert!(!status.success() && text.contains("401"), "{text}");
}

#[test]
fn answers_are_cached_by_their_tags() {
    let site = demo_site();
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent = ureq::Agent::from(config);
    for path in [
        "/api/v1/results",
        "/api/v1/results.csv",
        "/api/v1/results.nist.json",
        "/api/v1/timeline",
        "/api/v1/election",
        "/api/openapi.json",
        "/api/asyncapi.yaml",
    ] {
        let is_known = || {
            let response = agent.get(site.server.url(path)).call().unwrap();
            assert_eq!(response.headers()["cache-control"], "public, max-age=1", "{path}");
            let tag = response.headers()["etag"].to_str().unwrap();
            agent.get(site.server.url(path)).header("if-none-match", tag).call().unwrap().status() == 304
        };
        // A version may come in between.
        assert!((0..5).any(|_| is_known()), "{path}");
    }
    let (status, body) = site.server.get("/api/v1/results?version=999999").unwrap();
    assert_eq!(
        (status, serde_json::from_str::<Value>(&body).unwrap()["code"].clone()),
        (404, json!("version_not_found"))
    );
    let (status, body) = site.server.get("/api/v1/results?version=new").unwrap();
    assert_eq!(
        (status, serde_json::from_str::<Value>(&body).unwrap()["code"].clone()),
        (400, json!("bad_query"))
    );
    let (status, body) = site.server.get("/api/v1/votes").unwrap();
    assert_eq!(
        (status, serde_json::from_str::<Value>(&body).unwrap()["code"].clone()),
        (405, json!("method_not_allowed"))
    );
    let (status, body) = site.server.get("/api/v1/nothing").unwrap();
    assert_eq!(
        (status, serde_json::from_str::<Value>(&body).unwrap()["code"].clone()),
        (404, json!("not_found"))
    );
}

#[test]
fn the_timeline_tells_when_votes_were_cast() {
    let mut site = demo_site();
    let lines: Vec<_> = (0..3).map(|voter| vote(&format!("v{voter}"), "okafor", "AL")).collect();
    assert_eq!(post(&site.server, TOKEN, &lines.join("\n")).0, 200);
    let results = site.server.results_of(3);
    let response = ureq::get(site.server.url("/api/v1/timeline")).call().unwrap();
    assert!(response.headers().contains_key("etag"));
    let body = response.into_body().read_to_string().unwrap();
    let timeline: tallyboard_shared::timeline::Timeline = serde_json::from_str(&body).unwrap();
    assert!(timeline.version >= results.version);
    assert_eq!(timeline.width_ms, 60_000);
    // A minute may have ended between two of the votes.
    let contests: Vec<_> = timeline.windows.iter().flat_map(|window| window.contests.values()).collect();
    assert_eq!(contests.iter().map(|contest| contest.votes).sum::<u64>(), 3);
    assert!(contests.iter().all(|contest| contest.candidates.as_ref().unwrap().contains_key("okafor")));
}

#[test]
fn the_definition_and_the_page_are_served() {
    let site = demo_site();
    let (_, election) = site.server.get("/api/v1/election").unwrap();
    let election: Value = serde_json::from_str(&election).unwrap();
    assert_eq!(
        (election["id"].as_str(), election["locations"].as_array().unwrap().len()),
        (Some("marenne-2026"), 40)
    );
    let (_, metrics) = site.server.get("/metrics").unwrap();
    assert!(metrics.contains("tallyboard_results_version"), "{metrics}");
    let (status, page) = site.server.get("/").unwrap();
    assert!(status == 200 && page.contains("Tallyboard"), "was the dashboard built? {status} {page}");
    assert_eq!(site.server.get("/no-such-file.js").unwrap().0, 404);
}

#[test]
fn a_place_has_its_history_and_the_definition_its_map() {
    let mut site = demo_site();
    let lines: Vec<_> =
        (0..3).map(|voter| vote(&format!("v{voter}"), "okafor", ["AL", "BR"][voter / 2])).collect();
    assert_eq!(post(&site.server, TOKEN, &lines.join("\n")).0, 200);
    let newest = site.server.results_of(3).version;
    let (status, history) = site.server.get("/api/v1/locations/AL/history").unwrap();
    assert_eq!(status, 200, "{history}");
    let history: tallyboard_shared::versions::PlaceHistory = serde_json::from_str(&history).unwrap();
    let points: Vec<_> = history.points.iter().map(|point| (point.version, point.votes)).collect();
    assert!(points.len() > 1 && points.is_sorted(), "{points:?}");
    assert!(points.last().is_some_and(|(version, votes)| *version >= newest && *votes == 2), "{points:?}");
    assert!(
        history.points[0].contests.iter().all(|contest| contest.votes.is_none()),
        "two ballots are withheld"
    );
    assert_eq!(site.server.get("/api/v1/locations/nowhere/history").unwrap().0, 404);
    let (status, map) = site.server.get("/api/v1/map").unwrap();
    assert!(status == 200 && map.contains("\"id\":\"AL\""), "{status}");
}

#[test]
fn a_socket_starts_with_a_welcome_and_ends_with_a_goodbye() {
    let mut site = demo_site();
    let mut browser = site.server.connect();
    assert!(matches!(browser.next(), Ok(ServerMessage::Welcome(welcome)) if welcome.protocol == 1));
    // A version may come in between.
    let told = |browser: &mut Browser| loop {
        match browser.next() {
            Ok(ServerMessage::Status(status)) => break status,
            Ok(ServerMessage::Update(_)) => {}
            _ => panic!("{:?}", browser.messages),
        }
    };
    assert!(told(&mut browser).state != FeedState::Stale);
    browser.socket.send(Message::Text(r#"{"type":"ping"}"#.into())).unwrap();
    told(&mut browser);
    browser.socket.send(Message::Text(r#"{"type":"resume","version":0}"#.into())).unwrap();
    while browser.messages.iter().filter(|kind| *kind == "welcome").count() < 2 {
        browser.next().unwrap();
    }
    assert!(site.server.stop().success());
    let end = loop {
        match browser.next() {
            Ok(ServerMessage::Goodbye(goodbye)) => assert_eq!(goodbye.reason, GoodbyeReason::Restart),
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    assert_eq!((end, browser.messages.last().map(String::as_str)), (Some(1012), Some("goodbye")));
}

#[test]
fn sockets_of_strangers_and_rubbish_are_refused() {
    let site = demo_site();
    assert!(site.server.try_connect(&[("origin", "https://evil.example")]).is_err());
    assert!(site.server.try_connect(&[("sec-websocket-protocol", "tallyboard.v9")]).is_err());
    let own = format!("http://{}", site.server.address);
    assert!(
        site.server
            .try_connect(&[("origin", &own), ("sec-websocket-protocol", "tallyboard.v1.json")])
            .is_ok()
    );
    let close_code = |message: Message| {
        let mut browser = site.server.connect();
        browser.socket.send(message).unwrap();
        loop {
            match browser.next() {
                Ok(_) => {}
                Err(code) => break code,
            }
        }
    };
    assert_eq!(close_code(Message::Text("{".into())), Some(1008));
    assert_eq!(close_code(Message::Binary(vec![0; 8].into())), Some(1008));
    assert_eq!(close_code(Message::Text("x".repeat(100_000).into())), Some(1009));
    assert_eq!(site.server.get("/livez").unwrap().0, 200);
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let site = demo_site();
    let data = site.directory.path().to_str().unwrap();
    let failure = |arguments: &[&str], sentence: &str| {
        let (status, text) = run(arguments);
        assert!(!status.success() && text.contains(sentence), "{arguments:?}: {text}");
    };
    failure(&["serve", "--listen", &free_address(), "--data-dir", data], "another process uses");
    failure(&["serve", "--listen", &site.server.address, "--data-dir", "unused"], "failed to listen on");
    failure(&["serve", "--election", "no-such-file.toml"], "failed to read no-such-file.toml");
    failure(&["serve", "--simulate", "fast"], "is not a rate");
    failure(&["simulate", "--count", "1"], "where should the votes go?");
    let broken = site.directory.path().join("broken.toml");
    std::fs::write(&broken, "id = \"e\"\ntitle = \"E\"\nmode = \"fun\"\n").unwrap();
    failure(&["election", "check", broken.to_str().unwrap()], "line 3: unknown variant `fun`");
    let (status, text) = run(&["election", "check", demo_definition().to_str().unwrap()]);
    assert!(status.success() && text.contains("40 place(s)"), "{text}");
}

/// Status, headers and the body as it was sent.
fn raw(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, ureq::http::HeaderMap, Vec<u8>) {
    let mut request = ureq::http::Request::builder().method(method).uri(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build();
    let mut response = ureq::Agent::from(config).run(request.body(()).unwrap()).unwrap();
    let body = response.body_mut().read_to_vec().unwrap();
    (response.status().as_u16(), response.headers().clone(), body)
}

#[test]
fn files_of_the_page_are_sent_as_they_were_compressed_and_answers_as_the_client_takes_them() {
    let site = demo_site();
    let get = |path: &str, encoding: &str| raw(&site.server, "GET", path, &[("accept-encoding", encoding)]);
    let (_, plain_headers, plain) = get("/", "identity");
    assert!(!plain_headers.contains_key("content-encoding"));
    assert_eq!(plain_headers["vary"], "accept-encoding");
    for (asked, encoding) in [("gzip, deflate, br", "br"), ("gzip", "gzip")] {
        let (status, headers, body) = get("/", asked);
        assert_eq!((status, headers["content-encoding"].to_str().unwrap()), (200, encoding));
        assert_eq!(headers["content-type"], plain_headers["content-type"]);
        assert!(body.len() < plain.len(), "{encoding}");
        let (status, headers, body) = get("/api/v1/results", asked);
        assert_eq!((status, headers["content-encoding"].to_str().unwrap()), (200, encoding));
        assert_eq!(headers["vary"], "accept-encoding");
        assert!(!body.starts_with(b"{"));
    }
    let tag = plain_headers["etag"].to_str().unwrap();
    let (status, _, body) =
        raw(&site.server, "GET", "/", &[("if-none-match", tag), ("accept-encoding", "br")]);
    assert_eq!((status, body.len()), (304, 0));
    assert_eq!(get("/index.html.br", "identity").0, 404);
}

#[test]
fn what_was_done_is_never_answered_by_a_refusal_of_its_encoding() {
    let mut site = demo_site();
    let token = format!("Bearer {TOKEN}");
    let encodings = ["*;q=0", "identity;q=0", "zstd, identity;q=0", "identity;q=0, *;q=0"];
    let agent = ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build());
    for (number, encoding) in encodings.into_iter().enumerate() {
        for (path, expected) in [
            ("/", 200),
            ("/livez", 200),
            ("/metrics", 200),
            ("/api", 200),
            ("/api/openapi.json", 200),
            ("/api/v1/results", 200),
            ("/api/v1/results.csv", 200),
            ("/api/v1/versions", 200),
            ("/api/v1/results?version=999999999", 404),
            ("/api/v1/nothing", 404),
            ("/ws", 426),
        ] {
            let (status, _, body) = raw(&site.server, "GET", path, &[("accept-encoding", encoding)]);
            assert!(status == expected && !body.is_empty(), "{encoding} {path}: {status}");
        }
        let request = agent.post(site.server.url("/api/v1/votes")).header("accept-encoding", encoding);
        let request = request.header("authorization", &token);
        let mut response = request.send(&vote(&format!("v{number}"), "okafor", "AL")).unwrap();
        assert_eq!(response.status(), 200, "{encoding}");
        let receipt: Value = serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
        assert_eq!(receipt["accepted"], 1, "{encoding}");
    }
    site.server.results_of(encodings.len() as u64);
}

#[test]
fn pages_of_named_origins_read_the_api_and_no_others() {
    let named = "https://news.example";
    let site = demo_definition_site(&["--allowed-origin", "https://News.Example"]);
    let ask = |method: &str, origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "GET")];
        let (status, headers, _) = raw(&site.server, method, "/api/v1/results", &headers);
        let allowed = headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap());
        (status, allowed.map(str::to_owned), headers)
    };
    let (status, allowed, headers) = ask("GET", named);
    assert_eq!((status, allowed.as_deref()), (200, Some(named)));
    assert!(headers["access-control-expose-headers"].to_str().unwrap().contains("etag"));
    assert!(headers.get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin")));
    let (status, allowed, _) = ask("OPTIONS", named);
    assert_eq!((status, allowed.as_deref()), (200, Some(named)));
    assert_eq!(ask("GET", "https://evil.example").1, None);
    let closed = demo_site();
    let (status, headers, body) =
        raw(&closed.server, "OPTIONS", "/api/v1/results", &[("origin", "https://news.example")]);
    assert_eq!((status, headers.get("access-control-allow-origin")), (405, None));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["code"], "method_not_allowed");
}

#[test]
fn refusals_are_problems_with_a_code() {
    let site = demo_site();
    let token = format!("Bearer {TOKEN}");
    let check = |method: &str, path: &str, headers: &[(&str, &str)], status: u16, code: &str| {
        let (seen, headers, body) = raw(&site.server, method, path, headers);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        assert_eq!((seen, body["code"].as_str()), (status, Some(code)), "{method} {path}");
        assert_eq!(body["status"], status, "{method} {path}");
        assert_eq!(headers["content-type"], "application/problem+json", "{method} {path}");
    };
    check("GET", "/no-such-file.js", &[], 404, "not_found");
    check("GET", "/contest/weather", &[], 404, "not_found");
    check("GET", "/api/", &[], 404, "not_found");
    check("GET", "/api/v2/results", &[], 404, "not_found");
    check("DELETE", "/api/v1/results", &[], 405, "method_not_allowed");
    check("POST", "/", &[], 405, "method_not_allowed");
    check("GET", "/api/v1/results?version=-1", &[], 400, "bad_query");
    check("GET", "/ws", &[], 426, "upgrade_needed");
    let old = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "8")];
    check("GET", "/ws", &old, 426, "upgrade_needed");
    let (_, headers, _) = raw(&site.server, "GET", "/ws", &[]);
    assert_eq!(headers["upgrade"], "websocket");
    assert_eq!(headers["sec-websocket-version"], "13");
    let multipart = [("authorization", token.as_str()), ("content-type", "multipart/form-data")];
    check("POST", "/api/v1/votes", &multipart, 415, "unsupported_media_type");
    let compressed = [("authorization", token.as_str()), ("content-encoding", "gzip")];
    check("POST", "/api/v1/votes", &compressed, 415, "unsupported_media_type");
    let utf_16 = [("authorization", token.as_str()), ("content-type", "application/json; charset=UTF-16")];
    check("POST", "/api/v1/votes", &utf_16, 415, "unsupported_media_type");
    check("POST", "/api/v1/votes", &[], 401, "unauthorized");
    let (_, headers, _) = raw(&site.server, "POST", "/api/v1/votes", &[]);
    assert_eq!(headers["www-authenticate"], "Bearer");
    check("POST", "/api/v1/votes", &[("authorization", &token.replace("Bearer", "bEARER"))], 400, "empty");
    check("GET", "/api/v1/locations/%ff/history", &[], 400, "bad_path");
    check("GET", "/api/v1/locations/%ff/nothing", &[], 404, "not_found");
    let (_, headers, _) = raw(&site.server, "DELETE", "/api/v1/results", &[]);
    assert_eq!(headers["allow"], "GET,HEAD");
    // An address of the dashboard's own making.
    assert_eq!(raw(&site.server, "GET", "/nowhere", &[]).1["content-type"], "text/html");
}
