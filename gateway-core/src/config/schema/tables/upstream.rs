//! The tables of upstreams and their targets.

use serde_json::Value;

use super::{
    super::{Auto, Field, Must, Record, Rule, check},
    headers, identity, list, table, tags,
};

const SOURCES: &[&str] = &["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"];

pub(super) fn upstream() -> Record {
    let record = table(vec![
        Field::string("name")
            .required()
            .unique()
            .check(check::upstream_name)
            .pattern(check::SERVER_NAME)
            .doc("Unique host-like name; a service whose `host` is this name uses the upstream."),
        Field::one_of("algorithm", &["consistent-hashing", "least-connections", "round-robin", "latency"])
            .default("round-robin")
            .doc("How a target is picked; `hash_on` implies consistent-hashing."),
        Field::one_of("hash_on", SOURCES).default("none").doc("What is hashed."),
        Field::one_of("hash_fallback", SOURCES)
            .default("none")
            .doc("What is hashed where `hash_on` finds nothing."),
        Field::string("hash_on_header")
            .check(check::header)
            .pattern(check::HEADER)
            .doc("Header for `hash_on: header`."),
        Field::string("hash_fallback_header")
            .check(check::header)
            .pattern(check::HEADER)
            .doc("Header for `hash_fallback: header`."),
        Field::string("hash_on_cookie")
            .check(check::cookie)
            .pattern(check::COOKIE)
            .doc("Cookie for `hash_on: cookie`, issued where missing."),
        Field::string("hash_on_cookie_path")
            .check(check::path)
            .pattern(check::PATH)
            .default("/")
            .doc("Path of that cookie."),
        Field::string("hash_on_query_arg").doc("Query argument for `hash_on: query_arg`."),
        Field::string("hash_fallback_query_arg").doc("Query argument for `hash_fallback: query_arg`."),
        Field::string("hash_on_uri_capture").doc("Capture for `hash_on: uri_capture`."),
        Field::string("hash_fallback_uri_capture").doc("Capture for `hash_fallback: uri_capture`."),
        Field::integer("slots").between(10, 65536).default(10_000).doc("Points of the hash ring."),
        Field::record("healthchecks", healthchecks()).required().doc("Active and passive health checks."),
        Field::string("host_header")
            .check(check::host_header)
            .pattern(check::HOST_AND_PORT)
            .doc("`Host` sent to the targets in place of their own."),
        Field::foreign("client_certificate", "certificates").doc("Certificate shown to the targets."),
        Field::boolean("use_srv_name")
            .default(false)
            .doc("Whether the SRV name, rather than the target's, is the `Host`."),
    ])
    .dependent_defaults(|given| match given.get("hash_on").and_then(Value::as_str) {
        None | Some("none") => Vec::new(),
        Some(_) => vec![("algorithm", "consistent-hashing".into())],
    });
    HASH_RULES.iter().fold(record, |record, rule| record.rule(rule.clone()))
}

pub(super) fn target() -> Record {
    let mut record = Record::new(vec![
        identity("Identity; made from upstream and target where a file says none, random in the Admin API."),
        Field::string("target")
            .required()
            .check(check::target)
            .pattern(check::HOST_AND_PORT)
            .doc("Host and port; a missing port is 8000."),
        Field::integer("weight").between(0, 65535).default(100).doc("Share of the traffic; 0: none."),
        Field::foreign("upstream", "upstreams").required().doc("The upstream it belongs to."),
        tags(),
        Field::integer("ttl").between(1, 86_400).doc(
            "Seconds that it stays after its last sign of life, where there is a store; unset: until it is taken out. Not Kong's.",
        ),
    ]);
    for name in ["created_at", "updated_at"] {
        record
            .fields
            .push(Field::number(name).auto(Auto::Time).doc("Unix seconds with milliseconds; 0: not known."));
    }
    record
}

const fn set(when: &'static str, is: &'static [&'static str], then: &'static str) -> Rule {
    Rule::Conditional { when, is, then, must: Must::BeSet }
}

const fn fallback(is: &'static [&'static str], among: &'static [&'static str]) -> Rule {
    Rule::Conditional { when: "hash_on", is, then: "hash_fallback", must: Must::BeOneOf(among) }
}

