//! Guests that mean harm, or are badly made, through a real gateway over sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::time::Duration;

use gateway_plugins::{OnError, WasmPlugin};
use kit::{Edge, builder, edge, edge_of, empty, module, request, whole};
use serde_json::json;

/// Every host call a hostile guest here makes, memory of one page, an allocator that never frees.
const BASE: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_send_local_response"
        (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_http_call"
        (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
    (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
    (import "env" "proxy_get_shared_data" (func $data (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_define_metric" (func $metric (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_done" (func $done (result i32)))
    (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (data (i32.const 16) "host")
    (data (i32.const 32) "x-y")
    (data (i32.const 40) "a\r\nb")
    (data (i32.const 48) "\ff\ff\ff\7f")
    (data (i32.const 64) "wrong: ..")
    (global $top (mut i32) (i32.const 4096))
    (func (export "malloc") (param i32) (result i32)
        (global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0))))
    ;; Answers 299 with the number of the first check that failed, or 200.
    (func $fail (param $number i32)
        (i32.store8 (i32.const 71) (i32.add (i32.const 48) (i32.div_u (local.get $number) (i32.const 10))))
        (i32.store8 (i32.const 72) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
        (drop (call $reply (i32.const 299) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 9)
            (i32.const 0) (i32.const 0) (i32.const -1))))
    (func $check (param $number i32) (param $found i32) (param $wanted i32)
        (if (i32.ne (local.get $found) (local.get $wanted)) (then (call $fail (local.get $number)) (unreachable))))
"#;

fn guest(body: &str) -> String {
    format!("(module {BASE} {body})")
}

/// A guest that runs `code` on each request's head.
fn on_request(code: &str) -> String {
    guest(&format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {code} (i32.const 0))"#
    ))
}

async fn status(edge: &Edge, path: &str) -> u16 {
    edge.get(path).await.status.as_u16()
}

/// Checks that each call gives its status. A wrong one traps, and the request is answered 500.
async fn checked(calls: &[(&str, i32)]) {
    let code: String = calls
        .iter()
        .enumerate()
        .map(|(at, (call, wanted))| format!("(call $check (i32.const {at}) {call} (i32.const {wanted}))"))
        .collect();
    let edge = edge_of(&on_request(&code), json!({})).await;
    let answer = edge.get("/x").await;
    assert_eq!(answer.status, 200, "{calls:?}");
}

const OK: i32 = 0;
const NOT_FOUND: i32 = 1;
const BAD_ARGUMENT: i32 = 2;
const BAD_MEMORY: i32 = 6;

#[tokio::test]
async fn pointers_and_lengths_that_lead_out_of_memory() {
    checked(&[
        ("(call $log (i32.const 2) (i32.const 65535) (i32.const 2))", BAD_MEMORY),
        ("(call $log (i32.const 2) (i32.const -1) (i32.const 1))", BAD_MEMORY),
        ("(call $log (i32.const 2) (i32.const 1) (i32.const -1))", BAD_MEMORY),
        ("(call $log (i32.const 2) (i32.const 65536) (i32.const 0))", OK),
        ("(call $get (i32.const 0) (i32.const 65536) (i32.const 1) (i32.const 0) (i32.const 4))", BAD_MEMORY),
        ("(call $get (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 65533) (i32.const 0))", BAD_MEMORY),
        ("(call $get (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const -2))", BAD_MEMORY),
        ("(call $pairs (i32.const 0) (i32.const -4) (i32.const 0))", BAD_MEMORY),
        ("(call $set (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 65535) (i32.const 9))", BAD_MEMORY),
        ("(call $metric (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 65534))", BAD_MEMORY),
        ("(call $property (i32.const 65530) (i32.const 7) (i32.const 0) (i32.const 4))", BAD_MEMORY),
        ("(call $reply (i32.const 200) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0))", BAD_MEMORY),
        ("(call $write (i32.const 1) (i32.const 65535) (i32.const 1) (i32.const 0))", 21),
        ("(call $write (i32.const 1) (i32.const 48) (i32.const 1) (i32.const 0))", 21),
        ("(call $random (i32.const 65535) (i32.const 2))", 21),
    ])
    .await;
}

#[tokio::test]
async fn numbers_that_are_no_values() {
    checked(&[
        ("(call $log (i32.const 6) (i32.const 0) (i32.const 0))", BAD_ARGUMENT),
        ("(call $get (i32.const 8) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))", BAD_ARGUMENT),
        ("(call $get (i32.const -1) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))", BAD_ARGUMENT),
        ("(call $buffer (i32.const 9) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4))", BAD_ARGUMENT),
        ("(call $continue (i32.const 4))", BAD_ARGUMENT),
        ("(call $metric (i32.const 3) (i32.const 32) (i32.const 3) (i32.const 0))", BAD_ARGUMENT),
        ("(call $metric (i32.const 0) (i32.const 32) (i32.const 60000) (i32.const 0))", BAD_ARGUMENT),
        ("(call $effective (i32.const 0))", BAD_ARGUMENT),
        ("(call $effective (i32.const 99))", BAD_ARGUMENT),
        ("(call $write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0))", 8),
        ("(call $write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 0))", 28),
        ("(call $random (i32.const 0) (i32.const -1))", 28),
        ("(call $reply (i32.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", BAD_ARGUMENT),
        ("(call $reply (i32.const 99999) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", BAD_ARGUMENT),
    ])
    .await;
}

#[tokio::test]
async fn values_that_would_split_or_flood_a_message() {
    checked(&[
        ("(call $set (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 40) (i32.const 4))", BAD_ARGUMENT),
        ("(call $set (i32.const 0) (i32.const 40) (i32.const 4) (i32.const 32) (i32.const 3))", BAD_ARGUMENT),
        ("(call $set (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 32) (i32.const 3))", BAD_ARGUMENT),
        // A count of two thousand million pairs.
        ("(call $set_pairs (i32.const 0) (i32.const 48) (i32.const 4))", BAD_ARGUMENT),
        ("(call $set_pairs (i32.const 0) (i32.const 48) (i32.const 60000))", BAD_ARGUMENT),
        ("(call $reply (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 48) (i32.const 4) (i32.const 0))", BAD_ARGUMENT),
        ("(call $call (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0))", BAD_ARGUMENT),
    ])
    .await;
}

#[tokio::test]
async fn calls_out_of_order() {
    checked(&[
        // No body, no answer, no trailers, no queue, nothing pending.
        ("(call $buffer (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4))", NOT_FOUND),
        ("(call $set_buffer (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4))", NOT_FOUND),
        ("(call $set_buffer (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4))", BAD_ARGUMENT),
        ("(call $get (i32.const 2) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))", NOT_FOUND),
        ("(call $set (i32.const 2) (i32.const 32) (i32.const 3) (i32.const 32) (i32.const 3))", BAD_ARGUMENT),
        ("(call $set (i32.const 1) (i32.const 32) (i32.const 3) (i32.const 32) (i32.const 3))", BAD_ARGUMENT),
        ("(call $get (i32.const 6) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))", NOT_FOUND),
        ("(call $dequeue (i32.const 1000) (i32.const 0) (i32.const 4))", NOT_FOUND),
        ("(call $data (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 8))", NOT_FOUND),
        ("(call $done)", NOT_FOUND),
        ("(call $foreign (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", NOT_FOUND),
        ("(call $property (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))", NOT_FOUND),
    ])
    .await;
}

#[tokio::test]
async fn an_allocator_that_lies_or_fails_harms_only_its_guest() {
    for (answer, wanted) in [("(i32.const 0)", 10), ("(i32.const -8)", BAD_MEMORY)] {
        let base = BASE
            .replace("(global.get $top) (global.set $top (i32.add (global.get $top) (local.get 0)))", answer);
        let text = format!(
            r#"(module {base} (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (call $check (i32.const 0)
                    (call $get (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))
                    (i32.const {wanted}))
                (i32.const 0)))"#
        );
        assert_eq!(status(&edge_of(&text, json!({})).await, "/x").await, 200);
    }
}

