use std::borrow::Cow;

use bytes::BytesMut;
use http::uri::PathAndQuery;
use proptest::{prelude::*, test_runner::RngSeed};

use super::{canonical_path, canonical_target, put_decoded, refuse_ambiguous};

#[test]
fn canonical_paths_are_borrowed() {
    for path in
        ["/", "/a", "/a/", "/a/b.c/..d/e..", "/.well-known/x", "/a%20b%2Fc", "/:@!$&'()*+,;=[]~-_", "/..."]
    {
        assert!(matches!(canonical_path(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
    }
}

#[test]
fn compat_p39_and_row_t6_paths_have_one_form() {
    for (path, canonical) in [
        ("//", "/"),
        ("/a//b///c", "/a/b/c"),
        ("/./a/./b/.", "/a/b/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/a//../b", "/b"),
        ("/%2e%2E/a/../..", "!"),
        ("/a/%2e%2e/b", "/b"),
        ("/%41%7E%7e", "/A~~"),
        ("/a%2fb", "/a%2Fb"),
        ("/%3f", "/%3F"),
        ("/e/sp ace", "/e/sp%20ace"),
        ("/e/\u{fc}", "/e/%C3%BC"),
        ("/e/%c3%bc", "/e/%C3%BC"),
        ("/a\\b", "/a%5Cb"),
        ("/{x}|\"y\"^", "/%7Bx%7D%7C%22y%22%5E"),
        ("/%2541", "/%2541"),
        ("/%252e%252e/", "/%252e%252e/"),
        ("/%c0%ae%c0%ae/", "/%C0%AE%C0%AE/"),
        ("/a;x=1/..;/b", "/a;x=1/..;/b"),
        ("/a.", "/a."),
        ("/x%2f../..", "/"),
    ] {
        let found = canonical_path(path).unwrap_or(Cow::Borrowed("!"));
        assert_eq!(found, canonical, "{path}");
    }
}

#[test]
fn compat_p9_bad_paths_are_refused() {
    for path in [
        "",
        "*",
        "a",
        "/..",
        "/../..",
        "/a/../..",
        "/a//../..",
        "/%2e%2e",
        "/%",
        "/%4",
        "/%zz",
        "/%4g",
        "/%00",
        "/a%00b",
        "/a?b",
        "/a#b",
        "/a\tb",
        "/a\0",
        "/\x7f",
        "/..%2f..",
        "/a%2F..%2F..",
        "/a/..%2F..%2F..",
    ] {
        assert!(canonical_path(path).is_err(), "{path:?}");
    }
}

#[test]
fn deviation_10_strict_paths_refuse_what_servers_read_differently() {
    for path in ["/a%2fb", "/a%5cb", "/a\\b", "/a;../b", "/a/..;/b"] {
        assert!(refuse_ambiguous(&canonical_path(path).unwrap()).is_err(), "{path}");
    }
    for path in ["/a", "/a;x=1/b", "/a%20b", "/a..b"] {
        assert!(refuse_ambiguous(&canonical_path(path).unwrap()).is_ok(), "{path}");
    }
}

#[test]
fn the_query_is_untouched() {
    for (target, canonical) in [
        ("/a/../b?x=/../%41", Some("/b?x=/../%41")),
        ("/a//?", Some("/a/?")),
        ("/a?", None),
        ("/a?x//y", None),
        ("?x", Some("/?x")),
    ] {
        let target = PathAndQuery::try_from(target).unwrap();
        let found = canonical_target(&target).unwrap();
        assert_eq!(found.as_ref().map(PathAndQuery::as_str), canonical, "{target}");
    }
}

#[test]
fn compat_p33_a_prefix_is_shown_decoded() {
    for (canonical, decoded) in [
        ("/a", "/a"),
        ("/sp%20ace", "/sp ace"),
        ("/%C3%BC", "/\u{fc}"),
        ("/a%2Fb%25", "/a%2Fb%25"),
        ("/%0A", "/%0A"),
    ] {
        let mut out = BytesMut::new();
        put_decoded(canonical, &mut out);
        assert_eq!(out, decoded.as_bytes(), "{canonical}");
    }
}

/// The rules one after the other, each in the plainest way, without regard to cost.
fn model(path: &str) -> Option<String> {
    let mut spelled = String::new();
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let (byte, escaped) = if bytes[at] == b'%' {
            let digits = path.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            at += 3;
            (u8::from_str_radix(digits, 16).ok()?, true)
        } else {
            at += 1;
            (bytes[at - 1], false)
        };
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let reserved = b"/!$&'()*+,;=:@[]".contains(&byte);
        if (escaped && byte == 0) || (!escaped && (byte.is_ascii_control() || byte == b'?' || byte == b'#')) {
            return None;
        }
        if unreserved || (reserved && !escaped) {
            spelled.push(char::from(byte));
        } else {
            spelled.push_str(&format!("%{byte:02X}"));
        }
    }
    if !spelled.starts_with('/') {
        return None;
    }
    while spelled.contains("//") {
        spelled = spelled.replace("//", "/");
    }
    let mut stack: Vec<&str> = Vec::new();
    let last = spelled.rsplit('/').next()?;
    for segment in spelled.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => drop(stack.pop()?),
            _ => stack.push(segment),
        }
    }
    let slash = if matches!(last, "" | "." | "..") && !stack.is_empty() { "/" } else { "" };
    let whole = format!("/{}{slash}", stack.join("/"));
    let mut depth = 0;
    for segment in whole.replace("%2F", "/").split('/') {
        depth += match segment {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        if depth < 0 {
            return None;
        }
    }
    Some(whole)
}

/// Text made of what matters in a path, mixed with anything.
fn paths() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("/".to_owned()),
        2 => Just(".".to_owned()),
        2 => Just("..".to_owned()),
        1 => Just("%2e".to_owned()),
        1 => Just("%2F".to_owned()),
        1 => Just("%2f".to_owned()),
        1 => Just("%5c".to_owned()),
        1 => Just("%00".to_owned()),
        1 => Just("%".to_owned()),
        1 => Just(";".to_owned()),
        2 => "%[0-9a-fA-F]{2}",
        4 => "[a-z]{1,3}",
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// What a server sees that decodes once and then takes dots and empty segments out; none where it leaves the root.
fn decoding_server(path: &str) -> Option<Vec<Vec<u8>>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in decoded(path).split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()?),
            _ => segments.push(segment.to_vec()),
        }
    }
    Some(segments)
}

