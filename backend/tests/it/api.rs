//! The documents of the API against the running program: what it answers and sends is what they say.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use jsonschema::Validator;
use serde_json::{Value, json};
use tallyboard::journal::{Journal, Topics, kafka::KafkaJournal, read_to_end};

use crate::{
    server::{PATIENCE, Server, TOKEN},
    support::{fresh_prefix, kafka_servers, kafka_settings},
    web::{demo_definition_site, post, site, vote},
};

/// A document that a server serves.
struct Document(Value);

impl Document {
    fn openapi(server: &Server) -> Self {
        Self(serde_json::from_str(&server.get("/api/openapi.json").unwrap().1).unwrap())
    }

    fn asyncapi(server: &Server) -> Self {
        Self(serde_saphyr::from_str(&server.get("/api/asyncapi.yaml").unwrap().1).unwrap())
    }

    /// Checks values against a schema of the document.
    fn validator(&self, schema: &Value) -> Validator {
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    }

    /// Checks the messages of a channel.
    fn messages(&self, channel: &str) -> Validator {
        let messages = self.0["channels"][channel]["messages"].as_object().unwrap();
        let payloads: Vec<_> =
            messages.keys().map(|name| &self.0["components"]["messages"][name]["payload"]).collect();
        self.validator(&json!({ "anyOf": payloads }))
    }
}

#[track_caller]
fn fits(validator: &Validator, value: &Value, what: &str) {
    let errors: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, [""; 0], "{what}: {value:#}");
}

/// Sends so many votes, each as one that is counted, and one line that is refused.
fn cast(server: &Server, votes: u64) -> Value {
    let mut lines: Vec<_> = (0..votes).map(|voter| vote(&format!("v{voter}"), "okafor", "AL")).collect();
    lines.push("rubbish".into());
    let (status, receipt) = post(server, TOKEN, &lines.join("\n"));
    assert_eq!(status, 200, "{receipt}");
    receipt
}

