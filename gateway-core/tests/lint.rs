//! The linter and its page.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path};

use gateway_core::{
    config::{Colour, Config, Places},
    lint::{Code, Findings, Severity, lint, lint_refused},
    plugins,
    router::Flavor,
};

fn found(text: &str, flavor: Flavor) -> Findings {
    match Config::parse(text, &plugins::bundled()) {
        Ok(config) => lint(&config, flavor).located(&Places::of(text)),
        Err(problems) => lint_refused(&problems, text),
    }
}

fn codes(text: &str) -> BTreeSet<&'static str> {
    found(text, Flavor::default()).iter().map(|finding| finding.code.as_str()).collect()
}

/// The sections of the page: the code, the name, and the text.
fn sections() -> Vec<(String, String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lint.md");
    let page = fs::read_to_string(page).unwrap();
    let section = |text: &str| {
        let (title, text) = text.split_once('\n').unwrap();
        let (code, name) = title.split_once(' ').unwrap();
        (code.to_owned(), name.to_owned(), text.to_owned())
    };
    page.split("\n## ").skip(1).map(section).collect()
}

#[test]
fn the_page_has_every_code_and_each_example_gives_its_own() {
    let sections = sections();
    let listed: Vec<_> = sections.iter().map(|(code, name, _)| (code.as_str(), name.as_str())).collect();
    let all: Vec<_> = Code::ALL.iter().map(|code| (code.as_str(), code.name())).collect();
    assert_eq!(listed, all);
    for (code, (.., text)) in Code::ALL.iter().zip(&sections) {
        let example = text.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let findings = found(example, Flavor::default());
        let own = findings.iter().find(|finding| finding.code == *code);
        let own = own.unwrap_or_else(|| panic!("{code} is not found in its example: {findings:?}"));
        let word = format!("{:?}.", code.severity());
        assert!(text.starts_with(&word), "{code} is a {word}");
        assert!(own.span.is_some() && own.path.is_some() && !own.help.is_empty(), "{own:?}");
        // What else is found is no worse than what the example is about.
        assert!(findings.worst().unwrap() <= Severity::Warning.max(code.severity()));
    }
}

#[test]
fn a_plain_file_has_nothing_to_note() {
    let text = "
_format_version: '3.0'
services:
- name: users
  url: http://users.internal
  routes:
  - {name: users, hosts: [api.example.com], paths: [/users]}
  - {name: new, hosts: [api.example.com], paths: [/users], headers: {x-version: ['2']}}
  - {name: newer, hosts: [api.example.com], paths: [/users], headers: {x-version: ['3']}}
  - {name: write, hosts: [api.example.com], paths: [/users/new], methods: [POST]}
  - {name: one, paths: ['~/orders/[0-9]+\\z']}
";
    let findings = found(text, Flavor::default());
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(findings.worst(), None);
    assert_eq!(findings.render("kong.yml", text, Colour::Never), "nothing to note in kong.yml\n");
}

#[test]
fn a_subset_that_is_not_there_is_told() {
    let with = |host: &str, tag: &str| {
        format!(
            "_format_version: '3.0'
services:
- {{name: users, host: {host}, tags: ['{tag}']}}
upstreams:
- name: users.pool
  targets: [{{target: '10.0.0.1:80', tags: ['subset:v1']}}]
"
        )
    };
    assert!(codes(&with("users.pool", "subset:v1")).is_empty());
    for (host, tag) in
        [("users.pool", "subset:v2"), ("users.pool", "subset:"), ("users.internal", "subset:v1")]
    {
        assert!(codes(&with(host, tag)).contains("L009"), "{tag} of {host}");
    }
}

#[test]
fn a_finding_is_drawn_with_its_line_and_the_other_route() {
    let text = "_format_version: '3.0'\nroutes:\n- name: all\n  paths: ['~/users']\n- name: me\n  paths: [/users/me, /me]\n";
    let drawn = found(text, Flavor::default()).render("kong.yml", text, Colour::Never);
    let expected = "\
warning[L002]: route `me`: no request reaches it by /users/me: `all` takes all of them and ranks higher (a regular expression comes before a prefix and no path)
 --> kong.yml:6:11
  |
6 |   paths: [/users/me, /me]
  |           ^^^^^^^^^ unreachable-path
  |
  = at: routes[1].paths[0]
  = other: `all`, line 3
  = help: write the other one's path as a prefix, without ~; or this one as an expression with more fields

2 warnings in kong.yml
";
    assert!(drawn.ends_with(expected), "{drawn}");
    assert!(found(text, Flavor::default()).render("k", text, Colour::Always).contains("\u{1b}["));
}

