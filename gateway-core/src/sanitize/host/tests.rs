use http::{HeaderValue, Request, Version, header::HOST};
use proptest::prelude::*;

use super::{Host, host_of};
use crate::sanitize::Compat;

fn field(text: &str) -> Option<(String, Option<u16>, String)> {
    let host = Host::from_field(&HeaderValue::from_bytes(text.as_bytes()).unwrap()).ok()?;
    Some((host.name().to_owned(), host.port(), host.value().to_str().unwrap().to_owned()))
}

#[test]
fn deviation_1_a_host_has_one_form() {
    for (text, name, port, value) in [
        ("a.example", "a.example", None, "a.example"),
        ("A.Example", "a.example", None, "a.example"),
        ("a.example.", "a.example", None, "a.example"),
        ("a.example.:80", "a.example", Some(80), "a.example:80"),
        ("a:", "a", None, "a"),
        ("a:0080", "a", Some(80), "a:80"),
        ("my_host", "my_host", None, "my_host"),
        (".x.t", ".x.t", None, ".x.t"),
        ("127.0.0.1:8000", "127.0.0.1", Some(8000), "127.0.0.1:8000"),
        ("[::1]", "[::1]", None, "[::1]"),
        ("[::1]:8000", "[::1]", Some(8000), "[::1]:8000"),
        ("[0:0:0:0:0:0:0:1]:1", "[::1]", Some(1), "[::1]:1"),
        ("[2001:DB8::1]", "[2001:db8::1]", None, "[2001:db8::1]"),
    ] {
        assert_eq!(field(text), Some((name.to_owned(), port, value.to_owned())), "{text}");
    }
}

#[test]
fn row_t1_and_deviation_2_bad_hosts_are_refused() {
    for text in [
        "",
        ".",
        "a..b",
        "a..",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        "u:p@a",
        "a b",
        "a,b",
        "a, a",
        "a:b",
        "a:80:80",
        "a:-1",
        "a:+1",
        "a:65536",
        "a:0",
        "a:99999999999",
        ":80",
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:",
        "[::1%25eth0]",
        "[v1.a]",
        "[1.2.3.4]",
        "a]",
        "a%41",
        "a\\b",
        "<a>",
        "a\u{fc}",
        "a\"",
        "a;b",
        "*",
    ] {
        let canonical = field(text);
        // An empty port after an address is as valid as after a name.
        assert_eq!(canonical.is_some(), text == "[::1]:", "{text:?}: {canonical:?}");
    }
    assert!(field(&"a".repeat(256)).is_none());
}

fn of(version: Version, uri: &str, hosts: &[&str]) -> Option<(String, bool)> {
    of_level(Compat::Kong39, version, uri, hosts)
}

fn of_level(compat: Compat, version: Version, uri: &str, hosts: &[&str]) -> Option<(String, bool)> {
    let mut request = Request::builder().version(version).uri(uri).body(()).unwrap();
    for host in hosts {
        request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
    }
    let (host, rewrite) = host_of(&request.into_parts().0, compat).ok()?;
    Some((host.value().to_str().unwrap().to_owned(), rewrite))
}

fn is(host: &str, rewrite: bool) -> Option<(String, bool)> {
    Some((host.to_owned(), rewrite))
}

#[test]
fn rows_t1_and_t2_http_1_is_routed_by_its_one_host() {
    let (v10, v11) = (Version::HTTP_10, Version::HTTP_11);
    assert_eq!(of(v11, "/", &["a"]), is("a", false));
    assert_eq!(of(v11, "/", &["A"]), is("a", true));
    assert_eq!(of(v11, "/", &[]), None);
    assert_eq!(of(v11, "/", &["a", "a"]), None);
    assert_eq!(of(v10, "/", &[]), is("", false));
    assert_eq!(of(v10, "/", &["a", "b"]), None);
    assert_eq!(of(v10, "http://a/", &[]), is("a", true));
}

#[test]
fn deviation_3_an_absolute_target_agrees_with_host() {
    let v11 = Version::HTTP_11;
    assert_eq!(of(v11, "http://a/", &["a"]), is("a", false));
    assert_eq!(of(v11, "http://A.:80/", &["a"]), is("a", false));
    assert_eq!(of(v11, "https://a:443/", &["a"]), is("a", false));
    assert_eq!(of(v11, "http://b/", &["a"]), None);
    assert_eq!(of(v11, "http://a:81/", &["a"]), None);
    assert_eq!(of(v11, "http://u@a/", &["a"]), None);
    assert_eq!(of(v11, "http://a/", &[]), None);
}

#[test]
fn row_t3_and_deviation_4_authority_wins_in_http_2() {
    let v2 = Version::HTTP_2;
    assert_eq!(of(v2, "https://a/", &[]), is("a", true));
    assert_eq!(of(v2, "https://a/", &["a"]), is("a", false));
    assert_eq!(of(v2, "https://a/", &["b"]), is("a", true));
    assert_eq!(of(v2, "https://a/", &["a", "a"]), None);
    assert_eq!(of(v2, "/", &["b"]), is("b", false));
    assert_eq!(of(v2, "/", &[]), None);
    assert_eq!(of(v2, "https://u:p@a/", &[]), None);
}

#[test]
fn deviations_1_and_3_fall_back_to_kong() {
    let of = |version, uri, hosts| of_level(Compat::Kong39Strict, version, uri, hosts);
    assert_eq!(of(Version::HTTP_11, "/", &["A.b.:080"]), is("A.b.:080", false));
    assert_eq!(of(Version::HTTP_11, "http://b/", &["a"]), is("a", false));
    assert_eq!(of(Version::HTTP_2, "https://A/", &["b"]), is("A", true));
    assert_eq!(of(Version::HTTP_11, "/", &["a/b"]), None);
    let host = Host::verbatim(&HeaderValue::from_static("A.b.:080")).unwrap();
    assert_eq!((host.name(), host.port()), ("A.b.", Some(80)));
}

proptest! {
    #[test]
    fn it_is_idempotent_and_never_panics(text in "[\\PC]{0,12}|[a-zA-Z.\\[\\]:0-9@,]{0,16}") {
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes())
            && let Ok(once) = Host::from_field(&value)
        {
                let again = Host::from_field(once.value()).unwrap();
                prop_assert_eq!(&again, &once);
                prop_assert_eq!(again.value().as_bytes().as_ptr(), once.value().as_bytes().as_ptr());
                prop_assert!(!once.name().bytes().any(|byte| byte.is_ascii_uppercase()));
        }
    }

    #[test]
    fn every_name_equals_itself_in_capitals(name in "[a-z0-9_-]{1,8}(\\.[a-z0-9-]{1,8}){0,3}", port in 1_u16..) {
        let plain = Host::from_field(&HeaderValue::from_str(&format!("{name}:{port}")).unwrap()).unwrap();
        let odd = format!("{}.:{port:08}", name.to_uppercase());
        prop_assert_eq!(plain, Host::from_field(&HeaderValue::from_str(&odd).unwrap()).unwrap());
    }
}
