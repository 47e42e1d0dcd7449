//! Two versions of a plugin side by side, through a real gateway.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use gateway_core::{
    Gateway, Settings,
    config::{Config, Plugin as PluginEntity, Route},
    plugin::Registry,
};
use gateway_plugins::{Folder, Plugins};
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use kit::{ask, empty, request, start, to};
use serde_json::json;
use tokio::sync::Notify;

/// A module of this version that says in the answer which phases it saw, and takes no configuration longer than so many bytes.
fn module(version: &str, most: u32) -> Vec<u8> {
    let text = format!(
        r#"(module (@custom "gateway-plugin" "{{\"name\":\"geo\",\"version\":\"{version}\",\"config\":{{\"properties\":{{\"a\":{{\"type\":\"string\"}}}}}}}}")
            (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "x-version{version}")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.le_u (local.get 1) (i32.const {most})))
            (func $tell (param i32)
                (drop (call $add (local.get 0) (i32.const 0) (i32.const 9) (i32.const 9) (i32.const {}))))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (call $tell (i32.const 0)) (i32.const 0))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                (call $tell (i32.const 2)) (i32.const 0)))"#,
        version.len()
    );
    wat::parse_str(text).unwrap()
}

/// A folder with a delivery of two versions, which is gone after the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gateway-versions-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("modules")).unwrap();
        fs::write(path.join("modules/old.wasm"), module("1.4.0", 100)).unwrap();
        fs::write(path.join("modules/new.wasm"), module("1.5.0", 20)).unwrap();
        Self(path)
    }

    fn share(&self, new: u8) {
        let part = |name: &str, percent: u8| {
            format!("[[versions]]\nsource = \"file:modules/{name}.wasm\"\npercent = {percent}\n")
        };
        fs::write(self.0.join("geo.toml"), part("old", 100 - new) + &part("new", new)).unwrap();
    }

    fn open(&self) -> (Folder, Registry) {
        let folder = Folder::open(&Plugins::new().unwrap(), Path::new(&self.0), BTreeMap::new()).unwrap();
        let registry = folder.over(Registry::empty());
        (folder, registry)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_client_sees_one_version_in_all_phases_and_a_growing_share_keeps_whom_it_had() {
    let scratch = Scratch::new("share");
    scratch.share(30);
    let (mut folder, registry) = scratch.open();
    assert_eq!(registry.get("geo").unwrap().version(), "1.4.0 (70 %), 1.5.0 (30 %)");
    let service = to("echo", kit::upstream().await);
    let mut route = Route::new("all").to(&service);
    route.paths = Some(vec!["/".into()]);
    let config = Config::default().with(service).with(route);
    let plain = config.clone().with(PluginEntity::new("geo", json!({})));
    let mut settings = Settings::default();
    settings.trust.trusted_ips = ["127.0.0.0/8".parse().unwrap()].into_iter().collect();
    let gateway = Gateway::builder().config(plain).settings(settings).plugins(registry).build().unwrap();
    let (address, _running) = start(&gateway);
    let seen = async || {
        let mut new = BTreeSet::new();
        for client in 0..100 {
            let request = request("GET", "/").header("x-real-ip", format!("192.0.2.{client}"));
            let answer = ask(address, request.body(empty()).unwrap()).await;
            let version = answer.header("x-version").to_owned();
            assert_eq!(answer.sent("x-version"), [version.as_str()], "{answer:?}");
            if version == "1.5.0" {
                new.insert(client);
            }
        }
        new
    };
    let few = seen().await;
    assert!((15..45).contains(&few.len()), "{}", few.len());
    assert_eq!(seen().await, few, "the same clients");
    scratch.share(80);
    assert!(!folder.look().unwrap() && folder.look().unwrap());
    gateway.replace_plugins(folder.over(Registry::empty())).unwrap();
    let many = seen().await;
    assert!(many.is_superset(&few) && (65..95).contains(&many.len()), "{}", many.len());
    // What one version does not take, none takes.
    let long = config.with(PluginEntity::new("geo", json!({ "a": "longer than the new version takes" })));
    let refused = gateway.reload(&long).unwrap_err().to_string();
    assert!(refused.contains("version 1.5.0: the plugin refused the configuration"), "{refused}");
}

static ASKED: Notify = Notify::const_new();
static ANSWERS: Notify = Notify::const_new();

/// An upstream that answers when it is told to.
async fn waits(request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
    if request.uri().path() == "/slow" {
        ASKED.notify_one();
        ANSWERS.notified().await;
    }
    kit::echo(request).await
}

#[tokio::test]
async fn what_began_with_a_version_ends_with_it_and_one_that_takes_no_configuration_does_not_come() {
    let scratch = Scratch::new("flight");
    scratch.share(0);
    let (mut folder, registry) = scratch.open();
    let service = to("waits", kit::serve(waits).await);
    let mut route = Route::new("all").to(&service);
    (route.paths, route.strip_path) = (Some(vec!["/".into()]), false);
    let config = Config::default().with(service).with(route).with(PluginEntity::new("geo", json!({})));
    let gateway = Gateway::builder().config(config).plugins(registry).build().unwrap();
    let (address, _running) = start(&gateway);
    let get = move |path| async move { ask(address, request("GET", path).body(empty()).unwrap()).await };
    let slow = tokio::spawn(get("/slow"));
    tokio::time::timeout(kit::PATIENCE, ASKED.notified()).await.unwrap();
    scratch.share(100);
    assert!(!folder.look().unwrap() && folder.look().unwrap());
    gateway.replace_plugins(folder.over(Registry::empty())).unwrap();
    let after = get("/x").await;
    assert_eq!((after.header("x-version"), after.sent("x-version")), ("1.5.0", vec!["1.5.0"]));
    ANSWERS.notify_one();
    let before = tokio::time::timeout(kit::PATIENCE, slow).await.unwrap().unwrap();
    assert_eq!((before.header("x-version"), before.sent("x-version")), ("1.4.0", vec!["1.4.0"]));
    // The next version takes no configuration at all.
    fs::write(scratch.0.join("modules/newer.wasm"), module("1.6.0", 0)).unwrap();
    let newer = fs::read_to_string(scratch.0.join("geo.toml")).unwrap().replace("new.wasm", "newer.wasm");
    fs::write(scratch.0.join("geo.toml"), newer).unwrap();
    assert!(!folder.look().unwrap() && folder.look().unwrap());
    let refused = gateway.replace_plugins(folder.over(Registry::empty())).unwrap_err().to_string();
    assert!(refused.contains("version 1.6.0: the plugin refused the configuration"), "{refused}");
    assert_eq!(get("/x").await.header("x-version"), "1.5.0", "what was there goes on");
}
