//! The end: graceful by the first signal, at once by the second.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{net::TcpStream, thread, time::Duration};

use kit::{Directory, Gateway, ask, kong, until, upstream};
use rustix::process::Signal;

#[test]
fn a_request_under_way_ends_and_nothing_new_is_taken() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::from_secs(4)), "/slow"));
    let mut gateway = Gateway::start(&[&file]);
    let address = gateway.address;
    let under_way = thread::spawn(move || ask(address, "GET", "/slow", &[], ""));
    until("the request has begun", || gateway.is_answering());

    gateway.signal(Signal::TERM);
    until("nothing new is accepted", || TcpStream::connect(address).is_err());
    let ready = ask(gateway.admin(), "GET", "/status/ready", &[], "").unwrap();
    assert_eq!((ready.status, ready.text.contains("draining")), (503, true), "the Admin API still answers");
    assert_eq!(under_way.join().unwrap().unwrap().text, "upstream");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn readiness_goes_before_the_listeners() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let settings = directory.put("settings.toml", "[timeouts]\nready = '60s'\n");
    let mut gateway = Gateway::start(&[&file, "--settings", &settings]);
    gateway.signal(Signal::INT);
    until("not ready", || ask(gateway.admin(), "GET", "/status/ready", &[], "").unwrap().status == 503);
    assert_eq!(gateway.get("/one").status, 200, "what still comes is served");
    gateway.signal(Signal::INT);
    assert_eq!(gateway.ended().code(), Some(0), "a second signal does not wait");
}

#[test]
fn a_second_signal_cuts_what_is_under_way() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::from_secs(600)), "/never"));
    let settings = directory.put("settings.toml", "[timeouts]\ndrain = '10m'\n");
    let mut gateway = Gateway::start(&[&file, "--settings", &settings]);
    let address = gateway.address;
    let under_way = thread::spawn(move || ask(address, "GET", "/never", &[], "").is_none());
    until("the request has begun", || gateway.is_answering());
    gateway.signal(Signal::TERM);
    until("draining", || TcpStream::connect(address).is_err());
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(under_way.join().unwrap());
}

#[test]
fn what_does_not_end_is_cut_after_the_grace() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::from_secs(600)), "/never"));
    let settings = directory.put("settings.toml", "[timeouts]\ndrain = '200ms'\n");
    let mut gateway = Gateway::start(&[&file, "--settings", &settings]);
    let address = gateway.address;
    let under_way = thread::spawn(move || ask(address, "GET", "/never", &[], "").is_none());
    until("the request has begun", || gateway.is_answering());
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().code(), Some(0));
    assert!(under_way.join().unwrap());
}
