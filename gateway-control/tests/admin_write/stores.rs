//! What a store makes certain: nothing counts that is not kept, and nothing is lost among several writers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use gateway_control::{
    Control, Follow, Refusal,
    store::{Entry, Memory, Note, Revision, Store, StoreError, Stored},
};
use gateway_core::{Gateway, config::Change};
use serde_json::json;
use tokio::sync::watch;

use crate::kit::Node;

/// A store that can be made to fail.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    inner: Memory,
    fails: AtomicBool,
}

impl Failing {
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, SeqCst);
    }
}

impl Store for Failing {
    fn read(&self) -> Result<Stored, StoreError> {
        self.inner.read()
    }

    fn write(&self, base: Revision, change: &Change, note: &Note) -> Result<Revision, StoreError> {
        match self.fails.load(SeqCst) {
            true => Err(StoreError::Unavailable("the disk is full".to_owned())),
            false => self.inner.write(base, change, note),
        }
    }

    fn since(&self, revision: Revision, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.since(revision, most)
    }

    fn newest(&self) -> watch::Receiver<Revision> {
        self.inner.newest()
    }
}

#[test]
fn what_is_not_kept_does_not_count() {
    let store = Arc::new(Failing::default());
    let node = Node::over(store.clone());
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    store.fail(true);
    let refused = node.send("PATCH", "/services/s", &json!({ "port": 81 }));
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!(8)), "{}", refused.text);
    assert_eq!(node.get("/services/s").json()["port"], 80);
    let served = node.control.gateway().snapshot();
    assert!(served.config().services.values().all(|service| service.port == 80));
    store.fail(false);
    node.made(200, "PATCH", "/services/s", &json!({ "port": 82 }));
    assert_eq!(node.control.revision(), Some(Revision::new(2)));
}

#[test]
fn a_node_begins_with_what_the_store_has() {
    let store = Arc::new(Memory::new());
    let first = Node::over(store.clone());
    first.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    first.made(201, "POST", "/services/s/routes", &json!({ "name": "r", "paths": ["/r"] }));
    let shown = first.get("/routes/r").json();
    drop(first);
    let second = Node::over(store);
    second.get("/routes/r").is(200, &shown);
    assert_eq!(second.control.revision(), Some(Revision::new(2)));
    assert_eq!(second.control.gateway().snapshot().config().routes.len(), 1);
}

#[test]
fn a_store_with_what_cannot_be_served_is_refused() {
    let store = Arc::new(Memory::new());
    let mut change = Change::default();
    let route = gateway_core::config::Route::new("nothing-to-match");
    change.routes.insert(route.id, Some(Arc::new(route)));
    store.write(Revision::NONE, &change, &Note::default()).unwrap();
    let refused = Control::stored(Gateway::builder().build().unwrap(), store);
    assert!(matches!(refused, Err(Refusal::Problems(_))));
}

#[test]
fn writers_on_two_nodes_never_merge_in_silence() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let nodes = [Node::over(store.clone()), Node::over(store.clone())];
    nodes[0].made(201, "POST", "/services", &json!({ "name": "s", "host": "h", "tags": [] }));
    thread::scope(|scope| {
        for (number, node) in nodes.iter().enumerate() {
            scope.spawn(move || {
                for at in 0..20 {
                    let name = format!("n{number}-{at}");
                    node.made(
                        201,
                        "POST",
                        "/services/s/routes",
                        &json!({ "name": name, "paths": [format!("/{name}")] }),
                    );
                }
            });
        }
    });
    // Whoever is second finds the name taken, though its node had not heard of it.
    nodes[0].made(201, "POST", "/consumers", &json!({ "username": "one" }));
    assert_eq!(nodes[1].send("POST", "/consumers", &json!({ "username": "one" })).status, 409);
    for node in &nodes {
        node.control.catch_up().unwrap();
        assert_eq!(node.get("/services/s/routes?size=1000").json()["data"].as_array().unwrap().len(), 40);
        assert_eq!(node.control.gateway().snapshot().config().routes.len(), 40);
    }
    assert_eq!(store.read().unwrap().revision, Revision::new(42));
}

#[test]
fn no_update_is_lost_among_those_who_say_what_they_saw() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 8;
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let nodes = [Node::over(store.clone()), Node::over(store)];
    nodes[0].made(201, "POST", "/services", &json!({ "name": "s", "host": "h", "port": 1 }));
    let add_one = |node: &Node| {
        // Far more often than anybody can be overtaken.
        for _ in 0..1_000 {
            let seen = node.get("/services/s");
            if seen.status == 404 {
                node.control.catch_up().unwrap();
                continue;
            }
            let port = seen.json()["port"].as_u64().unwrap() + 1;
            let tag = seen.header("etag").unwrap();
            let fields = format!("Host: localhost\r\nContent-Type: application/json\r\nIf-Match: {tag}\r\n");
            let body = json!({ "port": port }).to_string();
            match node.ask_with("PATCH", "/services/s", &fields, &body).status {
                200 => return,
                status => assert_eq!(status, 412),
            }
        }
        panic!("overtaken a thousand times");
    };
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let node = &nodes[usize::try_from(writer).unwrap() % 2];
            scope.spawn(move || (0..EACH).for_each(|_| add_one(node)));
        }
    });
    nodes[0].control.catch_up().unwrap();
    assert_eq!(nodes[0].get("/services/s").json()["port"], 1 + WRITERS * EACH);
}

