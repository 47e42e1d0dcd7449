//! Fields that end here, that nobody may say, or that ask for another protocol (H1 to H4, W1).

use crate::{
    range::{Closes, Keeps, Range, get, post, raw},
    wire::{Setup, Upstream, answer, everything_to},
};

#[tokio::test]
async fn h1_to_h4_fields_that_end_here_or_that_nobody_may_say() {
    let mut range = Range::open().await;
    let fields = |fields: &str| get("H", "/x", fields, 200, Keeps);
    let all = range
        .shoot(vec![
            fields("Connection: x-forwarded-for, authorization, host, x-real-ip, x-kong-request-id\r\nAuthorization: me\r\n"),
            fields("Connection: keep-alive, x-gone\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nX-Kept: 1\r\n"),
            fields("Connection: content-length, transfer-encoding, via, te\r\nTE: trailers, gzip\r\n"),
            fields("X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\n"),
            fields("X-Forwarded-Prefix: /evil\r\nX-Forwarded-Path: /evil\r\nX-Forwarded-For: 6.6.6.6\r\n"),
            fields("X-Consumer-ID: me\r\nX-Consumer-Username: me\r\nX-Credential-Identifier: me\r\nX-Anonymous-Consumer: true\r\n"),
            fields("TE: gzip\r\nProxy-Connection: keep-alive\r\nProxy: evil\r\nHTTP2-Settings: AAMAAABk\r\n"),
            fields("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            fields("X_Under: 1\r\nForwarded: for=6.6.6.6\r\nProxy-Authorization: Basic x\r\nX-Kong-Request-Id: mine\r\n"),
            fields("Cookie: a=1\r\nCookie: b=2\r\nVia: 1.0 fred\r\n"),
        ])
        .await;
    let seen: Vec<_> = all.iter().map(|(_, seen)| seen[0].clone()).collect();
    assert!(seen[0].all("authorization").is_empty(), "H1: it was nominated");
    assert_eq!(seen[0].all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen[1].all("x-kept"), ["1"]);
    assert!(seen[1].all("x-gone").is_empty());
    assert_eq!((seen[2].all("te"), seen[2].all("via").len()), (vec!["trailers"], 1));
    assert_eq!(seen[3].all("x-forwarded-proto"), ["http"], "H2");
    assert_eq!(seen[3].all("x-forwarded-host"), ["a.example"]);
    assert_eq!(seen[3].all("x-forwarded-port"), [range.edge.address.port().to_string()]);
    assert_eq!(seen[3].all("x-real-ip"), ["127.0.0.1"]);
    assert!(seen[4].all("x-forwarded-prefix").is_empty());
    assert_eq!(seen[4].all("x-forwarded-path"), ["/x"]);
    assert_eq!(seen[4].all("x-forwarded-for"), ["6.6.6.6, 127.0.0.1"], "D11");
    for name in ["x-consumer-username", "x-credential-identifier", "x-anonymous-consumer"] {
        assert!(seen[5].all(name).is_empty(), "D14: {name}");
    }
    assert!(seen[6].all("te").is_empty(), "H4");
    assert_eq!((seen[8].all("x_under"), seen[8].all("forwarded").len()), (vec!["1"], 1), "D13");
    assert_eq!(seen[8].all("proxy-authorization").len(), 1, "D13");
    assert_ne!(seen[8].all("x-kong-request-id"), ["mine"], "P34");
    assert_eq!(seen[9].all("cookie"), ["a=1; b=2"]);
    assert!(seen[9].all("via")[0].starts_with("1.0 fred, 1.1 gateway/"), "P33: {:?}", seen[9].all("via"));
}

#[tokio::test]
async fn h3_strict_headers_and_strict_paths_refuse_more() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::new(everything_to(&upstream));
    setup.node.rules.headers = gateway_core::sanitize::Strictness::Strict;
    setup.node.rules.paths = gateway_core::sanitize::Strictness::Strict;
    let edge = setup.start();
    let mut client = edge.client().await;
    client
        .send(
            "GET /x HTTP/1.1\r\nhost: a\r\nX_Under: 1\r\nForwarded: for=x\r\nProxy-Authorization: x\r\n\r\n",
        )
        .await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    let seen = upstream.take();
    for name in ["x_under", "forwarded", "proxy-authorization"] {
        assert!(seen[0].all(name).is_empty(), "{name}");
    }
    for path in ["/x%2Fy", "/x%5cy", "/x/..;/y", "/x/;../y"] {
        assert_eq!(edge.client().await.get(path).await.unwrap().status, 400, "{path}");
    }
    assert_eq!(upstream.take().len(), 0);
}

