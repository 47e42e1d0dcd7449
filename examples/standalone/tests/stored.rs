//! With a store: filled once, written by the Admin API, kept over a kill, rolled back.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use kit::{Answer, Directory, Gateway, ask, command, failure, kong, output, upstream};
use rustix::process::Signal;
use serde_json::Value;

fn send(gateway: &Gateway, method: &str, path: &str, body: &str) -> Answer {
    ask(gateway.admin(), method, path, &[("Content-Type", "application/json")], body).unwrap()
}

#[track_caller]
fn on(gateway: &Gateway, args: &[&str]) -> String {
    let admin = gateway.admin().to_string();
    let output = output(&[args, &["--admin", &admin]].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_was_acknowledged_is_served_after_a_kill() {
    let directory = Directory::new();
    let store = directory.path("store");
    let upstream = upstream(Duration::ZERO);
    let mut gateway = Gateway::start(&["--store", &store]);
    assert_eq!(gateway.ready["config"], store.as_str());
    assert_eq!(gateway.get("/one").status, 404);
    let service = format!(r#"{{"name":"users","url":"http://{upstream}"}}"#);
    assert_eq!(send(&gateway, "POST", "/services", &service).status, 201);
    let route = r#"{"name":"users","paths":["/one"]}"#;
    assert_eq!(send(&gateway, "POST", "/services/users/routes", route).status, 201);
    assert_eq!(gateway.get("/one").text, "upstream");

    gateway.signal(Signal::KILL);
    gateway.ended();
    let gateway = Gateway::start(&["--store", &store]);
    assert_eq!(gateway.ready["routes"], 1);
    assert_eq!(gateway.get("/one").text, "upstream");
}

#[test]
fn a_file_fills_a_store_once() {
    let directory = Directory::new();
    let (store, upstream) = (directory.path("store"), upstream(Duration::ZERO));
    let file = directory.put("kong.yml", &kong(upstream, "/one"));
    let mut gateway = Gateway::start(&[&file, "--store", &store]);
    assert_eq!((gateway.get("/one").status, &gateway.ready["services"]), (200, &1.into()));
    gateway.signal(Signal::TERM);
    gateway.ended();

    directory.put("kong.yml", &kong(upstream, "/two"));
    let mut gateway = Gateway::start(&[&file, "--store", &store]);
    assert_eq!((gateway.get("/one").status, gateway.get("/two").status), (200, 404), "the store counts");
    on(&gateway, &["import", &file]);
    assert_eq!((gateway.get("/one").status, gateway.get("/two").status), (404, 200));

    // Where nothing is left of a store the file is all there is.
    gateway.signal(Signal::TERM);
    gateway.ended();
    for name in ["store/store.redb", "store/copy.jsonl"] {
        directory.put(name, "zzz\n");
    }
    let gateway = Gateway::start(&[&file, "--store", &store]);
    assert_eq!(gateway.get("/two").status, 200);
    let ready = ask(gateway.admin(), "GET", "/status/ready", &[], "").unwrap();
    assert_eq!(ready.status, 200);
    let ready: Value = serde_json::from_str(&ready.text).unwrap();
    assert_eq!(ready["incomplete"], "the store was damaged, and its copy, too (lost lines: 1)");
}

#[test]
fn a_wrong_file_fills_nothing() {
    let directory = Directory::new();
    let store = directory.path("store");
    let file = directory.put("kong.yml", "_format_version: '3.0'\nservice: []\n");
    let told = failure(&[&file, "--store", &store, "--listen", "127.0.0.1:0"]);
    assert!(told.contains("did you mean `services`?"), "{told}");
    assert_eq!(Gateway::start(&["--store", &store]).ready["services"], 0);
}

#[test]
fn a_store_that_is_not_there_and_one_of_another_kind_are_refused() {
    let directory = Directory::new();
    let none = directory.path("none");
    let told = failure(&["export", "--store", &none]);
    assert!(told.contains(&format!("there is no store in {none}")), "{told}");
    assert!(!std::path::Path::new(&none).exists(), "nothing is made");
    let told = failure(&["--store", "mysql://me:s3cret@db/kong", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("'mysql://' is no store that there is") && !told.contains("s3cret"), "{told}");
}

#[test]
fn a_store_in_use_is_told_with_the_process() {
    let directory = Directory::new();
    let store = directory.path("store");
    let gateway = Gateway::start(&["--store", &store]);
    let told = failure(&["--store", &store, "--listen", "127.0.0.1:0"]);
    let root: Value = serde_json::from_str(&send(&gateway, "GET", "/", "").text).unwrap();
    let told_who = format!("gateway: store: {store} is in use by process {}", root["pids"]["master"]);
    assert_eq!(told.lines().last(), Some(told_who.as_str()));
}

#[test]
fn history_is_shown_and_gone_back_in() {
    let directory = Directory::new();
    let (store, upstream) = (directory.path("store"), upstream(Duration::ZERO));
    let [one, two] = ["/one", "/two"].map(|path| directory.put(&path[1..], &kong(upstream, path)));
    let gateway = Gateway::start(&["--store", &store]);
    assert_eq!(on(&gateway, &["history"]), "no change yet\n");
    on(&gateway, &["import", &one]);
    on(&gateway, &["import", &two]);
    assert_eq!(gateway.get("/two").status, 200);

    let history = on(&gateway, &["history"]);
    let revisions: Vec<_> = history.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(revisions, ["2", "1"], "{history}");
    assert!(history.contains("127.0.0.1  POST /config"), "{history}");
    let change = on(&gateway, &["history", "2"]);
    assert!(change.contains("~ routes users ") && change.contains("[\"/one\"] -> [\"/two\"]"), "{change}");

    let would = on(&gateway, &["rollback", "1", "--dry-run"]);
    assert!(would.contains("~ routes users ") && gateway.get("/two").status == 200, "{would}");
    let back = on(&gateway, &["rollback", "1"]);
    assert!(back.ends_with("everything is as at revision 1, which makes revision 3\n"), "{back}");
    assert_eq!((gateway.get("/one").status, gateway.get("/two").status), (200, 404));
    assert_eq!(on(&gateway, &["history"]).lines().count(), 3, "the way back is a change, too");

    let admin = gateway.admin().to_string();
    let told = failure(&["rollback", "9", "--admin", &admin]);
    assert_eq!(told, "gateway: the history has no revision 9 (404 Not Found)\n", "yet to come");
}

/// A way to the Admin API on which somebody else makes a change just before each POST.
fn meddled(admin: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (count, here) in listener.incoming().map_while(Result::ok).enumerate() {
            let mut first = [0; 4];
            here.peek(&mut first).unwrap();
            if first == *b"POST" {
                let body = format!(r#"{{"username":"user{count}"}}"#);
                let json = [("Content-Type", "application/json")];
                assert_eq!(ask(admin, "POST", "/consumers", &json, &body).unwrap().status, 201);
            }
            let there = TcpStream::connect(admin).unwrap();
            let (mut from, mut to) = (here.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from, &mut to));
            thread::spawn(move || io::copy(&mut { there }, &mut { here }));
        }
    });
    address
}

#[test]
fn an_import_does_not_overwrite_what_nobody_has_seen() {
    let directory = Directory::new();
    let (store, upstream) = (directory.path("store"), upstream(Duration::ZERO));
    let [one, two] = ["/one", "/two"].map(|path| directory.put(&path[1..], &kong(upstream, path)));
    let gateway = Gateway::start(&["--store", &store]);
    on(&gateway, &["import", &one]);

    let way = meddled(gateway.admin()).to_string();
    let told = failure(&["import", &two, "--admin", &way]);
    let mut lines = told.lines();
    assert_eq!(
        lines.next(),
        Some(
            "gateway: others have changed what the file was compared with, which was revision 1; nothing was imported"
        )
    );
    let who = lines.next().unwrap();
    assert!(who.starts_with("     2  ") && who.ends_with("1 entities  127.0.0.1  POST /consumers"), "{told}");
    assert!(lines.next().unwrap().contains("`--force`"), "{told}");
    assert_eq!((gateway.get("/one").status, gateway.get("/two").status), (200, 404));
    assert!(send(&gateway, "GET", "/consumers", "").text.contains("user1"));

    let forced = output(&["import", &two, "--force", "--admin", &way]);
    assert!(forced.status.success(), "{forced:?}");
    assert_eq!((gateway.get("/one").status, gateway.get("/two").status), (404, 200));
    assert!(send(&gateway, "GET", "/consumers", "").text.contains(r#""data":[]"#), "they go with the rest");
}

#[test]
fn a_file_that_may_not_get_longer_refuses_changes_and_ends_nothing() {
    let directory = Directory::new();
    let (store, file) =
        (directory.path("store"), directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one")));
    let gateway = Gateway::start(&[&file, "--store", &store]);
    drop(gateway);
    // As much as it has now, and not much more: what a full disk does, where a test may not fill one.
    let length = std::fs::metadata(format!("{store}/store.redb")).unwrap().len();
    let limited = command(&[]);
    let program = limited.get_program().to_owned();
    let mut command = std::process::Command::new("sh");
    command.env_clear().envs(limited.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.arg("-c").arg(format!("ulimit -f {}; exec \"$@\"", length / 512 + 64)).arg("sh").arg(program);
    command.args(["--store", &store, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let gateway = Gateway::spawn(command);
    let consumer =
        |number: usize| format!(r#"{{"username":"user{number}","tags":["{}"]}}"#, "x".repeat(20_000));
    let taken =
        (0..200).take_while(|number| send(&gateway, "POST", "/consumers", &consumer(*number)).status == 201);
    let taken = taken.count();
    assert!(taken < 200, "there is a limit");
    let line = gateway.line(|line| line["message"] == "not confirmed");
    assert_eq!((&line["level"], &line["what"]), (&"ERROR".into(), &"POST /consumers".into()), "{line}");
    assert!(line["error"].as_str().unwrap().contains("File too large"), "{line}");
    assert_eq!(gateway.get("/one").text, "upstream", "what runs goes on");
    let kept = |gateway: &Gateway| {
        send(gateway, "GET", "/consumers?size=1000", "").text.matches("\"username\"").count()
    };
    assert_eq!(kept(&gateway), taken);
    drop(gateway);
    let gateway = Gateway::start(&["--store", &store]);
    assert_eq!(kept(&gateway), taken, "nothing acknowledged is lost, nothing refused is kept");
    assert_eq!(
        send(&gateway, "POST", "/consumers", &consumer(taken)).status,
        201,
        "and with room it goes on"
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let directory = Directory::new();
    let place = directory.put("store", "no folder");
    let told = failure(&["--store", &format!("{place}/below"), "--listen", "127.0.0.1:0"]);
    assert!(
        told.contains(&format!("gateway: store: {place}/below: the store cannot be read or written")),
        "{told}"
    );
}

#[test]
fn what_cannot_be_served_any_more_is_named_and_can_be_had_as_a_file() {
    let directory = Directory::new();
    let store = directory.path("store");
    let secret = kong(upstream(Duration::ZERO), "/one")
        + "plugins: [{name: http-log, config: {http_endpoint: '{vault://env/LOG_URL}'}}]\n";
    let file = directory.put("kong.yml", &secret);
    let mut command =
        command(&[&file, "--store", &store, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.env("LOG_URL", "http://sesame.internal/");
    let mut gateway = Gateway::spawn(command);
    assert_eq!(gateway.get("/one").status, 200);
    let used = failure(&["export", "--store", &store]);
    assert!(used.contains("is in use by process"), "{used}");
    gateway.signal(Signal::TERM);
    gateway.ended();

    // The secret is not set here.
    let told = failure(&["--store", &store, "--listen", "127.0.0.1:0"]);
    assert!(told.contains("LOG_URL is not set") && told.contains("`gateway export --store`"), "{told}");
    let exported = output(&["export", "--store", &store]);
    let text = String::from_utf8(exported.stdout).unwrap();
    assert!(text.contains("{vault://env/LOG_URL}") && !text.contains("sesame"), "{text}");
}

#[test]
fn a_token_is_asked_for_and_its_name_stands_in_the_history() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let settings = directory.put("gateway.toml", "[admin_tokens]\ndeploys = 'sixteen characters!'\n");
    let gateway = Gateway::start(&["--store", &directory.path("store"), "--settings", &settings]);
    assert_eq!(send(&gateway, "GET", "/services", "").status, 401);
    assert_eq!(send(&gateway, "GET", "/status/ready", "").status, 200);
    let admin = gateway.admin().to_string();
    assert!(failure(&["import", &file, "--admin", &admin]).contains("401"));
    let token = ["--token", "sixteen characters!"];
    on(&gateway, &[&["import", &file][..], &token].concat());
    assert_eq!(gateway.get("/one").status, 200);
    let history = on(&gateway, &[&["history"][..], &token].concat());
    assert!(history.contains("  deploys  POST /config"), "{history}");
}

#[test]
fn the_level_of_the_log_is_changed_while_it_runs() {
    let directory = Directory::new();
    let mut gateway = Gateway::start(&["--store", &directory.path("store")]);
    let level = |gateway: &Gateway, level: &str| {
        send(gateway, "PUT", &format!("/debug/node/log-level/{level}"), "").status
    };
    assert_eq!(level(&gateway, "error"), 200);
    assert!(send(&gateway, "GET", "/debug/node/log-level", "").text.contains("log level: error"));
    assert_eq!(level(&gateway, "info"), 200);
    gateway.signal(Signal::HUP);
    gateway.line(|line| line["message"] == "there is no file to read again");
    assert_eq!(level(&gateway, "error"), 200);
    gateway.signal(Signal::TERM);
    gateway.ended();
    let rest = gateway.rest();
    let loud: Vec<_> =
        rest.iter().filter(|line| line["level"] == "INFO" && line["target"] != "audit").collect();
    assert!(loud.is_empty(), "a stop is not worth a line: {loud:?}");
}

#[test]
fn a_damaged_store_is_set_aside_and_served_from_its_copy() {
    let directory = Directory::new();
    let store = directory.path("store");
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let mut gateway = Gateway::start(&[&file, "--store", &store]);
    gateway.signal(Signal::TERM);
    gateway.ended();
    std::fs::write(format!("{store}/store.redb"), "damaged").unwrap();
    let gateway = Gateway::start(&["--store", &store]);
    assert_eq!(gateway.get("/one").text, "upstream");
}

#[cfg(not(feature = "postgres"))]
#[test]
fn without_postgresql_a_database_is_refused() {
    let told = failure(&["--store", "postgres://a:secret@b/c", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("built without PostgreSQL") && !told.contains("secret"), "{told}");
}

#[test]
fn what_leaves_nothing_has_to_be_meant() {
    let directory = Directory::new();
    let gateway = Gateway::start(&["--store", &directory.path("store")]);
    let admin = gateway.admin().to_string();
    assert_eq!(send(&gateway, "POST", "/services", r#"{"name":"users","host":"a.test"}"#).status, 201);
    let is_there = || send(&gateway, "GET", "/services/users", "").status == 200;

    let told = failure(&["rollback", "0", "--admin", &admin]);
    assert!(told.contains("all entities go; nothing was done, `--yes`"), "{told}");
    let empty = directory.put("empty.yml", "_format_version: '3.0'\n");
    let told = failure(&["import", &empty, "--admin", &admin]);
    assert!(told.contains("no entities") && told.contains("`--yes`") && is_there(), "{told}");
    assert!(on(&gateway, &["rollback", "0", "--dry-run"]).contains("1 go"));
    on(&gateway, &["rollback", "0", "--yes"]);
    assert!(!is_there());
    on(&gateway, &["rollback", "1"]);
    assert!(is_there());
    on(&gateway, &["import", "--yes", &empty]);
    assert!(!is_there());
}

#[test]
fn what_is_not_in_the_history_and_what_no_file_says_is_told() {
    let directory = Directory::new();
    let gateway = Gateway::start(&["--store", &directory.path("store")]);
    let admin = gateway.admin().to_string();
    let told = failure(&["history", "99999", "--admin", &admin]);
    assert_eq!(told, "gateway: the history has no revision 99999 (404 Not Found)\n");
    let told = failure(&["reload", "--admin", &admin]);
    assert!(told.contains("runs from a store") && told.contains("gateway import"), "{told}");
}

#[test]
fn a_place_that_is_no_folder_and_a_pipe_in_it_are_named() {
    let directory = Directory::new();
    let file = directory.put("file", "");
    for (place, reason) in [(file.clone(), "is a file, a folder is expected"), (file + "/below", "below")] {
        let told = failure(&["--store", &place, "--listen", "127.0.0.1:0"]);
        assert!(told.contains(&place) && told.contains(reason), "{told}");
    }
    for name in ["lock", "store.redb", "copy.jsonl"] {
        let store = directory.path(&format!("of-{name}"));
        std::fs::create_dir(&store).unwrap();
        let pipe = format!("{store}/{name}");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let told = failure(&["--store", &store, "--listen", "127.0.0.1:0"]);
        assert!(told.contains(&format!("{pipe} is no regular file")), "{told}");
    }
}

#[test]
fn who_changes_what_is_told_however_little_is_logged() {
    let directory = Directory::new();
    let gateway = Gateway::start(&["--store", &directory.path("store")]);
    let is_audit = |line: &Value| line["target"] == "audit";
    assert_eq!(send(&gateway, "PUT", "/debug/node/log-level/crit?timeout=0", "").status, 200);
    assert_eq!(gateway.line(is_audit)["what"], "PUT /debug/node/log-level/crit");
    assert_eq!(send(&gateway, "POST", "/services", r#"{"name":"s","host":"h"}"#).status, 201);
    assert_eq!(gateway.line(is_audit)["what"], "POST /services");
    let page = [("Origin", "https://elsewhere.example")];
    assert_eq!(ask(gateway.admin(), "POST", "/services", &page, "").unwrap().status, 403);
    assert_eq!(gateway.line(is_audit)["message"], "not let in");
}

/// In a container the variable is set for the gateway itself.
#[test]
fn an_option_wins_over_a_variable_that_is_at_odds_with_it() {
    let directory = Directory::new();
    let store = directory.path("store");
    let mut gateway = Gateway::start(&["--store", &store]);
    gateway.signal(Signal::TERM);
    gateway.ended();
    let args = ["export", "--store", &store];
    let run = |args: &[&str]| {
        let mut command = command(args);
        command.env("GATEWAY_ADMIN", "127.0.0.1:1").env("GATEWAY_ADMIN_TOKEN", "a long random text");
        command.output().unwrap()
    };
    let exported = run(&args);
    assert!(exported.status.success(), "{exported:?}");
    assert!(String::from_utf8_lossy(&exported.stdout).contains("_format_version"), "{exported:?}");
    let both = run(&[&args[..], &["--admin", "127.0.0.1:1"]].concat());
    assert_eq!(both.status.code(), Some(2), "{both:?}");
    assert!(String::from_utf8_lossy(&both.stderr).contains("cannot be used with"), "{both:?}");
}
