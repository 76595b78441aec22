//! AsyncAPI 3.0 of the topics and of the messages of WebSocket and event stream.
//!
//! Examples are the golden files of the wire, so they are what the types write.

use serde_json::{Map, Value, json};
use tallyboard_shared::{
    message::{ClientMessage, PROTOCOL_BINARY, PROTOCOL_JSON, ServerMessage},
    reason::Reason,
    vote::Vote,
};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::{examples::golden, openapi::in_json};
use crate::{
    journal::{Cleanup, Partitions, TopicSpec, Topics},
    roles::publication::{CandidateRow, PublicationRecord, TurnoutRow},
};

/// A new votes topic gets so many partitions, unless `--partitions` says otherwise.
const PARTITIONS: u32 = 12;

/// The channels with messages for viewers, and where they are.
const WEBSOCKET: (&str, &str) = ("websocket", "/ws");
const EVENTS: (&str, &str) = ("events", "/api/v1/stream");

/// The document as it is served.
pub(super) fn text() -> String {
    serde_saphyr::to_string(&document()).expect("a document has only text keys")
}

/// The document.
pub(super) fn document() -> Value {
    let mut parts = Parts::default();
    let topics = Topics::new("");
    for spec in topics.specs(PARTITIONS) {
        parts.topic(&spec, Topic::of(&topics, &spec.name));
    }
    parts.sockets();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tallyboard",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Votes come on a Kafka topic; results go out on topics, on a WebSocket and as server-sent \
                            events. The names of topics take the prefix of `--topic-prefix`. Absent figures are \
                            `null`, never 0. Readers ignore fields that they don't know. The routes of HTTP are in \
                            `/api/openapi.json`.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": { "host": "localhost:9092", "protocol": "kafka", "description": "Your Kafka: `--kafka`" },
            "viewer": { "host": "localhost:8080", "protocol": "ws", "description": "A viewer: `--listen`" },
        },
        "channels": parts.channels,
        "operations": parts.operations,
        "components": { "messages": parts.messages, "schemas": schemas() },
    })
}

/// What is said of a topic.
struct Topic {
    /// What Tallyboard does with it.
    action: &'static str,
    message: &'static str,
    summary: &'static str,
    key: &'static str,
    payload: Value,
    headers: Option<Value>,
    example: Option<Value>,
}

impl Topic {
    fn of(topics: &Topics, name: &str) -> Self {
        if name == topics.votes {
            Self {
                action: "receive",
                message: "vote",
                summary: "A vote. Unknown fields are ignored and not kept.",
                key: "The voter's id: a voter's votes must be in one partition.",
                payload: of_schema::<Vote<'_>>(),
                headers: None,
                example: Some(golden("vote")),
            }
        } else if name == topics.rejected {
            Self {
                action: "send",
                message: "rejected_vote",
                summary: "A vote that isn't counted, as received; protect it like the votes. After a crash it may \
                          be there twice, with the same source.",
                key: "As received.",
                payload: json!({ "description": "The bytes as received, whatever they are" }),
                headers: Some(rejection_headers()),
                example: Some(golden("vote")),
            }
        } else if name == topics.tallies {
            Self {
                action: "send",
                message: "partition_tally",
                summary: "Internal: what was counted in a partition.",
                key: "The partition.",
                payload: json!({ "description": "Internal and compressed" }),
                headers: None,
                example: None,
            }
        } else if name == topics.results {
            Self {
                action: "send",
                message: "publication",
                summary: "A version of the results, in full or as the step from the version before. Nothing is \
                          withheld here.",
                key: "The version.",
                payload: of_schema::<PublicationRecord>(),
                headers: None,
                example: Some(json!({ "type": "delta", "update": update_example() })),
            }
        } else if name == topics.candidates {
            Self {
                action: "send",
                message: "candidate_votes",
                summary: "The newest votes of a candidate. Nothing is withheld here.",
                key: "The candidate's id; with the contest's before it where ids aren't unique.",
                payload: of_schema::<CandidateRow<'_>>(),
                headers: None,
                example: Some(candidate_example()),
            }
        } else {
            assert_eq!(name, topics.turnout, "every topic is described");
            let example = json!({ "state": "Alder", "count": 40, "registered_voters": 80, "turnout": 0.5, "version": 1234 });
            Self {
                action: "send",
                message: "place_turnout",
                summary: "The newest ballots of a place.",
                key: "The place's id.",
                payload: of_schema::<TurnoutRow<'_>>(),
                headers: None,
                example: Some(example),
            }
        }
    }
}

