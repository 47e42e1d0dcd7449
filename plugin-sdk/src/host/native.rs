//! The host of a native test: whatever [`enter`] put in place.

use std::{cell::RefCell, rc::Rc};

use super::{Buffer, Level, Map, Metric, Side, Status};
use crate::Text;

/// What a host does for a plugin. The testing kit has one; so can you.
///
/// Every method is a call of Proxy-Wasm 0.2.1, for the context of [`effective_context`](Self::effective_context).
pub trait Host {
    /// The root of the running callback.
    fn root(&self) -> u32;
    /// `proxy_set_effective_context`
    fn effective_context(&self, context: u32);
    /// The first value of a field, or of a pseudo-field as `:path`.
    fn header(&self, map: Map, name: &str) -> Option<Vec<u8>>;
    /// All fields, pseudo-fields included.
    fn headers(&self, map: Map) -> Vec<(String, String)>;
    /// Writes a field in place of all of its name.
    fn set_header(&self, map: Map, name: &str, value: &str);
    /// Adds a field.
    fn add_header(&self, map: Map, name: &str, value: &str);
    /// Takes all fields of a name out.
    fn remove_header(&self, map: Map, name: &str);
    /// A property.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
    /// Bytes of a buffer.
    fn bytes(&self, buffer: Buffer, start: usize, most: usize) -> Vec<u8>;
    /// Puts bytes in place of others.
    fn set_bytes(&self, buffer: Buffer, start: usize, most: usize, bytes: &[u8]);
    /// Answers the request.
    fn reply(&self, status: u16, headers: &[(&str, &str)], body: &[u8]);
    /// Lets a held message go.
    fn resume(&self, side: Side);
    /// Begins a callout: its token.
    ///
    /// # Errors
    /// A call that is not allowed, or makes no sense.
    fn http_call(
        &self,
        upstream: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        milliseconds: u32,
    ) -> Result<u32, Status>;
    /// Calls a foreign function.
    ///
    /// # Errors
    /// What the function says; [`Status::NOT_FOUND`] where there is none.
    fn foreign(&self, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Status>;
    /// Writes a line.
    fn log(&self, level: Level, text: &str);
    /// Nanoseconds since 1970.
    fn now(&self) -> u64;
    /// Ticks from now on.
    fn tick_every(&self, milliseconds: u32);
    /// A metric by its name.
    ///
    /// # Errors
    /// A name that is taken by another kind.
    fn define_metric(&self, kind: Metric, name: &str) -> Result<u32, Status>;
    /// Adds to a metric.
    fn increment_metric(&self, metric: u32, by: i64);
    /// Records a value.
    fn record_metric(&self, metric: u32, value: u64);
}

thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Runs `call` with `host` in place.
pub fn enter<R>(host: Rc<dyn Host>, call: impl FnOnce() -> R) -> R {
    let _before = Before(HOST.replace(Some(host)));
    call()
}

/// Puts the host from before back, also where a plugin panics.
struct Before(Option<Rc<dyn Host>>);

impl Drop for Before {
    fn drop(&mut self) {
        HOST.set(self.0.take());
    }
}

fn host() -> Rc<dyn Host> {
    let host = HOST.with_borrow(Clone::clone);
    #[expect(clippy::expect_used, reason = "a mistake in a test")]
    host.expect("a plugin runs in a host: use plugin_sdk::testing")
}

pub(crate) fn root() -> u32 {
    host().root()
}

/// Native hosts always tell of the end of a request.
pub(crate) const fn keeps() {}

/// Native hosts show every body.
pub(crate) const fn skips_body() {}

pub(crate) fn header(map: Map, name: &str) -> Option<Text> {
    Text::of(&host().header(map, name)?)
}

/// The first value of a field, and whether it is the only one.
pub(crate) fn header_alone(map: Map, name: &str) -> Option<(Text, bool)> {
    Some((header(map, name)?, super::is_alone(&headers(map), name)))
}

pub(crate) fn headers(map: Map) -> Vec<(String, String)> {
    host().headers(map)
}

pub(crate) fn set_header(map: Map, name: &str, value: &str) {
    host().set_header(map, name, value);
}

pub(crate) fn add_header(map: Map, name: &str, value: &str) {
    host().add_header(map, name, value);
}

pub(crate) fn remove_header(map: Map, name: &str) {
    host().remove_header(map, name);
}

/// A property, read where it lies.
pub(crate) fn property<R>(path: &[&str], read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    Some(read(&host().property(path)?))
}

pub(crate) fn bytes(buffer: Buffer, start: usize, most: usize) -> Vec<u8> {
    host().bytes(buffer, start, most)
}

pub(crate) fn set_bytes(buffer: Buffer, start: usize, most: usize, bytes: &[u8]) {
    host().set_bytes(buffer, start, most, bytes);
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) {
    host().reply(status, headers, body);
}

pub(crate) fn resume(side: Side) {
    host().resume(side);
}

pub(crate) fn effective_context(context: u32) {
    host().effective_context(context);
}

pub(crate) fn http_call(
    upstream: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    milliseconds: u32,
) -> Result<u32, Status> {
    host().http_call(upstream, headers, body, milliseconds)
}

pub(crate) fn foreign<R>(name: &str, arguments: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<R, Status> {
    host().foreign(name, arguments).map(|results| read(&results))
}

pub(crate) fn log(level: Level, text: &str) {
    host().log(level, text);
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    host().now()
}

pub(crate) fn tick_every(milliseconds: u32) {
    host().tick_every(milliseconds);
}

pub(crate) fn define_metric(kind: Metric, name: &str) -> Result<u32, Status> {
    host().define_metric(kind, name)
}

pub(crate) fn increment_metric(metric: u32, by: i64) {
    host().increment_metric(metric, by);
}

pub(crate) fn record_metric(metric: u32, value: u64) {
    host().record_metric(metric, value);
}
