//! The table of services.

use serde_json::Value;

use super::{
    super::{Field, Must, Record, Rule, check},
    table, unique_name,
};

const PROTOCOLS: &[&str] = &["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"];
/// Kong refuses the fields of TLS for `grpcs` too, and so leaves its certificates unverified. They are taken here.
const NOT_TLS: &[&str] = &["grpc", "http", "tcp", "tls_passthrough", "udp"];
const NO_PATH: &[&str] = &["grpc", "grpcs", "tcp", "tls", "tls_passthrough", "udp"];

pub(super) fn service() -> Record {
    let null = |when: &'static [&'static str], then| Rule::Conditional {
        when: "protocol",
        is: when,
        then,
        must: Must::BeNull,
    };
    table(vec![
        unique_name(),
        Field::integer("retries")
            .between(0, 32767)
            .default(5)
            .doc("Further tries after a first one that failed in transport."),
        Field::one_of("protocol", PROTOCOLS).required().default("http").doc("How to speak to it."),
        Field::string("host")
            .required()
            .check(check::host)
            .pattern(check::HOST)
            .doc("Host name, IP address, or the name of an upstream."),
        Field::integer("port")
            .between(0, 65535)
            .required()
            .default(80)
            .doc("Port; not used where `host` names an upstream."),
        Field::string("path")
            .check(check::path)
            .pattern(check::PATH)
            .doc("Prefix put before the (stripped) request path."),
        timeout("connect_timeout").doc("Milliseconds to make a connection."),
        timeout("write_timeout").doc("Milliseconds between two writes to it."),
        timeout("read_timeout").doc("Milliseconds between two reads from it."),
        Field::foreign("client_certificate", "certificates").doc("Certificate shown to it."),
        Field::boolean("tls_verify").doc("Whether its certificate is verified; unset: the node's setting."),
        Field::integer("tls_verify_depth").between(0, 64).doc("Longest chain accepted."),
        Field::array("ca_certificates", Field::string("").check(check::uuid).pattern(check::UUID))
            .doc("Ids of trust anchors in place of the node's."),
        Field::boolean("enabled").required().default(true).doc("Off: its routes do not match."),
    ])
    .shorthand(Field::string("url").doc("`protocol`, `host`, `port` and `path` in one."), parts_of_url)
    .rule(null(NO_PATH, "path"))
    .rule(null(NOT_TLS, "client_certificate"))
    .rule(null(NOT_TLS, "tls_verify"))
    .rule(null(NOT_TLS, "tls_verify_depth"))
    .rule(null(NOT_TLS, "ca_certificates"))
}

fn timeout(name: &'static str) -> Field {
    Field::integer(name).between(1, (1 << 31) - 2).default(60_000)
}

/// What a `url` stands for (compat A2). What is no URL is a path to Kong, so it says what is
/// wrong with that, and that the host is missing.
fn parts_of_url(url: &Value) -> Vec<(&'static str, Value)> {
    let url = url.as_str().unwrap_or_default();
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url),
    };
    let Some(scheme) = scheme else { return vec![("host", Value::Null), ("path", rest.into())] };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        Some(port) => port.parse::<u32>().map_or_else(|_| port.into(), Value::from),
        None => if matches!(scheme, "https" | "grpcs" | "tls") { 443 } else { 80 }.into(),
    };
    let some = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    vec![("protocol", scheme.into()), ("host", some(host)), ("port", port), ("path", some(path))]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parts_of_url;

    #[test]
    fn a_url_has_its_parts() {
        let parts = |url: &str| {
            let parts = parts_of_url(&url.into()).into_iter();
            parts.map(|(name, value)| (name.to_owned(), value)).collect::<serde_json::Value>()
        };
        assert_eq!(
            parts("http://127.0.0.1:9101/base"),
            json!({"protocol": "http", "host": "127.0.0.1", "port": 9101, "path": "/base"}),
        );
        assert_eq!(
            parts("https://u.example/p"),
            json!({"protocol": "https", "host": "u.example", "port": 443, "path": "/p"}),
        );
        assert_eq!(
            parts("https://[::1]"),
            json!({"protocol": "https", "host": "::1", "port": 443, "path": null}),
        );
        assert_eq!(parts("nowhere"), json!({"host": null, "path": "nowhere"}));
    }
}
