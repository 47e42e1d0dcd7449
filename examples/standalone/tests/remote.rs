//! Commands beside a running gateway.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::{Output, Stdio},
    thread,
    time::Duration,
};

use kit::{Directory, Gateway, ask, command, failure, kong, output, until, upstream};
use serde_json::Value;

/// Runs a command on this gateway.
fn on(gateway: &Gateway, args: &[&str]) -> Output {
    let admin = gateway.admin().to_string();
    output(&[args, &["--admin", &admin]].concat())
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn what_is_exported_is_imported() {
    let directory = Directory::new();
    let upstream = upstream(Duration::ZERO);
    let one = directory.put("one.yml", &(kong(upstream, "/one") + "plugins:\n- name: correlation-id\n"));
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream, "/zero"))]);

    let differs = said(&on(&gateway, &["diff", &one]), 1);
    assert!(
        differs.contains("~ routes users ") && differs.contains("[\"/zero\"] -> [\"/one\"]"),
        "{differs}"
    );
    assert!(differs.contains("+ plugins correlation-id "), "{differs}");
    assert_eq!(said(&on(&gateway, &["import", &one, "--dry-run"]), 1), differs);
    assert_eq!((gateway.get("/one").status, gateway.get("/zero").status), (404, 200));

    assert_eq!(said(&on(&gateway, &["import", &one]), 0), differs);
    assert_eq!((gateway.get("/one").status, gateway.get("/zero").status), (200, 404));
    assert_eq!(said(&on(&gateway, &["diff", &one]), 0), "nothing differs\n");
    let json: Value =
        serde_json::from_str(&said(&on(&gateway, &["diff", &one, "--format", "json"]), 0)).unwrap();
    assert_eq!(json, serde_json::json!([]));

    let out = directory.path("out.yml");
    said(&on(&gateway, &["export", "--output", &out]), 0);
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(said(&on(&gateway, &["export"]), 0), std::fs::read_to_string(&out).unwrap());
    assert_eq!(said(&on(&gateway, &["diff", &out]), 0), "nothing differs\n");

    let wrong = directory.put("wrong.yml", &kong(upstream, "/one").replace("paths", "path"));
    let refused = on(&gateway, &["import", &wrong]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean `paths`?"), "{refused:?}");
    assert_eq!(gateway.get("/one").status, 200);
}

#[test]
fn without_a_store_an_import_is_on_top_of_what_was_compared_too() {
    let directory = Directory::new();
    let upstream = upstream(Duration::ZERO);
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream, "/zero"))]);
    let admin = gateway.admin();
    let served = ask(admin, "GET", "/config", &[], "").unwrap();
    let tag = served.fields().find(|(name, _)| name.eq_ignore_ascii_case("etag")).unwrap().1.to_owned();
    let one = directory.put("one.yml", &kong(upstream, "/one"));
    said(&on(&gateway, &["import", &one]), 0);
    let headers = [("Content-Type", "text/yaml"), ("If-Match", tag.as_str())];
    assert_eq!(ask(admin, "POST", "/config", &headers, &kong(upstream, "/two")).unwrap().status, 412);
    assert_eq!(gateway.get("/one").status, 200);
}

#[test]
fn health_is_told_until_it_is_drained() {
    let directory = Directory::new();
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"))]);
    let healthy = said(&on(&gateway, &["health"]), 0);
    assert!(healthy.starts_with("gateway.......running\n") && healthy.contains("is healthy"), "{healthy}");
    said(&on(&gateway, &["drain"]), 0);
    let drained = on(&gateway, &["health"]);
    assert_eq!(drained.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&drained.stderr).contains("is not ready: draining"), "{drained:?}");
    assert_eq!(gateway.get("/one").status, 200, "what still comes is served");
}

#[test]
fn p50_reload_reads_the_file_again() {
    let directory = Directory::new();
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"))]);
    assert_eq!(said(&on(&gateway, &["reload"]), 0), "gateway reloaded\n");
    gateway.line(|line| line["message"] == "serving the changed file");
}

/// Bug: `gateway reloaded` and exit code 0, whatever became of the file.
#[test]
fn reload_fails_where_the_file_is_refused_or_gone() {
    let directory = Directory::new();
    let upstream = upstream(Duration::ZERO);
    for (name, problem) in [("wrong.yml", "junk: unknown field"), ("gone.yml", "cannot read")] {
        let file = directory.put(name, &kong(upstream, "/one"));
        let gateway = Gateway::start(&[&file]);
        if name == "gone.yml" {
            std::fs::remove_file(&file).unwrap();
        } else {
            directory.put(name, "_format_version: '3.0'\njunk: 1\n");
        }
        let refused = on(&gateway, &["reload"]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("what ran before goes on") && told.contains(problem), "{told}");
        assert_eq!(gateway.get("/one").status, 200);
    }
}