/// Every escape as its octet.
fn decoded(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut octets = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        octets.push(u8::from_str_radix(&part[..2], 16).unwrap());
        octets.extend(part[2..].bytes());
    }
    octets
}

/// A few thousand known cases; `PROPTEST_CASES` asks for as many new ones.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        (config.cases, config.rng_seed) = (4_096, RngSeed::Fixed(39));
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn it_equals_the_model(path in paths()) {
        prop_assert_eq!(canonical_path(&path).ok().map(Cow::into_owned), model(&path));
    }

    #[test]
    fn it_is_idempotent_and_clean(path in paths()) {
        if let Ok(once) = canonical_path(&path) {
            prop_assert!(matches!(canonical_path(&once), Ok(Cow::Borrowed(_))), "{}", once);
            for form in ["//", "/./", "/../"] {
                prop_assert!(!once.contains(form), "{}", once);
            }
            prop_assert!(once.starts_with('/') && !once.ends_with("/.") && !once.ends_with("/.."));
            prop_assert!(once.is_ascii());
        }
    }

    /// What a server makes of the path that goes on is what the router matched.
    #[test]
    fn no_decoding_server_reads_another_path_t6(path in paths()) {
        if let Ok(canonical) = canonical_path(&path) {
            let seen = decoding_server(&canonical);
            prop_assert!(seen.is_some(), "{} leaves the root", canonical);
            prop_assert!(!decoded(&canonical).contains(&0), "{}", canonical);
            if refuse_ambiguous(&canonical).is_ok() {
                let matched: Vec<_> =
                    canonical.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
                prop_assert_eq!(seen, Some(matched), "{}", canonical);
                prop_assert!(!decoded(&canonical).contains(&b'\\'), "{}", canonical);
            }
        }
    }

    #[test]
    fn whatever_a_uri_lets_through_is_handled(path in "/[!$-;=@-_a-~\"{}\u{80}-\u{10ffff}]{0,40}") {
        if let Ok(target) = PathAndQuery::try_from(path.as_str())
            && let Ok(Some(canonical)) = canonical_target(&target)
        {
                prop_assert!(matches!(canonical_target(&canonical), Ok(None)));
        }
    }

    #[test]
    fn it_never_panics(path in any::<String>()) {
        let _ = canonical_path(&path);
    }
}
