//! `gateway explain`, and the chapter of the docs that shows it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::fs;

use kit::{Directory, command, output};
use serde_json::Value;

const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explain.md");

const KONG: &str = "
_format_version: '3.0'
services:
- name: users
  url: http://127.0.0.1:9101
  routes:
  - name: users
    paths: [/users]
  - name: inside
    paths: [/users]
    methods: [DELETE]
    headers: {x-team: [red]}
    protocols: [https]
consumers:
- username: alice
  plugins:
  - {name: request-size-limiting, config: {allowed_payload_size: 1}}
";

/// Words of a shell, of which some stand in single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

fn block<'p>(text: &'p str, language: &str) -> &'p str {
    text.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("```").next()).unwrap()
}

#[test]
fn the_ten_cases_of_the_chapter_come_out_as_it_says() {
    let chapter = fs::read_to_string(CHAPTER).unwrap();
    let cases: Vec<_> = chapter.split("\n## ").skip(1).collect();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let directory = Directory::new();
        let file = directory.put("kong.yml", block(case, "yaml"));
        let line = words(block(case, "sh").trim_end());
        assert_eq!(line[0], "gateway");
        let args: Vec<_> =
            line[1..].iter().map(|word| if word == "kong.yml" { &file } else { word }).collect();
        let said = output(&args.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        assert_eq!(String::from_utf8(said.stdout).unwrap(), block(case, "text"), "{case}");
        let routed = case.contains("takes it") && !case.contains("no route takes it");
        assert_eq!(said.status.code(), Some(i32::from(!routed)), "{case}");
    }
}

#[test]
fn json_is_the_same_for_tools() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", KONG);
    let args = [
        "explain",
        &file,
        "https://a.example/users/7",
        "-X",
        "DELETE",
        "-H",
        "X-Team: Red",
        "--format",
        "json",
    ];
    let said = output(&[&args[..], &["--from", "10.0.0.7", "--consumer", "alice"]].concat());
    assert!(said.status.success(), "{said:?}");
    let report: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(report["routing"]["taken"]["route"]["name"], "inside");
    assert_eq!(report["routing"]["runners_up"][0]["lost"]["by"], "fields");
    assert_eq!(report["request"]["client"], "10.0.0.7");
    assert_eq!(report["plugins"][0]["scope"], "consumer");
    assert_eq!(report["endpoints"][0]["eligible"], true);
}

#[test]
fn the_settings_and_the_flavour_count() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", KONG);
    let settings = directory.put("gateway.toml", "trusted_ips = ['127.0.0.1']\nstrict_paths = true\n");
    let told = ["-H", "X-Forwarded-Proto: https", "-X", "DELETE", "-H", "x-team: red"];
    let url = "http://a.example/users";
    let reason = |args: &[&str]| {
        let said = output(&[&["explain", &file, url, "--format", "json"], &told[..], args].concat());
        serde_json::from_slice::<Value>(&said.stdout).unwrap()["outcome"]["reason"].clone()
    };
    assert_eq!(reason(&[]), "https_required");
    assert_eq!(reason(&["--settings", &settings]), Value::Null);
    let strict = output(&["explain", &file, "http://a.example/users%2Fx", "--settings", &settings]);
    assert_eq!(strict.status.code(), Some(1));
    assert!(String::from_utf8(strict.stdout).unwrap().contains("bad_path"));
    for flavor in ["traditional", "gateway_api"] {
        let said = output(&["explain", &file, url, "--router-flavor", flavor, "--format", "json"]);
        let report: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(report["routing"]["flavor"], flavor);
    }
}

#[test]
fn wrong_use_is_told_apart_from_no_route() {
    let directory = Directory::new();
    let file = directory.put("kong.yml", KONG);
    let code = |args: &[&str]| output(args).status.code();
    assert_eq!(code(&["explain", &file]), Some(2), "no URL");
    assert_eq!(code(&["explain", &file, "http://a/", "-H", "no colon"]), Some(2));
    assert_eq!(code(&["explain", &file, "http://a/", "--from", "nowhere"]), Some(2));
    assert_eq!(code(&["explain", &file, "ftp://a/"]), Some(2));
    assert_eq!(code(&["explain", &file, "http://a/elsewhere"]), Some(1));
    let unknown = output(&["explain", &file, "http://a/users", "--consumer", "bob"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(String::from_utf8(unknown.stderr).unwrap(), "gateway: consumer: there is no consumer `bob`\n");
    let wrong = directory.put("wrong.yml", "_format_version: '3.0'\nroutes: [{}]\n");
    assert_eq!(code(&["explain", &wrong, "http://a/"]), Some(1));
}

#[test]
fn it_reads_standard_input() {
    use std::io::Write;
    let mut child = command(&["explain", "-", "http://a/users"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(KONG.as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}
