//! Pages in browsers: which may read, and which may change (D37).

use gateway_control::{Control, admin::Access};
use gateway_core::Gateway;

use crate::{
    ROUTELESS,
    kit::{KONG, Node},
};

#[test]
fn a_change_is_not_taken_from_the_page_of_another_site_d37() {
    let node = Node::serving(KONG);
    let port = node.address.port();
    let before = node.control.hash();
    let refused = [
        "Host: evil.example\r\n".to_owned(),
        format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: http://evil.example\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: http://localhost:1\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: null\r\n"),
        format!("Host: localhost:{port}\r\nSec-Fetch-Site: cross-site\r\n"),
    ];
    for fields in &refused {
        for (path, body) in [("/config", ROUTELESS), ("/status/ready", "status=draining")] {
            let answer = node.ask_with("POST", path, fields, body);
            assert_eq!(answer.status, 403, "{fields}");
            assert!(answer.json()["message"].is_string());
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        assert_eq!(node.ask_with("GET", "/status/ready", fields, "").status, 200, "{fields}");
    }
    assert_eq!(node.control.hash(), before);
    for fields in [
        format!(
            "Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"
        ),
        format!("Host: [::1]:{port}\r\n"),
    ] {
        assert_eq!(node.ask_with("POST", "/config", &fields, ROUTELESS).status, 201, "{fields}");
    }
}

#[test]
fn nothing_is_shown_to_the_page_of_another_site_d37() {
    let node = Node::serving(KONG);
    let port = node.address.port();
    for origin in ["http://evil.example", "http://localhost:1", "null"] {
        let fields = format!("Host: localhost:{port}\r\nOrigin: {origin}\r\n");
        let answer = node.ask_with("GET", "/services", &fields, "");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{origin}");
        assert_eq!(answer.header("vary"), Some("origin"), "no cache gives it another one's answer");
        let asks = node.ask_with("OPTIONS", "/services", &fields, "");
        assert_eq!((asks.status, asks.header("access-control-allow-origin")), (204, None), "{origin}");
    }
    // Where DNS was rebound, the page is of the same origin, and its browser on this machine.
    let rebound = format!("Host: evil.example:{port}\r\n");
    for path in ["/services", "/config", "/", "/history"] {
        assert_eq!(node.ask_with("GET", path, &rebound, "").status, 403, "{path}");
    }
    for path in ["/status", "/status/ready"] {
        assert_eq!(node.ask_with("GET", path, &rebound, "").status, 200, "{path}");
    }
    let guarded = Node::open_to(
        Control::new(Gateway::builder().build().unwrap()),
        Access::default().token("t", "s3cret"),
    );
    let fields = "Host: evil.example\r\nAuthorization: Bearer s3cret\r\n";
    assert_eq!(guarded.ask_with("GET", "/services", fields, "").status, 200, "no page has a token");
}

#[test]
fn pages_of_listed_origins_read_and_change_d37() {
    let origin = "https://console.internal";
    let access = Access::default().token("t", "s3cret").origin(origin);
    let node = Node::open_to(Control::new(Gateway::builder().build().unwrap()), access);
    let fields = |more: &str| format!("Host: localhost\r\nOrigin: {origin}\r\n{more}");
    let asks = node.ask_with("OPTIONS", "/config", &fields("Access-Control-Request-Method: POST\r\n"), "");
    assert_eq!((asks.status, asks.header("access-control-allow-origin")), (204, Some(origin)));
    assert!(asks.header("access-control-allow-methods").unwrap().contains("post"));
    assert!(asks.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(
        node.ask_with("GET", "/services", &fields(""), "").status,
        401,
        "it brings a token all the same"
    );
    let token = fields("Authorization: Bearer s3cret\r\nSec-Fetch-Site: cross-site\r\n");
    let made = node.ask_with("POST", "/config", &token, ROUTELESS);
    assert_eq!((made.status, made.header("access-control-allow-origin")), (201, Some(origin)));
    let other = "Host: localhost\r\nOrigin: https://console.internal.evil.example\r\nAuthorization: Bearer s3cret\r\n";
    assert_eq!(node.ask_with("POST", "/config", other, ROUTELESS).status, 403);
    assert_eq!(node.ask_with("OPTIONS", "/config", other, "").header("access-control-allow-origin"), None);
}
