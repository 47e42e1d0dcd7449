//! The imports, and the memory that the host fills.
//!
//! The only unsafe code of the SDK. What makes it sound: a guest has one thread; the host writes only where it was
//! given room, or into the mailbox, and only during a call; what it gives is either the mailbox's bytes, which are
//! copied before the next call, or memory of `proxy_on_memory_allocate`, which is owned from then on.
#![allow(unsafe_code)]

use std::{ptr, slice};

use plugin_contract::mailbox::{Mailbox, ROOM};

use super::{
    Buffer, Level, Map, Metric, Side, Status, is_alone,
    pairs::{decode as decode_pairs, encode as encode_pairs},
};
use crate::Text;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_property(path: *const u8, size: usize, value: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        size: usize,
        value: *mut *mut u8,
        length: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, pairs: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        size: usize,
        value: *const u8,
        length: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        size: usize,
        value: *const u8,
        length: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        most: usize,
        bytes: *mut *mut u8,
        length: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(buffer: u32, start: usize, most: usize, bytes: *const u8, length: usize)
    -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(side: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_http_call(
        upstream: *const u8,
        upstream_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        milliseconds: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        size: usize,
        arguments: *const u8,
        arguments_size: usize,
        results: *mut *mut u8,
        results_size: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
}

#[unsafe(export_name = "gateway_mailbox")]
static mut MAILBOX: Mailbox = Mailbox { root: 0, says: 0, bytes: [0; ROOM], values: 0 };

/// Memory for what the host gives.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::leak(vec![0_u8; size].into_boxed_slice()).as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// The root of the running callback, where the host says it.
pub(crate) fn root() -> u32 {
    unsafe { (&raw const MAILBOX.root).read_volatile() }
}

/// Asks to be told of the end of the running callback's request.
pub(crate) fn keeps() {
    say(plugin_contract::mailbox::KEEPS);
}

/// Asks not to be shown the body of the message whose head is in hand.
pub(crate) fn skips_body() {
    say(plugin_contract::mailbox::SKIPS);
}

fn say(word: u32) {
    unsafe {
        let says = &raw mut MAILBOX.says;
        says.write_volatile(says.read_volatile() | word);
    }
}

/// What the host gave, while `read` looks at it.
#[inline]
fn given<R>(
    call: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    read: impl FnOnce(&[u8]) -> R,
) -> Result<R, Status> {
    let (mut pointer, mut length) = (ptr::null_mut(), 0);
    match call(&raw mut pointer, &raw mut length) {
        0 if pointer.is_null() || length == 0 => Ok(read(&[])),
        0 if ptr::eq(pointer, unsafe { &raw const MAILBOX.bytes }.cast()) => {
            Ok(read(unsafe { slice::from_raw_parts(pointer, length) }))
        }
        0 => {
            let owned = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(pointer, length)) };
            Ok(read(&owned))
        }
        status => Err(Status(status)),
    }
}

#[inline]
pub(crate) fn header(map: Map, name: &str) -> Option<Text> {
    let call = |value, length| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), value, length)
    };
    given(call, Text::lossy).ok()
}

/// The first value of a field, and whether it is the only one.
#[inline]
pub(crate) fn header_alone(map: Map, name: &str) -> Option<(Text, bool)> {
    unsafe { (&raw mut MAILBOX.values).write_volatile(0) };
    let first = header(map, name)?;
    let alone = match unsafe { (&raw const MAILBOX.values).read_volatile() } {
        0 => is_alone(&headers(map), name),
        values => values == 1,
    };
    Some((first, alone))
}

pub(crate) fn headers(map: Map) -> Vec<(String, String)> {
    given(|pairs, length| unsafe { proxy_get_header_map_pairs(map as u32, pairs, length) }, decode_pairs)
        .unwrap_or_default()
}

pub(crate) fn set_header(map: Map, name: &str, value: &str) {
    unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

pub(crate) fn add_header(map: Map, name: &str, value: &str) {
    unsafe {
        proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

pub(crate) fn remove_header(map: Map, name: &str) {
    unsafe {
        proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len());
    }
}

/// A property, read where it lies.
pub(crate) fn property<R>(path: &[&str], read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    let path = path.join("\0");
    given(|value, length| unsafe { proxy_get_property(path.as_ptr(), path.len(), value, length) }, read).ok()
}

pub(crate) fn bytes(buffer: Buffer, start: usize, most: usize) -> Vec<u8> {
    let call = |bytes, length| unsafe { proxy_get_buffer_bytes(buffer as u32, start, most, bytes, length) };
    given(call, <[u8]>::to_vec).unwrap_or_default()
}

/// A body that the host does not take must not go on as it was: what a plugin took out would still be in it.
pub(crate) fn set_bytes(buffer: Buffer, start: usize, most: usize, bytes: &[u8]) {
    let status = unsafe { proxy_set_buffer_bytes(buffer as u32, start, most, bytes.as_ptr(), bytes.len()) };
    if status != 0 {
        fail();
    }
}

/// Nobody waits for an answer that the host does not take.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) {
    if answer(status, headers, body) != 0 {
        fail();
    }
}

#[cold]
fn fail() {
    answer(500, &[], b"An unexpected error occurred");
}

fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> u32 {
    let headers = encode_pairs(headers);
    unsafe {
        proxy_send_local_response(
            status.into(),
            ptr::null(),
            0,
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    }
}

pub(crate) fn resume(side: Side) {
    unsafe {
        proxy_continue_stream(side as u32);
    }
}

pub(crate) fn effective_context(context: u32) {
    unsafe {
        proxy_set_effective_context(context);
    }
}

pub(crate) fn http_call(
    upstream: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    milliseconds: u32,
) -> Result<u32, Status> {
    let (headers, trailers) = (encode_pairs(headers), encode_pairs(&[]));
    let mut token = 0;
    let status = unsafe {
        proxy_http_call(
            upstream.as_ptr(),
            upstream.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            milliseconds,
            &raw mut token,
        )
    };
    if status == 0 { Ok(token) } else { Err(Status(status)) }
}

pub(crate) fn foreign<R>(name: &str, arguments: &[u8], read: impl FnOnce(&[u8]) -> R) -> Result<R, Status> {
    let call = |results, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            results,
            size,
        )
    };
    given(call, read)
}

pub(crate) fn log(level: Level, text: &str) {
    unsafe {
        proxy_log(level as u32, text.as_ptr(), text.len());
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    let mut time = 0;
    unsafe {
        proxy_get_current_time_nanoseconds(&raw mut time);
    }
    time
}

pub(crate) fn tick_every(milliseconds: u32) {
    unsafe {
        proxy_set_tick_period_milliseconds(milliseconds);
    }
}

pub(crate) fn define_metric(kind: Metric, name: &str) -> Result<u32, Status> {
    let mut metric = 0;
    let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut metric) };
    if status == 0 { Ok(metric) } else { Err(Status(status)) }
}

pub(crate) fn increment_metric(metric: u32, by: i64) {
    unsafe {
        proxy_increment_metric(metric, by);
    }
}

pub(crate) fn record_metric(metric: u32, value: u64) {
    unsafe {
        proxy_record_metric(metric, value);
    }
}
