//! Copies of requests for another place, whose answers nobody sees.

mod copied;
mod sender;

use std::{sync::Arc, time::Duration};

use http::{Request, header::CONTENT_LENGTH};
use http_body::Body as _;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Body,
    body::Passing,
    config::schema::{Field, Record, Rule},
    plugin::{Configured, Destination, Exchange, Flow, Handler, Plugin, Reading},
    split::Share,
};

use copied::Copied;
use sender::{Bounds, Parcel, Sender};

/// Sends a copy of a share of the requests to another service or upstream: `mirror`, a plugin of this gateway's own.
///
/// The request itself does not wait for its copy, nor does anything of the copy reach the client. Copies are bounded in
/// number, size and time; where a bound is met, a copy is left out and counted.
#[derive(Debug)]
pub struct Mirror {
    schema: Record,
}

impl Mirror {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for Mirror {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::string("service").doc("a service by its name or id, with its own protocol, limits and path"),
        Field::string("upstream")
            .doc("an upstream by its name, or a host, spoken to as the route's own service is"),
        Field::integer("port").between(1, 65_535).doc("the port, where `upstream` is a host"),
        Field::number("percentage")
            .required()
            .between(0, 100)
            .default(100)
            .doc("so many of a hundred requests are copied, by lot"),
        Field::integer("body_size")
            .required()
            .between(0, 16 << 20)
            .default(65_536)
            .doc("a request with a body of more bytes is not copied"),
        Field::integer("concurrency")
            .required()
            .between(1, 100_000)
            .default(64)
            .doc("so many copies may be under way at a time"),
        Field::integer("queue")
            .required()
            .between(0, 100_000)
            .default(256)
            .doc("so many more may wait for their turn, or for the rest of their body"),
        Field::integer("timeout")
            .required()
            .between(1, 3_600_000)
            .default(10_000)
            .doc("a copy is over after so many milliseconds, its wait included"),
    ])
    .rule(Rule::at_least_one_of(["service", "upstream"]))
    .rule(Rule::mutually_exclusive(["service", "upstream"]))
    .rule(Rule::mutually_exclusive(["service", "port"]))
}

#[derive(Deserialize)]
struct Config {
    service: Option<String>,
    upstream: Option<String>,
    port: Option<u16>,
    percentage: f64,
    body_size: usize,
    concurrency: usize,
    queue: usize,
    timeout: u64,
}

impl Plugin for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    /// After all others: what is copied is what goes to the service.
    fn priority(&self) -> i32 {
        1
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let destination = match &config.service {
            Some(service) => Destination::service(service),
            None => Destination::host(config.upstream.as_deref(), config.port),
        };
        let bounds = Bounds {
            under_way: config.concurrency,
            waiting: config.queue,
            time: Duration::from_millis(config.timeout),
        };
        Ok(Configured::handler(MirrorHandler {
            destination: Arc::new(destination),
            share: Share::percents(config.percentage),
            longest: config.body_size,
            sender: Sender::new(bounds),
        }))
    }
}

struct MirrorHandler {
    destination: Arc<Destination>,
    share: Share,
    /// The longest body of a copy, in bytes.
    longest: usize,
    sender: Sender,
}

impl Handler for MirrorHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        // A connection that becomes something else cannot be copied.
        if self.share.has(fastrand::u32(..)) && exchange.upgrade.is_none() {
            self.copy(request, exchange);
        }
        Flow::Continue
    }

    fn destinations(&self) -> Vec<Arc<Destination>> {
        vec![Arc::clone(&self.destination)]
    }

    fn readings(&self) -> Vec<Reading> {
        self.sender.readings()
    }
}

impl MirrorHandler {
    fn copy(&self, request: &mut Request<Body>, exchange: &Exchange) {
        let Some(way) = exchange.way(&self.destination) else { return };
        if self.is_too_long(request) {
            return self.sender.too_long();
        }
        let Some(place) = self.sender.place() else { return };
        let parcel =
            Parcel { way: Arc::clone(way), head: head(request), exchange: Box::new(exchange.aside()), place };
        let body = std::mem::take(request.body_mut());
        *request.body_mut() = if let Some(bytes) = body.as_bytes() {
            parcel.send(bytes.clone());
            body
        } else if body.is_end_stream() {
            parcel.send(bytes::Bytes::new());
            body
        } else {
            Body::new(Passing::new(body, Copied::new(parcel, self.longest)))
        };
    }

    /// Whether the body is known to be too long. Of one that is not known the copy ends on the way.
    fn is_too_long(&self, request: &Request<Body>) -> bool {
        let declared =
            request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let least = request.body().size_hint().lower().max(declared.unwrap_or(0));
        usize::try_from(least).map_or(true, |least| least > self.longest)
    }
}

/// The head of a request, again.
fn head(request: &Request<Body>) -> Request<()> {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Mirror;
    use crate::{
        config::Config,
        plugins::testing::{filled, handler},
    };

    #[test]
    fn it_names_its_destination_when_routes_are_compiled() {
        let plugin = Mirror::new();
        let handler = handler(&plugin, &filled(&plugin, json!({ "upstream": "shadow.pool" })));
        assert_eq!(handler.destinations()[0].to_string(), "shadow.pool");
    }

    #[test]
    fn impossible_settings_are_refused() {
        let registry = crate::plugins::bundled();
        for (config, problem) in [
            ("{}", "at least one of these fields must be non-empty"),
            ("{service: a, upstream: b}", "mutually exclusive"),
            ("{service: a, port: 80}", "mutually exclusive"),
            ("{service: a, percentage: 101}", "value should be between 0 and 100"),
            ("{service: a, concurrency: 0}", "value should be between 1 and 100000"),
        ] {
            let text = format!("{{_format_version: '3.0', plugins: [{{name: mirror, config: {config}}}]}}");
            let problems = Config::parse(&text, &registry).unwrap_err().to_string();
            assert!(problems.contains(problem), "{config}: {problems}");
        }
    }
}