/// The parts of the document as they come together.
#[derive(Default)]
struct Parts {
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
}

impl Parts {
    fn topic(&mut self, spec: &TopicSpec, topic: Topic) {
        let policy = match spec.cleanup {
            Cleanup::Keep => "delete",
            Cleanup::Compact => "compact",
        };
        let partitions = match spec.partitions {
            Partitions::One => "one partition",
            Partitions::Any(_) => "any number of partitions",
        };
        let mut message = json!({
            "name": topic.message,
            "summary": topic.summary,
            "payload": topic.payload,
            "bindings": { "kafka": { "key": { "type": "string", "description": topic.key }, "bindingVersion": "0.5.0" } },
        });
        if let Some(example) = topic.example {
            message["examples"] = json!([{ "payload": example }]);
        }
        if let Some(headers) = topic.headers {
            message["headers"] = headers;
            message["examples"][0]["headers"] = rejection_example();
        }
        self.messages.insert(topic.message.into(), message);
        self.channels.insert(
            spec.name.clone(),
            json!({
                "address": spec.name,
                "description": format!("A topic with {partitions}."),
                "servers": [{ "$ref": "#/servers/kafka" }],
                "messages": { topic.message: reference(&["components", "messages", topic.message]) },
                "bindings": { "kafka": {
                    "partitions": spec.partitions.when_new(),
                    "topicConfiguration": { "cleanup.policy": [policy] },
                    "bindingVersion": "0.5.0",
                } },
            }),
        );
        self.operation(topic.action, &spec.name, &[topic.message], topic.summary);
    }

    fn sockets(&mut self) {
        let from_server = variants::<ServerMessage>();
        let from_client = variants::<ClientMessage>();
        let names =
            |variants: &[(String, Value)]| variants.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (to_viewers, to_server) = (names(&from_server), names(&from_client));
        for (name, payload) in from_server.into_iter().chain(from_client) {
            let example = json!([{ "payload": golden(&name) }]);
            self.messages
                .insert(name.clone(), json!({ "name": name, "payload": payload, "examples": example }));
        }
        let both: Vec<_> = to_viewers.iter().chain(&to_server).map(String::as_str).collect();
        let to_viewers: Vec<_> = to_viewers.iter().map(String::as_str).collect();
        let to_server: Vec<_> = to_server.iter().map(String::as_str).collect();
        let described = format!(
            "A WebSocket, subprotocol `{PROTOCOL_JSON}`: a frame a message. First comes a `welcome`, then an `update` \
             a version and a `status` at least every two seconds, so that six seconds of silence mean a broken \
             connection; a `goodbye` before a close. A client that can't keep up is sent a `welcome` in place of the \
             updates that it missed. One that comes back with `?resume=VERSION&as_of=TIME`, both as in its last \
             `welcome` (in its `results`) or `update`, is sent the updates that it missed, or a `welcome` where they \
             are no longer kept or would be more.\n\n\
             An `update` is a step from the version in `previous`: a client that has another one asks with `resume`. \
             Its figures are the new ones, not differences. What it doesn't name stays as it was; what it names and \
             the client doesn't have is new. Candidates of a place or group that aren't named keep their votes, and \
             `null` in place of them says that the split is withheld from now on. Shares, turnout of places, leaders \
             and parties follow from the votes and aren't told; whoever would rather not compute them reads \
             `/api/v1/results`.\n\n\
             The server pings every 20 seconds, by WebSocket's own ping, and closes after two that go unanswered. A \
             client's message has at most 4,096 bytes, and there are at most 20 a second, unless the server is told \
             otherwise. Close codes: 1008 against a rule, 1009 a \
             message that is too long, 1012 the server stops. `{PROTOCOL_BINARY}` is the same for programs that are \
             built with the same types."
        );
        self.channel(WEBSOCKET, &described, &both);
        self.channel(
            EVENTS,
            "Server-sent events: the messages for viewers, one an event, as its `data`; events have no name, their kind is \
             the message's `type`. The event's id is the version and its time, \
             as in `1234@2026-11-03T20:15:00.123Z`; with `Last-Event-ID` a client is sent what it missed.",
            &to_viewers,
        );
        self.channels[WEBSOCKET.0]["bindings"] =
            json!({ "ws": { "method": "GET", "bindingVersion": "0.1.0" } });
        for (channel, _) in [WEBSOCKET, EVENTS] {
            self.operation("send", channel, &to_viewers, "What viewers are sent.");
        }
        self.operation("receive", WEBSOCKET.0, &to_server, "What a client may say.");
    }

