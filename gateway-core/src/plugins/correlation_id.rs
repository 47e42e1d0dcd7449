//! An id that follows a request, as Kong's plugin `correlation-id` gives it (compat A10, P28).

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderName, HeaderValue, Request, Response};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Body,
    config::schema::{Field, Record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};

/// The header field unless another is configured.
const HEADER: &str = "Kong-Request-ID";

/// Gives each request an id in a header field, unless the client sent one, and echoes it if so wished.
///
/// Generators: `uuid`; `uuid#counter`, one uuid for the life of the process and a number that grows;
/// `tracker`, `ip-port-pid-connection-number-time` of the listener. Where Kong numbers connections and
/// the requests on each, ours shows the client's port and a number that grows over all connections.
#[derive(Debug)]
pub struct CorrelationId {
    schema: Record,
    sequence: Arc<Sequence>,
}

/// What `uuid#counter` and `tracker` count with; it lives as long as the plugin, not a configuration.
#[derive(Debug)]
struct Sequence {
    uuid: Uuid,
    counter: AtomicU64,
}

impl Sequence {
    /// The next number, from 1.
    fn next(&self) -> u64 {
        self.counter.fetch_add(1, Relaxed) + 1
    }
}

impl CorrelationId {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        let sequence = Sequence { uuid: Uuid::new_v4(), counter: AtomicU64::new(0) };
        Self { schema: schema(), sequence: Arc::new(sequence) }
    }
}

impl Default for CorrelationId {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::string("header_name").default(HEADER).doc("header field that carries the id"),
        Field::one_of("generator", &["uuid", "uuid#counter", "tracker"])
            .required()
            .default("uuid#counter")
            .doc("how an id is made"),
        Field::boolean("echo_downstream")
            .required()
            .default(false)
            .doc("whether the answer carries the id too"),
    ])
}

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    header_name: Option<String>,
    generator: Generator,
    echo_downstream: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { header_name: None, generator: Generator::UuidCounter, echo_downstream: false }
    }
}

#[derive(Clone, Copy, Deserialize)]
enum Generator {
    #[serde(rename = "uuid")]
    Uuid,
    #[serde(rename = "uuid#counter")]
    UuidCounter,
    #[serde(rename = "tracker")]
    Tracker,
}

impl Plugin for CorrelationId {
    fn name(&self) -> &'static str {
        "correlation-id"
    }

    fn priority(&self) -> i32 {
        100_001
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let header = HeaderName::try_from(config.header_name.as_deref().unwrap_or(HEADER));
        Ok(Configured::handler(CorrelationIdHandler {
            header: header.map_err(|_| "header_name: not the name of a header field")?,
            generator: config.generator,
            echo: config.echo_downstream,
            sequence: Arc::clone(&self.sequence),
        }))
    }
}

struct CorrelationIdHandler {
    header: HeaderName,
    generator: Generator,
    echo: bool,
    sequence: Arc<Sequence>,
}

/// The id of a request, for the echo.
#[derive(Clone)]
struct Id(HeaderValue);

impl Handler for CorrelationIdHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let sent = request.headers().get(&self.header).filter(|sent| !sent.is_empty());
        let id = match sent {
            Some(sent) if self.echo => sent.clone(),
            Some(_) => return Flow::Continue,
            None => {
                let id = self.generate(exchange);
                request.headers_mut().insert(self.header.clone(), id.clone());
                id
            }
        };
        if self.echo {
            exchange.extensions.insert(Id(id));
        }
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response<Body>, exchange: &mut Exchange) -> Flow<Response<Body>> {
        if self.echo {
            let id = exchange.extensions.get().map_or_else(|| self.generate(exchange), |Id(id)| id.clone());
            response.headers_mut().insert(self.header.clone(), id);
        }
        Flow::Continue
    }
}

