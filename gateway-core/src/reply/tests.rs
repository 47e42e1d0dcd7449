use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt;

use super::{Asked, Refusal, https_reply, message_reply, reply};
use crate::{Body, Reason, RequestId};

fn asking(accept: Option<&str>) -> Asked {
    let mut request = Request::builder();
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    Asked::of(&request.body(()).unwrap())
}

async fn text(response: Response<Body>, id: RequestId) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap().replace(&id.to_string(), "RID")
}

#[tokio::test]
async fn each_form_is_kongs_to_the_byte() {
    let id = RequestId::random();
    for (accept, content_type, body) in [
        (
            "application/json",
            "application/json; charset=utf-8",
            "{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"RID\"\n}",
        ),
        ("text/plain", "text/plain; charset=utf-8", "no Route matched with those values\nrequest_id: RID\n"),
        (
            "application/xml",
            "application/xml; charset=utf-8",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>no Route matched with those \
             values</message>\n  <requestid>RID</requestid>\n</error>\n",
        ),
        (
            "text/html",
            "text/html; charset=utf-8",
            "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  \
             </head>\n  <body>\n    <h1>Error</h1>\n    <p>no Route matched with those values.</p>\n    \
             <p>request_id: RID</p>\n  </body>\n</html>\n",
        ),
    ] {
        let response = reply(Reason::NoRoute, asking(Some(accept)), id);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["content-type"], content_type);
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(text(response, id).await, body);
    }
}

#[test]
fn without_accept_kongs_own_is_json_and_nginx_born_is_plain_and_may_close() {
    let id = RequestId::random();
    let own = reply(Reason::AllUnhealthy, asking(None), id);
    assert_eq!(own.headers()["content-type"], "application/json; charset=utf-8");
    let bad = reply(Reason::BadRequest, asking(None), id);
    assert_eq!(bad.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(bad.headers()["connection"], "close");
}

#[test]
fn head_gets_the_length_without_the_body() {
    let id = RequestId::random();
    let head = Asked::of(&Request::head("/").body(()).unwrap());
    let full = reply(Reason::NoRoute, asking(None), id);
    let length = full.body().as_bytes().unwrap().len().to_string();
    let response = reply(Reason::NoRoute, head, id);
    assert!(http_body::Body::is_end_stream(response.body()));
    assert_eq!(response.headers()["content-length"], length.as_str());
}

#[test]
fn grpc_gets_its_status_in_the_only_header_block() {
    let call = Request::post("/p.S/M").version(Version::HTTP_2).header("content-type", "application/grpc");
    let asked = Asked::of(&call.body(()).unwrap());
    let response = message_reply(StatusCode::UNAUTHORIZED, "no 100% ключ\n", asked, RequestId::random());
    assert!(http_body::Body::is_end_stream(response.body()));
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.headers()["grpc-status"], "16");
    assert_eq!(response.headers()["grpc-message"], "no 100%25 %D0%BA%D0%BB%D1%8E%D1%87%0A");
    let response = reply(Reason::BadPath, asked, RequestId::random());
    assert_eq!(response.headers()["grpc-status"], "3");
    assert!(!response.headers().contains_key("connection"));
}

#[tokio::test]
async fn a_message_cannot_break_out_of_its_form() {
    let hostile = "a\"b</p><script>&\n";
    let id = RequestId::random();
    let json = text(message_reply(StatusCode::FORBIDDEN, hostile, asking(None), id), id).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["message"], hostile);
    let html = text(message_reply(StatusCode::FORBIDDEN, hostile, asking(Some("text/html")), id), id).await;
    assert!(html.contains("<p>a\"b&lt;/p&gt;&lt;script&gt;&amp;\n.</p>"), "{html}");
}

#[tokio::test]
async fn a_route_for_https_asks_to_upgrade_or_redirects() {
    let id = RequestId::random();
    let target = "/a%20b?c=d".parse().unwrap();
    let upgrade = https_reply(426, "h.example", &target, asking(None), id);
    assert_eq!(upgrade.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(upgrade.headers()["connection"], "Upgrade");
    assert_eq!(upgrade.headers()["upgrade"], "TLS/1.2, HTTP/1.1");
    assert!(text(upgrade, id).await.contains("\"message\":\"Please use HTTPS protocol\""));
    for status in [301, 302, 307, 308] {
        let redirect = https_reply(status, "h.example", &target, asking(None), id);
        assert_eq!(redirect.status().as_u16(), status);
        assert_eq!(redirect.headers()["location"], "https://h.example/a%20b?c=d");
    }
    let star = https_reply(301, "h.example", &"*".parse().unwrap(), asking(None), id);
    assert_eq!(star.headers()["location"], "https://h.example/*");
    let hostile = https_reply(301, "h\r\nset-cookie: x", &target, asking(None), id);
    assert_eq!(hostile.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_refusal_is_found_under_other_errors() {
    let (reason, status) = (Reason::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE);
    let refusal = Refusal { reason, status, message: "too much".into() };
    let wrapped = crate::Error::new(Reason::BadRequestBody, refusal.clone());
    assert_eq!(Refusal::find(&wrapped), Some(&refusal));
    assert_eq!(Refusal::find(&crate::Error::from(Reason::Reset)), None);
}
