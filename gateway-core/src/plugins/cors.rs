//! Cross-origin resource sharing, as Kong's plugin `cors` does it (compat A10, P27).

mod origins;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
    },
};
use serde::Deserialize;
use serde_json::{Number, Value, json};

use origins::{ANY, Origins};

use crate::{
    Body,
    config::schema::{Field, Record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};

const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Tells browsers which origins may call: answers preflights by itself, and marks every other answer, the
/// gateway's own included.
///
/// An entry of `origins` is `*`, an origin (`https://a.example`), or a regular expression, known by a
/// character that no origin has. An expression without a colon is held against the host alone, one with a
/// colon against the whole origin. It must match from end to end: Kong lets an alternative such as `a|b`
/// match a mere beginning, which is an open door.
#[derive(Debug)]
pub struct Cors {
    schema: Record,
}

impl Cors {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::strings("origins")
            .doc("origins that may call: `*`, an origin or a regular expression; unset: all"),
        Field::strings("headers")
            .doc("header fields a call may have; unset: those that the preflight asks for"),
        Field::strings("exposed_headers").doc("header fields that a script may read; unset: the simple ones"),
        Field::strings("methods").default(json!(METHODS)).doc("methods a call may have"),
        Field::number("max_age").doc("seconds for which a browser may keep the answer to a preflight"),
        Field::boolean("credentials").required().default(false).doc("whether a call may carry credentials"),
        Field::boolean("private_network")
            .required()
            .default(false)
            .doc("whether a public site may call into a private network"),
        Field::boolean("preflight_continue")
            .required()
            .default(false)
            .doc("whether the upstream answers preflights"),
    ])
    .no_consumer()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    origins: Option<Vec<String>>,
    headers: Option<Vec<String>>,
    exposed_headers: Option<Vec<String>>,
    methods: Option<Vec<String>>,
    max_age: Option<Number>,
    credentials: bool,
    private_network: bool,
    preflight_continue: bool,
}

impl Plugin for Cors {
    fn name(&self) -> &'static str {
        "cors"
    }

    fn priority(&self) -> i32 {
        2000
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let methods = config.methods.unwrap_or_else(|| METHODS.map(str::to_owned).to_vec());
        let unknown = methods.iter().position(|method| !METHODS.contains(&method.as_str()));
        if let Some(index) = unknown {
            return Err(format!("methods[{index}]: expected one of: {}", METHODS.join(", ")));
        }
        Ok(Configured::handler(CorsHandler {
            origins: Origins::new(config.origins.as_deref().unwrap_or_default())?,
            headers: list("headers", config.headers.as_deref())?,
            exposed_headers: list("exposed_headers", config.exposed_headers.as_deref())?,
            methods: list("methods", Some(&methods))?.unwrap_or(HeaderValue::from_static("")),
            max_age: config.max_age.and_then(|age| HeaderValue::try_from(age.to_string()).ok()),
            credentials: config.credentials,
            private_network: config.private_network,
            preflight_continue: config.preflight_continue,
        }))
    }
}

/// A list as one header value, none where it is empty.
fn list(field: &str, items: Option<&[String]>) -> Result<Option<HeaderValue>, String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else { return Ok(None) };
    HeaderValue::try_from(items.join(","))
        .map(Some)
        .map_err(|_| format!("{field}: cannot stand in a header field"))
}

struct CorsHandler {
    origins: Origins,
    headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    methods: HeaderValue,
    max_age: Option<HeaderValue>,
    credentials: bool,
    private_network: bool,
    preflight_continue: bool,
}

/// What the response phase has to know of the request.
#[derive(Clone)]
enum Seen {
    /// It was a preflight: there is nothing more to add.
    Preflight,
    /// It came from this origin.
    From(HeaderValue),
}

impl Handler for CorsHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let headers = request.headers();
        let Some(origin) = headers.get(ORIGIN) else { return Flow::Continue };
        if request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            exchange.extensions.insert(Seen::Preflight);
            if self.preflight_continue {
                return Flow::Continue;
            }
            return Flow::reply(self.preflight(origin, headers));
        }
        if self.credentials || matches!(self.origins, Origins::Listed(_)) {
            exchange.extensions.insert(Seen::From(origin.clone()));
        }
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        let origin = match exchange.extensions.get() {
            Some(Seen::Preflight) => return Flow::Continue,
            Some(Seen::From(origin)) => Some(origin),
            None => None,
        };
        let headers = response.headers_mut();
        self.allow(headers, origin);
        if let Some(exposed) = &self.exposed_headers {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        Flow::Continue
    }
}

impl CorsHandler {
    /// 200 without a body. A refused origin is told all but that it may (compat P27).
    fn preflight(&self, origin: &HeaderValue, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        self.allow(headers, Some(origin));
        if let Some(allowed) = self.headers.as_ref().or(request.get(ACCESS_CONTROL_REQUEST_HEADERS)) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if let Some(max_age) = &self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
        let asks_private = request.get(REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == "true");
        if self.private_network && asks_private {
            headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        response
    }

    /// Says whether `origin` may, and with credentials. What the upstream says of it does not count.
    fn allow(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        const TRUE: HeaderValue = HeaderValue::from_static("true");
        let mut grant = self.origins.grant(origin);
        let mut varies = !matches!(self.origins, Origins::Any);
        if self.credentials && grant != Some(ANY) {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        } else if self.credentials
            && let Some(origin) = origin
        {
            // `*` and credentials exclude each other (Fetch, CORS protocol and credentials).
            grant = Some(origin.clone());
            varies = true;
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        } else {
            headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        }
        if varies {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        match grant {
            Some(grant) => drop(headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, grant)),
            None => drop(headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN)),
        }
    }
}

#[cfg(test)]
mod tests;