const HASH_RULES: &[Rule] = &[
    set("hash_on", &["header"], "hash_on_header"),
    set("hash_fallback", &["header"], "hash_fallback_header"),
    set("hash_on", &["cookie"], "hash_on_cookie"),
    set("hash_fallback", &["cookie"], "hash_on_cookie"),
    set("hash_on", &["query_arg"], "hash_on_query_arg"),
    set("hash_fallback", &["query_arg"], "hash_fallback_query_arg"),
    set("hash_on", &["uri_capture"], "hash_on_uri_capture"),
    set("hash_fallback", &["uri_capture"], "hash_fallback_uri_capture"),
    fallback(&["none", "cookie"], &["none"]),
    fallback(&["consumer"], &["none", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]),
    fallback(&["ip"], &["none", "consumer", "header", "cookie", "path", "query_arg", "uri_capture"]),
    fallback(&["path"], &["none", "consumer", "ip", "header", "cookie", "query_arg", "uri_capture"]),
    Rule::Distinct(&["hash_on_header", "hash_fallback_header"]),
    Rule::Distinct(&["hash_on_query_arg", "hash_fallback_query_arg"]),
    Rule::Distinct(&["hash_on_uri_capture", "hash_fallback_uri_capture"]),
];

fn healthchecks() -> Record {
    Record::new(vec![
        Field::number("threshold")
            .between(0, 100)
            .default(0)
            .doc("Percentage of weight that must be available."),
        Field::record("active", active()).required().doc("Probes."),
        Field::record("passive", passive()).required().doc("Judgement by traffic."),
    ])
}

fn active() -> Record {
    Record::new(vec![
        check_type(),
        seconds("timeout", 1).doc("Seconds a probe may take."),
        Field::integer("concurrency").between(1, 1 << 31).default(10).doc("Probes at a time."),
        Field::string("http_path")
            .check(check::path)
            .pattern(check::PATH)
            .default("/")
            .doc("Path asked for."),
        Field::string("https_sni")
            .check(check::sni)
            .pattern(check::SERVER_NAME)
            .doc("Server name of TLS probes."),
        Field::boolean("https_verify_certificate")
            .required()
            .default(true)
            .doc("Whether the certificate is verified."),
        headers("headers", Field::string("").check(check::header).pattern(check::HEADER))
            .doc("Extra headers of a probe."),
        Field::record(
            "healthy",
            Record::new(vec![
                seconds("interval", 0).doc("Seconds between probes of healthy targets; 0: none."),
                count("successes").doc("Successes needed; 0: off."),
                statuses([200, 302]).doc("Statuses that count as success."),
            ]),
        )
        .required()
        .doc("Towards healthy."),
        Field::record(
            "unhealthy",
            Record::new(vec![
                seconds("interval", 0).doc("Seconds between probes of unhealthy targets; 0: none."),
                count("http_failures").doc("Failed statuses needed; 0: off."),
                count("tcp_failures").doc("Failed connections needed; 0: off."),
                count("timeouts").doc("Timeouts needed; 0: off."),
                statuses([429, 404, 500, 501, 502, 503, 504, 505]).doc("Statuses that count as failure."),
            ]),
        )
        .required()
        .doc("Towards unhealthy."),
    ])
}

fn passive() -> Record {
    Record::new(vec![
        check_type(),
        Field::record(
            "healthy",
            Record::new(vec![
                count("successes").doc("Successes needed; 0: off."),
                statuses((200..=208).chain([226]).chain(300..=308)).doc("Statuses that count as success."),
            ]),
        )
        .required()
        .doc("Towards healthy."),
        Field::record(
            "unhealthy",
            Record::new(vec![
                count("http_failures").doc("Failed statuses needed; 0: off."),
                count("tcp_failures").doc("Failed connections needed; 0: off."),
                count("timeouts").doc("Timeouts needed; 0: off."),
                statuses([429, 500, 503]).doc("Statuses that count as failure."),
            ]),
        )
        .required()
        .doc("Towards unhealthy."),
    ])
}

fn check_type() -> Field {
    Field::one_of("type", &["tcp", "http", "https", "grpc", "grpcs"]).default("http").doc("What is spoken.")
}

fn seconds(name: &'static str, default: u32) -> Field {
    Field::number(name).between(0, 65535).default(default)
}

fn count(name: &'static str) -> Field {
    Field::integer(name).between(0, 255).default(0)
}

fn statuses(default: impl IntoIterator<Item = u16>) -> Field {
    Field::array("http_statuses", Field::integer("").between(100, 999)).default(list(default))
}
