//! An Admin API on a free port, and a client that asks it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "not every test uses all; a test fails by panicking"
)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use gateway_control::{
    Control,
    admin::{Access, Admin, AdminServer},
    store::{Memory, Store},
};
use gateway_core::{Gateway, config::Config, plugins};
use serde_json::Value;

pub(crate) const KONG: &str = r#"
_format_version: "3.0"
services:
- name: users
  url: http://127.0.0.1:9101/base
  tags: [pg, a]
  routes:
  - name: users
    paths: [/users]
    plugins:
    - name: cors
- name: other
  host: pool
  tags: [pg]
upstreams:
- name: pool
  targets:
  - target: 127.0.0.1:9102
    weight: 10
consumers:
- username: alice
  tags: [a]
  keyauth_credentials:
  - key: wonderland
"#;

pub(crate) struct Node {
    pub(crate) control: Arc<Control>,
    pub(crate) address: SocketAddr,
    _server: AdminServer,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Node {
    pub(crate) fn serving(text: &str) -> Self {
        let config = Config::parse(text, &plugins::bundled()).unwrap();
        Self::of(Control::new(Gateway::builder().config(config).build().unwrap()).serving(text))
    }

    /// Over an empty store.
    pub(crate) fn stored() -> Self {
        Self::over(Arc::new(Memory::new()))
    }

    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        Self::of(Control::stored(Gateway::builder().build().unwrap(), store).unwrap())
    }

    pub(crate) fn of(control: Control) -> Self {
        Self::open_to(control, Access::default())
    }

    pub(crate) fn open_to(control: Control, access: Access) -> Self {
        let control = Arc::new(control);
        let server = Admin::bind("127.0.0.1:0".parse().unwrap()).unwrap().access(access);
        let server = server.start(Arc::clone(&control)).unwrap();
        Self { control, address: server.address().unwrap(), _server: server }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    pub(crate) fn post(&self, path: &str, kind: &str, body: &str) -> Answer {
        self.ask("POST", path, kind, body)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        self.ask_with(method, path, &format!("Host: {}\r\n{kind}", self.address), body)
    }

    /// Sends JSON.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(method, path, "application/json", &body.to_string())
    }

    /// The same, and the body of an answer that must be this.
    #[track_caller]
    pub(crate) fn made(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    #[track_caller]
    pub(crate) fn gone(&self, path: &str) {
        let answer = self.ask("DELETE", path, "", "");
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{path}");
    }

    /// The same with these lines in the head, `Host` among them.
    pub(crate) fn ask_with(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        // In one piece: an answer that needs no body may otherwise end the connection before it comes.
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{fields}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), text: text.to_owned() }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Checks status and body at once.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, json: &Value) {
        assert_eq!((self.status, &self.json()), (status, json), "{}", self.text);
    }
}
