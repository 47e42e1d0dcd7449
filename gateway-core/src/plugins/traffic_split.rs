//! Several destinations of one route, each with a share of its requests.

use std::sync::Arc;

use http::Request;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::told_apart::ToldApart;
use crate::{
    Body,
    config::schema::{Field, Must, Record, Rule, Violation},
    plugin::{Configured, Destination, Exchange, Flow, Handler, Plugin},
    split::Shares,
};

/// Sends shares of a route's requests to other services or upstreams: `traffic-split`, a plugin of this gateway's own.
///
/// The choice is made once a request, by lot or by who calls, before it is forwarded. All its tries go there.
#[derive(Debug)]
pub struct TrafficSplit {
    schema: Record,
}

impl TrafficSplit {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema() }
    }
}

impl Default for TrafficSplit {
    fn default() -> Self {
        Self::new()
    }
}

/// So many destinations may share the requests of a route.
const MOST: usize = 32;

fn schema() -> Record {
    let destination = Record::new(vec![
        Field::string("service").doc("a service by its name or id, with its own protocol, limits and path"),
        Field::string("upstream")
            .doc("an upstream by its name, or a host, spoken to as the route's own service is"),
        Field::integer("port").between(1, 65_535).doc("the port, where `upstream` is a host"),
        Field::integer("weight")
            .required()
            .between(0, 65_535)
            .default(100)
            .doc("its share is its weight in proportion to the sum of all; 0: nothing"),
    ])
    .rule(Rule::mutually_exclusive(["service", "upstream"]))
    .rule(Rule::mutually_exclusive(["service", "port"]));
    Record::new(vec![
        Field::array("destinations", Field::record("", destination))
            .required()
            .shortest(1)
            .longest(MOST)
            .doc("who shares the requests; one that names neither service nor upstream is the route's own service"),
        Field::one_of("hash", &["none", "consumer", "ip", "header", "cookie"])
            .required()
            .default("none")
            .doc("who is kept to one destination: nobody, or each of these"),
        Field::string("hash_header").doc("the header for `hash: header`"),
        Field::string("hash_cookie").doc("the cookie for `hash: cookie`"),
        Field::boolean("fallback")
            .required()
            .default(false)
            .doc("whether the route's own service answers where a destination has nobody who is well"),
    ])
    .rule(Rule::Conditional { when: "hash", is: &["header"], then: "hash_header", must: Must::BeSet })
    .rule(Rule::Conditional { when: "hash", is: &["cookie"], then: "hash_cookie", must: Must::BeSet })
    .rule(Rule::With { of: &["destinations"], check: somebody_gets_something })
}

fn somebody_gets_something(fields: &Map<String, Value>) -> Vec<Violation> {
    let destinations = fields.get("destinations").and_then(Value::as_array);
    let weight = |it: &Value| it.get("weight").and_then(Value::as_i64).unwrap_or(100);
    let nobody = destinations.is_some_and(|all| all.iter().all(|destination| weight(destination) == 0));
    let violation = || Violation::field("destinations", "one of the weights must be greater than 0");
    nobody.then(violation).into_iter().collect()
}

#[derive(Deserialize)]
struct Config {
    destinations: Vec<Part>,
    hash: String,
    hash_header: Option<String>,
    hash_cookie: Option<String>,
    fallback: bool,
}

#[derive(Deserialize)]
struct Part {
    service: Option<String>,
    upstream: Option<String>,
    port: Option<u16>,
    weight: u16,
}

impl Part {
    /// None: the route's own service.
    fn destination(&self) -> Option<Arc<Destination>> {
        match (&self.service, &self.upstream, self.port) {
            (Some(service), ..) => Some(Arc::new(Destination::service(service))),
            (None, None, None) => None,
            (None, upstream, port) => Some(Arc::new(Destination::host(upstream.as_deref(), port))),
        }
    }
}

impl Plugin for TrafficSplit {
    fn name(&self) -> &'static str {
        "traffic-split"
    }

    /// Just before `canary`, whose choice counts where both make one.
    fn priority(&self) -> i32 {
        21
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let config: Config = super::decode(config)?;
        let weights: Vec<_> = config.destinations.iter().map(|part| part.weight).collect();
        let shares =
            Shares::new(&weights).ok_or("destinations: one of the weights must be greater than 0")?;
        let hash = ToldApart::new(&config.hash, config.hash_header.as_deref(), config.hash_cookie.as_deref());
        Ok(Configured::handler(TrafficSplitHandler {
            destinations: config.destinations.iter().map(Part::destination).collect(),
            shares,
            told_apart: hash.map_err(|error| format!("hash_header: {error}"))?,
            fallback: config.fallback,
        }))
    }
}

struct TrafficSplitHandler {
    /// None: the route's own service.
    destinations: Box<[Option<Arc<Destination>>]>,
    shares: Shares,
    told_apart: ToldApart,
    fallback: bool,
}

impl Handler for TrafficSplitHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        let chosen = self.shares.of(self.told_apart.lot(request, exchange));
        if let Some(Some(destination)) = self.destinations.get(chosen) {
            exchange.send_to_if_well(destination, self.fallback);
        }
        Flow::Continue
    }

    fn destinations(&self) -> Vec<Arc<Destination>> {
        self.destinations.iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::TrafficSplit;
    use crate::{
        config::Config,
        plugins::testing::{filled, handler},
    };

    #[test]
    fn it_names_its_destinations_when_routes_are_compiled() {
        let plugin = TrafficSplit::new();
        let config = json!({ "destinations": [
            { "weight": 90 }, { "service": "next", "weight": 9 }, { "upstream": "pool", "port": 81, "weight": 1 },
        ] });
        let handler = handler(&plugin, &filled(&plugin, config));
        let labels: Vec<_> = handler.destinations().iter().map(ToString::to_string).collect();
        assert_eq!(labels, ["next", "pool:81"]);
    }

    #[test]
    fn impossible_settings_are_refused() {
        let registry = crate::plugins::bundled();
        for (config, problem) in [
            ("{}", "required field missing"),
            ("{destinations: []}", "length must be at least 1"),
            ("{destinations: [{weight: 0}]}", "one of the weights must be greater than 0"),
            ("{destinations: [{service: a, upstream: b}]}", "mutually exclusive"),
            ("{destinations: [{}], hash: header}", "required field missing"),
            ("{destinations: [{}], hash: cookie}", "required field missing"),
            ("{destinations: [{weight: 70000}]}", "value should be between 0 and 65535"),
        ] {
            let text =
                format!("{{_format_version: '3.0', plugins: [{{name: traffic-split, config: {config}}}]}}");
            let problems = Config::parse(&text, &registry).unwrap_err().to_string();
            assert!(problems.contains(problem), "{config}: {problems}");
        }
    }
}
