//! One line of the access log: pure, into a buffer that is there already.

use std::{
    io::Write as _,
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

use super::{
    json::{push_number, push_string},
    latencies::Latencies,
    redacted::redacted,
};
use crate::plugin::{Exchange, Versions};

/// Appends `exchange`, which ended at `now`, as one JSON object and a line end. The names and their nesting
/// are those of Kong's log serializer (compat A 1.14), as far as an exchange knows them; `reason` and
/// `endpoint` are the gateway's own. Fields without a value are left out. Sizes are bytes of bodies, times
/// are milliseconds. A buffer that has grown to its usual size is not grown again.
pub(super) fn push_line(out: &mut Vec<u8>, exchange: &Exchange, now: SystemTime) {
    let latencies = Latencies::from(exchange.timings);
    push_request(out, exchange);
    out.extend_from_slice(b",\"response\":{\"status\":");
    push_number(out, u64::from(exchange.status.as_u16()));
    out.extend_from_slice(b",\"size\":");
    push_number(out, exchange.response_bytes);
    out.extend_from_slice(b"}");
    push_latencies(out, latencies);
    push_upstream(out, exchange);
    push_caller(out, exchange);
    out.extend_from_slice(b",\"started_at\":");
    let started = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(latencies.request);
    push_number(out, u64::try_from(started.as_millis()).unwrap_or(u64::MAX));
    out.extend_from_slice(b",\"source\":\"");
    out.extend_from_slice(exchange.source.word().as_bytes());
    out.push(b'"');
    if let Some(reason) = exchange.reason {
        push_field(out, "reason", reason.word().as_bytes());
    }
    out.extend_from_slice(b"}\n");
}

/// `,"name":"text"`.
fn push_field(out: &mut Vec<u8>, name: &'static str, text: &[u8]) {
    push_name(out, name);
    push_string(out, text);
}

/// `,"name":`.
fn push_name(out: &mut Vec<u8>, name: &'static str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// An object of texts.
fn push_texts<'t>(out: &mut Vec<u8>, texts: impl Iterator<Item = (&'t str, &'t str)>) {
    out.push(b'{');
    for (at, (name, text)) in texts.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, name.as_bytes());
        out.push(b':');
        push_string(out, text.as_bytes());
    }
    out.push(b'}');
}

fn push_request(out: &mut Vec<u8>, exchange: &Exchange) {
    out.extend_from_slice(b"{\"request\":{\"id\":\"");
    out.extend_from_slice(&exchange.request_id.digits());
    out.push(b'"');
    push_field(out, "method", exchange.method.as_str().as_bytes());
    push_field(out, "uri", redacted(target(exchange)).as_bytes());
    if !exchange.host.name().is_empty() {
        push_field(out, "host", exchange.host.value().as_bytes());
    }
    out.extend_from_slice(b",\"size\":");
    push_number(out, exchange.request_bytes);
    if let Some(tls) = exchange.connection.tls() {
        out.extend_from_slice(b",\"tls\":{\"version\":");
        push_string(out, tls.version.unwrap_or_default().as_bytes());
        push_field(out, "cipher", tls.cipher.unwrap_or_default().as_bytes());
        out.push(b'}');
    }
    out.push(b'}');
}

/// The target without scheme and authority, as nginx's `request_uri` has it.
fn target(exchange: &Exchange) -> &str {
    let authority = || exchange.uri.authority().map_or("", |authority| authority.as_str());
    exchange.uri.path_and_query().map_or_else(authority, |target| target.as_str())
}

fn push_latencies(out: &mut Vec<u8>, latencies: Latencies) {
    out.extend_from_slice(b",\"latencies\":{\"kong\":");
    push_millis(out, latencies.gateway);
    out.extend_from_slice(b",\"proxy\":");
    match latencies.upstream {
        Some(upstream) => push_millis(out, upstream),
        None => out.extend_from_slice(b"-1"),
    }
    out.extend_from_slice(b",\"receive\":");
    push_millis(out, latencies.receive);
    out.extend_from_slice(b",\"request\":");
    push_millis(out, latencies.request);
    out.push(b'}');
}

/// Milliseconds with three digits of their fraction.
fn push_millis(out: &mut Vec<u8>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    push_number(out, micros / 1000);
    // Writing to a vector does not fail.
    write!(out, ".{:03}", micros % 1000).ok();
}

fn push_upstream(out: &mut Vec<u8>, exchange: &Exchange) {
    out.extend_from_slice(b",\"tries\":");
    push_number(out, u64::from(exchange.tries));
    if let Some(endpoint) = exchange.endpoint {
        push_name(out, "endpoint");
        push_address(out, endpoint);
    }
    if let Some(destination) = &exchange.destination {
        push_field(out, "destination", destination.label().as_bytes());
    }
    if let Some(versions) = exchange.extensions.get::<Versions>() {
        push_name(out, "plugin_versions");
        push_texts(out, versions.iter());
    }
    if let Some(service) = exchange.service() {
        push_entity(out, "service", service.id, &[("name", service.name.as_deref())]);
    }
    if let Some(route) = exchange.route() {
        push_entity(out, "route", route.id, &[("name", route.name.as_deref())]);
    }
}

fn push_caller(out: &mut Vec<u8>, exchange: &Exchange) {
    if let Some(consumer) = &exchange.consumer {
        let username = ("username", consumer.username.as_deref());
        let custom_id = ("custom_id", consumer.custom_id.as_deref());
        push_entity(out, "consumer", consumer.id, &[username, custom_id]);
    }
    if let Some(credential) = &exchange.credential {
        push_entity(out, "authenticated_entity", credential.id, &[]);
    }
    write!(out, ",\"client_ip\":\"{}\"", exchange.client.ip).ok();
}

fn push_address(out: &mut Vec<u8>, address: SocketAddr) {
    write!(out, "\"{address}\"").ok();
}

/// `,"kind":{"id":"...","name":"..."}`.
fn push_entity(out: &mut Vec<u8>, kind: &'static str, id: Uuid, names: &[(&'static str, Option<&str>)]) {
    push_name(out, kind);
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.push(b'"');
    for (name, value) in names {
        if let Some(value) = value {
            push_field(out, name, value.as_bytes());
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests;