#[tokio::test]
async fn an_endless_loop_ends_and_others_go_on() {
    let code = r#"(if (i32.eq (call $get (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 4)) (i32.const 0))
        (then (loop (br 0))))"#;
    let code = module(&wat::parse_str(on_request(code)).unwrap());
    let edge = edge(WasmPlugin::builder("hostile"), &code, json!({})).await;
    assert_eq!(status(&edge, "/x").await, 200);
    let looping = edge.ask(request("GET", "/x").header("x-y", "1").body(empty()).unwrap()).await;
    assert_eq!(looping.status, 500);
    assert_eq!(status(&edge, "/x").await, 200);
    let stats = edge.watch.stats();
    assert_eq!((stats.traps, stats.timeouts), (1, 1), "{stats:?}");
}

#[tokio::test]
async fn an_endless_loop_ends_where_it_has_longer_than_the_ticks_go_on_without_an_entry() {
    let mut limits = kit::patient();
    limits.entry_cpu = Duration::from_secs(4);
    let code = module(&wat::parse_str(on_request("(loop (br 0))")).unwrap());
    let edge = edge(builder("hostile").limits(limits), &code, json!({})).await;
    assert_eq!(status(&edge, "/x").await, 500);
    assert_eq!(edge.watch.stats().timeouts, 1);
}

