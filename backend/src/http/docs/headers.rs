//! The headers of answers: those that a client may need, and no others.

use utoipa::openapi::{
    Header, HeaderBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type,
    path::Operation,
};

/// Says which headers the answers of a route have.
pub(super) fn add(path: &str, operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let is_conditional = responses.contains_key("304");
    for (status, response) in responses {
        if let ("200" | "304", RefOr::T(response)) = (status.as_str(), response) {
            let headers = of(path, is_conditional).into_iter();
            response.headers.extend(headers.map(|(name, header)| (name.to_owned(), header.into())));
        }
    }
}

fn of(path: &str, is_conditional: bool) -> Vec<(&'static str, Header)> {
    let mut headers = Vec::new();
    if is_conditional {
        headers.push(("ETag", text("Names this answer; send it as `If-None-Match`")));
        headers.push(("Cache-Control", text("How long a cache may answer in the server's place")));
    }
    match path {
        "/api/v1/results" => headers.extend([
            (
                "Tallyboard-State",
                described("How the newest results relate to the votes; absent where a version is asked for")
                    .schema(Some(Ref::from_schema_name("FeedState")))
                    .build(),
            ),
            (
                "Tallyboard-State-Time",
                time("When the server looked at that, by its clock: at most two seconds ago"),
            ),
            (
                "Tallyboard-Stale-Since",
                time("Since when the results may be out of date; absent while they aren't"),
            ),
        ]),
        "/api/v1/results.csv" | "/api/v1/results.nist.json" => {
            headers.push((
                "Content-Disposition",
                text("That it is a file, and its name, in which the version is"),
            ));
        }
        "/api/v1/versions" | "/api/v1/stream" | "/api" | "/api/page.js" | "/api/page.css" => {
            headers.push(("Cache-Control", text("How long a cache may answer in the server's place")));
        }
        _ => {}
    }
    headers
}

/// A header that is a text.
pub(super) fn text(description: &str) -> Header {
    of_type(description, ObjectBuilder::new().schema_type(Type::String))
}

/// A header that is a whole number.
pub(super) fn number(description: &str) -> Header {
    of_type(description, ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)))
}

fn time(description: &str) -> Header {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    of_type(description, ObjectBuilder::new().schema_type(Type::String).format(Some(format)))
}

fn of_type(description: &str, schema: ObjectBuilder) -> Header {
    described(description).schema(Some(RefOr::<Schema>::T(schema.into()))).build()
}

fn described(description: &str) -> HeaderBuilder {
    HeaderBuilder::new().description(Some(description))
}