impl CorrelationIdHandler {
    fn generate(&self, exchange: &Exchange) -> HeaderValue {
        let mut text = Vec::with_capacity(64);
        let written = match self.generator {
            Generator::Uuid => write!(text, "{}", uuid_v4()),
            Generator::UuidCounter => write!(text, "{}#{}", self.sequence.uuid, self.sequence.next()),
            Generator::Tracker => {
                let (local, peer) = (exchange.connection.local(), exchange.connection.peer());
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let address = local.ip().to_canonical();
                let (process, number) = (std::process::id(), self.sequence.next());
                write!(text, "{address}-{}-{process}-{}-{number}-", local.port(), peer.port())
                    .and_then(|()| write!(text, "{}.{:03}", now.as_secs(), now.subsec_millis()))
            }
        };
        // Writing to a vector does not fail, and what is written is printable ASCII.
        written.ok();
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).unwrap_or(HeaderValue::from_static(""))
    }
}

/// A random uuid from the generator that request ids come from: unique, not secret.
fn uuid_v4() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use regex::Regex;
    use serde_json::{Value, json};

    use super::CorrelationId;
    use crate::{
        Body,
        plugin::Plugin,
        plugins::testing::{handler, run},
    };

    const UUID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

    /// The id that the upstream sees and the one that the client sees.
    fn ids(plugin: &CorrelationId, config: &Value, sent: Option<&str>) -> (String, Option<String>) {
        let mut request = Request::get("/");
        if let Some(sent) = sent {
            request = request.header("kong-request-id", sent);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let response = run(&*handler(plugin, config), &mut request, Response::default()).unwrap();
        let echo = response.headers().get("kong-request-id").map(|id| id.to_str().unwrap().to_owned());
        (request.headers()["kong-request-id"].to_str().unwrap().to_owned(), echo)
    }

    #[test]
    fn the_default_is_one_uuid_with_a_number_that_grows_over_all_configurations() {
        let plugin = CorrelationId::new();
        let (first, echo) = ids(&plugin, &json!({}), None);
        assert!(Regex::new(&format!("^{UUID}#1$")).unwrap().is_match(&first), "{first}");
        assert_eq!(echo, None);
        let (second, _) = ids(&plugin, &json!({}), None);
        assert_eq!(second, first.replace("#1", "#2"));
    }

    #[test]
    fn each_generator_has_kongs_form() {
        let plugin = CorrelationId::new();
        let (id, _) = ids(&plugin, &json!({ "generator": "uuid" }), None);
        assert!(Regex::new(&format!("^{UUID}$")).unwrap().is_match(&id), "{id}");
        let (id, _) = ids(&plugin, &json!({ "generator": "tracker" }), None);
        let tracker = r"^192\.0\.2\.1-8000-\d+-5000-1-\d{10}\.\d{3}$";
        assert!(Regex::new(tracker).unwrap().is_match(&id), "{id}");
    }

    #[test]
    fn the_clients_id_is_kept_unless_empty_and_echoed_when_on() {
        let plugin = CorrelationId::new();
        let echoing = json!({ "echo_downstream": true });
        assert_eq!(ids(&plugin, &echoing, Some("mine")), ("mine".to_owned(), Some("mine".to_owned())));
        assert_eq!(ids(&plugin, &json!({}), Some("mine")), ("mine".to_owned(), None));
        let (id, echo) = ids(&plugin, &echoing, Some(""));
        assert!(id.ends_with("#1"));
        assert_eq!(echo, Some(id));
    }

    #[test]
    fn another_header_may_carry_it_but_not_any_text() {
        let plugin = CorrelationId::new();
        let handler = handler(&plugin, &json!({ "header_name": "X-Trace" }));
        let mut request = Request::get("/").body(Body::empty()).unwrap();
        run(&*handler, &mut request, Response::default()).unwrap();
        assert!(request.headers().contains_key("x-trace"));
        let why = plugin.configure(&json!({ "header_name": "a b" })).unwrap_err();
        assert_eq!(why, "header_name: not the name of a header field");
    }
}
