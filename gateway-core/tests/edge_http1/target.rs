//! What is asked for: host, method, version and path, and how long they may be (T1 to T8).

use crate::range::{Closes, Keeps, Range, get, host, line, raw};

#[tokio::test]
async fn t1_and_t2_one_valid_host() {
    let absolute = |target: &str, host: &str, status, then| {
        raw("T2", format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"), status, then)
    };
    let mut range = Range::open().await;
    let all = range
        .shoot(vec![
            raw("T1, P9", "GET /x HTTP/1.1\r\n\r\n", 400, Closes),
            raw("T1, P9", "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, Closes),
            raw("T1, P9", "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, Closes),
            host("T1", "", 400, Closes),
            host("T1", "a, b", 400, Closes),
            host("T1, P9", "a/b", 400, Closes),
            host("T1", "a b", 400, Closes),
            host("T1", "user@a", 400, Closes),
            host("T1", "user:secret@a", 400, Closes),
            host("T1", "a:http", 400, Closes),
            host("T1", "a:-1", 400, Closes),
            host("T1", "a:65536", 400, Closes),
            host("T1", "a:80:80", 400, Closes),
            host("T1", "[::1", 400, Closes),
            host("T1", "::1", 400, Closes),
            host("T1", "[::g]", 400, Closes),
            host("T1", "a?b", 400, Closes),
            host("T1", "a#b", 400, Closes),
            host("T1", "a\\b", 400, Closes),
            host("T1", "http://a", 400, Closes),
            host("T1", "a%00", 400, Closes),
            host("T1", "a\u{e4}", 400, Closes),
            host("T1, D1", "A.Example.", 200, Keeps),
            host("T1", "a.example:80", 200, Keeps),
            host("T1", "a.example:8080", 200, Keeps),
            host("T1", "[::1]:80", 200, Keeps),
            host("T1", "127.0.0.1", 200, Keeps),
            raw("T1, P13", "GET /x HTTP/1.0\r\n\r\n", 200, Closes),
            absolute("http://b/x", "a", 400, Closes),
            absolute("http://a.example.evil/x", "a.example", 400, Closes),
            absolute("http://user@a/x", "a", 400, Closes),
            absolute("ftp://a/x", "a", 400, Closes),
            absolute("http:///x", "a", 400, Closes),
            absolute("http://a.example/x", "A.EXAMPLE.", 200, Keeps),
            absolute("HTTP://a/x", "a", 200, Keeps),
            absolute("https://a/x", "a", 200, Keeps),
            absolute("http://a", "a", 200, Keeps),
        ])
        .await;
    for (vector, seen) in all.iter().filter(|(_, seen)| !seen.is_empty()) {
        assert!(!seen[0].line().contains("://"), "{vector:?}");
        assert_eq!(seen[0].all("host"), [range.upstream.address.to_string()]);
    }
    let named = |name: &str| {
        all.iter().any(|(_, seen)| seen.iter().any(|seen| seen.all("x-forwarded-host") == [name]))
    };
    assert!(named("a.example"), "one form of the host");
}

#[tokio::test]
async fn t5_methods_and_versions() {
    let mut range = Range::open().await;
    let long = format!("{} /x HTTP/1.1", "A".repeat(5000));
    range
        .shoot(vec![
            raw("T5, P11", "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n", 405, Keeps),
            raw("T5, P11", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", 405, Keeps),
            line("T5, P11", "TRACE /x HTTP/1.1", 405, Keeps),
            line("T5, D5", "TRACK /x HTTP/1.1", 200, Keeps),
            line("T5, P11", "FOO /x HTTP/1.1", 200, Keeps),
            line("T5", "M-SEARCH /x HTTP/1.1", 200, Keeps),
            line("T5", "PROPFIND /x HTTP/1.1", 200, Keeps),
            line("T5, P9", "get /x HTTP/1.1", 400, Closes),
            line("T5, P9", "Get /x HTTP/1.1", 400, Closes),
            line("T5", "G.T /x HTTP/1.1", 400, Closes),
            line("T5", "G(T /x HTTP/1.1", 400, Closes),
            line("T5", &long, 400, Closes),
            line("T5", "GET * HTTP/1.1", 400, Closes),
            line("T5, P9", "OPTIONS * HTTP/1.1", 400, Closes),
            line("T5", "GET a.example:80 HTTP/1.1", 400, Closes),
            line("T5", "GET x HTTP/1.1", 400, Closes),
            line("P12, D8", "GET /x HTTP/2.0", 400, Closes),
            line("P12", "GET /x HTTP/1.2", 400, Closes),
            line("P12", "GET /x HTTP/3", 400, Closes),
            line("P12", "GET /x http/1.1", 400, Closes),
            line("P12", "GET /x HTTP/0.9", 400, Closes),
            line("P12", "GET /x HTTP/1.1 x", 400, Closes),
            raw("P12", "GET /x\r\nHost: a.example\r\n\r\n", 400, Closes),
            raw("P12", "\0\0\0\0\r\n\r\n", 400, Closes),
            raw("P12", "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n", 400, Closes),
        ])
        .await;
}

#[tokio::test]
async fn t6_one_path() {
    let mut range = Range::open().await;
    let path = |path: &str, status, then| get("T6", path, "", status, then);
    let bad = [
        "/%zz",
        "/%",
        "/%0",
        "/%00",
        "/a%00b",
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/a/%2e%2e/%2E%2E/x",
    ];
    let mut vectors: Vec<_> = bad.iter().map(|bad| path(bad, 400, Closes)).collect();
    for refused in ["/a b", "/<a>", "/a\tb", "/a\u{1}", "/\u{7f}"] {
        vectors.push(path(refused, 400, Closes));
    }
    let good = [
        ("/x//y///z", "/x/y/z"),
        ("/x/./y/../z", "/x/z"),
        ("/x/%2e/y/%2E%2e/z", "/x/z"),
        ("/%7ex", "/~x"),
        ("/%41", "/A"),
        ("/x%2Fy", "/x%2Fy"),
        ("/x%2fy", "/x%2Fy"),
        ("/x%5Cy", "/x%5Cy"),
        ("/x%252e%252e/y", "/x%252e%252e/y"),
        ("/x;a=b/..;/y", "/x;a=b/..;/y"),
        ("/x#fragment", "/x"),
        ("/x?a=/../b&c=%00", "/x?a=/../b&c=%00"),
        ("/x?", "/x?"),
        ("/x/.", "/x/"),
        ("/x/y/..", "/x/"),
        ("/%e4%bd%a0", "/%E4%BD%A0"),
    ];
    vectors.extend(good.iter().map(|(sent, _)| path(sent, 200, Keeps)));
    let all = range.shoot(vectors).await;
    for (sent, canonical) in good {
        let line = format!("GET {sent} ");
        let (_, seen) = all.iter().find(|((_, bytes, ..), _)| bytes.starts_with(line.as_bytes())).unwrap();
        assert_eq!(seen[0].target(), canonical, "{sent}");
    }
}

#[tokio::test]
async fn t8_limits() {
    let mut range = Range::open().await;
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    let fields = |count: usize| "X: y\r\n".repeat(count);
    range
        .shoot(vec![
            get("T8, D9", &target(8 * 1024), "", 200, Keeps),
            get("T8, D9, P10", &target(8 * 1024 + 1), "", 414, Closes),
            get("T8, D9", &target(30_000), "", 414, Closes),
            get("T8, D9", &target(40_000), "", 431, Closes),
            get("T8, D9", &format!("http://a.example{}", target(8 * 1024)), "", 414, Closes),
            get("T8, D9", "/x", &fields(99), 200, Keeps),
            get("T8, D9", "/x", &fields(100), 431, Closes),
            get("T8, D9", "/x", &format!("X: {}\r\n", "y".repeat(30_000)), 200, Keeps),
            get("T8, D9, P10", "/x", &format!("X: {}\r\n", "y".repeat(40_000)), 431, Closes),
            get("T8, D9", "/x", &format!("{}: y\r\n", "x".repeat(40_000)), 431, Closes),
            get("T8, D9", "/x", &format!("Cookie: {}\r\n", "a=b; ".repeat(8_000)), 431, Closes),
            get("T8", "/x", &format!("X: {}\r\n", "y".repeat(500_000)), 431, Closes),
        ])
        .await;
}
