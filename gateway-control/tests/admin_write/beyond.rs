//! What goes beyond Kong: tags and conditions, trying, batches, history, the feed, tokens.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_control::{
    Control, LogLevel,
    admin::Access,
    store::{Memory, Revision},
};
use gateway_core::Gateway;
use serde_json::{Value, json};
use tracing::Level;

use crate::kit::{Answer, Node};

#[test]
fn what_is_only_tried_changes_nothing_and_says_all() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let before = node.control.revision();
    let tried = node.made(200, "PATCH", "/services/s?dry_run=1", &json!({ "port": 81 }));
    assert_eq!(
        (&tried["dry_run"], &tried["status"], &tried["body"]["port"]),
        (&json!(true), &json!(200), &json!(81))
    );
    let id = tried["body"]["id"].clone();
    let port = json!({ "name": "port", "values": [80, 81] });
    let change = json!({ "what": "changes", "kind": "services", "id": id, "name": "s", "fields": [port] });
    assert_eq!(tried["differences"], json!([change]));
    let route = json!({ "paths": ["/a"], "hosts": ["a.t"] });
    node.made(201, "POST", "/services/s/routes", &route);
    let twin = node.made(200, "POST", "/services/s/routes?dry_run=1", &route);
    assert!(!twin["lint"].as_array().unwrap().is_empty(), "a twin is doubtful: {twin}");
    let refused = node.send("POST", "/services?dry_run=1", &json!({}));
    assert_eq!(refused.status, 400);
    let file = "_format_version: '3.0'\n";
    let all = node.post("/config?dry_run=1", "text/yaml", file).json();
    assert_eq!(all["differences"].as_array().unwrap().len(), 2);
    assert_eq!(node.get("/services/s").json()["port"], 80);
    assert_eq!(node.control.revision().map(Revision::get), before.map(|before| before.get() + 1));
}

#[test]
fn a_change_whose_dry_run_is_mistyped_is_not_made() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    let before = node.control.revision();
    let batch = json!({ "operations": [{ "method": "DELETE", "path": "/services/s" }] });
    for value in ["", "2", "-58800", "yes", "TRUE"] {
        for (method, path, body) in [
            ("POST", "/services", json!({ "host": "h" })),
            ("PATCH", "/services/s", json!({ "port": 81 })),
            ("DELETE", "/services/s", json!({})),
            ("POST", "/batch", batch.clone()),
            ("POST", "/rollback/0", json!({})),
            ("POST", "/config", json!({ "_format_version": "3.0" })),
        ] {
            let answer = node.send(method, &format!("{path}?dry_run={value}"), &body);
            let message = "dry_run must be one of: 0, 1, false, true";
            assert_eq!((answer.status, &answer.json()["message"]), (400, &json!(message)), "{method} {path}");
        }
    }
    for value in ["1", "true"] {
        let tried = node.made(200, "DELETE", &format!("/services/s?dry_run={value}"), &json!({}));
        assert_eq!((&tried["dry_run"], &tried["status"]), (&json!(true), &json!(204)));
    }
    assert_eq!(node.control.revision(), before);
    node.made(200, "PATCH", "/services/s?dry_run=0", &json!({ "port": 81 }));
    assert_eq!(node.send("DELETE", "/services/s?dry_run=false", &json!({})).status, 204);
}

#[test]
fn what_takes_no_effect_has_to_be_right_all_the_same() {
    let node = Node::stored();
    let id = node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }))["id"].clone();
    for fields in [json!({ "updated_at": "" }), json!({ "updated_at": -1 }), json!({ "id": "x" })] {
        let mut whole = fields.clone();
        whole["host"] = "h".into();
        assert_eq!(node.send("PATCH", "/services/s", &fields).status, 400, "{fields}");
        assert_eq!(node.send("PUT", "/services/s", &whole).status, 400, "{fields}");
        assert_eq!(node.send("POST", "/services", &whole).status, 400, "{fields}");
    }
    let other = json!({ "id": "0c5e7d2e-5d36-4a4c-9a5e-0d8a3c1b2f4d", "updated_at": 1, "created_at": 5 });
    let changed = node.made(200, "PATCH", "/services/s", &other);
    assert_eq!((&changed["id"], &changed["created_at"]), (&id, &json!(5)));
    assert!(changed["updated_at"].as_u64().unwrap() > 1);
    node.made(201, "POST", "/consumers", &json!({ "username": "c" }));
    for (method, path, fields) in [
        ("POST", "/consumers/c/acls", json!({ "group": "g", "consumer": 5 })),
        ("POST", "/consumers/c/acls", json!({ "group": "g", "consumer": {} })),
        ("PUT", "/consumers/c/acls/g", json!({ "group": ["g"] })),
        ("PUT", "/services/s", json!({ "name": 5, "host": "h" })),
        ("PUT", "/services/s", json!({ "name": "a b", "host": "h" })),
    ] {
        let refused = node.send(method, path, &fields);
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(2)), "{method} {path} {fields}");
    }
    let fields = json!({ "group": "other", "consumer": "nobody" });
    let group = node.made(200, "PUT", "/consumers/c/acls/g", &fields);
    assert_eq!(group["group"], "g", "the path says it");
    let tags = json!({ "tags": ["a", "b", "a"], "created_at": null });
    let changed = node.made(200, "PATCH", "/services/s", &tags);
    assert_eq!((&changed["tags"], &changed["created_at"]), (&json!(["a", "b"]), &json!(5)));
}

