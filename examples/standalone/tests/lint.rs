//! `gateway lint`: what it shows, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use kit::{Directory, output};
use serde_json::Value;

const HIDDEN: &str =
    "_format_version: '3.0'\nroutes:\n- {name: all, paths: ['~/x.*']}\n- {name: one, paths: [/x/1]}\n";
const NOTED: &str = "_format_version: '3.0'\nroutes:\n- {name: one, paths: ['~/x/[0-9]+']}\n";
const REFUSED: &str = "_format_version: '3.0'\nroutes:\n- {name: one, paths: ['~/x(?=y)']}\n";

/// The exit code and what it showed, from `text`.
fn lint(text: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let directory = Directory::new();
    let file = directory.put("kong.yml", text);
    let done = output(&[&["lint", &file], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn warnings_are_drawn_and_fail() {
    let (code, shown, _) = lint(HIDDEN, &[]);
    assert_eq!(code, Some(1));
    assert!(
        shown.contains("warning[L001]: route `one`: no request reaches it: `all` takes all of them"),
        "{shown}"
    );
    assert!(shown.contains("kong.yml:4:3") && shown.contains("2 warnings in "), "{shown}");
}

#[test]
fn notes_are_drawn_and_do_not_fail() {
    let (code, shown, _) = lint(NOTED, &[]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("note[L014]") && shown.contains("1 note in "), "{shown}");
}

#[test]
fn a_refused_file_gets_its_problems_and_a_hint() {
    let (code, shown, problems) = lint(REFUSED, &[]);
    assert_eq!(code, Some(1));
    assert!(problems.contains("look-around") && problems.trim_end().ends_with("is refused"), "{problems}");
    assert!(shown.contains("error[L010]: route `one`: `(?=` is look-ahead"), "{shown}");
}

#[test]
fn json_is_for_tools() {
    for (text, valid, codes) in [
        (HIDDEN, true, &["L013", "L001"][..]),
        (REFUSED, false, &["L010"]),
        ("_format_version: '3.0'\n", true, &[]),
    ] {
        let (code, shown, _) = lint(text, &["--format", "json"]);
        assert_eq!(code, Some(i32::from(!codes.is_empty())));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["valid"], valid);
        let found: Vec<_> =
            shown["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert_eq!(found, codes);
    }
}

#[test]
fn the_flavour_counts() {
    let text = "_format_version: '3.0'\nroutes:\n- {name: raw, paths: [/x], path_handling: v1}\n";
    assert_eq!(lint(text, &[]).0, Some(1));
    assert_eq!(lint(text, &["--router-flavor", "traditional"]).0, Some(0));
    assert_eq!(lint(text, &["--router-flavor", "alphabetical"]).0, Some(2));
}

#[test]
fn thousands_of_routes_are_looked_at() {
    let route =
        |at: usize| format!("- {{name: r{at}, hosts: [h{}.example.com], paths: [/p{at}/]}}\n", at % 100);
    let text = format!("_format_version: '3.0'\nroutes:\n{}", (0..10_000).map(route).collect::<String>());
    let (code, shown, problems) = lint(&text, &[]);
    assert_eq!(code, Some(0), "{problems}");
    assert!(shown.starts_with("nothing to note in "), "{shown}");
}

#[test]
fn thousands_of_expressions_and_long_paths_are_looked_at() {
    let route = |at: usize| format!("- {{name: r{at}, paths: ['~/[a-z]+/{at}$']}}\n");
    let long = |at: usize| format!("- {{name: l{at}, paths: ['/{}{at}']}}\n", "a".repeat(50_000));
    let routes = (0..2_000).map(route).chain((0..20).map(long)).collect::<String>();
    let (code, _, problems) = lint(&format!("_format_version: '3.0'\nroutes:\n{routes}"), &[]);
    assert_eq!(code, Some(0), "{problems}");
}
