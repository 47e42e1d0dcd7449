//! The table of routes.

use serde_json::{Map, Value};

use super::{
    super::{Field, Record, Rule, Violation, check},
    headers, list, table, unique_name,
};

pub(super) fn route() -> Record {
    table(vec![
        unique_name(),
        Field::set("protocols", Field::string("").pattern(check::PROTOCOL))
            .required()
            .shortest(1)
            .default(list(["http", "https"]))
            .check(protocols)
            .doc("Protocols it serves; requests over others are told to use these."),
        Field::set("methods", Field::string("").check(check::method).pattern(check::METHOD)).doc("Upper-case methods; unset: all."),
        Field::array("hosts", Field::string("").check(check::route_host).pattern(check::ROUTE_HOST))
            .doc("Host names, each with at most one `*` at either end, a port if wanted."),
        Field::array("paths", Field::string("").check(check::route_path).pattern(check::ROUTE_PATH))
            .doc("Byte prefixes (`/a`), or regular expressions anchored at the start (`~/a/\\d+`)."),
        headers("headers", Field::string("").check(check::header_of_route).pattern(check::HEADER))
            .doc("Header names with the values that match; a value `~*...` is a regular expression."),
        Field::set("snis", Field::string("").check(check::wildcard_sni).pattern(check::WILDCARD_SNI)).doc("TLS server names."),
        Field::set("sources", address()).doc("Stream sources."),
        Field::set("destinations", address()).doc("Stream destinations."),
        Field::integer("https_redirect_status_code")
            .required()
            .default(426)
            .check(redirect_status)
            .doc("Answer to a request in clear on an https route."),
        Field::integer("regex_priority").default(0).doc("Order among regular expressions, higher first."),
        Field::boolean("strip_path").required().default(true).doc("Whether the matched path is taken off."),
        Field::one_of("path_handling", &["v0", "v1"])
            .default("v0")
            .doc("How service path and request path are joined."),
        Field::boolean("preserve_host").required().default(false).doc("Whether the client's `Host` goes on."),
        Field::boolean("request_buffering")
            .required()
            .default(true)
            .doc("Whether a short request body is read before it is sent on."),
        Field::boolean("response_buffering").required().default(true).doc("Accepted, without effect."),
        Field::foreign("service", "services").doc("The service behind it."),
        Field::string("expression").doc("An expression in place of the fields above."),
        Field::integer("priority").between(0, (1 << 46) - 1).doc("Rank of an expression, higher first."),
        Field::map("queries", Field::string(""), Field::strings("").shortest(0))
            .doc("Query parameters with the values that match; a value `~...` is a regular expression. Only the flavour `gateway_api` takes it."),
    ])
    .dependent_defaults(|given| {
        let grpc = names(given, "protocols").any(|name| matches!(name, "grpc" | "grpcs"));
        if grpc { vec![("strip_path", false.into())] } else { Vec::new() }
    })
    .rule(Rule::With { of: &["protocols"], check: by_protocol })
    .rule(Rule::With { of: &["expression"], check: expression })
}

fn address() -> Field {
    let fields = vec![
        Field::string("ip")
            .check(check::ip_or_cidr)
            .pattern(check::IP_OR_CIDR)
            .doc("An address or a range in CIDR notation."),
        Field::integer("port").between(0, 65535).doc("A port."),
    ];
    Field::record("", Record::new(fields).rule(Rule::at_least_one_of(["ip", "port"])))
}

fn redirect_status(value: &Value) -> Result<(), String> {
    match value.as_u64() {
        Some(426 | 301 | 302 | 307 | 308) => Ok(()),
        _ => Err("expected one of: 426, 301, 302, 307, 308".to_owned()),
    }
}

/// The sets of which a route's protocols must be one (compat A33).
const SETS: [&[&str]; 4] =
    [&["http", "https"], &["tcp", "tls", "udp"], &["tls_passthrough"], &["grpc", "grpcs"]];

fn protocols(value: &Value) -> Result<(), String> {
    let names = || value.as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(unknown) = names().find(|name| !SETS.iter().any(|set| set.contains(name))) {
        return Err(format!("unknown type: {unknown}"));
    }
    let used: Vec<_> = SETS.iter().filter(|set| names().any(|name| set.contains(&name))).collect();
    if used.len() < 2 {
        return Ok(());
    }
    let quoted = |set: &&&[&str]| format!("('{}')", set.join("', '"));
    let sets: Vec<_> = used.iter().map(quoted).collect();
    Err(format!("these sets are mutually exclusive: {}", sets.join(", ")))
}