#[tokio::test]
async fn memory_has_an_end_that_the_guest_can_see() {
    // 255 more pages are the limit; the next one fails, and the guest lives.
    let code = r#"(drop (memory.grow (i32.const 255)))
        (call $check (i32.const 0) (memory.grow (i32.const 1)) (i32.const -1))"#;
    let edge = edge_of(&on_request(code), json!({})).await;
    assert_eq!((status(&edge, "/x").await, status(&edge, "/x").await), (200, 200));
    assert_eq!(edge.watch.stats().traps, 0);
}

#[tokio::test]
async fn a_stack_has_an_end() {
    let text = guest(
        r#"(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $deeper (i32.const 0)))"#,
    );
    let edge = edge_of(&text, json!({ "host": { "on_error": 503 } })).await;
    assert_eq!(status(&edge, "/x").await, 503);
}

#[tokio::test]
async fn a_plugin_that_keeps_trapping_is_quarantined_and_comes_back() {
    let mut limits = kit::patient();
    (limits.traps, limits.quarantine) = (3, Duration::from_secs(2));
    let text = on_request("(unreachable)");
    let edge = edge(
        builder("bad").limits(limits).on_error(OnError::Allow),
        &module(&wat::parse_str(text).unwrap()),
        json!({}),
    )
    .await;
    for _ in 0..10 {
        assert_eq!(status(&edge, "/x").await, 200, "the policy lets requests through");
    }
    let stats = edge.watch.stats();
    assert_eq!((stats.traps, stats.quarantines, stats.quarantined), (3, 1, true), "{stats:?}");
    assert_eq!((stats.failed, stats.instances_alive), (10, 0));
    edge.until(|watch| !watch.stats().quarantined).await;
    status(&edge, "/x").await;
    let stats = edge.watch.stats();
    assert_eq!((stats.traps, stats.quarantines), (4, 2), "one trap on probation is enough: {stats:?}");
}

#[tokio::test]
async fn a_request_that_waits_begins_anew_where_another_one_traps() {
    // It holds the first request it sees; `x-y` traps; all others go on.
    let code = r#"(if (i32.eq (call $get (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 4)) (i32.const 0))
            (then (unreachable)))
        (if (i32.eq (call $data (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 8)) (i32.const 1))
            (then (drop (call $mark (i32.const 16) (i32.const 4) (i32.const 16) (i32.const 4) (i32.const 0)))
                  (return (i32.const 1))))"#;
    let import =
        r#"(import "env" "proxy_set_shared_data" (func $mark (param i32 i32 i32 i32 i32) (result i32)))"#;
    let text = on_request(code).replacen("(module", &format!("(module {import}"), 1);
    let edge = edge_of(&text, json!({})).await;
    let address = edge.address;
    let held = tokio::spawn(async move {
        let answer = kit::ask(address, request("GET", "/held").body(empty()).unwrap()).await;
        answer.status.as_u16()
    });
    edge.until(|watch| watch.stats().contexts == 1).await;
    let trapped = edge.ask(request("GET", "/x").header("x-y", "1").body(empty()).unwrap()).await;
    assert_eq!(trapped.status, 500);
    assert_eq!(tokio::time::timeout(kit::PATIENCE, held).await.unwrap().unwrap(), 200);
    let stats = edge.watch.stats();
    assert_eq!((stats.restarted, stats.failed), (1, 1), "{stats:?}");
}

