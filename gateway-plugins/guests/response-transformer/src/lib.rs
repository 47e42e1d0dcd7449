//! Changes the header fields of answers, and their JSON.

mod config;
mod fields;
mod json;

use plugin_sdk::prelude::*;

pub use config::Config;

use crate::{fields::Edit, json::Edits};

/// The plugin.
pub struct ResponseTransformer {
    fields: Vec<Edit>,
    json: Option<Edits>,
}

/// Kept where the body of an answer is to be changed.
struct Changes;

#[plugin(
    name = "response-transformer",
    priority = 800,
    on_error = "deny",
    protocols = ["grpc", "grpcs", "http", "https"]
)]
impl ResponseTransformer {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self { fields: fields::edits(&config), json: Edits::of(config) })
    }

    fn on_response(&self, response: &mut Response) {
        self.fields.iter().for_each(|edit| edit.apply(response));
        if self.json.is_none() || !is_json(response) {
            return response.skip_body();
        }
        if !response.is_end() {
            return response.keep(Changes);
        }
        // The answer to HEAD, or one that says only that nothing has changed: the length is that of a body that would
        // have been changed, so nobody knows it (RFC 9110 section 8.6).
        if response.header("content-length").is_some_and(|length| length != "0") {
            response.remove_header("content-length");
        }
        response.skip_body();
    }

    /// JSON is held until all of it is there.
    fn on_response_body(&self, response: &mut Response, body: &mut Chunk) -> Flow {
        let (Some(json), Some(changes)) = (&self.json, response.kept::<Changes>()) else {
            return Flow::Continue;
        };
        if !body.is_end() {
            response.keep(changes);
            return Flow::Hold;
        }
        match json.apply(&body.bytes()) {
            Some(changed) => body.replace(&changed),
            None => warn!("the body of an answer is no JSON object, and stays as it is"),
        }
        Flow::Continue
    }
}

/// Whether the body can be read as JSON: of that type, and not encoded.
fn is_json(response: &Response) -> bool {
    let plain = response.header("content-encoding").is_none_or(|encoding| encoding == "identity");
    let kind = response.header("content-type").unwrap_or_default();
    plain && kind.split(',').any(|kind| essence(kind).eq_ignore_ascii_case("application/json"))
}

/// A media type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}
