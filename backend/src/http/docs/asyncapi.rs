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
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    examples::golden,
    openapi::{complete, in_json},
};
use crate::{
    journal::{Cleanup, Partitions, SIMULATION_HEADER, TopicSpec, Topics},
    roles::{
        counter::REJECTED_VALUE_BYTES_MAX,
        publication::{CandidateRow, PublicationRecord, TurnoutRow},
        publisher::SNAPSHOT_EVERY,
    },
};

/// A new votes topic gets so many partitions, unless `--partitions` says otherwise.
const PARTITIONS: u32 = 12;

/// Which rows of the aggregates a version writes.
const ROWS: &str = "Behind a version come the rows that changed; behind the first of a publisher or a definition, every row. There are no \
     transactions around rows: any client reads them. After a publisher's death some may be missing until the next \
     publishes, and those of one that was replaced may come late; a row's `version` tells.";

/// What messages are written in.
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// The channels with messages for viewers, where they are, and on which server.
const WEBSOCKET: (&str, &str, &str) = ("websocket", "/ws", "viewer");
const EVENTS: (&str, &str, &str) = ("events", "/api/v1/stream", "viewer_http");

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
                            events. The names of topics take the prefix of `--topic-prefix`. Absent and withheld \
                            figures are `null`, never 0. A field that may be `null` is always there; any other that \
                            isn't required is left out where there is nothing to say. Readers ignore fields that they \
                            don't know. Times are RFC 3339 in UTC, with up to nine decimals. The routes of HTTP are in \
                            `/api/openapi.json`.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": { "host": "localhost:9092", "protocol": "kafka", "description": "Your Kafka: `--kafka`" },
            "viewer": { "host": "localhost:8080", "protocol": "ws", "description": "A viewer: `--listen`" },
            "viewer_http": { "host": "localhost:8080", "protocol": "http", "description": "The same viewer" },
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
    summary: String,
    key: &'static str,
    content_type: &'static str,
    payload: Value,
    headers: Option<Value>,
    example: Option<Value>,
}