#[tokio::test]
async fn an_action_that_is_none_holds_the_request() {
    let text = guest(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
               (drop (call $continue (i32.const 0))) (i32.const 77))
           (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
               (drop (call $continue (i32.const 0))) (i32.const 77))"#,
    );
    let edge = edge_of(&text, json!({})).await;
    let answer = edge.ask(request("POST", "/x").body(whole("hi")).unwrap()).await;
    assert_eq!(answer.sent("body"), ["hi"], "and a resumption in the same callback counts");
}

#[tokio::test]
async fn a_guest_of_0_1_0_has_its_own_calls_and_no_end_of_stream() {
    for result in ["(result i32)", ""] {
        let (drop, log) =
            (if result.is_empty() { "" } else { "(drop" }, if result.is_empty() { "" } else { ")" });
        let text = format!(
            r#"(module
                (import "env" "proxy_get_configuration" (func $configuration (param i32 i32) (result i32)))
                (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_continue_request" (func $continue {result}))
                (import "env" "proxy_clear_route_cache" (func $clear {result}))
                (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 32) "x-y")
                (func (export "proxy_abi_version_0_1_0"))
                (func (export "malloc") (param i32) (result i32) (i32.const 2048))
                (func (export "_start"))
                (func (export "proxy_on_configure") (param i32 i32) (result i32)
                    (drop (call $configuration (i32.const 0) (i32.const 4)))
                    (i32.eq (i32.load (i32.const 4)) (local.get 1)))
                (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
                    ;; What is not there is empty, not missing.
                    (if (call $get (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 8) (i32.const 12)) (then (unreachable)))
                    (if (i32.load (i32.const 12)) (then (unreachable)))
                    (drop (call $set (i32.const 0) (i32.const 32) (i32.const 3) (i32.const 32) (i32.const 3)))
                    {drop} (call $clear) {log}
                    {drop} (call $continue) {log}
                    (i32.const 1)))"#
        );
        let answer = edge_of(&text, json!({ "a": "configuration" })).await.get("/x").await;
        assert_eq!(answer.sent("x-y"), ["x-y"], "{answer:?}");
    }
}

#[tokio::test]
async fn a_context_that_asks_for_time_ends_when_it_says_so() {
    let text = guest(
        r#"(global $asked (mut i32) (i32.const 0))
           (func (export "proxy_on_done") (param i32) (result i32) (global.set $asked (local.get 0)) (i32.const 0))
           (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
               (if (global.get $asked) (then
                   (drop (call $effective (global.get $asked)))
                   (call $check (i32.const 0) (call $done) (i32.const 0))
                   (call $check (i32.const 1) (call $done) (i32.const 1))
                   (global.set $asked (i32.const 0))))
               (i32.const 0))"#,
    );
    let edge = edge_of(&text, json!({})).await;
    assert_eq!(status(&edge, "/x").await, 200);
    edge.until(|watch| watch.stats().entries >= 2).await;
    assert_eq!(edge.watch.stats().contexts, 1, "the first one is not over");
    assert_eq!(status(&edge, "/x").await, 200);
    edge.until(|watch| watch.stats().contexts == 1).await;
}

