//! Hosts, addresses, server names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::text;

/// What a host is, as Kong sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Name,
    Address,
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bad {
    Host,
    Port,
}

/// A host and whether a port follows it.
fn parse(host: &str) -> Result<(Host, bool), Bad> {
    if let Some(inside) = host.strip_prefix('[') {
        let (address, rest) = inside.split_once(']').ok_or(Bad::Host)?;
        address.parse::<Ipv6Addr>().map_err(|_| Bad::Host)?;
        return Ok((Host::Address, port(rest)?));
    }
    if host.matches(':').count() > 1 {
        return host.parse::<Ipv6Addr>().map(|_| (Host::Address, false)).map_err(|_| Bad::Host);
    }
    let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
    let port = port(rest)?;
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return name.parse::<Ipv4Addr>().map(|_| (Host::Address, port)).map_err(|_| Bad::Host);
    }
    if is_name(name) { Ok((Host::Name, port)) } else { Err(Bad::Host) }
}

/// Whether `rest` is a port, nothing being none.
fn port(rest: &str) -> Result<bool, Bad> {
    let Some(digits) = rest.strip_prefix(':') else {
        return if rest.is_empty() { Ok(false) } else { Err(Bad::Host) };
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>());
    match number {
        Some(Ok(_)) => Ok(true),
        _ => Err(Bad::Port),
    }
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// A host without a port.
pub(in crate::config::schema) fn host(value: &Value) -> Result<(), String> {
    match parse(text(value)) {
        Ok((_, false)) => Ok(()),
        Ok((_, true)) | Err(Bad::Port) => Err("must not have a port".to_owned()),
        Err(Bad::Host) => Err(format!("invalid value: {}", text(value))),
    }
}

/// A host with a port if wanted.
pub(in crate::config::schema) fn host_header(value: &Value) -> Result<(), String> {
    match parse(text(value)) {
        Ok(_) => Ok(()),
        Err(Bad::Port) => Err("invalid port number".to_owned()),
        Err(Bad::Host) => Err(format!("invalid value: {}", text(value))),
    }
}

/// A host of a route: a port if wanted, one `*` at either end (compat A32).
pub(in crate::config::schema) fn route_host(value: &Value) -> Result<(), String> {
    let host = text(value);
    let stars = host.matches('*').count();
    if stars > 1 {
        return Err("invalid wildcard: must have at most one wildcard".to_owned());
    }
    let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if stars == 1 && !(host.starts_with("*.") || without_port.ends_with(".*")) {
        return Err("invalid wildcard: must be placed at leftmost or rightmost label".to_owned());
    }
    match parse(&host.replace('*', "wildcard")) {
        Ok(_) => Ok(()),
        Err(Bad::Port) => Err("invalid port number".to_owned()),
        Err(Bad::Host) => Err(format!("invalid value: {host}")),
    }
}

/// A TLS server name.
pub(in crate::config::schema) fn sni(value: &Value) -> Result<(), String> {
    server_name(text(value))
}

/// A TLS server name with at most one `*`, at either end.
pub(in crate::config::schema) fn wildcard_sni(value: &Value) -> Result<(), String> {
    let name = text(value);
    match name.matches('*').count() {
        0 => return server_name(name),
        1 => {}
        _ => return Err("only one wildcard must be specified".to_owned()),
    }
    if !(name.starts_with("*.") || name.ends_with(".*")) {
        return Err("wildcard must be leftmost or rightmost character".to_owned());
    }
    server_name(&name.replace('*', "wildcard"))
}

fn server_name(name: &str) -> Result<(), String> {
    match parse(name) {
        Ok((Host::Name, false)) => Ok(()),
        Ok((Host::Address, _)) => Err("must not be an IP".to_owned()),
        Ok((Host::Name, true)) | Err(Bad::Port) => Err("must not have a port".to_owned()),
        Err(Bad::Host) => Err(format!("invalid value: {name}")),
    }
}

/// The name of an upstream: a host name (compat A34).
pub(in crate::config::schema) fn upstream_name(value: &Value) -> Result<(), String> {
    let name = text(value);
    match parse(name) {
        Ok((Host::Name, false)) => Ok(()),
        Ok((Host::Address, _)) => Err(format!("Invalid name ('{name}'); no ip addresses allowed")),
        Ok((Host::Name, true)) => Err(format!("Invalid name ('{name}'); no port allowed")),
        Err(_) => Err(format!("Invalid name ('{name}'); must be a valid hostname")),
    }
}

/// A target: a host, a port if wanted (compat A35).
pub(in crate::config::schema) fn target(value: &Value) -> Result<(), String> {
    parse(text(value)).map(drop).map_err(|_| "Invalid target; not a valid hostname or ip address".to_owned())
}

/// An address, or a range in CIDR notation.
pub(in crate::config::schema) fn ip_or_cidr(value: &Value) -> Result<(), String> {
    let range = text(value);
    let valid = range.parse::<IpAddr>().is_ok() || range.parse::<ipnet::IpNet>().is_ok();
    if valid { Ok(()) } else { Err(format!("invalid ip or cidr range: '{range}'")) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{host, route_host, target, upstream_name, wildcard_sni};

    fn all(check: fn(&Value) -> Result<(), String>, cases: &[(&str, Result<(), &str>)]) {
        for (text, outcome) in cases {
            assert_eq!(check(&(*text).into()), outcome.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn hosts() {
        all(
            host,
            &[
                ("a.example", Ok(())),
                ("10.0.0.1", Ok(())),
                ("::1", Ok(())),
                ("my_service", Ok(())),
                ("a:80", Err("must not have a port")),
                ("a b", Err("invalid value: a b")),
                ("-a", Err("invalid value: -a")),
                ("300.0.0.1", Err("invalid value: 300.0.0.1")),
            ],
        );
    }

    #[test]
    fn hosts_of_routes() {
        all(
            route_host,
            &[
                ("*.a.example", Ok(())),
                ("a.*", Ok(())),
                ("a.*:80", Ok(())),
                ("a.b:80", Ok(())),
                ("[::1]:80", Ok(())),
                ("*.a.*", Err("invalid wildcard: must have at most one wildcard")),
                ("a.*.b", Err("invalid wildcard: must be placed at leftmost or rightmost label")),
                ("a.b:x", Err("invalid port number")),
                ("a/b", Err("invalid value: a/b")),
            ],
        );
    }

    #[test]
    fn names_of_upstreams_targets_and_servers() {
        all(
            upstream_name,
            &[
                ("up-1", Ok(())),
                ("127.0.0.1", Err("Invalid name ('127.0.0.1'); no ip addresses allowed")),
                ("a:1", Err("Invalid name ('a:1'); no port allowed")),
            ],
        );
        all(
            target,
            &[
                ("10.0.0.1:80", Ok(())),
                ("[::1]:80", Ok(())),
                ("name", Ok(())),
                ("a b:80", Err("Invalid target; not a valid hostname or ip address")),
            ],
        );
        all(
            wildcard_sni,
            &[
                ("*.a.example", Ok(())),
                ("*.*", Err("only one wildcard must be specified")),
                ("10.0.0.1", Err("must not be an IP")),
            ],
        );
    }
}
