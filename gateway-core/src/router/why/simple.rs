//! What can be said of an expression without trying it: the prefix it stands for, and a path that it takes.

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};

use super::super::path::stands_plain;

/// The prefix that takes the same paths as `pattern`, which is anchored at its start only: `/api` for `/api`, `/api.*`
/// and `/api(x|y)?`.
pub(crate) fn start_of(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let parts =
        if let HirKind::Concat(parts) = hir.kind() { parts.as_slice() } else { std::slice::from_ref(&hir) };
    // What may be left out at the end adds nothing: no anchor follows it.
    let optional = |part: &&Hir| matches!(part.kind(), HirKind::Repetition(repeat) if repeat.min == 0);
    let end = parts.iter().rev().take_while(optional).count();
    let mut start = String::new();
    for part in parts.iter().take(parts.len() - end) {
        let HirKind::Literal(literal) = part.kind() else { return None };
        let plain = |byte: &u8| stands_plain(*byte) && *byte != b'%';
        if !literal.0.iter().all(plain) {
            return None;
        }
        start.extend(literal.0.iter().copied().map(char::from));
    }
    Some(start)
}

/// A short text that `pattern` takes, if one is easily made. It is for the caller to try it.
pub(in crate::router) fn example_of(pattern: &str) -> Option<String> {
    let mut text = String::new();
    example(&regex_syntax::parse(pattern).ok()?, &mut text)?;
    Some(text)
}

fn example(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(member(class)?),
        HirKind::Repetition(repeat) => {
            // Long counts would only make long texts.
            (0..repeat.min.min(64)).try_for_each(|_| example(&repeat.sub, text))?;
        }
        HirKind::Capture(capture) => example(&capture.sub, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| example(part, text))?,
        HirKind::Alternation(parts) => example(parts.first()?, text)?,
    }
    Some(())
}

/// A character of a class: one that is common in paths, if it has one.
fn member(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else { return None };
    let has = |letter: char| class.iter().any(|range| (range.start()..=range.end()).contains(&letter));
    let first = class.iter().next().map(ClassUnicodeRange::start);
    ['0', 'a', 'A', '-', '_', '.', '/'].into_iter().find(|letter| has(*letter)).or(first)
}

#[cfg(test)]
mod tests {
    use super::{example_of, start_of};

    #[test]
    fn an_expression_that_is_a_prefix_is_known_as_one() {
        for (pattern, start) in [
            ("/api", Some("/api")),
            ("/api.*", Some("/api")),
            ("/api(x|y)?z*", Some("/api")),
            (r"/v1\.0/", Some("/v1.0/")),
            ("/", Some("/")),
            (".*", Some("")),
            ("/api$", None),
            ("/v1.0/", None),
            ("/a|/b", None),
            ("(?i)/ab", None),
            ("/sp ace", None),
            (r"/\d+", None),
        ] {
            assert_eq!(start_of(pattern).as_deref(), start, "{pattern}");
        }
    }

    #[test]
    fn an_example_is_taken_by_its_expression() {
        for pattern in [r"/users/(?<id>\d+)$", "/(a|b)/c{3}", "/[^/]+/x?", r"/\w+\.pdf", "(?i)/ab", "/ü+"] {
            let example = example_of(pattern).unwrap_or_default();
            assert!(
                regex::Regex::new(&format!("^(?:{pattern})")).unwrap().is_match(&example),
                "{pattern} {example}"
            );
        }
    }
}
