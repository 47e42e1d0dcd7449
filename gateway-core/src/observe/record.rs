//! Kong's log record: one request as the log plugins write it. Pure, into a buffer that is there already.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};
use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

use super::{
    json::{push_number, push_string},
    latencies::Latencies,
    redacted::redacted,
};
use crate::plugin::{Exchange, Recorded, Try, Versions};

/// Kong reads so many arguments of a query, and no more.
const MAX_ARGUMENTS: usize = 100;

/// Appends `exchange`, which ended at `now`, as one JSON object, without a line end: what Kong's log serializer
/// makes (compat O3). Heads and tries are those of its [`Recorded`], if it has one.
///
/// Credentials in `Authorization`, `Proxy-Authorization` and `apikey` are replaced by `REDACTED`. Sizes are bytes of bodies,
/// times are whole milliseconds. `reason` is the gateway's own, and there only after a failure; so is `plugin_versions`,
/// where a plugin has several side by side.
///
/// ```
/// use std::{sync::Arc, time::SystemTime};
/// use gateway_core::{ConnectInfo, observe::push_record, plugin::Exchange};
///
/// let exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
/// let mut record = Vec::new();
/// push_record(&mut record, &exchange, SystemTime::now());
/// let record: serde_json::Value = serde_json::from_slice(&record)?;
/// assert_eq!(record["response"]["status"], 200);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn push_record(out: &mut Vec<u8>, exchange: &Exchange, now: SystemTime) {
    let nothing = Recorded::default();
    let recorded = exchange.extensions.get::<Recorded>().unwrap_or(&nothing);
    let latencies = Latencies::from(exchange.timings);
    let ended = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let started = ended.saturating_sub(latencies.request);
    let mut record = Object::begin(out);
    record.nested("request", |object| request(object, exchange, recorded));
    let upstream_uri = recorded.upstream_uri.as_ref().and_then(|uri| uri.path_and_query());
    record.text("upstream_uri", &redacted(upstream_uri.map_or("", |uri| uri.as_str())));
    record.text("upstream_status", &upstream_status(&recorded.tries));
    record.nested("response", |object| {
        object.number("status", u64::from(exchange.status.as_u16()));
        object.nested("headers", |fields| headers(fields, &recorded.response));
        object.number("size", exchange.response_bytes);
    });
    record.nested("latencies", |object| times(object, latencies));
    record.list("tries", &recorded.tries, |object, attempt| tried(object, attempt, started));
    entities(&mut record, exchange);
    record.text("client_ip", &exchange.client.ip.to_string());
    record.number("started_at", milliseconds(started));
    record.text("source", exchange.source.word());
    record.text("workspace", "default");
    record.text("workspace_name", "default");
    if let Some(reason) = exchange.reason {
        record.text("reason", reason.word());
    }
    if let Some(versions) = exchange.extensions.get::<Versions>() {
        record.nested("plugin_versions", |object| {
            versions.iter().for_each(|(plugin, version)| {
                object.name(plugin.as_bytes());
                push_string(object.out, version.as_bytes());
            });
        });
    }
    record.end();
}

fn request(object: &mut Object<'_>, exchange: &Exchange, recorded: &Recorded) {
    let target = redacted(exchange.uri.path_and_query().map_or("", |target| target.as_str()));
    object.text("id", &exchange.request_id.to_string());
    object.text("method", exchange.method.as_str());
    object.text("uri", &target);
    let scheme = if exchange.client.scheme.is_tls() { "https" } else { "http" };
    let port = exchange.connection.local().port();
    object.text("url", &format!("{scheme}://{}:{port}{target}", exchange.host.name()));
    object.nested("querystring", |query| {
        arguments(query, target.split_once('?').map_or("", |(_, query)| query));
    });
    object.nested("headers", |fields| headers(fields, &recorded.request));
    object.number("size", exchange.request_bytes);
    if let Some(tls) = exchange.connection.tls() {
        object.nested("tls", |object| {
            object.text("version", tls.version.unwrap_or_default());
            object.text("cipher", tls.cipher.unwrap_or_default());
            object.text("client_verify", "NONE");
        });
    }
}

/// A name that comes once has a text, one that comes again a list, one without `=` is `true`.
fn arguments(object: &mut Object<'_>, query: &str) {
    let mut all = IndexMap::<Vec<u8>, Vec<Option<Vec<u8>>>>::new();
    for argument in query.split('&').filter(|argument| !argument.is_empty()).take(MAX_ARGUMENTS) {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(decoded(value))),
            None => (argument, None),
        };
        all.entry(decoded(name)).or_default().push(value);
    }
    for (name, values) in &all {
        object.name(name);
        one_or_list(object.out, values, |out, value| match value {
            Some(value) => push_string(out, value),
            None => out.extend_from_slice(b"true"),
        });
    }
}