#[tokio::test]
async fn who_wants_to_sleep_is_told_at_once_that_it_has() {
    // A subscription was longer once.
    for (module, size) in [("wasi_snapshot_preview1", 48), ("wasi_unstable", 56)] {
        let text = format!(
            r#"(module (import "{module}" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
                {}
                (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                    ;; A time, and something to read.
                    (i64.store (i32.const 1024) (i64.const 7))
                    (i64.store (i32.add (i32.const 1024) (i32.const {size})) (i64.const 8))
                    (i32.store8 offset=8 (i32.add (i32.const 1024) (i32.const {size})) (i32.const 1))
                    (memory.fill (i32.const 2048) (i32.const 255) (i32.const 68))
                    (call $check (i32.const 1) (call $poll (i32.const 1024) (i32.const 2048) (i32.const 2) (i32.const 0)) (i32.const 0))
                    (call $check (i32.const 2) (i32.load (i32.const 0)) (i32.const 2))
                    (call $check (i32.const 3) (i32.load (i32.const 2048)) (i32.const 7))
                    (call $check (i32.const 4) (i32.load (i32.const 2056)) (i32.const 0))
                    (call $check (i32.const 5) (i32.load (i32.const 2080)) (i32.const 8))
                    (call $check (i32.const 6) (i32.load (i32.const 2088)) (i32.const 0x10008))
                    (call $check (i32.const 7) (i32.load (i32.const 2108)) (i32.const 0))
                    (call $check (i32.const 8) (i32.load (i32.const 2112)) (i32.const -1))
                    (call $check (i32.const 9) (call $poll (i32.const 1024) (i32.const 2048) (i32.const 0) (i32.const 0)) (i32.const 28))
                    (call $check (i32.const 10) (call $poll (i32.const 1024) (i32.const 2048) (i32.const 65) (i32.const 0)) (i32.const 28))
                    (call $check (i32.const 11) (call $poll (i32.const -1) (i32.const 2048) (i32.const 1) (i32.const 0)) (i32.const 21))
                    (call $check (i32.const 12) (call $poll (i32.const 1024) (i32.const 65530) (i32.const 1) (i32.const 0)) (i32.const 21))
                    (call $check (i32.const 13) (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const -1)) (i32.const 21))
                    (i32.const 0)))"#,
            BASE
        );
        let answer = edge_of(&text, json!({})).await.get("/x").await;
        assert_eq!(answer.status, 200, "{module}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_works_on_files_and_sockets_may_be_imported_and_finds_none() {
    const BAD_DESCRIPTOR: i32 = 8;
    const NO_SYSTEM: i32 = 52;
    // Each with its parameters: `i` of 32 bits, `l` of 64.
    let calls = [
        ("fd_advise", "illi"),
        ("fd_allocate", "ill"),
        ("fd_close", "i"),
        ("fd_datasync", "i"),
        ("fd_fdstat_set_flags", "ii"),
        ("fd_fdstat_set_rights", "ill"),
        ("fd_filestat_get", "ii"),
        ("fd_filestat_set_size", "il"),
        ("fd_filestat_set_times", "illi"),
        ("fd_pread", "iiili"),
        ("fd_prestat_dir_name", "iii"),
        ("fd_prestat_get", "ii"),
        ("fd_pwrite", "iiili"),
        ("fd_read", "iiii"),
        ("fd_readdir", "iiili"),
        ("fd_renumber", "ii"),
        ("fd_seek", "ilii"),
        ("fd_sync", "i"),
        ("fd_tell", "ii"),
        ("sock_accept", "iii"),
        ("sock_recv", "iiiiii"),
        ("sock_send", "iiiii"),
        ("sock_shutdown", "ii"),
        ("path_create_directory", "iii"),
        ("path_filestat_get", "iiiii"),
        ("path_filestat_set_times", "iiiilli"),
        ("path_link", "iiiiiii"),
        ("path_open", "iiiiillii"),
        ("path_readlink", "iiiiii"),
        ("path_remove_directory", "iii"),
        ("path_rename", "iiiiii"),
        ("path_symlink", "iiiii"),
        ("path_unlink_file", "iii"),
        ("proc_raise", "i"),
    ];
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let (mut imports, mut code) = (String::new(), String::new());
        for (number, (name, parameters)) in calls.iter().enumerate() {
            let types: String =
                parameters.chars().map(|of| if of == 'i' { " i32" } else { " i64" }).collect();
            let zeros: String = parameters
                .chars()
                .map(|of| if of == 'i' { "(i32.const 0)" } else { "(i64.const 0)" })
                .collect();
            let errno = if name.starts_with('p') { NO_SYSTEM } else { BAD_DESCRIPTOR };
            imports +=
                &format!("(import \"{module}\" \"{name}\" (func ${name} (param{types}) (result i32)))\n");
            code +=
                &format!("(call $check (i32.const {number}) (call ${name} {zeros}) (i32.const {errno}))\n");
        }
        let text = format!(
            r#"(module {imports} {BASE}
                (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {code} (i32.const 0)))"#
        );
        let answer = edge_of(&text, json!({})).await.get("/x").await;
        assert_eq!(answer.status, 200, "{module}: {}", answer.text);
    }
}