#[test]
fn the_methods_that_are_allowed_are_those_of_the_document() {
    let node = Node::stored();
    let document = node.get("/openapi.json").json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let asked =
            ["{key}", "{owner}", "{revision}"].iter().fold(path.clone(), |path, at| path.replace(at, "1"));
        let allow = node.ask("OPTIONS", &asked, "", "").header("allow").unwrap().to_lowercase();
        let allowed = allow.split(", ").filter(|method| !matches!(*method, "head" | "options"));
        let mut known: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(allowed.collect::<Vec<_>>(), known, "{path}");
    }
}

#[test]
fn every_refusal_is_json() {
    let node = Node::stored();
    let is_json = |answer: &Answer, status: u16, of: &str| {
        let kind = answer.header("content-type").map(str::to_owned);
        assert_eq!(
            (answer.status, kind.as_deref()),
            (status, Some("application/json; charset=utf-8")),
            "{of}"
        );
        assert!(answer.json()["message"].is_string(), "{of}");
    };
    for (method, path) in [
        ("GET", "/history/-1"),
        ("GET", "/history/x"),
        ("GET", "/history/99999999999999999999"),
        ("POST", "/rollback/-1"),
        ("POST", "/rollback/1.5"),
        ("GET", "/services/%ff"),
        ("GET", "/services/%ff/routes"),
        ("GET", "/consumers/%ff/consumer_groups"),
        ("GET", "/tags/%ff"),
        ("GET", "/schemas/%ff"),
        ("GET", "/schemas/plugins/%ff"),
        ("GET", "/upstreams/%ff/health"),
        ("PUT", "/upstreams/%ff/targets/a/healthy"),
        ("PUT", "/debug/node/log-level/%ff"),
        ("DELETE", "/services/%ff"),
    ] {
        is_json(&node.ask(method, path, "application/json", ""), 404, path);
    }
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(3 << 20));
    for path in ["/explain", "/schemas/services/validate", "/schemas/plugins/validate", "/status/ready"] {
        is_json(&node.ask("POST", path, "application/json", &long), 413, path);
    }
}

#[test]
fn a_batch_is_made_as_a_whole_or_not_at_all() {
    let node = Node::stored();
    let operation =
        |method: &str, path: &str, body: Value| json!({ "method": method, "path": path, "body": body });
    let good = json!({ "operations": [
        operation("PUT", "/services/s", json!({ "host": "h" })),
        operation("PUT", "/services/s/routes/r", json!({ "paths": ["/r"] })),
        operation("POST", "/routes/r/plugins", json!({ "name": "cors" })),
        operation("DELETE", "/services/none", json!({})),
    ] });
    let answer = node.send("POST", "/batch", &good);
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    let statuses: Vec<_> =
        body["results"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [200, 200, 201, 204]);
    assert_eq!(answer.header("gateway-revision"), Some("1"), "one revision for all");

    let bad = json!({ "operations": [
        operation("PATCH", "/services/s", json!({ "port": 81 })),
        operation("POST", "/services", json!({ "name": "s", "host": "h" })),
    ] });
    let refused = node.send("POST", "/batch", &bad);
    let body = refused.json();
    assert_eq!(
        (refused.status, &body["index"], &body["body"]["code"]),
        (409, &json!(1), &json!(5)),
        "{body}"
    );
    assert_eq!(node.get("/services/s").json()["port"], 80);
    assert_eq!(node.control.revision().unwrap().get(), 1);
    for body in
        [json!({}), json!({ "operations": [{ "method": "PUT" }] }), json!({ "operations": [], "x": 1 })]
    {
        assert_eq!(node.send("POST", "/batch", &body).status, 400, "{body}");
    }
    let many: Vec<_> = (0..=10_000).map(|_| operation("DELETE", "/services/none", json!({}))).collect();
    node.send("POST", "/batch", &json!({ "operations": many }))
        .is(400, &json!({ "message": "a batch has at most 10000 operations" }));
    let nowhere = json!({ "operations": [operation("POST", "/status", json!({}))] });
    assert_eq!(node.send("POST", "/batch", &nowhere).status, 404);
}