#[test]
fn a_node_that_has_not_heard_refuses_what_was_seen_there() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let nodes = [Node::over(store.clone()), Node::over(store)];
    nodes[0].made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    nodes[1].control.catch_up().unwrap();
    let seen = nodes[1].get("/services/s").header("etag").unwrap().to_owned();
    nodes[0].made(200, "PATCH", "/services/s", &json!({ "port": 81 }));
    let fields = format!("Host: localhost\r\nContent-Type: application/json\r\nIf-Match: {seen}\r\n");
    let late = nodes[1].ask_with("PATCH", "/services/s", &fields, "{\"port\":82}");
    assert_eq!(late.status, 412, "{}", late.text);
    assert_eq!(nodes[1].get("/services/s").json()["port"], 81);
}

#[test]
fn a_node_that_cannot_serve_what_others_write_goes_on_and_writes_nothing() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let able = Node::over(store.clone());
    let without = Gateway::builder().plugins(gateway_core::plugin::Registry::empty()).build().unwrap();
    let unable = Node::of(Control::stored(without, store).unwrap());
    unable.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let cors = able.made(201, "POST", "/plugins", &json!({ "name": "cors" }));
    assert!(matches!(unable.control.catch_up(), Err(Refusal::Problems(_))));
    let refused = unable.send("POST", "/services", &json!({ "name": "t", "host": "h" }));
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.text.contains("another node has written what this one cannot serve"), "{}", refused.text);
    assert_eq!(unable.control.revision(), Some(Revision::new(1)));
    able.gone(&format!("/plugins/{}", cors["id"].as_str().unwrap()));
    unable.made(201, "POST", "/services", &json!({ "name": "t", "host": "h" }));
}

#[test]
fn what_others_write_is_served_here_too() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let nodes = [Node::over(store.clone()), Node::over(store)];
    let (heard, hears) = mpsc::channel();
    let follow = Follow::start(nodes[1].control.clone(), move |step| {
        heard.send(step.map_err(|e| e.to_string())).unwrap();
    })
    .unwrap();
    nodes[0].made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let step = hears.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(step, Ok(Revision::new(1)));
    assert_eq!(nodes[1].get("/services/s").status, 200);
    nodes[1].made(200, "PATCH", "/services/s", &json!({ "port": 81 }));
    drop(follow);
    assert!(hears.try_recv().is_err(), "its own writes are no news");
}

#[test]
fn a_log_that_does_not_reach_back_is_no_loss() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let [writer, late] = [Node::over(store.clone()), Node::over(store.clone())];
    for number in 0..1_010 {
        let service = gateway_core::config::Service::new(&format!("s{number}"), "h");
        let mut change = Change::default();
        change.services.insert(service.id, Some(Arc::new(service)));
        writer.control.make(&change, &Note::new("test", "many")).unwrap();
    }
    assert!(store.since(Revision::NONE, 1).unwrap()[0].revision > Revision::new(1), "the log is bounded");
    assert_eq!(late.control.catch_up().unwrap(), Some(Revision::new(1_010)));
    assert_eq!(late.control.gateway().snapshot().config().services.len(), 1_010);
}

#[test]
fn a_change_of_a_vault_reaches_those_that_refer_to_it() {
    let node = Node::stored();
    // Every process has these two.
    node.made(
        201,
        "POST",
        "/vaults",
        &json!({ "name": "env", "prefix": "mine", "config": { "prefix": "pa" } }),
    );
    let pem = json!({ "private_key": "{vault://mine/th}", "public_key": "p" });
    node.made(201, "POST", "/keys", &json!({ "name": "k", "kid": "k", "pem": pem }));
    let secret = || {
        let served = node.control.gateway().snapshot();
        served.config().keys.values().next().unwrap().pem.clone().unwrap().private_key.unwrap()
    };
    assert_eq!(secret(), std::env::var("PATH").unwrap());
    let lost = node.send("PATCH", "/vaults/mine", &json!({ "config": { "prefix": "nothing-" } }));
    assert_eq!(lost.status, 400, "the key would lose its secret: {}", lost.text);
    assert_eq!(secret(), std::env::var("PATH").unwrap());
    let used = node.ask("DELETE", "/vaults/mine", "", "");
    assert_eq!(used.status, 400, "{}", used.text);
}