impl Topic {
    fn of(topics: &Topics, name: &str) -> Self {
        if name == topics.votes {
            Self::votes()
        } else if name == topics.rejected {
            Self::rejected()
        } else if name == topics.tallies {
            Self::sent("partition_tally", "Internal: what was counted in a partition.", "The partition.")
                .with(json!({ "description": "Internal and compressed" }), None)
        } else if name == topics.results {
            Self::publications()
        } else if name == topics.candidates {
            let summary = format!("The newest votes of a candidate. {ROWS} Nothing is withheld here.");
            let key = "The candidate's id. Where there is no definition, and the contest isn't `election`, the contest's \
                       id and a slash before it: `council/c1`.";
            Self::sent("candidate_votes", summary, key)
                .with(of_schema::<CandidateRow<'_>>(), Some(candidate_example()))
        } else {
            assert_eq!(name, topics.turnout, "every topic is described");
            let summary = format!("The newest ballots of a place. {ROWS}");
            let example = json!({ "state": "Alder", "count": 40, "registered_voters": 80, "turnout": 0.5, "version": 1234 });
            Self::sent("place_turnout", summary, "The place's id.")
                .with(of_schema::<TurnoutRow<'_>>(), Some(example))
        }
    }

    /// A topic that Tallyboard writes, of records that aren't JSON until `with` says so.
    fn sent(message: &'static str, summary: impl Into<String>, key: &'static str) -> Self {
        Self {
            action: "send",
            message,
            summary: summary.into(),
            key,
            content_type: BYTES,
            payload: Value::Null,
            headers: None,
            example: None,
        }
    }

    /// With this payload, which is JSON where there is an example of it.
    fn with(self, payload: Value, example: Option<Value>) -> Self {
        let content_type = if example.is_some() { JSON } else { self.content_type };
        Self { content_type, payload, example, ..self }
    }

    fn votes() -> Self {
        let summary = "A vote. Unknown fields are ignored and not kept. Key it by its voter and leave the partition to \
                       murmur2 (Java's default; librdkafka: `partitioner=murmur2_random`, whose own default is another).";
        let key = "The voter's id. A voter's votes must be in one partition, or each is counted. So every producer uses the \
                   same partitioner, and `POST /api/v1/votes` and `tallyboard simulate` use murmur2: Java's default, in \
                   librdkafka and what is built on it `partitioner=murmur2_random`. librdkafka's default \
                   (`consistent_random`, CRC32) puts the same voter into another partition. Partitions aren't added while \
                   votes come in.";
        let headers = json!({
            "type": "object",
            "properties": { SIMULATION_HEADER: {
                "description": "Whatever it says, the vote is made up; a live election rejects it.",
            } },
        });
        Self {
            action: "receive",
            headers: Some(headers),
            ..Self::sent("vote", summary, key).with(of_schema::<Vote<'_>>(), Some(golden("vote")))
        }
    }

    fn rejected() -> Self {
        let summary = format!(
            "A vote that isn't counted, as received; protect it like the votes. The partition is that which the key gives, \
             any where there is none, and not the source's. A value of more than {REJECTED_VALUE_BYTES_MAX} bytes is cut to that, a `null` value is \
             empty, and a key of more than 4,096 bytes is cut to that. Headers other than those below aren't kept. After a \
             crash a vote may be there twice, with the same source."
        );
        Self {
            headers: Some(rejection_headers()),
            content_type: BYTES,
            ..Self::sent("rejected_vote", summary, "As received.").with(
                json!({ "description": "The bytes as received, whatever they are" }),
                Some(golden("vote")),
            )
        }
    }

    fn publications() -> Self {
        let summary = format!(
            "A version of the results, in full (`snapshot`) or as the step from the version before (`delta`). Behind \
             {SNAPSHOT_EVERY} deltas comes a snapshot, and one after every change of the definition: whoever begins to read \
             starts at one. Versions grow by one, but an offset isn't a version: the ends of transactions take offsets too. \
             Read with `isolation.level=read_committed`. Nothing is withheld here."
        );
        let example = json!({ "type": "delta", "update": update_example() });
        Self::sent("publication", summary, "The version.")
            .with(of_schema::<PublicationRecord>(), Some(example))
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
            "contentType": topic.content_type,
            "payload": topic.payload,
            "bindings": { "kafka": { "key": { "type": "string", "description": topic.key }, "bindingVersion": "0.5.0" } },
        });
        if let Some(example) = topic.example {
            message["examples"] = json!([{ "payload": example }]);
        }
        if let Some(headers) = topic.headers {
            message["headers"] = headers;
        }
        if topic.message == "rejected_vote" {
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
        self.operation(topic.action, &spec.name, &[topic.message], &topic.summary);
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
        self.channel(WEBSOCKET, &websocket(), &both);
        self.channel(EVENTS, EVENTS_DESCRIBED, &to_viewers);
        self.channels[WEBSOCKET.0]["bindings"] =
            json!({ "ws": { "method": "GET", "query": resume_query(), "bindingVersion": "0.1.0" } });
        for (channel, ..) in [WEBSOCKET, EVENTS] {
            self.operation("send", channel, &to_viewers, "What viewers are sent.");
        }
        self.operation("receive", WEBSOCKET.0, &to_server, "What a client may say.");
        self.operations[&format!("send_{}", EVENTS.0)]["bindings"] =
            json!({ "http": { "method": "GET", "bindingVersion": "0.3.0" } });
    }

    fn channel(&mut self, (name, address, server): (&str, &str, &str), description: &str, messages: &[&str]) {
        let messages: Map<_, _> = messages
            .iter()
            .map(|message| ((*message).to_owned(), reference(&["components", "messages", message])))
            .collect();
        self.channels.insert(
            name.into(),
            json!({
                "address": address,
                "description": description,
                "servers": [reference(&["servers", server])],
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

/// What is to be known of the WebSocket.
fn websocket() -> String {
    format!(
        "A WebSocket, subprotocol `{PROTOCOL_JSON}`: a frame a message. First comes a `welcome`, then an `update` a version \
         (while votes lie uncounted and many are connected, some versions are left out) \
         and a `status` at least every two seconds, so that six seconds of silence mean a broken connection; a `goodbye` \
         before a close. A client that can't keep up is sent a `welcome` in place of the updates that it missed, and so is \
         everyone when the definition changes: it has the new one, and forgets what was before; versions go on growing. One \
         that comes back with `?resume=VERSION&as_of=TIME`, both as in its last `welcome` (in its `results`) or `update`, is \
         sent the updates that it missed in place of the `welcome`, unless they are no longer kept or would be more.\n\n\
         An `update` is a step from the version in `previous`. A client that has that version takes it; one that has \
         `version` or a later one passes over it; one that has another asks with `resume`, once, and passes over every \
         `update` that doesn't start from its version until one does or a `welcome` comes: those were under way already. Its \
         figures are the new ones, not differences. What it doesn't name stays as it was; what it names and the client \
         doesn't have is new. Candidates of a place or group that aren't named keep their votes, and `null` in place of \
         them says that the split is withheld from now on. Shares, turnout of places, leaders and parties follow from the \
         votes and aren't told; whoever would rather not compute them reads `/api/v1/results`.\n\n\
         A `status` is how the count was at the server's last look, at most two seconds ago: an `update` that came before it \
         may have a later version.\n\n\
         The server pings every 20 seconds, by WebSocket's own ping, and closes after two that go unanswered. A client's \
         message has at most 4,096 bytes, and there are at most 20 a second, unless the server is told otherwise. Close \
         codes: 1008 against a rule, 1009 a message that is too long, 1002 a frame that isn't WebSocket's, 1012 the server \
         stops. Before 1009 and 1002 no `goodbye` comes. `{PROTOCOL_BINARY}` is the same for programs that are built with the \
         same types."
    )
}

/// What is to be known of the events.
const EVENTS_DESCRIBED: &str = "Server-sent events: the messages for viewers, one an event, as its `data`, by the rules of \
    `websocket`; events have no name, their kind is the message's `type`. The id of an `update`, and of a `welcome` that has \
    results, is the version and its time, as in `1234@2026-11-03T20:15:00.123Z`; a `status` and a `goodbye` have none, so the \
    last one stays. With `Last-Event-ID` a client is sent what it missed in place of the `welcome`, unless \
    that is no longer kept or would be more.";

/// The parameters by which a client says what it has.
fn resume_query() -> Value {
    json!({
        "type": "object",
        "properties": {
            "resume": {
                "type": "integer",
                "minimum": 0,
                "description": "The version that the client has; without `as_of` it counts for nothing. One that the server \
                                doesn't keep, such as 0, is answered by a `welcome`",
            },
            "as_of": {
                "type": "string",
                "format": "date-time",
                "description": "When that version was made; without `resume` it counts for nothing",
            },
        },
    })
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
    let described = written(&Reason::schema())["description"].take();
    let number = json!({ "type": "string", "pattern": "^[0-9]+$" });
    json!({
        "type": "object",
        "required": ["reason", "source_topic", "source_partition", "source_offset"],
        "properties": {
            "reason": { "type": "string", "enum": reasons, "description": described },
            "source_topic": { "type": "string", "description": "The votes topic, with its prefix" },
            "source_partition": number,
            "source_offset": number,
            "source_timestamp": {
                "type": "string",
                "description": "Milliseconds since 1970; absent where the record had no time",
            },
            "value_bytes": {
                "type": "string",
                "description": "Where the value was cut: how long it was, in bytes; absent elsewhere",
            },
        },
    })
}

/// The messages of an enum that is tagged by `type`: their names and schemas.
fn variants<T: ToSchema>() -> Vec<(String, Value)> {
    let mut schema = T::schema();
    complete(&T::name(), &mut schema);
    let schema = written(&schema);
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
    let completed = all.into_iter().map(|(name, mut schema)| {
        complete(&name, &mut schema);
        let written = written(&schema);
        (name, written)
    });
    completed.collect()
}

fn written(schema: &RefOr<Schema>) -> Value {
    let text = serde_json::to_string(schema).expect("a schema has only text keys");
    serde_json::from_str(&in_json(&text)).expect("it is the JSON that was just written")
}

fn add<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}