    fn channel(&mut self, (name, address): (&str, &str), description: &str, messages: &[&str]) {
        let messages: Map<_, _> = messages
            .iter()
            .map(|message| ((*message).to_owned(), reference(&["components", "messages", message])))
            .collect();
        self.channels.insert(
            name.into(),
            json!({
                "address": address,
                "description": description,
                "servers": [{ "$ref": "#/servers/viewer" }],
                "messages": messages,
            }),
        );
    }

    fn operation(&mut self, action: &str, channel: &str, messages: &[&str], summary: &str) {
        let messages: Vec<_> =
            messages.iter().map(|message| reference(&["channels", channel, "messages", message])).collect();
        self.operations.insert(
            format!("{action}_{channel}"),
            json!({
                "action": action,
                "channel": reference(&["channels", channel]),
                "messages": messages,
                "summary": summary,
            }),
        );
    }
}

fn reference(path: &[&str]) -> Value {
    json!({ "$ref": format!("#/{}", path.join("/")) })
}

fn of_schema<T: ToSchema>() -> Value {
    reference(&["components", "schemas", &T::name()])
}

fn candidate_example() -> Value {
    json!({
        "candidate_id": "c1", "candidate_name": "Ines Okafor", "party_affiliation": "Union", "photo_url": null,
        "total_votes": 30, "contest_id": "president", "version": 1234,
    })
}

/// An update as it lies on the topic: there it is no message with a type of its own.
fn update_example() -> Value {
    let mut update = golden("update");
    update.as_object_mut().expect("a message is an object").remove("type");
    update
}

fn rejection_example() -> Value {
    json!({
        "reason": Reason::DuplicateVoter.code(), "source_topic": "votes_topic", "source_partition": "3",
        "source_offset": "1201", "source_timestamp": "1793693700000",
    })
}

fn rejection_headers() -> Value {
    let reasons = Reason::ALL.map(Reason::code);
    let number = json!({ "type": "string", "pattern": "^[0-9]+$" });
    json!({
        "type": "object",
        "required": ["reason", "source_topic", "source_partition", "source_offset"],
        "properties": {
            "reason": { "type": "string", "enum": reasons },
            "source_topic": { "type": "string" },
            "source_partition": number,
            "source_offset": number,
            "source_timestamp": { "type": "string", "description": "Milliseconds since 1970" },
            "value_bytes": { "type": "string", "description": "Where the value was cut: how long it was" },
        },
    })
}

/// The messages of an enum that is tagged by `type`: their names and schemas.
fn variants<T: ToSchema>() -> Vec<(String, Value)> {
    let schema = written(&T::schema());
    let variants = schema["oneOf"].as_array().expect("messages are an enum").clone();
    variants
        .into_iter()
        .map(|variant| {
            let name = tag(&variant).expect("every message has a type");
            (name, variant)
        })
        .collect()
}

/// The word that stands for a message, wherever its schema has it.
fn tag(schema: &Value) -> Option<String> {
    let here = schema["properties"]["type"]["enum"][0].as_str().map(str::to_owned);
    here.or_else(|| schema["allOf"].as_array()?.iter().find_map(tag))
}

/// The schemas of everything that the messages refer to.
fn schemas() -> Map<String, Value> {
    let mut all = Vec::new();
    add::<Vote<'_>>(&mut all);
    add::<PublicationRecord>(&mut all);
    add::<CandidateRow<'_>>(&mut all);
    add::<TurnoutRow<'_>>(&mut all);
    ServerMessage::schemas(&mut all);
    ClientMessage::schemas(&mut all);
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all.into_iter().map(|(name, schema)| (name, written(&schema))).collect()
}

fn written(schema: &RefOr<Schema>) -> Value {
    let text = serde_json::to_string(schema).expect("a schema has only text keys");
    serde_json::from_str(&in_json(&text)).expect("it is the JSON that was just written")
}

fn add<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}
