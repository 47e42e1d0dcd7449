//! A file with ten mistakes of ten kinds: all of them are named, each with its place.

use gateway_core::config::Colour;

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