#[test]
fn every_change_is_remembered_and_can_be_undone() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "s", "host": "h" }));
    node.made(200, "PATCH", "/services/s", &json!({ "port": 81 }));
    node.gone("/services/s");
    let history = node.get("/history").json();
    let data = history["data"].as_array().unwrap();
    let told: Vec<_> = data
        .iter()
        .map(|one| (one["revision"].clone(), one["what"].clone(), one["entities"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(3), json!("DELETE /services/s"), json!(1)),
            (json!(2), json!("PATCH /services/s"), json!(1)),
            (json!(1), json!("POST /services"), json!(1)),
        ]
    );
    assert_eq!(data[0]["who"], "127.0.0.1");
    let page = node.get("/history?size=2").json();
    assert_eq!(page["next"], "/history?before=2&size=2");
    assert_eq!(node.get("/history?before=2&size=2").json()["data"][0]["revision"], 1);
    let second = node.get("/history/2").json();
    assert_eq!(second["differences"][0]["fields"], json!([{ "name": "port", "values": [80, 81] }]));
    assert_eq!(node.get("/history/9").status, 404);

    let back = node.send("POST", "/rollback/2", &json!({}));
    assert_eq!((back.status, back.header("gateway-revision")), (200, Some("4")), "{}", back.text);
    assert_eq!(node.get("/services/s").json()["port"], 81);
    assert_eq!(node.control.gateway().snapshot().config().services.len(), 1);
    assert_eq!(node.send("POST", "/rollback/9", &json!({})).status, 404);
    let tried = node.made(200, "POST", "/rollback/0?dry_run=1", &json!({}));
    assert_eq!(tried["differences"][0]["what"], "goes");
    assert_eq!(node.get("/services/s").status, 200);
}

#[test]
fn history_feed_and_trial_tell_no_secret() {
    let node = Node::stored();
    node.made(201, "POST", "/consumers", &json!({ "username": "alice" }));
    node.made(200, "PUT", "/consumers/alice/key-auth/s3cret-key", &json!({}));
    let basic = json!({ "username": "al", "password": "s3cret-word" });
    let basic = node.made(201, "POST", "/consumers/alice/basic-auth", &basic);
    node.made(200, "PATCH", "/key-auths/s3cret-key", &json!({ "key": "s3cret-other" }));
    let hash = basic["password"].as_str().unwrap();
    let tried = node.made(200, "DELETE", "/key-auths/s3cret-other?dry_run=1", &json!({}));
    let mut told = vec![tried.to_string(), node.get("/history").text];
    told.extend((1..=4).map(|revision| node.get(&format!("/history/{revision}")).text));
    told.extend(events(&node, "?since=0", 4).into_iter().map(|(_, event)| event.to_string()));
    for text in told {
        assert!(!text.contains("s3cret") && !text.contains(hash), "{text}");
    }
}

#[test]
fn a_file_takes_the_place_of_everything_in_one_revision() {
    let node = Node::stored();
    node.made(201, "POST", "/services", &json!({ "name": "old", "host": "h" }));
    let loaded = node.post("/config", "text/yaml", crate::kit::KONG);
    assert_eq!((loaded.status, loaded.header("gateway-revision")), (201, Some("2")), "{}", loaded.text);
    assert_eq!(loaded.json()["services"].as_object().unwrap().len(), 2);
    assert_eq!(node.get("/services/old").status, 404);
    let made = node.get("/services/users").json();
    assert!(made["created_at"].as_u64().unwrap() > 1_700_000_000, "a file says no times");
    let again = node.post("/config", "text/yaml", crate::kit::KONG);
    assert_eq!((again.status, again.header("gateway-revision")), (201, Some("2")), "the same is no change");
    let port = crate::kit::KONG.replace("9101/base", "9109/base");
    assert_eq!(node.post("/config", "text/yaml", &port).status, 201);
    let changed = node.get("/services/users").json();
    assert_eq!((&changed["port"], &changed["created_at"]), (&json!(9109), &made["created_at"]));
    let refused = node.post("/config", "text/yaml", "_format_version: '3.0'\nservices: [{name: x}]\n");
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!(14)));
    assert_eq!(node.control.revision().unwrap().get(), 3);
    let shown = node.get("/config").json()["config"].as_str().unwrap().to_owned();
    assert_eq!(
        node.post("/config", "text/yaml", &shown).header("gateway-revision"),
        Some("3"),
        "it round-trips"
    );
}

