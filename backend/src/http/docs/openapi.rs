//! OpenAPI 3.1 of the routes that the router serves.

use tallyboard_shared::message::FeedState;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        Content, RefOr, Response, ResponseBuilder, Schema,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::examples;
use crate::http::{problem, routes};

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tallyboard",
        description = "Results of an election while it is counted. Every answer bears the version that it shows; \
                       absent figures are `null`, never 0, and withheld figures are absent. Readers ignore fields \
                       that they don't know.",
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
            refuse(operation);
            exemplify(path, operation);
        }
    }
    document
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

/// Whatever goes wrong is a problem.
fn refuse(operation: &mut Operation) {
    let problem = Content::new(Some(RefOr::<Schema>::Ref(utoipa::openapi::Ref::from_schema_name("Problem"))));
    let response: Response = ResponseBuilder::new()
        .description("A problem (RFC 9457); `code` says which")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.entry("default".into()).or_insert_with(|| response.into());
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
