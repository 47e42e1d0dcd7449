//! Changes as they come, to all who listen.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::kit::Node;

/// Reads events until `count` have come.
pub(crate) fn events(node: &Node, query: &str, count: usize) -> Vec<(String, Value)> {
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
    assert_eq!(node.get("/changes?since=x").status, 400);
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
    assert_eq!(listen().0, "503");
    listeners.pop();
    let room = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        listen().0 == "200"
    });
    assert!(room);
}