#[test]
fn without_a_store_there_is_no_history() {
    let directory = Directory::new();
    let gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"))]);
    for asked in [&["history"][..], &["history", "1"], &["rollback", "1", "--yes"]] {
        let refused = on(&gateway, asked);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("there is no history without a store"), "{asked:?}: {told}");
    }
}

#[test]
fn p49_quit_waits_for_requests_under_way() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::from_secs(4)), "/slow"));
    let mut gateway = Gateway::start(&[&file]);
    let address = gateway.address;
    let under_way = thread::spawn(move || ask(address, "GET", "/slow", &[], ""));
    until("the request has begun", || gateway.is_answering());
    assert_eq!(said(&on(&gateway, &["quit", "--timeout", "30"]), 0), "gateway stopped (gracefully)\n");
    assert_eq!(under_way.join().unwrap().unwrap().text, "upstream");
    assert_eq!(gateway.ended().code(), Some(0));
}

#[test]
fn p49_quit_cuts_what_does_not_end() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::from_secs(600)), "/never"));
    let settings = directory.put("settings.toml", "[timeouts]\ndrain = '10m'\n");
    let mut gateway = Gateway::start(&[&file, "--settings", &settings]);
    let address = gateway.address;
    let under_way = thread::spawn(move || ask(address, "GET", "/never", &[], "").is_none());
    until("the request has begun", || gateway.is_answering());
    let quit = on(&gateway, &["quit", "--timeout", "1"]);
    assert_eq!(said(&quit, 0), "timeout, gateway stopped forcefully\n");
    assert!(under_way.join().unwrap(), "cut without an answer");
    gateway.ended();
}