/// Of a name or value in a query.
fn decoded(text: &str) -> Vec<u8> {
    percent_decode_str(&text.replace('+', " ")).collect()
}

fn headers(object: &mut Object<'_>, headers: &HeaderMap) {
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| shown(name, value.as_bytes())).collect();
        object.name(name.as_str().as_bytes());
        one_or_list(object.out, &values, |out, value| push_string(out, value));
    }
}

/// Keys of clients are hidden under the name that key-auth has unless configured otherwise.
fn shown<'v>(name: &HeaderName, value: &'v [u8]) -> &'v [u8] {
    let secret = *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION || name == "apikey";
    if secret { b"REDACTED" } else { value }
}

fn times(object: &mut Object<'_>, latencies: Latencies) {
    object.number("kong", milliseconds(latencies.gateway));
    match latencies.upstream {
        Some(upstream) => object.number("proxy", milliseconds(upstream)),
        None => object.raw("proxy", b"-1"),
    }
    object.number("receive", milliseconds(latencies.receive));
    object.number("request", milliseconds(latencies.request));
}

/// The status of each try, as nginx's `$upstream_status` lists them.
fn upstream_status(tries: &[Try]) -> String {
    let statuses = tries.iter().filter_map(|attempt| attempt.status);
    statuses.map(|status| status.as_str().to_owned()).collect::<Vec<_>>().join(", ")
}

fn tried(object: &mut Object<'_>, attempt: &Try, started: Duration) {
    object.text("ip", &attempt.endpoint.ip().to_string());
    object.number("port", u64::from(attempt.endpoint.port()));
    object.number("balancer_start", milliseconds(started + attempt.begun));
    object.number("balancer_latency", 0);
    if let Some(status) = attempt.status {
        if attempt.failed {
            object.text("state", "failed");
        }
        object.number("code", u64::from(status.as_u16()));
    }
}

fn entities(record: &mut Object<'_>, exchange: &Exchange) {
    let consumer = exchange.consumer.as_deref();
    if let Some(credential) = &exchange.credential {
        record.nested("authenticated_entity", |object| {
            object.text("id", &credential.id.to_string());
            if let Some(consumer) = consumer {
                object.text("consumer_id", &consumer.id.to_string());
            }
        });
    }
    if let Some(route) = exchange.route() {
        record.entity("route", route);
    }
    if let Some(service) = exchange.service() {
        record.entity("service", service);
    }
    if let Some(consumer) = consumer {
        record.entity("consumer", consumer);
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One value alone, or several as a list, as Lua's tables of fields and arguments become JSON.
fn one_or_list<T>(out: &mut Vec<u8>, values: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    let list = values.len() != 1;
    if list {
        out.push(b'[');
    }
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, value);
    }
    if list {
        out.push(b']');
    }
}

/// A JSON object that is being written.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &[u8]) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        push_string(self.out, name);
        self.out.push(b':');
    }

    fn raw(&mut self, name: &str, json: &[u8]) {
        self.name(name.as_bytes());
        self.out.extend_from_slice(json);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name.as_bytes());
        push_string(self.out, text.as_bytes());
    }

    fn number(&mut self, name: &str, number: u64) {
        self.name(name.as_bytes());
        push_number(self.out, number);
    }

    fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name.as_bytes());
        let mut object = Object::begin(self.out);
        fill(&mut object);
        object.end();
    }

    fn list<T>(&mut self, name: &str, items: &[T], fill: impl Fn(&mut Object<'_>, &T)) {
        self.name(name.as_bytes());
        self.out.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            let mut object = Object::begin(self.out);
            fill(&mut object, item);
            object.end();
        }
        self.out.push(b']');
    }

    /// An entity without the fields that are not set, as Lua's tables have none of them.
    fn entity(&mut self, name: &str, entity: &impl Serialize) {
        self.name(name.as_bytes());
        push_value(self.out, &serde_json::to_value(entity).unwrap_or_default());
    }
}

/// Any JSON, through the escapes of the log.
fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut object = Object::begin(out);
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                object.name(name.as_bytes());
                push_value(object.out, value);
            }
            object.end();
        }
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push_value(out, item);
            }
            out.push(b']');
        }
        Value::String(text) => push_string(out, text.as_bytes()),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests;
