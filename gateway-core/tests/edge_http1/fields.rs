//! Fields that end here, that nobody may say, or that ask for another protocol (H1 to H4, W1).

use crate::{
    range::{Closes, Keeps, Range, get, post, raw},
    wire::{Setup, Upstream, everything_to},
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