#[test]
fn p49_quit_serves_on_while_it_waits() {
    let directory = Directory::new();
    let mut gateway = Gateway::start(&[&directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"))]);
    let admin = gateway.admin().to_string();
    let quit = command(&["quit", "--wait", "4", "--admin", &admin]).stdout(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(gateway.get("/one").status, 200);
    assert_eq!(gateway.ended().code(), Some(0));
    said(&quit.wait_with_output().unwrap(), 0);
    assert!(TcpStream::connect(gateway.address).is_err());
}

#[test]
fn without_a_gateway_the_address_is_named() {
    let free = "127.0.0.1:1";
    for command in ["health", "drain", "reload", "quit", "export", "history"] {
        let told = failure(&[command, "--admin", free]);
        assert!(told.contains(&format!("no gateway has its Admin API at {free}")), "{command}: {told}");
    }
}

#[test]
fn what_is_no_admin_api_is_told_as_such() {
    let directory = Directory::new();
    let stranger = upstream(Duration::ZERO).to_string();
    let told = failure(&["history", "--admin", &stranger]);
    assert!(told.contains(&format!("cannot talk to the Admin API at {stranger}")), "{told}");
    let token = directory.put("settings.toml", "admin_token = 'a long random text'\n");
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let gateway = Gateway::start(&[&file, "--settings", &token]);
    for token in [&[][..], &["--token", "another one"]] {
        let refused = on(&gateway, &[&["export"][..], token].concat());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--token"), "{refused:?}");
    }
}

#[test]
fn a_first_file_is_written_once_and_serves() {
    let directory = Directory::new();
    let folder = directory.path("new");
    said(&output(&["init", &folder]), 0);
    let file = format!("{folder}/kong.yml");
    assert_eq!(said(&output(&["check", &file]), 0), format!("configuration at {file} is valid\n"));
    assert_eq!(said(&output(&["lint", &file]), 0).lines().count(), 1, "nothing doubtful");
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}/kong.schema.json")).unwrap())
            .unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(said(&output(&["schema"]), 0), serde_json::to_string_pretty(&schema).unwrap() + "\n");
    assert!(failure(&["init", &folder]).contains("kong.yml: File exists"), "it is not written over");
}

#[test]
fn shells_learn_the_commands() {
    let bash = said(&output(&["completions", "bash"]), 0);
    assert!(bash.contains("rollback") && bash.contains("--router-flavor"));
}

#[test]
fn settings_of_kong_are_read_and_the_rest_is_named() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let conf = directory.put(
        "kong.conf",
        &format!(
            "proxy_listen = 127.0.0.1:0 reuseport\ndeclarative_config = {file}\nlua_ssl_verify_depth = 1\n"
        ),
    );
    let mut command = command(&["--kong-conf", &conf]);
    command
        .env("KONG_ADMIN_LISTEN", "127.0.0.1:0")
        .env("KONG_ALLOW_DEBUG_HEADER", "on")
        .env("GATEWAY_WORKERS", "1");
    let gateway = Gateway::spawn(command);
    let answer = ask(gateway.address, "GET", "/one", &[("Kong-Debug", "1")], "").unwrap();
    assert!(answer.status == 200 && answer.head.contains("kong-route-name: users"), "{}", answer.head);
    assert_eq!(ask(gateway.admin(), "GET", "/status/ready", &[], "").unwrap().status, 200);
    let wrong = directory.put("wrong.conf", "\nadmin_listen = nowhere\n");
    assert!(failure(&["--kong-conf", &wrong]).contains("wrong.conf:2: admin_listen = nowhere"));
}

#[test]
fn an_admin_api_with_tls_is_asked_with_its_anchors_and_by_those_it_knows() {
    let directory = Directory::new();
    let [server, own] = ["admin.test", "operator"].map(|name| {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let cert = directory.put(&format!("{name}.pem"), &pair.cert.pem());
        (cert, directory.put(&format!("{name}.key"), &pair.signing_key.serialize_pem()))
    });
    let settings = format!(
        "admin_tls_cert = '{}'\nadmin_tls_key = '{}'\nadmin_client_ca = '{}'\n",
        server.0, server.1, own.0
    );
    let settings = directory.put("settings.toml", &settings);
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let gateway = Gateway::start(&[&file, "--settings", &settings]);

    // Another certificate stands before it in the bundle.
    let bundle: String = [&own.0, &server.0].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    let bundle = directory.put("bundle.pem", &bundle);
    let trusted = ["--admin-ca", &bundle, "--admin-name", "admin.test"];
    let known = [&trusted[..], &["--admin-cert", &own.0, "--admin-key", &own.1]].concat();
    assert!(said(&on(&gateway, &[&["health"][..], &known].concat()), 0).contains("is healthy"));
    let exported = said(&on(&gateway, &[&["export"][..], &known].concat()), 0);
    assert_eq!(
        said(&on(&gateway, &[&["diff", &directory.put("out.yml", &exported)][..], &known].concat()), 0),
        "nothing differs\n"
    );
    said(&on(&gateway, &[&["import", &file][..], &known].concat()), 0);

    let url = format!("https://{}", gateway.admin());
    said(&output(&[&["health", "--admin", &url][..], &known].concat()), 0);
    let by_variable =
        command(&[&["health"][..], &known].concat()).env("GATEWAY_ADMIN", &url).output().unwrap();
    said(&by_variable, 0);

    let refused = |args: &[&str]| {
        let output = on(&gateway, &[&["health"][..], args].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&[]).contains("if it speaks TLS, say --admin-tls or --admin-ca"));
    let unknown = refused(&trusted);
    assert!(unknown.contains("CertificateRequired") && unknown.contains("--admin-cert"), "{unknown}");
    let other_name = [&known[..2], &known[4..]].concat();
    assert!(refused(&other_name).contains("certificate"), "its certificate is not for the address");
    assert!(refused(&["--admin-tls"]).contains("certificate"), "the system does not know it");
    assert!(refused(&["--admin-ca", &own.1]).contains("no certificate (PEM) in it"));
}

/// What `openssl req -x509` makes is no server's certificate to everybody.
#[test]
fn the_certificate_of_an_authority_is_named_as_such() {
    let directory = Directory::new();
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = directory.put("cert.pem", &params.self_signed(&key).unwrap().pem());
    let key = directory.put("key.pem", &key.serialize_pem());
    let settings = format!("admin_tls_cert = '{cert}'\nadmin_tls_key = '{key}'\n");
    let settings = directory.put("settings.toml", &settings);
    let gateway =
        Gateway::start(&[&directory.put("kong.yml", "_format_version: '3.0'"), "--settings", &settings]);
    let refused = on(&gateway, &["health", "--admin-ca", &cert]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("-addext basicConstraints=critical,CA:FALSE"), "{told}");
}

/// As Kong's variables in a container: the Admin API over TLS alone.
#[test]
fn kongs_tls_of_the_admin_api_is_read() {
    let directory = Directory::new();
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let cert = directory.put("cert.pem", &pair.cert.pem());
    let key = directory.put("key.pem", &pair.signing_key.serialize_pem());
    let mut command =
        command(&[&directory.put("kong.yml", "_format_version: '3.0'"), "--listen", "127.0.0.1:0"]);
    command.env("KONG_ADMIN_LISTEN", "127.0.0.1:0 http2 ssl");
    command.env("KONG_ADMIN_SSL_CERT", &cert).env("KONG_ADMIN_SSL_CERT_KEY", &key);
    let gateway = Gateway::spawn(command);
    let url = format!("https://{}", gateway.admin());
    assert!(said(&output(&["health", "--admin", &url, "--admin-ca", &cert]), 0).contains("is healthy"));
}
