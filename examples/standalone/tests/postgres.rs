//! Gateways that share a PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;
#[path = "../../../gateway-control/tests/store/server.rs"]
mod server;

use std::time::Duration;

use kit::{Directory, Gateway, ask, until, upstream};
use rustix::process::Signal;
use server::Server;

fn start(store: &str, copy: &str) -> Gateway {
    let mut command = kit::command(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.env("GATEWAY_STORE", store).env("GATEWAY_STORE_COPY", copy);
    Gateway::spawn(command)
}

fn post(gateway: &Gateway, path: &str, body: &str) -> u16 {
    ask(gateway.admin(), "POST", path, &[("Content-Type", "application/json")], body).unwrap().status
}

#[test]
fn what_one_is_told_all_serve_and_with_the_database_away_they_go_on() {
    let Some(mut server) = Server::start() else { return };
    let (store, directory) = (server.schema(), Directory::new());
    let mut gateways = ["a", "b", "c"].map(|name| start(&store, &directory.path(name)));
    let shown = gateways[0].ready["config"].as_str().unwrap();
    assert!(shown.starts_with("postgres://127.0.0.1:") && !shown.contains("gateway@"), "{shown}");

    let service = format!(r#"{{"name":"users","url":"http://{}"}}"#, upstream(Duration::ZERO));
    assert_eq!(post(&gateways[0], "/services", &service), 201);
    until("the others know the service", || {
        gateways
            .iter()
            .all(|gateway| ask(gateway.admin(), "GET", "/services/users", &[], "").unwrap().status == 200)
    });
    assert_eq!(post(&gateways[1], "/services/users/routes", r#"{"name":"one","paths":["/one"]}"#), 201);
    until("all serve it", || gateways.iter().all(|gateway| gateway.get("/one").status == 200));

    server.kill();
    gateways[2].signal(Signal::KILL);
    gateways[2].ended();
    gateways[2] = start(&store, &directory.path("c"));
    assert!(gateways.iter().all(|gateway| gateway.get("/one").status == 200), "also the one that starts now");
    let route = r#"{"name":"two","paths":["/two"]}"#;
    assert_eq!(post(&gateways[2], "/services/users/routes", route), 503);

    server.run();
    until("it can be written again", || post(&gateways[2], "/services/users/routes", route) != 503);
    until("all serve that, too", || gateways.iter().all(|gateway| gateway.get("/two").status == 200));
}

#[test]
fn with_a_part_of_its_copy_a_gateway_says_so_and_no_file_takes_the_place_of_what_is_away() {
    let Some(mut server) = Server::start() else { return };
    let (store, directory) = (server.schema(), Directory::new());
    let file = directory.put("kong.yml", "_format_version: '3.0'\nservices: [{ name: file, host: h }]\n");
    let begin = || {
        let mut command = kit::command(&[&file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.env("GATEWAY_STORE", &store).env("GATEWAY_STORE_COPY", directory.path("copy"));
        Gateway::spawn(command)
    };
    let ready = |gateway: &Gateway| ask(gateway.admin(), "GET", "/status/ready", &[], "").unwrap();
    let is_there = |gateway: &Gateway, name: &str| {
        ask(gateway.admin(), "GET", &format!("/services/{name}"), &[], "").unwrap().status == 200
    };
    let mut gateway = begin();
    for name in ["one", "two", "three"] {
        assert_eq!(post(&gateway, "/services", &format!(r#"{{"name":"{name}","host":"h"}}"#)), 201);
    }
    gateway.signal(Signal::TERM);
    gateway.ended();
    // The copy is written behind the answer: what it has not is written with the next start.
    drop(begin());
    server.kill();
    let copy = directory.path("copy/postgres.jsonl");
    let text = std::fs::read_to_string(&copy).unwrap();
    let (last, _) = text.trim_end().rmatch_indices('\n').next().unwrap_or((text.len() / 2, ""));
    std::fs::write(&copy, format!("{}zzz\n", &text[..=last])).unwrap();

    let gateway = begin();
    assert_eq!(ready(&gateway).status, 503);
    assert!(ready(&gateway).text.contains("the configuration is incomplete"), "{}", ready(&gateway).text);
    assert!(is_there(&gateway, "two") && !is_there(&gateway, "three"), "what is left");

    server.run();
    until("it is ready", || ready(&gateway).status == 200);
    assert!(["file", "one", "two", "three"].iter().all(|name| is_there(&gateway, name)), "nothing is lost");
}