/// What each protocol needs and what it forbids (compat A30).
fn by_protocol(route: &Map<String, Value>) -> Vec<Violation> {
    if is_set(route, "expression") {
        return Vec::new();
    }
    let has = |name: &str| names(route, "protocols").any(|protocol| protocol == name);
    let family = if has("grpc") || has("grpcs") {
        Family::Grpc
    } else if has("http") || has("https") {
        Family::Http
    } else {
        Family::Stream
    };
    let forbidden = family.forbidden().iter().filter(|name| is_set(route, name));
    let mut violations: Vec<_> = forbidden.map(|name| family.refuse(name)).collect();
    if matches!(family, Family::Grpc) && route.get("strip_path") == Some(&Value::Bool(true)) {
        violations.push(family.refuse("strip_path"));
    }
    violations.extend(needs(route, has).map(Violation::entity));
    if !["https", "grpcs", "tls", "tls_passthrough"].into_iter().any(has) && is_set(route, "snis") {
        let message =
            "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'";
        violations.push(Violation::field("snis", message));
    }
    violations
}

enum Family {
    Http,
    Grpc,
    Stream,
}

impl Family {
    const fn forbidden(&self) -> &'static [&'static str] {
        match self {
            Self::Http => &["sources", "destinations"],
            Self::Grpc => &["methods", "sources", "destinations"],
            Self::Stream => &["methods", "hosts", "paths", "headers"],
        }
    }

    fn refuse(&self, field: &'static str) -> Violation {
        let protocols = match self {
            Self::Http => "'http' or 'https'",
            Self::Grpc => "'grpc' or 'grpcs'",
            Self::Stream => "'tcp', 'tls', 'tls_passthrough' or 'udp'",
        };
        Violation::field(field, format!("cannot set '{field}' when 'protocols' is {protocols}"))
    }
}

/// What is missing for a route's protocols.
fn needs(route: &Map<String, Value>, has: impl Fn(&str) -> bool) -> Option<String> {
    let (fields, protocol): (&[&str], _) = if has("https") {
        (&["methods", "hosts", "headers", "paths", "snis"], "'https'")
    } else if has("http") {
        (&["methods", "hosts", "headers", "paths"], "'http'")
    } else if has("grpcs") {
        (&["hosts", "headers", "paths", "snis"], "'grpcs'")
    } else if has("grpc") {
        (&["hosts", "headers", "paths"], "'grpc'")
    } else if has("tls_passthrough") {
        let missing = !is_set(route, "snis");
        return missing.then(|| "must set snis when 'protocols' is 'tls_passthrough'".to_owned());
    } else {
        (&["sources", "destinations", "snis"], "'tcp', 'tls' or 'udp'")
    };
    let missing = !fields.iter().any(|name| is_set(route, name));
    missing.then(|| format!("must set one of '{}' when 'protocols' is {protocol}", fields.join("', '")))
}

/// An expression stands alone (compat A39, R21). 0 is the default of both priorities and as good as none.
fn expression(route: &Map<String, Value>) -> Vec<Violation> {
    const CLASSIC: [&str; 7] = ["methods", "hosts", "paths", "headers", "snis", "sources", "destinations"];
    let ranks = |name: &str| route.get(name).and_then(Value::as_i64).is_some_and(|priority| priority != 0);
    let has_fields = CLASSIC.iter().any(|name| is_set(route, name));
    let mut violations = Vec::new();
    if is_set(route, "expression") {
        if has_fields {
            violations.push(Violation::entity(
                "cannot set 'expression' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously",
            ));
        }
        if ranks("regex_priority") {
            violations
                .push(Violation::entity("cannot set 'regex_priority' with 'expression' simultaneously"));
        }
    } else if has_fields && ranks("priority") {
        violations.push(Violation::entity(
            "cannot set 'priority' with 'methods', 'hosts', 'paths', 'headers', 'snis', 'sources' or 'destinations' simultaneously",
        ));
    }
    violations
}

fn names<'v>(fields: &'v Map<String, Value>, name: &str) -> impl Iterator<Item = &'v str> {
    fields.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn is_set(fields: &Map<String, Value>, name: &str) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(items)) => !items.is_empty(),
        Some(_) => true,
    }
}
