//! With a file: served, followed, refused, reread.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use kit::{Directory, Gateway, ask, command, kong, until, upstream};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn a_change_of_the_file_is_picked_up_and_a_wrong_one_is_refused() {
    let directory = Directory::new();
    let upstream = upstream(Duration::ZERO);
    let file = directory.put("kong.yml", &kong(upstream, "/one"));
    let gateway = Gateway::start(&[&file]);
    assert_eq!(gateway.get("/one").text, "upstream");

    directory.put("kong.yml", &kong(upstream, "/two"));
    gateway.line(|line| line["message"] == "serving the changed file");
    assert_eq!((gateway.get("/one").status, gateway.get("/two").status), (404, 200));

    directory.put("kong.yml", &kong(upstream, "/three").replace("paths", "path"));
    let line = gateway.line(|line| line["level"] == "ERROR");
    assert!(line["problems"].as_str().unwrap().contains("did you mean `paths`?"), "{line}");
    assert_eq!(gateway.get("/two").status, 200, "the old one stays");
    let status = ask(gateway.admin(), "GET", "/status", &[], "").unwrap().text;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["configuration"]["succeeded"], &status["configuration"]["failed"]),
        (&1.into(), &1.into())
    );
    let metrics = ask(gateway.admin(), "GET", "/metrics", &[], "").unwrap().text;
    assert!(metrics.contains("gateway_config_reload_total{result=\"failure\"} 1"), "{metrics}");

    directory.put("kong.yml", &kong(upstream, "/four"));
    gateway.line(|line| line["message"] == "serving the changed file");
    assert_eq!(gateway.get("/four").status, 200);
}

#[test]
fn a_hang_up_reads_the_file_again() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let gateway = Gateway::start(&[&file]);
    gateway.signal(Signal::HUP);
    gateway.line(|line| line["message"] == "serving the changed file");
    assert_eq!(gateway.get("/one").status, 200);
}

#[test]
fn the_admin_api_changes_what_is_served() {
    let directory = Directory::new();
    let upstream = upstream(Duration::ZERO);
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream, "/one"))]);
    let posted =
        ask(gateway.admin(), "POST", "/config", &[("Content-Type", "text/yaml")], &kong(upstream, "/posted"));
    assert_eq!(posted.unwrap().status, 201);
    assert_eq!(gateway.get("/posted").status, 200);
    assert_eq!(ask(gateway.admin(), "GET", "/status/ready", &[], "").unwrap().status, 200);
}

#[test]
fn each_request_is_a_line_on_standard_output() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let log = directory.path("access.log");
    let mut gateway = Gateway::start(&[&file, "--access-log", &log]);
    gateway.get("/one?q=1");
    until("the line is written", || std::fs::read_to_string(&log).is_ok_and(|log| log.ends_with('\n')));
    let line = std::fs::read_to_string(&log).unwrap();
    let line: Value = serde_json::from_str(line.trim()).unwrap();
    assert_eq!(line["response"]["status"], 200);
    assert_eq!(line["route"]["name"], "users");
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().success());

    // The same on standard output, which is the default with a file.
    let mut child = command(&[&file, "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    ask(ready["listen"].as_str().unwrap().parse().unwrap(), "GET", "/one", &[], "").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
}

#[test]
fn options_are_environment_variables_too_and_debug_headers_are_opt_in() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let settings = directory.put("settings.toml", "workers = 3\nallow_debug_header = false\n");
    let debug = [("Kong-Debug", "1")];
    let mut command = command(&["--listen", "127.0.0.1:0"]);
    command.env("GATEWAY_CONFIG", &file).env("GATEWAY_SETTINGS", &settings);
    command.env("GATEWAY_WORKERS", "1").env("GATEWAY_ALLOW_DEBUG_HEADER", "true");
    let gateway = Gateway::spawn(command);
    assert_eq!(gateway.ready["workers"], 1);
    let answer = ask(gateway.address, "GET", "/one", &debug, "").unwrap();
    assert!(answer.head.contains("kong-route-name: users"), "{}", answer.head);

    let plain = Gateway::start(&[&file, "--settings", &settings]);
    assert_eq!(plain.ready["workers"], 3);
    let answer = ask(plain.address, "GET", "/one", &debug, "").unwrap();
    assert!(!answer.head.contains("kong-route-name"), "{}", answer.head);
}

#[test]
fn standard_input_is_served_and_not_followed() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let mut command = command(&["-", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.stdin(std::fs::File::open(file).unwrap());
    let gateway = Gateway::spawn(command);
    assert_eq!(gateway.get("/one").text, "upstream");
    gateway.signal(Signal::HUP);
    let line = gateway.line(|line| line["message"] != "ready");
    assert_eq!(line["message"], "there is no file to read again");
}