/// Reads events until `count` have come.
fn events(node: &Node, query: &str, count: usize) -> Vec<(String, Value)> {
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
    let none = Node::of(Control::new(Gateway::builder().build().unwrap()));
    assert_eq!(none.get("/debug/node/log-level").status, 404);
}

#[test]
fn the_document_describes_every_list_and_all_that_it_refers_to() {
    let node = Node::stored();
    let document = node.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    for path in
        ["/services", "/services/{key}", "/services/{owner}/routes", "/routes/{key}/service", "/batch"]
    {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    assert_eq!(document["components"]["schemas"]["services"]["properties"]["port"]["maximum"], 65535);
    let table = |name: &str| &document["components"]["schemas"][name]["properties"];
    assert_eq!(table("services")["path"]["type"], json!(["string", "null"]), "null is absence");
    assert_eq!(table("services")["port"]["type"], "integer", "but not where something must be");
    for (kind, field) in
        [("services", "host"), ("routes", "name"), ("upstreams", "name"), ("targets", "target")]
    {
        assert!(table(kind)[field]["pattern"].is_string(), "{kind}.{field}");
    }
    let asked = |method: &str, path: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"].to_string()
    };
    assert!(asked("post", "/services").contains("schemas/services\""));
    assert!(asked("put", "/services/{key}").contains("schemas/services\""), "the key is no host");
    let credential = asked("post", "/consumers/{owner}/basic-auth");
    assert!(credential.contains("password") && !credential.contains("consumer"), "the path says whose it is");
    let credential = asked("put", "/consumers/{owner}/basic-auth/{key}");
    assert!(credential.contains("password") && !credential.contains("username"), "and which");
    let batch = &document["paths"]["/batch"]["post"]["requestBody"]["content"];
    assert_eq!(batch.as_object().unwrap().keys().collect::<Vec<_>>(), ["application/json"]);
    let text = document.to_string();
    let mut references = 0;
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 100);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let named = operation["parameters"].as_array().cloned().unwrap_or_default();
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let parameter = json!({ "$ref": format!("#/components/parameters/{name}") });
                assert!(named.contains(&parameter), "{method} {path}: {name}");
            }
        }
    }
}

#[test]
fn the_document_knows_every_status_that_is_answered() {
    let node = Node::stored();
    for (path, body) in [
        ("/services", json!({ "name": "a", "host": "h" })),
        ("/services/a/routes", json!({ "name": "a", "paths": ["/a"] })),
        ("/upstreams", json!({ "name": "a" })),
        ("/consumers", json!({ "username": "a" })),
        ("/key-sets", json!({ "name": "a" })),
        ("/consumer_groups", json!({ "name": "a" })),
    ] {
        node.made(201, "POST", path, &body);
    }
    let document = node.get("/openapi.json").json();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let known = operation["responses"].as_object().unwrap();
            // The one never ends, the other takes away what is asked for.
            if matches!((path.as_str(), method.as_str()), ("/changes", _) | ("/config", "post")) {
                continue;
            }
            for name in ["a", "none", "7"] {
                let names = ["{key}", "{owner}", "{revision}"];
                let path = names.iter().fold(path.clone(), |path, place| path.replace(place, name));
                for (kind, body) in [
                    ("application/json", "{}"),
                    ("application/json", "{\"host\":\"h\",\"name\":\"b\",\"port\":\"x\"}"),
                    ("application/json", "["),
                    ("application/x-www-form-urlencoded", "name=a&host=h&paths[]=/b"),
                    ("text/plain", "x"),
                ] {
                    for query in ["", "?dry_run=1"] {
                        let answer = node.ask(&method.to_uppercase(), &format!("{path}{query}"), kind, body);
                        let status = answer.status.to_string();
                        assert!(
                            known.contains_key(&status),
                            "{method} {path} {body}: {status} {}",
                            answer.text
                        );
                        asked += 1;
                    }
                }
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
}

#[test]
fn without_a_store_there_is_no_batch_history_or_feed() {
    let node = Node::of(Control::new(Gateway::builder().build().unwrap()));
    for (method, path) in [
        ("POST", "/batch"),
        ("GET", "/history"),
        ("GET", "/history/1"),
        ("POST", "/rollback/1"),
        ("GET", "/changes"),
    ] {
        let answer = node.send(method, path, &json!({ "operations": [] }));
        assert_eq!((answer.status, &answer.json()["code"]), (405, &json!(12)), "{method} {path}");
    }
}
