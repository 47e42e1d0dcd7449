//! Without a file: a demo whose printed requests work.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use kit::{Gateway, ask, command};
use serde_json::Value;

/// What a printed `curl` line asks for.
struct Curl {
    url: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Curl {
    fn read(line: &str) -> Self {
        let line = line.split("  #").next().unwrap();
        let mut curl = Self { url: String::new(), headers: vec![], body: None };
        let mut option = "";
        for (index, part) in line.split('\'').enumerate() {
            if index % 2 == 0 {
                option = part.trim().rsplit(' ').next().unwrap();
                continue;
            }
            match option {
                "-H" => {
                    let (name, value) = part.split_once(": ").unwrap();
                    curl.headers.push((name.to_owned(), value.to_owned()));
                }
                "-d" => curl.body = Some(part.to_owned()),
                _ => curl.url = part.to_owned(),
            }
        }
        curl
    }
}

#[test]
fn the_printed_requests_work() {
    let mut child =
        command(&["--log-format", "text", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let lines: Vec<_> = lines.skip_while(|line| !line.contains("ready in")).skip(3).take(3).collect();
    let answers = lines.iter().map(|line| {
        let Curl { url, headers, body } = Curl::read(line);
        let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let method = if body.is_some() { "POST" } else { "GET" };
        let path = format!("/{path}");
        ask(address.parse().unwrap(), method, &path, &headers, &body.unwrap_or_default()).unwrap()
    });
    let [echo, header, regex] = answers.collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("three"));
    child.kill().unwrap();
    child.wait().unwrap();

    let seen: Value = serde_json::from_str(&echo.text).unwrap();
    assert_eq!((&seen["path"], &seen["query"]), (&"/echo".into(), &"name=you".into()));
    assert!(echo.head.contains("x-correlation-id: "), "{}", echo.head);
    let seen: Value = serde_json::from_str(&header.text).unwrap();
    assert_eq!(seen["path"], "/v2/echo");
    assert_eq!(regex.status, 413, "{}", regex.text);
}

#[test]
fn every_route_of_the_demo_does_what_it_is_there_for() {
    let gateway = Gateway::start(&[]);
    assert_eq!(gateway.ready["routes"], 4);
    let origin = [("Origin", "http://localhost:3000")];
    let browser = ask(gateway.address, "GET", "/browser", &origin, "").unwrap();
    assert!(browser.head.contains("access-control-allow-origin: http://localhost:3000"), "{}", browser.head);
    assert_eq!(gateway.get("/users/42").status, 200);
    assert_eq!(gateway.get("/users/me").status, 404);
    assert_eq!(gateway.get("/").status, 404);
}

#[test]
fn the_requests_are_printed_where_there_is_no_terminal_too() {
    let mut child =
        command(&["--listen", "127.0.0.1:0", "--log", "debug"]).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let lines: Vec<_> = lines.skip_while(|line| !line.contains("\"ready\"")).skip(1).take(5).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lines.iter().filter(|line| line.contains("curl -i")).count(), 3, "{lines:?}");
}
