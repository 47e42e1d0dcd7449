//! Tables of a few plugins.

use std::collections::BTreeMap;

use gateway_core::config::schema::{Field, PluginSchemas, Record, Rule, Violation};
use serde_json::{Map, Value, json};

/// The plugins that the tests have.
pub(crate) struct Tables(BTreeMap<&'static str, Record>);

impl PluginSchemas for Tables {
    fn schema(&self, name: &str) -> Option<&Record> {
        self.0.get(name)
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().map(|name| (*name).to_owned()).collect()
    }
}

impl Tables {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::from([
            ("correlation-id", correlation_id()),
            ("cors", cors()),
            ("foreign", Record::new(vec![Field::integer("limit").default(7)]).open()),
            ("key-auth", key_auth()),
            ("rate-limiting", rate_limiting()),
            ("request-size-limiting", request_size_limiting()),
        ]))
    }
}

fn cors() -> Record {
    Record::new(vec![
        Field::strings("origins"),
        Field::strings("headers"),
        Field::array("methods", Field::one_of("", &["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]))
            .default(json!(["GET", "POST"])),
        Field::number("max_age"),
        Field::boolean("credentials").required().default(false),
    ])
    .no_consumer()
}

fn correlation_id() -> Record {
    Record::new(vec![
        Field::string("header_name").default("Kong-Request-ID"),
        Field::one_of("generator", &["uuid", "uuid#counter", "tracker"]).required().default("uuid#counter"),
        Field::boolean("echo_downstream").required().default(false),
    ])
}

fn request_size_limiting() -> Record {
    Record::new(vec![
        Field::integer("allowed_payload_size").default(128),
        Field::one_of("size_unit", &["megabytes", "kilobytes", "bytes"]).required().default("megabytes"),
        Field::boolean("require_content_length").required().default(false),
    ])
}

fn key_auth() -> Record {
    Record::new(vec![
        Field::strings("key_names").required().default(json!(["apikey"])),
        Field::string("anonymous"),
        Field::string("realm").referenceable(),
    ])
    .no_consumer()
}

const LIMITS: &[&str] = &["second", "minute", "hour", "day", "month", "year"];

fn rate_limiting() -> Record {
    let mut fields: Vec<_> = LIMITS.iter().map(|name| Field::number(name).greater_than(0)).collect();
    let redis =
        Record::new(vec![Field::string("host"), Field::integer("port").between(0, 65535).default(6379)]);
    fields.push(Field::one_of("policy", &["local", "redis"]).required().default("local"));
    fields.push(Field::record("redis", redis).required());
    Record::new(fields)
        .shorthand(Field::string("redis_host"), |host| vec![("redis.host", host.clone())])
        .rule(Rule::at_least_one_of(LIMITS.iter().copied()))
        .rule(Rule::With { of: &[], check: rising })
}

fn rising(config: &Map<String, Value>) -> Vec<Violation> {
    let given = |name: &&'static str| Some((*name, config.get(*name)?.as_f64()?));
    let limits: Vec<_> = LIMITS.iter().filter_map(given).collect();
    let falls = limits.windows(2).find(|pair| pair[1].1 < pair[0].1);
    falls
        .map(|pair| {
            let ((low, least), (high, most)) = (pair[0], pair[1]);
            let message = format!(
                "The limit for {high}({most:.1}) cannot be lower than the limit for {low}({least:.1})"
            );
            Violation::field("", message)
        })
        .into_iter()
        .collect()
}