#[test]
fn every_documented_route_answers_as_it_is_documented() {
    let mut site = demo_definition_site(&[]);
    let document = Document::openapi(&site.server);
    let receipt = cast(&site.server, 20);
    let schema = json!({ "$ref": "#/components/schemas/Receipt" });
    fits(&document.validator(&schema), &receipt, "a receipt");
    site.server.results_of(20);
    let agent = ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build());
    let mut seen = 0;
    for (path, item) in document.0["paths"].as_object().unwrap() {
        // The WebSocket and the stream have messages in place of an answer; votes are sent above.
        if matches!(path.as_str(), "/ws" | "/api/v1/stream" | "/api/v1/votes") {
            continue;
        }
        let documented = &item["get"]["responses"];
        let address = path.replace("{id}", "AL");
        let mut response = agent.get(site.server.url(&address)).call().unwrap();
        let status = response.status().as_u16().to_string();
        let contents =
            documented[&status]["content"].as_object().unwrap_or_else(|| panic!("{path}: {status}"));
        let kind = response.headers()["content-type"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let content = contents.get(&kind).unwrap_or_else(|| panic!("{path}: {kind}"));
        for header in
            documented[&status]["headers"].as_object().into_iter().flat_map(|headers| headers.keys())
        {
            // This one is absent where everything is as it should.
            let is_said = response.headers().contains_key(header.as_str());
            assert_eq!(is_said, header != "Tallyboard-Stale-Since", "{path}: {header}");
        }
        let body = response.body_mut().read_to_string().unwrap();
        if kind == "application/json" && !content["schema"].is_null() {
            fits(&document.validator(&content["schema"]), &serde_json::from_str(&body).unwrap(), path);
        }
        // The same is said when it is asked for again.
        let (status, problem) = site.server.get(&format!("{address}/nothing-like-it")).unwrap();
        if path.starts_with("/api") {
            assert_eq!(status, 404, "{path}");
            let schema = json!({ "$ref": "#/components/schemas/Problem" });
            fits(&document.validator(&schema), &serde_json::from_str(&problem).unwrap(), path);
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_status_that_a_route_answers_is_in_the_document_and_none_that_it_never_does() {
    let agent = ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build());
    // With a definition and its map, and without either.
    let sites = [demo_definition_site(&[]), site(&[])];
    let refused = [
        "/api/v1/results?version=new",
        "/api/v1/results?version=999999999",
        "/api/v1/results.csv?locations=Atlantis",
        "/api/v1/results.nist.json?contest=mayor",
        "/api/v1/timeline?contest=mayor",
        "/api/v1/locations/Atlantis/history",
        "/api/v1/locations/%ff/history",
        "/ws?as_of=yesterday",
    ];
    let document = Document::openapi(&sites[0].server);
    let paths = document.0["paths"].as_object().unwrap();
    let mut seen = BTreeSet::new();
    for site in &sites {
        for asked in refused {
            let path = asked.split('?').next().unwrap();
            let path =
                if path.starts_with("/api/v1/locations/") { "/api/v1/locations/{id}/history" } else { path };
            let mut response = agent.get(site.server.url(asked)).call().unwrap();
            let problem: Value =
                serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
            is_listed(&paths[path]["get"], response.status().as_u16(), &problem, asked);
        }
        for (path, item) in paths {
            let address = site.server.url(&path.replace("{id}", "AL"));
            let requests = if item["get"].is_null() {
                vec![agent.post(&address).header("authorization", format!("Bearer {TOKEN}")).send("rubbish")]
            } else {
                vec![agent.get(&address).call(), agent.get(&address).header("if-none-match", "*").call()]
            };
            let operation = item.get("get").unwrap_or(&item["post"]);
            for response in requests {
                let mut response = response.unwrap();
                let status = response.status().as_u16();
                let kind =
                    response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
                assert!(
                    !operation["responses"][status.to_string()].is_null(),
                    "{path} answers {status}, {kind:?}"
                );
                if kind.as_deref() == Some("application/problem+json") {
                    let body = response.body_mut().read_to_string().unwrap();
                    is_listed(operation, status, &serde_json::from_str(&body).unwrap(), path);
                }
                seen.insert((path.clone(), status.to_string()));
            }
        }
    }
    let documented = paths.iter().flat_map(|(path, item)| {
        let operation = item.get("get").unwrap_or(&item["post"]);
        let responses = operation["responses"].as_object().unwrap().iter();
        // Refusals have tests of their own.
        let statuses = responses.filter(|(_, said)| said["content"]["application/problem+json"].is_null());
        statuses.map(move |(status, _)| (path.clone(), status.clone()))
    });
    let unseen: Vec<_> = documented.filter(|answer| !seen.contains(answer)).collect();
    // A server that starts isn't ready for a moment; the socket has tests of its own.
    let elsewhere = [("/readyz", "503"), ("/ws", "101")];
    let unseen: Vec<_> = unseen.iter().map(|(path, status)| (path.as_str(), status.as_str())).collect();
    assert!(unseen.iter().all(|answer| elsewhere.contains(answer)), "{unseen:?}");
}

/// Whether a refusal is in the document, by its status and its code.
#[track_caller]
fn is_listed(operation: &Value, status: u16, problem: &Value, asked: &str) {
    let said = operation["responses"][status.to_string()]["description"].as_str().unwrap_or_default();
    let code = problem["code"].as_str().unwrap();
    assert!(said.contains(&format!("- `{code}`: ")), "{asked} is refused with {status}, {problem}: {said}");
}

#[test]
fn the_page_of_the_api_needs_nothing_from_elsewhere() {
    let site = demo_definition_site(&[]);
    let page = site.server.get("/api").unwrap().1;
    // A strict policy lets neither scripts nor styles stand in the page.
    for inline in ["<style", "style=", "onclick", "onload", "javascript:", "https://", "http://"] {
        assert!(!page.contains(inline), "{inline}");
    }
    let parts: Vec<_> = page.split('"').filter(|part| part.starts_with("/api/")).collect();
    assert!(parts.contains(&"/api/page.js") && parts.contains(&"/api/page.css"), "{parts:?}");
    for part in parts {
        assert_eq!(site.server.get(part).unwrap().0, 200, "{part}");
    }
    assert!(page.split("<script").skip(1).all(|script| script.starts_with(" src=")));
}

#[test]
fn every_frame_is_a_message_of_the_document() {
    let mut site = demo_definition_site(&[]);
    let validator = Document::asyncapi(&site.server).messages("websocket");
    let mut browser = site.server.connect();
    cast(&site.server, 20);
    let deadline = Instant::now() + PATIENCE;
    let mut seen = BTreeSet::new();
    let mut read = |browser: &mut crate::server::Browser| {
        let Ok(message) = browser.socket.read() else { return false };
        if let tokio_tungstenite::tungstenite::Message::Text(text) = message {
            let value: Value = serde_json::from_str(&text).unwrap();
            fits(&validator, &value, "a frame");
            seen.insert(value["type"].as_str().unwrap().to_owned());
        }
        !seen.contains("update")
    };
    while read(&mut browser) {
        assert!(Instant::now() < deadline, "no update");
    }
    assert!(site.server.stop().success());
    while browser.socket.can_read() {
        read(&mut browser);
    }
    let expected = ["goodbye", "status", "update", "welcome"].map(str::to_owned);
    assert_eq!(seen, expected.into());
    let nonsense = json!({ "type": "nonsense" });
    assert!(!validator.is_valid(&nonsense));
}

#[test]
fn every_record_is_a_message_of_the_document() {
    let (servers, prefix) = (kafka_servers(), fresh_prefix());
    let mut site = demo_definition_site(&["--kafka", &servers, "--topic-prefix", &prefix]);
    let document = Document::asyncapi(&site.server);
    cast(&site.server, 20);
    // A second vote is stored, and rejected by the count.
    assert_eq!(post(&site.server, TOKEN, &vote("v1", "haddad", "AL")).0, 200);
    site.server.results_of(21);
    let journal = KafkaJournal::new(kafka_settings()).unwrap();
    let names = Topics::new(&prefix);
    let internal = &names.tallies;
    for topic in [&names.votes, &names.rejected, &names.results, &names.candidates, &names.turnout, internal]
    {
        let validator = document.messages(topic.strip_prefix(&prefix).unwrap());
        let deadline = Instant::now() + PATIENCE;
        let mut records = 0;
        while records == 0 {
            for partition in journal.bounds(topic).unwrap().into_keys() {
                read_to_end(&journal, topic, partition, 0..u64::MAX, |record| {
                    records += 1;
                    if topic != internal {
                        fits(&validator, &serde_json::from_slice(record.value).unwrap(), topic);
                    }
                })
                .unwrap();
            }
            assert!(Instant::now() < deadline, "{topic} has no record");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The lines of the stream of events.
pub(crate) fn events(server: &Server, last: Option<&str>) -> impl Iterator<Item = (String, Value)> + use<> {
    let mut request = ureq::get(server.url("/api/v1/stream"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.call().unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(response.into_body().into_reader()).lines();
    std::iter::from_fn(move || {
        let (mut id, mut data) = (String::new(), None);
        loop {
            let line = lines.next()?.ok()?;
            if let Some(value) = line.strip_prefix("data: ") {
                data = Some(serde_json::from_str(value).unwrap());
            } else if let Some(value) = line.strip_prefix("id: ") {
                value.clone_into(&mut id);
            } else if let (true, Some(data)) = (line.is_empty(), data.take()) {
                return Some((id, data));
            }
        }
    })
}

#[test]
fn events_are_the_messages_of_the_document_and_go_on_where_they_broke_off() {
    let mut site = demo_definition_site(&[]);
    let validator = Document::asyncapi(&site.server).messages("events");
    let mut stream = events(&site.server, None);
    cast(&site.server, 20);
    let name = |results: &Value| format!("{}@{}", results["version"], results["as_of"].as_str().unwrap());
    let version = |id: &str| id.split_once('@').and_then(|(version, _)| version.parse::<u64>().ok());
    let mut last = String::new();
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| kind == "update") {
        let (id, message) = stream.next().unwrap();
        fits(&validator, &message, "an event");
        let kind = message["type"].as_str().unwrap().to_owned();
        if kind == "welcome" {
            assert_eq!(id, name(&message["results"]));
        } else if kind == "update" {
            assert_eq!(id, name(&message));
            assert_eq!(version(&last), message["previous"].as_u64(), "no step is left out");
        }
        if !id.is_empty() {
            last = id;
        }
        kinds.push(kind);
    }
    assert_eq!(kinds[..2], ["welcome", "status"]);
    drop(stream);
    // Who comes back is sent only what was missed.
    assert_eq!(post(&site.server, TOKEN, &vote("later", "okafor", "AL")).0, 200);
    site.server.results_of(21);
    let mut stream = events(&site.server, Some(&last));
    let (_, first) = stream.next().unwrap();
    assert_eq!((first["type"].as_str(), first["previous"].as_u64()), (Some("update"), version(&last)));
    // A version that nobody knows, and one of another time, are answered by everything.
    let of_another = format!("{}@2001-01-01T00:00:00Z", version(&last).unwrap());
    for unknown in ["999999@2001-01-01T00:00:00Z", &of_another, "rubbish"] {
        assert_eq!(events(&site.server, Some(unknown)).next().unwrap().1["type"], "welcome");
    }
    assert!(site.server.stop().success());
    let goodbye = stream.map(|(_, message)| message).last().unwrap();
    assert_eq!((&goodbye["type"], &goodbye["reason"]), (&json!("goodbye"), &json!("restart")));
}

#[test]
fn a_stream_takes_a_place_and_gives_it_back_and_strangers_get_none() {
    let mut site = demo_definition_site(&["--max-connections-per-address", "1"]);
    let refused = |server: &Server, headers: &[(&str, &str)]| {
        let agent = ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build());
        let mut request = agent.get(server.url("/api/v1/stream"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call().unwrap();
        if response.status() == 200 {
            return None;
        }
        let body: Value = serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
        Some(body["code"].as_str().unwrap().to_owned())
    };
    let stranger = [("origin", "https://evil.example")];
    assert_eq!(refused(&site.server, &stranger).as_deref(), Some("origin_not_allowed"));
    let mut stream = events(&site.server, None);
    assert_eq!(stream.next().unwrap().1["type"], "welcome");
    assert_eq!(refused(&site.server, &[]).as_deref(), Some("too_many_connections"));
    drop(stream);
    site.server.wait_for("a place", |server| refused(server, &[]).is_none());
}