#[tokio::test]
async fn w1_handshakes_that_are_none() {
    let mut range = Range::open().await;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let asks = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    range
        .shoot(vec![
            get("W1", "/x", &format!("{asks}{key}Sec-WebSocket-Version: 8\r\n"), 426, Keeps),
            get("W1", "/x", &format!("{asks}{key}"), 426, Keeps),
            get("W1", "/x", &format!("{asks}Sec-WebSocket-Version: 13\r\n"), 400, Closes),
            get(
                "W1",
                "/x",
                &format!("{asks}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"),
                400,
                Closes,
            ),
            post("W1", &format!("{asks}{key}Sec-WebSocket-Version: 13\r\n"), "", 400, Closes),
            get(
                "W1",
                "/x",
                &format!("{asks}{key}Sec-WebSocket-Version: 13\r\nContent-Length: 3\r\n"),
                400,
                Closes,
            ),
            raw(
                "W1",
                format!("GET /x HTTP/1.0\r\nHost: a\r\n{asks}{key}Sec-WebSocket-Version: 13\r\n\r\n"),
                400,
                Closes,
            ),
            // An upstream that does not switch: a plain answer, and the connection goes on.
            get("W1", "/x", &format!("Connection: Upgrade\r\nUpgrade: foo\r\n{key}"), 200, Keeps),
        ])
        .await;
}

/// The fields of a head that the client has named, and their values, whatever their order and case.
fn named<'h>(head: &'h str, names: &[&str]) -> Vec<(String, &'h str)> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim()));
    let mut own: Vec<_> = fields.filter(|(name, _)| names.contains(&name.as_str())).collect();
    // Of one name they stay in their order (RFC 9110 section 5.3): the sort is stable.
    own.sort_by(|(one, _), (other, _)| one.cmp(other));
    own
}

#[tokio::test]
async fn d28_every_field_arrives_with_its_value_whatever_its_order_and_case() {
    const ORDERS: [&str; 3] = [
        "X-One: 1\r\nX-Two: Of CASE\r\nX-One: 2\r\nX-None:\r\nAccept: text/HTML, */*;q=0.1\r\n",
        "accept: text/HTML, */*;q=0.1\r\nx-none:\r\nx-one: 1\r\nx-one: 2\r\nx-two: Of CASE\r\n",
        "X-NONE:\r\nx-oNE: 1\r\nACCEPT: text/HTML, */*;q=0.1\r\nX-ONE: 2\r\nX-tWO: Of CASE\r\n",
    ];
    const NAMES: [&str; 4] = ["accept", "x-none", "x-one", "x-two"];
    let expected = [
        ("accept", "text/HTML, */*;q=0.1"),
        ("x-none", ""),
        ("x-one", "1"),
        ("x-one", "2"),
        ("x-two", "Of CASE"),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let upstream = Upstream::start(|seen| {
        let order = seen.target().trim_start_matches('/').parse::<usize>().unwrap_or_default();
        answer("200 OK", ORDERS[order], "x")
    })
    .await;
    let edge = Setup::new(everything_to(&upstream)).start();
    let mut client = edge.client().await;
    for (at, fields) in ORDERS.iter().enumerate() {
        client.send(format!("GET /{at} HTTP/1.1\r\nhost: a\r\n{fields}\r\n")).await;
        let answered = client.answer().await.unwrap();
        assert_eq!(named(&answered.head, &NAMES), expected, "{}", answered.head);
        let seen = upstream.take();
        assert_eq!(named(&seen[0].head, &NAMES), expected, "{}", seen[0].head);
    }
}

#[tokio::test]
async fn o6_what_names_a_trace_passes_as_it_is() {
    const TRACES: [(&str, &str); 6] = [
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90"),
        ("baggage", "who=me,what=that;ttl=1"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "one=00f067aa0ba902b7,other=t61rcWkgMzE"),
        ("uber-trace-id", "4bf92f3577b34da6:00f067aa0ba902b7:0:1"),
        ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
    ];
    let fields: String = TRACES.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut range = Range::open().await;
    let all = range.shoot(vec![get("O6", "/x", &fields, 200, Keeps), get("O6", "/x", "", 200, Keeps)]).await;
    for (name, value) in TRACES {
        assert_eq!(all[0].1[0].all(name), [value]);
        assert!(all[1].1[0].all(name).is_empty(), "{name}: nobody has begun a trace");
    }
}
