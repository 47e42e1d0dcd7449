//! What cannot be served: one clear line, exit code 1.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use kit::{Directory, Gateway, command, failure, kong, output, talk, upstream};
use serde_json::Value;

const TEN_MISTAKES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../gateway-core/tests/data/ten-mistakes.yml");

#[track_caller]
fn one_line(args: &[&str], parts: &[&str]) {
    let said = failure(args);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(parts.iter().all(|part| said.contains(part)), "{parts:?} in {said}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    one_line(&["--listen", &address], &["gateway: cannot listen on", &address, "in use"]);
    one_line(&["--listen", "127.0.0.1:0", "--admin", &address], &[&address, "in use"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = Directory::new();
    let missing = directory.path("missing.yml");
    one_line(&[&missing], &["cannot read", &missing, "No such file"]);
    one_line(&["check", &missing], &["cannot read", &missing]);
    one_line(&[&directory.path("")], &["cannot read", "directory"]);
    one_line(&["--settings", &missing], &["cannot read", &missing]);
}

#[test]
fn certificates_of_the_admin_api_belong_together() {
    let directory = Directory::new();
    let settings = directory.put("settings.toml", "admin = \"127.0.0.1:0\"\nadmin_client_ca = \"ca.pem\"\n");
    one_line(&["--settings", &settings], &["admin_tls_cert and admin_tls_key belong together"]);
    let missing = directory.path("cert.pem");
    let both =
        format!("admin = \"127.0.0.1:0\"\nadmin_tls_cert = \"{missing}\"\nadmin_tls_key = \"{missing}\"\n");
    let settings = directory.put("settings.toml", &both);
    one_line(&["--settings", &settings], &["cannot read", &missing]);
}

#[test]
fn wrong_settings_are_named_with_file_line_and_field() {
    let directory = Directory::new();
    let settings = directory.put("settings.toml", "workers = 1\n[limits]\nhaed = 1\n");
    one_line(&["--settings", &settings], &["settings.toml:3: `haed = 1`: unknown field `haed`"]);
    let wrong = command(&[]).env("GATEWAY_LIMITS_HEAD", "much").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("GATEWAY_LIMITS_HEAD=much: 'much' is no size"));
    let none = command(&[]).env("GATEWAY_LIMITS_CONNECTIONS", "0").output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    let said = String::from_utf8(none.stderr).unwrap();
    assert_eq!(said.trim_end(), "gateway: GATEWAY_LIMITS_CONNECTIONS=0: not within 1 to 10000000");
}

#[test]
fn a_wrong_value_of_an_option_names_its_variable_and_an_empty_one_is_none() {
    let wrong = command(&[]).env("GATEWAY_LISTEN", ":0,nowhere").output().unwrap();
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("'nowhere' is no address") && said.contains("comes from GATEWAY_LISTEN"), "{said}");
    let empty =
        command(&["missing.yml"]).env("GATEWAY_LISTEN", "").env("GATEWAY_WORKERS", "").output().unwrap();
    let said = String::from_utf8(empty.stderr).unwrap();
    assert!(said.starts_with("gateway: cannot read missing.yml"), "{said}");
}

#[test]
fn a_bad_certificate_is_named() {
    let directory = Directory::new();
    let (cert, key) = (directory.put("cert.pem", "no certificate"), directory.put("key.pem", "no key"));
    let args = ["--listen-tls", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    one_line(&args, &["gateway: default certificate"]);
}

#[test]
fn a_good_certificate_is_served() {
    let directory = Directory::new();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = directory.put("cert.pem", &pair.cert.pem());
    let key = directory.put("key.pem", &pair.signing_key.serialize_pem());
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let gateway =
        Gateway::start(&[&file, "--listen-tls", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key]);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let stream = TcpStream::connect(gateway.ready["listen_tls"].as_str().unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    assert_eq!(talk(&mut stream, "GET", "/one", &[], "").unwrap().text, "upstream");
}

#[test]
fn check_names_all_ten_mistakes() {
    let said = failure(&["check", TEN_MISTAKES]);
    let drawn = said.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(drawn, 10, "{said}");
    assert!(said.contains("ten-mistakes.yml:") && said.contains("10 problems in"), "{said}");

    let json = output(&["check", TEN_MISTAKES, "--format", "json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["valid"], false);
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 10);
    assert!(
        problems.iter().all(|problem| problem["message"].is_string() && problem["span"]["line"].is_u64())
    );
}

#[test]
fn a_wrong_file_is_not_served_either() {
    let said = failure(&[TEN_MISTAKES, "--listen", "127.0.0.1:0"]);
    assert!(said.contains("10 problems in") && said.trim_end().ends_with("is refused"), "{said}");
}

/// What only compiling the routes finds, in each flavour: the flags, the routes, what is told.
const UNCOMPILED: [(&[&str], &str, &[&str]); 4] = [
    (
        &["--router-flavor", "expressions"],
        "- {name: one, expression: 'http.pth == \"/\"'}\n- {name: two, expression: 'http.path ~ \"((\"'}\n",
        &[
            "kong.yml:3:27",
            "kong.yml:4:27",
            "no field is called `http.pth`",
            "unclosed group",
            "2 problems in",
        ],
    ),
    (&[], "- {name: one, expression: 'http.path == \"/\"'}\n", &["kong.yml:3:27", "flavour expressions"]),
    (&[], "- {name: one, paths: [/x], queries: {a: [b]}}\n", &["kong.yml:3:37", "flavour gateway_api"]),
    (
        &["--settings", "settings.toml"],
        "- {name: one, paths: ['/users/{id']}\n- {name: two, paths: [/x, '/{a}/{a}']}\n",
        &[
            "kong.yml:3:23",
            "has no closing brace",
            "kong.yml:4:27",
            "`a` stands twice",
            "at: routes[1].paths[1]",
        ],
    ),
];

#[test]
fn check_and_run_and_the_others_refuse_the_same_routes_and_show_where_they_stand() {
    let directory = Directory::new();
    let settings = directory.put("settings.toml", "path_templates = true\n");
    for (flags, routes, told) in UNCOMPILED {
        let file = directory.put("kong.yml", &format!("_format_version: '3.0'\nroutes:\n{routes}"));
        let flags: Vec<_> = flags
            .iter()
            .map(|flag| if *flag == "settings.toml" { settings.as_str() } else { flag })
            .collect();
        let url = "http://a.t/";
        for command in [&["check", &file][..], &["lint", &file], &["explain", &file, url], &["run", &file]] {
            let said = failure(&[command, &flags].concat());
            assert!(told.iter().all(|part| said.contains(part)), "{told:?} in {said}");
            assert!(said.trim_end().ends_with("is refused"), "{said}");
        }
    }
}

#[test]
fn check_reads_a_file_as_the_node_with_these_settings_would() {
    let directory = Directory::new();
    let routes = "_format_version: '3.0'\nroutes:\n- {name: one, expression: 'http.path == \"/\"'}\n";
    let file = directory.put("kong.yml", routes);
    assert!(output(&["check", &file, "--router-flavor", "expressions"]).status.success());
    let settings = directory.put("settings.toml", "router_flavor = 'expressions'\n");
    assert!(output(&["check", &file, "--settings", &settings]).status.success());
    let json = output(&["check", &file, "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let problem = &json["problems"][0];
    assert_eq!((&problem["path"], &problem["span"]["line"]), (&"routes[0].expression".into(), &3.into()));
}

#[test]
fn check_says_that_a_file_is_valid() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong(upstream(Duration::ZERO), "/one"));
    let checked = output(&["check", &file]);
    assert!(checked.status.success());
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(said, format!("configuration at {file} is valid\n"));
    let json: Value = serde_json::from_slice(&output(&["check", &file, "--format", "json"]).stdout).unwrap();
    assert_eq!((&json["valid"], &json["problems"]), (&true.into(), &Value::Array(vec![])));
}

#[test]
fn check_reads_standard_input() {
    let mut child = command(&["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"_format_version: '3.0'\n").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn help_teaches_with_examples() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["check", "--help"],
        &["explain", "--help"],
        &["lint", "--help"],
    ] {
        let help = String::from_utf8(output(args).stdout).unwrap();
        assert!(help.contains("Examples:") && help.contains("kong.yml"), "{help}");
    }
    assert!(String::from_utf8(output(&["--help"]).stdout).unwrap().contains("[env: GATEWAY_WORKERS=]"));
}

#[test]
fn a_mistyped_log_level_is_refused() {
    one_line(&["--log", "inof"], &["'inof' is no level", "error, warn, info, debug"]);
}

#[test]
fn a52_config_parse_says_what_kong_says() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong("127.0.0.1:1".parse().unwrap(), "/one"));
    let parsed = output(&["config", "parse", &file]);
    assert_eq!((parsed.status.code(), parsed.stdout.as_slice()), (Some(0), &b"parse successful\n"[..]));
    let told = failure(&["config", "parse", TEN_MISTAKES]);
    assert!(
        told.starts_with("Error: Failed parsing:\n") && told.contains("required field missing"),
        "{told}"
    );
}

/// As `gateway ... | true`: a silent end, as SIGPIPE makes one.
#[test]
fn who_reads_no_more_is_no_reason_to_complain() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", &kong("127.0.0.1:1".parse().unwrap(), "/users"));
    let all: [&[&str]; 5] = [
        &["check", &file],
        &["lint", &file, "--format", "json"],
        &["schema"],
        &["completions", "bash"],
        &["config", "parse", &file],
    ];
    for args in all {
        let (_, nobody) = std::io::pipe().unwrap();
        let child = command(args).stdout(nobody).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{args:?}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
    let (_, nobody) = std::io::pipe().unwrap();
    let refused = command(&["check", TEN_MISTAKES]).stdout(Stdio::null()).stderr(nobody).status().unwrap();
    assert_eq!(refused.code(), Some(1), "the exit code still says it");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(&["schema"]).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).starts_with("gateway: cannot write to standard output: ")
    );
}

#[test]
fn o6_a_tracer_that_is_not_there_is_refused() {
    let directory = Directory::new();
    for name in ["opentelemetry", "zipkin"] {
        let file = directory.put(
            "kong.yml",
            &format!("_format_version: '3.0'\nplugins:\n- {{name: {name}, config: {{}}}}\n"),
        );
        let said = failure(&["check", &file]);
        let message = format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property");
        assert!(said.contains(&message) && said.contains("kong.yml:3"), "{said}");
    }
}
