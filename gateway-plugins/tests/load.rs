//! Modules that cannot be plugins are refused, and told why.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::error::Error as _;

use gateway_core::plugin::Plugin as _;
use gateway_plugins::{Limits, LoadError, Module, WasmPlugin};
use kit::{ENGINE, builder};
use serde_json::json;

/// What every plugin must have.
const BASE: &str = r#"(memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))"#;

fn load(text: &str) -> Result<Module, LoadError> {
    Module::new(&ENGINE, &wat::parse_str(text).unwrap(), &Limits::default())
}

fn refused(text: &str) -> String {
    let error = load(text).err().unwrap_or_else(|| panic!("loaded: {text}"));
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

#[test]
fn the_least_module_loads_in_every_version() {
    for version in ["0_1_0", "0_2_0", "0_2_1"] {
        load(&format!("(module {})", BASE.replace("0_2_1", version))).unwrap();
    }
}

#[test]
fn the_message_names_what_is_at_fault() {
    for (text, message) in [
        (BASE.replace("proxy_abi_version_0_2_1", "x"), "no export tells the Proxy-Wasm ABI"),
        (
            BASE.replace("proxy_abi_version_0_2_1", "proxy_abi_version_0_3_0"),
            "no export tells the Proxy-Wasm ABI",
        ),
        (BASE.replace("\"memory\"", "\"m\""), "no export memory"),
        (BASE.replace("malloc", "m"), "no export proxy_on_memory_allocate (or malloc)"),
        (format!(r#"(import "env" "steal" (func)) {BASE}"#), "the host has no import env.steal"),
        (
            format!(r#"(import "wasi_snapshot_preview1" "sock_open" (func)) {BASE}"#),
            "wasi_snapshot_preview1.sock_open",
        ),
        (
            format!(r#"(import "env" "proxy_log" (func (param i64))) {BASE}"#),
            "an import has another type than the host's",
        ),
        (
            BASE.replace("\"memory\") 1", "\"memory\") 300"),
            "the memory it begins with, in bytes, is 19660800, over the limit of 16777216",
        ),
        (
            format!("{BASE} (table 70000 funcref)"),
            "the largest table's length is 70000, over the limit of 65536",
        ),
    ] {
        let found = refused(&format!("(module {text})"));
        assert!(found.contains(message), "{found}\ninstead of\n{message}");
    }
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    let load = |bytes: &[u8]| Module::new(&ENGINE, bytes, &Limits::default());
    assert!(matches!(load(b""), Err(LoadError::Invalid(_))));
    assert!(matches!(load(b"\0asm\x01\0\0\0\xff"), Err(LoadError::Invalid(_))));
    assert!(matches!(load(b"(module)"), Err(LoadError::Invalid(_))), "text is for people");
    let mut limits = Limits::default();
    limits.module = 4;
    let large = Module::new(&ENGINE, b"\0asm\x01\0\0\0", &limits);
    assert_eq!(large.unwrap_err().to_string(), "the module's size in bytes is 8, over the limit of 4");
}

#[test]
fn machine_code_is_refused_before_anything_looks_into_it() {
    let engine = wasmtime::Engine::default();
    let module = wat::parse_str(format!("(module {BASE})")).unwrap();
    let precompiled = engine.precompile_module(&module).unwrap();
    let refused = Module::new(&ENGINE, &precompiled, &Limits::default());
    assert!(matches!(refused, Err(LoadError::Precompiled)));
}

#[test]
fn a_callback_of_another_type_is_named() {
    let text = format!(r#"(module {BASE} (func (export "proxy_on_tick") (param i64)))"#);
    let refused = builder("odd").module(&ENGINE, &load(&text).unwrap()).configure(&json!({})).unwrap_err();
    assert_eq!(refused, "export proxy_on_tick must be (i32)");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = builder("x").file(&ENGINE, "/nowhere/x.wasm").unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nowhere/x.wasm");
}

#[test]
fn a_configuration_is_tried_out() {
    for (start, message) in [
        ("(unreachable)", "the plugin ended in a trap"),
        ("(loop (br 0))", "used up its 50ms of processor time"),
        ("(call $exit (i32.const 3))", "the guest left with 3"),
    ] {
        let text = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) {BASE}
               (func (export "_initialize") {start}))"#
        );
        let plugin = WasmPlugin::builder("bad").module(&ENGINE, &load(&text).unwrap());
        let refused = plugin.configure(&json!({})).unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
    let text = format!(
        r#"(module {BASE} (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0)))"#
    );
    let refused = builder("bad").module(&ENGINE, &load(&text).unwrap()).configure(&json!({})).unwrap_err();
    assert_eq!(refused, "the plugin refused to start");
}
