//! A file with ten mistakes of ten kinds: all of them are named, each with its place.

use gateway_core::{
    config::{Colour, Config},
    plugins,
};

use crate::refused;

const TEXT: &str = include_str!("../data/ten-mistakes.yml");

#[test]
fn all_ten_are_named_with_line_and_column() {
    let problems = refused(TEXT);
    assert_eq!(problems.essential().count(), 10, "{problems}");
    assert!(problems.iter().all(|problem| problem.span.is_some()));
}

/// `UPDATE_EXPECTED=1` writes the file anew; the difference is for eyes to judge.
#[test]
fn they_are_drawn_as_expected() {
    let drawn = refused(TEXT).render("ten-mistakes.yml", TEXT, Colour::Never);
    let expected = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ten-mistakes.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(expected, &drawn).expect("written");
    }
    assert_eq!(drawn, std::fs::read_to_string(expected).expect("there"));
}

#[test]
fn of_a_very_long_line_only_the_place_is_shown() {
    let services = "{\"name\":\"s\",\"host\":\"h\"},".repeat(100);
    let text = format!("{{\"_format_version\":\"3.0\",\"services\":[{services}{{}}]}}");
    let problems = refused(&text);
    let drawn = problems.render("f.json", &text, Colour::Never);
    let last =
        problems.iter().find(|problem| problem.path.to_string() == "services[100].host").expect("there");
    let column = last.span.expect("placed").column;
    assert!(drawn.contains(&format!("--> f.json:1:{column}")), "{column}: {drawn}");
    assert!(drawn.lines().all(|line| line.len() < 1000));
}

#[test]
fn colours_are_escapes_and_nothing_else() {
    let problems = refused(TEXT);
    assert!(problems.render("f", TEXT, Colour::Always).contains("\u{1b}["));
    assert!(!problems.render("f", TEXT, Colour::Never).contains('\u{1b}'));
}

#[test]
fn no_drawing_and_no_debug_shows_a_secret() {
    let files = [
        "consumers:\n- username: a\n  keyauth_credentials:\n  - kye: s3cr3t\n",
        "consumers:\n- username: a\n  keyauth_credentials:\n  - key: s3cr3t\n    ttl: x\n",
        "consumers:\n- {username: 7, keyauth_credentials: [{key: s3cr3t}]}\n",
        "consumers:\n- {username: a, keyauth_credentials: [{key: s3cr3t, bogus: 1}]}\n",
        "consumers:\n- username: a\n  basicauth_credentials:\n  - {username: u, password: [s3cr3t]}\n",
        "consumers:\n- username: a\n  hmacauth_credentials: s3cr3t\n",
        "certificates:\n- cert: x\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    s3cr3t\n",
        "certificates:\n- cert: x\n  keyy: s3cr3t\n",
        "keys:\n- {kid: a, jkw: s3cr3t}\n",
        "services:\n- {name: a, host: b, passwrd: 1, password: s3cr3t}\n",
        "services:\n- name: a\n  host: b\n  token: t\n  token: s3cr3t\n",
        "certificates:\n- key: |\n    -----BEGIN\n  s3cr3t\nrest\n",
        "consumers:\n- keyauth_credentials: [{key: 's3cr3t' 'x'}]\n",
    ];
    for file in files {
        let text = format!("_format_version: '3.0'\n{file}");
        let problems = Config::parse(&text, &plugins::bundled()).expect_err(file);
        let drawing = problems.render("kong.yml", &text, Colour::Never);
        assert!(drawing.contains("kong.yml:"), "its place is told: {drawing}");
        let json = serde_json::to_string(&problems).expect("json");
        for told in [&drawing, &json, &format!("{problems:?}"), &format!("{:?}", problems.iter().next())] {
            assert!(!told.contains("s3cr3t"), "{file}\n{told}");
        }
        assert_eq!(format!("{problems:?}"), problems.to_string());
    }
    let text = "
_format_version: '3.0'
consumers: [{username: a, keyauth_credentials: [{key: s3cr3t}]}]
keys: [{name: a, kid: a, pem: {private_key: s3cr3t, public_key: p}}]
";
    let config = Config::parse(text, &plugins::bundled());
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!format!("{config:?}").contains("s3cr3t"));
    let certificate = gateway_core::config::Certificate::new("chain", "s3cr3t");
    assert!(!format!("{certificate:?}").contains("s3cr3t"));
}

#[test]
fn a_version_without_quotes_is_told_to_have_some() {
    let wrong = "_format_version: 3.0\n";
    let drawn = refused(wrong).render("kong.yml", wrong, Colour::Never);
    assert!(drawn.contains("Put it in quotes."), "{drawn}");
}

/// Bug: `Write [*].`, which is an alias of YAML and refused in its turn.
#[test]
fn what_is_to_be_written_can_be_taken_over_as_it_stands() {
    for given in ["*.example.com", "80", "true", "a, b", "say \"a\""] {
        let text = |hosts: &str| {
            format!(
                "_format_version: '3.0'\nservices:\n- name: a\n  host: a\n  routes:\n  - name: r\n    paths: {hosts}\n"
            )
        };
        let wrong = text(&serde_json::to_string(given).unwrap());
        let drawn = refused(&wrong).render("kong.yml", &wrong, Colour::Never);
        let (_, advice) = drawn.split_once(". Write ").unwrap();
        let (list, _) = advice.split_once(".\n").unwrap();
        let right = text(list);
        let drawn = refused(&right).render("kong.yml", &right, Colour::Never);
        assert!(drawn.contains("paths[0]: should start with"), "{given}: {list}: {drawn}");
    }
}
