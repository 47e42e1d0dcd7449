//! A guard of an embedder's own: it is asked before each try, and what it says is what the client is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "common/wire/mod.rs"]
mod wire;

use std::{
    any::Any,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use gateway_core::{
    Error, Reason,
    config::{Config, Plugin as PluginEntity, Route, Service, schema::Record},
    plugin::{Bound, Configured, Guard, Permit, Plugin, Policy},
};
use serde_json::{Value, json};
use uuid::Uuid;
use wire::{Answer, Setup};

/// What a guard does with a try.
#[derive(Clone, Copy, Debug)]
enum Does {
    LetsIn,
    Refuses(Reason),
    Panics,
}
use Does::{LetsIn, Panics, Refuses};

/// Does so with the first and the second try.
#[derive(Clone)]
struct Script {
    tries: [Does; 2],
    asked: Arc<AtomicUsize>,
    schema: Record,
}

impl Guard for Script {
    fn admit_try(&self, _: SocketAddr) -> Result<Permit, Error> {
        match self.tries[self.asked.fetch_add(1, SeqCst)] {
            LetsIn => Ok(Permit::free()),
            Refuses(reason) => Err(reason.into()),
            Panics => panic!("as the test wants"),
        }
    }
}

impl Policy for Script {
    fn at(&self, _: Uuid) -> Bound {
        Bound::Guard(Arc::new(self.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Plugin for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn priority(&self) -> i32 {
        1
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        Ok(Configured::policy(self.clone()))
    }
}

/// A port where nobody listens.
fn nobody() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What a client is told of a service where nobody listens, which is tried twice.
async fn told(tries: [Does; 2]) -> Answer {
    let mut service = Service::new("away", "127.0.0.1");
    (service.port, service.retries) = (nobody(), 1);
    let mut route = Route::new("all").to(&service);
    route.paths = Some(vec!["/".into()]);
    let asked = Arc::default();
    let script = Script { tries, asked: Arc::clone(&asked), schema: Record::default() };
    let config = Config::default().with(service).with(route).with(PluginEntity::new("script", json!({})));
    let mut setup = Setup::new(config);
    setup.registry = setup.registry.with(script);
    let edge = setup.start();
    let mut client = edge.client().await;
    let answer = client.get("/x").await.unwrap();
    let expected = if matches!(tries[0], LetsIn) { 2 } else { 1 };
    assert_eq!(asked.load(SeqCst), expected, "it is asked before each try");
    assert_eq!(client.get("/%zz").await.map(|answer| answer.status), Some(400), "the connection goes on");
    answer
}

#[track_caller]
fn assert_told(answer: &Answer, reason: Reason) {
    assert_eq!(answer.status, reason.status().as_u16());
    assert_eq!(answer.field("x-gateway-reason"), Some(&*reason.to_string()));
    assert!(answer.body.contains(reason.message()), "{}", answer.body);
}

#[tokio::test]
async fn e4_a_guard_that_lets_no_try_in_says_what_the_client_is_told() {
    for reason in [Reason::Overloaded, Reason::Deadline] {
        assert_told(&told([Refuses(reason), LetsIn]).await, reason);
    }
}

#[tokio::test]
async fn e4_where_a_guard_refuses_the_second_try_the_first_one_counts() {
    let refused = Refuses(Reason::Overloaded);
    assert_told(&told([LetsIn, refused]).await, Reason::ConnectRefused);
    assert_told(&told([LetsIn, LetsIn]).await, Reason::ConnectRefused);
}

#[tokio::test]
async fn e4_a_guard_that_panics_costs_one_request() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() != Some("as the test wants") {
            loud(info);
        }
    }));
    for tries in [[Panics, LetsIn], [LetsIn, Panics]] {
        assert_told(&told(tries).await, Reason::Internal);
    }
}
