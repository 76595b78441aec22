//! OpenAPI 3.1 of the routes that the router serves.

use tallyboard_shared::message::FeedState;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        Content, RefOr, Schema, Type,
        path::Operation,
        schema::SchemaType,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{examples, headers, refusals};
use crate::http::{problem, routes};

/// What clients send: there `null` is as good as absent.
const SENT: [&str; 2] = ["Vote", "Address"];

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tallyboard",
        description = "Results of an election while it is counted. Every answer bears the version that it shows.\n\n\
                       Absent and withheld figures are `null`, never 0. A field that may be `null` is always there; \
                       any other that isn't required is left out where there is nothing to say: a list is empty then, \
                       a text none. Readers ignore fields that they don't know. Times are RFC 3339 in UTC, with up to \
                       nine decimals, none where the second is whole.\n\n\
                       Parameters that a route doesn't know are ignored. `HEAD` is answered where `GET` is. Answers are \
                       compressed (`br`, `gzip`) where `Accept-Encoding` allows it, and never refused on its account. \
                       Under `/api` what isn't listed here is a problem with the code `not_found`; elsewhere it is an \
                       address of the dashboard and answered by its page with 200, unless its last part has a dot in \
                       it. A head is read up to 64 KiB; a longer one may be refused with 431, as is one with more \
                       than 100 fields, an address of more than 65,534 bytes with 414, and what isn't HTTP with 400, \
                       all without a body.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server")),
    components(schemas(FeedState)),
    tags(
        (name = "results", description = "What was counted, to be read by anyone"),
        (name = "live", description = "What is being counted, as it changes; the messages are in `/api/asyncapi.yaml`"),
        (name = "votes", description = "Sending votes, with a token"),
        (name = "operations", description = "For whoever runs the server"),
    ),
)]
struct Head;

/// The document.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Head::openapi();
    document.merge(routes().into_openapi());
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.security_schemes.insert("token".into(), SecurityScheme::Http(bearer).into());
    let mut schemas = vec![(problem::Body::name().into_owned(), problem::Body::schema())];
    problem::Body::schemas(&mut schemas);
    components.schemas.extend(schemas);
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            refusals::add(path, operation);
            headers::add(path, operation);
            exemplify(path, operation);
        }
    }
    let components = document.components.get_or_insert_default();
    for (name, schema) in &mut components.schemas {
        complete(name, schema);
    }
    document
}

/// Says what serde isn't asked: a field that may be `null` is always written.
pub(super) fn complete(name: &str, schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) if !SENT.contains(&name) => {
            for (name, field) in &object.properties {
                if is_nullable(field) && !object.required.contains(name) {
                    object.required.push(name.clone());
                }
            }
        }
        Schema::OneOf(parts) => parts.items.iter_mut().for_each(|part| complete(name, part)),
        Schema::AllOf(parts) => parts.items.iter_mut().for_each(|part| complete(name, part)),
        _ => {}
    }
}

fn is_nullable(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(schema) = schema else { return false };
    match schema {
        Schema::Object(object) => match &object.schema_type {
            SchemaType::Type(kind) => *kind == Type::Null,
            SchemaType::Array(kinds) => kinds.contains(&Type::Null),
            SchemaType::AnyValue => false,
        },
        Schema::Array(array) => {
            matches!(&array.schema_type, SchemaType::Array(kinds) if kinds.contains(&Type::Null))
        }
        Schema::OneOf(parts) => parts.items.iter().any(is_nullable),
        _ => false,
    }
}

/// Every body has an example.
fn exemplify(path: &str, operation: &mut Operation) {
    if let Some(RefOr::T(request)) = &mut operation.request_body {
        exemplify_each(&mut request.content, path, None);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            exemplify_each(&mut response.content, path, Some(status));
        }
    }
}

fn exemplify_each<'a>(
    contents: impl IntoIterator<Item = (&'a String, &'a mut RefOr<Content>)>,
    path: &str,
    status: Option<&str>,
) {
    for (kind, content) in contents {
        if let RefOr::T(content) = content {
            content.example = Some(examples::of(path, status, kind));
        }
    }
}

/// The document as it is served.
pub(super) fn text() -> String {
    let mut text = in_json(&document().to_pretty_json().expect("a document has only text keys"));
    text.push('\n');
    text
}

/// Our types' comments, which are written for Rust, in the words of JSON.
pub(super) fn in_json(text: &str) -> String {
    text.replace("`None`", "`null`")
}
