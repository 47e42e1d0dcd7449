//! The config room from outside: Kong's files in, every problem out.
#![expect(clippy::panic, reason = "a helper that fails is a test that fails")]

mod changes;
mod contract;
mod entities;
mod file;
mod mistakes;
mod plugins;
mod properties;
mod shapes;

use gateway_core::config::{Config, Options, Problems};

pub(crate) use plugins::Tables;

/// Reads `text` with the plugins of these tests.
fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(text, &Tables::new())
}

/// What is wrong with `text`, which must not be right.
#[track_caller]
fn refused(text: &str) -> Problems {
    match parse(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(problems) => problems,
    }
}

/// `{path: message}` of every problem, as Kong writes paths.
#[track_caller]
fn messages(body: &str) -> Vec<(String, String)> {
    let problems = refused(&format!("_format_version: \"3.0\"\n{body}"));
    problems.iter().map(|problem| (problem.field().dotted(), problem.message.clone())).collect()
}

/// One problem, at this field of its entity and in these words.
#[track_caller]
fn one(body: &str, field: &str, message: &str) {
    assert_eq!(messages(body), [(field.to_owned(), message.to_owned())], "{body}");
}

/// No problem.
#[track_caller]
fn fine(body: &str) -> Config {
    match parse(&format!("_format_version: \"3.0\"\n{body}")) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}\n{body}"),
    }
}

fn with_environment(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    let tables = Tables::new();
    Config::parse(text, Options::new(&tables).environment(environment))
}

#[test]
fn an_open_table_keeps_what_it_does_not_know_and_checks_what_it_does() {
    let text = |limit: &str| {
        format!(
            "_format_version: '3.0'\nplugins:\n- name: foreign\n  config: {{realm: x, deep: {{a: [1, null]}}, limit: {limit}}}\n"
        )
    };
    let config = parse(&text("3")).unwrap_or_else(|problems| panic!("{problems}"));
    let plugin = config.plugins.values().next().unwrap_or_else(|| panic!("no plugin"));
    assert_eq!(plugin.config, serde_json::json!({ "limit": 3, "realm": "x", "deep": { "a": [1, null] } }));
    assert!(refused(&text("many")).to_string().contains("expected an integer"));
    let again = parse(&config.to_yaml()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(again, config, "what it writes, it reads as the same");
}
