//! Changes as they come, to all who listen.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use gateway_control::store::{Memory, Note, Revision, Store};
use gateway_core::config::{Change, Service};
use serde_json::{Value, json};

use crate::kit::Node;

/// Reads events until `count` have come.
pub(crate) fn events(node: &Node, query: &str, count: usize) -> Vec<(String, Value)> {
    events_and(node, query, count, || ())
}

/// The same, where `first` is done once one has come.
fn events_and(node: &Node, query: &str, count: usize, first: impl Fn()) -> Vec<(String, Value)> {
    let mut stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /changes{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let (mut events, mut id) = (Vec::new(), String::new());
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if let Some(revision) = line.strip_prefix("id: ") {
            id = revision.to_owned();
        }
        if let Some(data) = line.strip_prefix("data: ") {
            events.push((id.clone(), serde_json::from_str(data).unwrap()));
            if events.len() == 1 {
                first();
            }
        }
        if events.len() == count {
            break;
        }
    }
    events
}

#[test]
fn changes_are_told_as_they_come() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "a", "host": "h" }));
    node.made(201, "POST", "/services", &json!({ "name": "b", "host": "h" }));
    let past = events(&node, "?since=0", 2);
    assert_eq!(past.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(past[1].1["differences"][0]["name"], "b");
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| events(&node, "?since=2", 1));
        node.made(201, "POST", "/services", &json!({ "name": "c", "host": "h" }));
        assert_eq!(listening.join().unwrap()[0].0, "3");
    });
    let text = "'x' is no revision: a number is expected (since, Last-Event-ID)";
    node.get("/changes?since=x").is(400, &json!({ "message": text }));
}

/// A store with so many changes, which has forgotten the first hundred of them.
fn forgetful(changes: u64) -> Arc<Memory> {
    let store = Memory::new();
    for number in 0..changes {
        let (service, mut change) = (Service::new(&number.to_string(), "h"), Change::default());
        change.services.insert(service.id, Some(service.into()));
        store.write(Revision::new(number), &change, &Note::new("test", "many")).unwrap();
    }
    Arc::new(store)
}

#[test]
fn who_would_miss_changes_is_told_to_read_everything_anew() {
    let node = Node::over(forgetful(1_100));
    let reset = ("1100".to_owned(), json!({ "revision": 1_100 }));
    for since in ["0", "5", "99", "1101", "99999", "18446744073709551615"] {
        assert_eq!(events(&node, &format!("?since={since}"), 1), std::slice::from_ref(&reset), "{since}");
    }
    assert_eq!(events(&node, "?since=100", 1)[0].0, "101", "nothing is missing");
    assert_eq!(events(&node, "?since=101", 1)[0].0, "102", "nothing is missing");
    // It goes on from there, and is told once.
    let write = || drop(node.made(201, "POST", "/services", &json!({ "name": "later", "host": "h" })));
    let heard = events_and(&node, "?since=99999", 2, write);
    assert_eq!(heard[0], reset);
    assert_eq!((heard[1].0.as_str(), &heard[1].1["differences"][0]["name"]), ("1101", &json!("later")));
}

#[test]
fn so_many_listen_at_once_and_who_leaves_makes_room() {
    let node = Node::stored();
    let listen = || {
        let mut stream = TcpStream::connect(node.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET /changes HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        (line.split(' ').nth(1).unwrap().to_owned(), stream)
    };
    let mut listeners: Vec<_> = (0..32).map(|_| listen()).collect();
    assert!(listeners.iter().all(|(status, _)| status == "200"));
    let refused = node.get("/changes");
    let text = "32 listen already, and there is room for no more: try again later";
    refused.is(503, &json!({ "message": text }));
    assert_eq!(refused.header("retry-after"), Some("1"));
    listeners.pop();
    let room = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        listen().0 == "200"
    });
    assert!(room);
}