#[test]
fn findings_are_objects_for_tools() {
    let text = "_format_version: '3.0'\nroutes:\n- {name: a, paths: ['~/v1.0/x$']}\n";
    let findings = serde_json::to_value(found(text, Flavor::default())).unwrap();
    let dot = &findings[0];
    assert_eq!((&dot["code"], &dot["severity"]), (&"L012".into(), &"warning".into()));
    assert_eq!((&dot["entity"]["name"], &dot["field"]), (&"a".into(), &"paths[0]".into()));
    assert_eq!((&dot["path"], &dot["span"]["line"]), (&"routes[0].paths[0]".into(), &3.into()));
}

#[test]
fn secrets_are_not_drawn() {
    let text = r#"{"_format_version": "3.0", "vaults": [], "routes": [{"name": "a", "paths": ["~/x"], "tags": ["t"]}], "consumers": [{"username": "u", "keyauth_credentials": [{"key": "s3cret"}]}]}"#;
    let drawn = found(text, Flavor::default()).render("kong.json", text, Colour::Never);
    assert!(drawn.contains("L013") && !drawn.contains("s3cret"), "{drawn}");
}

#[test]
fn routes_of_a_service_that_is_off_are_left_alone() {
    let text = |enabled: bool| {
        format!(
            "_format_version: '3.0'\nservices:\n- {{name: s, host: h, enabled: {enabled}, routes: [{{name: a, paths: [/x]}}]}}\nroutes:\n- {{name: b, paths: [/x]}}\n"
        )
    };
    assert!(codes(&text(true)).contains("L001") && !codes(&text(false)).contains("L001"));
}

#[test]
fn another_flavour_has_other_findings() {
    let text = "_format_version: '3.0'\nroutes:\n- {name: raw, paths: ['~/a/[0-9]+$'], path_handling: v1, regex_priority: 9000}\n- {name: b, paths: [/a], headers: {x: ['1']}}\n";
    let of =
        |flavor| -> BTreeSet<_> { found(text, flavor).iter().map(|finding| finding.code.as_str()).collect() };
    assert_eq!(of(Flavor::TraditionalCompatible), ["L004", "L005", "L006", "L015"].into());
    assert_eq!(of(Flavor::Traditional), ["L015"].into());
}

#[test]
fn what_pcre_alone_knows_has_a_hint_each() {
    for (pattern, sign) in [
        ("/a(?=b)", "(?="),
        ("/a(?<!b)c", "(?<!"),
        ("/(a)\\1", "\\1"),
        ("/(?>a)", "(?>"),
        ("/a\\Z", "\\Z"),
        ("/(?|a|b)", "(?|"),
        ("/a\\Kb", "\\K"),
    ] {
        let text = format!("_format_version: '3.0'\nroutes:\n- {{name: a, paths: ['~{pattern}']}}\n");
        let findings = found(&text, Flavor::default());
        let finding = findings.iter().next().unwrap_or_else(|| panic!("nothing for {pattern}"));
        assert_eq!(finding.code, Code::PcreOnlyRegex);
        assert!(finding.message.starts_with(&format!("`{sign}` is ")), "{}", finding.message);
    }
    let other = "_format_version: '3.0'\nroutes:\n- {name: a, paths: ['~/[']}\n";
    assert!(found(other, Flavor::default()).is_empty(), "that is wrong in PCRE too");
}

#[test]
fn of_many_paths_a_few_are_named() {
    let paths: Vec<_> = (10..30).map(|number| format!("/a/{number}")).collect();
    let text = format!(
        "_format_version: '3.0'\nroutes:\n- {{name: all, paths: ['~/a/']}}\n- {{name: some, paths: [/b, {}]}}\n",
        paths.join(", ")
    );
    let findings = found(&text, Flavor::default());
    let lost = findings.iter().find(|finding| finding.code == Code::UnreachablePath).unwrap();
    assert!(lost.message.contains("by /a/10 or /a/11 or /a/12 or /a/13 or 16 more:"), "{}", lost.message);
}
