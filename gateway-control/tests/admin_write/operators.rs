//! Who asks, by token, and how much the node says of itself.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_control::{Control, LogLevel, admin::Access, store::Memory};
use gateway_core::Gateway;
use serde_json::json;
use tracing::Level;

use crate::kit::Node;

#[test]
fn tokens_let_in_and_are_noted() {
    let access = Access::default().token("deploys", "s3cret").host("admin.internal");
    let control = Control::stored(Gateway::builder().build().unwrap(), Arc::new(Memory::new())).unwrap();
    let node = Node::open_to(control, access);
    let body = json!({ "name": "s", "host": "h" }).to_string();
    let ask = |fields: &str| {
        node.ask_with(
            "POST",
            "/services",
            &format!("Host: localhost\r\nContent-Type: application/json\r\n{fields}"),
            &body,
        )
    };
    for fields in
        ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic s3cret\r\n", "Kong-Admin-Token: \r\n"]
    {
        let refused = ask(fields);
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("bearer")), "{fields}");
    }
    assert_eq!(node.get("/services").status, 401, "reading, too");
    assert_eq!(node.get("/status/ready").status, 200);
    assert_eq!(ask("Authorization: Bearer s3cret\r\n").status, 201);
    let named = "Host: admin.internal:8001\r\nKong-Admin-Token: s3cret\r\nContent-Type: application/json\r\n";
    assert_eq!(node.ask_with("PATCH", "/services/s", named, "{\"port\":81}").status, 200);
    let history = node.ask_with("GET", "/history", named, "").json();
    assert_eq!(history["data"][0]["who"], "deploys");
    let elsewhere = named.replace("admin.internal", "evil.example");
    assert_eq!(node.ask_with("PATCH", "/services/s", &elsewhere, "{\"port\":82}").status, 403);
}

struct Log(Mutex<Level>);

impl LogLevel for Log {
    fn level(&self) -> Level {
        *self.0.lock().unwrap()
    }

    fn set_level(&self, level: Level) {
        *self.0.lock().unwrap() = level;
    }
}

#[test]
fn the_log_level_is_shown_and_set_m1() {
    let log = Arc::new(Log(Mutex::new(Level::INFO)));
    let node = Node::of(Control::new(Gateway::builder().build().unwrap()).log_level(log.clone()));
    let says = |text: &str| json!({ "message": text });
    node.get("/debug/node/log-level").is(200, &says("log level: info"));
    node.ask("PUT", "/debug/node/log-level/debug?timeout=0", "", "").is(200, &says("log level changed"));
    assert_eq!(log.level(), Level::DEBUG);
    node.ask("PUT", "/debug/node/log-level/debug", "", "").is(200, &says("log level is already debug"));
    node.ask("PUT", "/debug/node/log-level/loud", "", "").is(400, &says("unknown log level: loud"));
    let negative = says("timeout must be greater than or equal to 0");
    node.ask("PUT", "/debug/node/log-level/warn?timeout=-1", "", "").is(400, &negative);
    assert_eq!(node.ask("PUT", "/debug/node/log-level/warn?timeout=1", "", "").status, 200);
    let back = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        log.level() == Level::DEBUG
    });
    assert!(back, "after the timeout it is as before");
    // One over another: it is as before the first of them.
    for level in ["warn?timeout=1", "info?timeout=1"] {
        assert_eq!(node.ask("PUT", &format!("/debug/node/log-level/{level}"), "", "").status, 200);
    }
    let back = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        log.level() == Level::DEBUG
    });
    assert!(back, "and it stands at {}", log.level());
    let none = Node::of(Control::new(Gateway::builder().build().unwrap()));
    assert_eq!(none.get("/debug/node/log-level").status, 404);
}

#[test]
fn a_request_names_one_host_or_is_wrong() {
    let node = Node::of(Control::new(Gateway::builder().build().unwrap()));
    let says = json!({ "message": "a request has exactly one field Host" });
    node.ask_with("GET", "/status", "", "").is(400, &says);
    for method in ["GET", "POST"] {
        node.ask_with(method, "/services", "Host: localhost\r\nHost: localhost\r\n", "").is(400, &says);
    }
}

#[test]
fn a_body_has_its_time_however_slowly_it_comes() {
    let node = Node::stored();
    let body = json!({ "name": "slow", "host": "h" }).to_string();
    let (first, rest) = body.split_at(1);
    let mut stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let length = body.len();
    let head = "POST /services HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{first}").unwrap();
    // Longer than a client of the proxy may be silent once.
    std::thread::sleep(Duration::from_secs(7));
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}
