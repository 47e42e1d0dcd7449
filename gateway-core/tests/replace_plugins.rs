//! Plugins that are replaced while the gateway runs.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use gateway_core::{
    Body, Gateway,
    config::{Config, schema::Record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin, Registry},
};
use http::{Request, Response};
use serde_json::Value;
use tower::ServiceExt;

/// Answers with its version and how often it was asked since it was configured.
struct Answers {
    name: &'static str,
    version: &'static str,
    priority: i32,
    refuses: bool,
    schema: Record,
}

fn plugin(name: &'static str, version: &'static str, priority: i32) -> Answers {
    Answers { name, version, priority, refuses: false, schema: Record::new(Vec::new()) }
}

impl Plugin for Answers {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        if self.refuses {
            return Err("not like this".to_owned());
        }
        Ok(Configured::handler(Answer(self.version, AtomicU32::new(0))))
    }
}

struct Answer(&'static str, AtomicU32);

impl Handler for Answer {
    fn on_request(&self, _: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        let times = self.1.fetch_add(1, Relaxed) + 1;
        Flow::reply(Response::new(Body::from(format!("{} {times}", self.0))))
    }
}

const FILE: &str = "{_format_version: '3.0', routes: [
    {name: a, paths: [/a], plugins: [{name: one}]}, {name: b, paths: [/b], plugins: [{name: two}]},
    {name: c, paths: [/c], plugins: [{name: one}, {name: two}]}]}";

fn gateway() -> (Gateway, Registry) {
    let registry = Registry::empty().with(plugin("one", "1", 10)).with(plugin("two", "1", 5));
    let config = Config::parse(FILE, &registry).unwrap();
    (Gateway::builder().plugins(registry.clone()).config(config).build().unwrap(), registry)
}

async fn get(gateway: &Gateway, path: &str) -> String {
    let request = Request::get(path).header("host", "a.test").body(Body::empty()).unwrap();
    let body = gateway.clone().oneshot(request).await.unwrap().into_body();
    String::from_utf8(http_body_util::BodyExt::collect(body).await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn what_another_plugin_configured_is_made_anew_and_the_rest_goes_on() {
    let (gateway, before) = gateway();
    assert_eq!(get(&gateway, "/a").await, "1 1");
    assert_eq!(get(&gateway, "/b").await, "1 1");
    let change = gateway.replace_plugins(before.clone().with(plugin("one", "2", 10))).unwrap();
    assert_eq!((change.plugins.len(), change.routes.len()), (2, 0));
    assert_eq!(get(&gateway, "/a").await, "2 1");
    assert_eq!(get(&gateway, "/b").await, "1 2", "it is the one of before");
    // What comes later is configured by the new one, too.
    let config = Config::parse(&FILE.replace("/a", "/d"), &gateway.plugins()).unwrap();
    gateway.reload(&config).unwrap();
    assert_eq!(get(&gateway, "/d").await, "2 2");
    assert!(Arc::ptr_eq(before.get("two").unwrap(), gateway.plugins().get("two").unwrap()));
}

#[tokio::test]
async fn another_place_in_the_order_counts_at_once() {
    let (gateway, before) = gateway();
    assert_eq!(get(&gateway, "/c").await, "1 1", "by `one`, which comes first");
    gateway.replace_plugins(before.with(plugin("two", "2", 20))).unwrap();
    assert_eq!(get(&gateway, "/c").await, "2 1", "by `two`, which comes first now");
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let (gateway, before) = gateway();
    let refusing = Answers { refuses: true, ..plugin("one", "2", 10) };
    let problems = gateway.replace_plugins(before.clone().with(refusing)).unwrap_err();
    assert!(problems.to_string().contains("not like this"), "{problems}");
    let problems = gateway.replace_plugins(Registry::empty().with(plugin("one", "2", 10))).unwrap_err();
    assert!(problems.to_string().contains("plugin 'two' not enabled"), "{problems}");
    assert_eq!(get(&gateway, "/a").await, "1 1");
    assert!(Arc::ptr_eq(before.get("one").unwrap(), gateway.plugins().get("one").unwrap()));
}
