use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::{Brand, Forward, Lines, append_via, set_forwarded};
use crate::{
    ConnectInfo, TlsInfo,
    sanitize::{Host, Trust, names::X_KONG_REQUEST_ID},
};

fn map(text: &str) -> HeaderMap {
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(field).collect()
}

struct Case {
    headers: &'static str,
    peer: &'static str,
    host: &'static str,
    path: &'static str,
    prefix: Option<&'static str>,
    version: Version,
}

const CASE: Case = Case {
    headers: "",
    peer: "192.0.2.7:5000",
    host: "a.example",
    path: "/x//y",
    prefix: None,
    version: Version::HTTP_11,
};

fn forwarded(case: &Case) -> HeaderMap {
    let trust =
        Trust { trusted_ips: ["10.0.0.0/8".parse().unwrap()].into_iter().collect(), ..Trust::default() };
    let connection = ConnectInfo::new(case.peer.parse().unwrap(), "192.0.2.1:8000".parse().unwrap());
    let mut headers = map(case.headers);
    let host = if case.host.is_empty() {
        Host::none()
    } else {
        Host::from_field(&HeaderValue::from_static(case.host)).unwrap()
    };
    let forward = Forward {
        connection: &connection,
        client: &trust.client(&headers, &connection),
        version: case.version,
        host: &host,
        path: case.path,
        prefix: case.prefix,
        request_id: b"0123456789abcdef0123456789abcdef",
        brand: &Brand::new("gw/1", X_KONG_REQUEST_ID).unwrap(),
    };
    let lines = written(&headers, &forward);
    set_forwarded(&mut headers, &forward);
    assert_eq!(lines, headers, "as text");
    headers
}

/// The fields as the text of a head.
fn written(headers: &HeaderMap, forward: &Forward<'_>) -> HeaderMap {
    let lines = Lines::new(headers, forward, forward.brand);
    let kept = headers.iter().filter(|(name, _)| !lines.replace(name));
    let mut all: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    all.extend(map(str::from_utf8(lines.text()).unwrap().replace("\r\n", "\n").as_str()));
    all
}

#[test]
fn compat_p33_an_ordinary_request_gets_them_all() {
    let expected = map("via: 1.1 gw/1
            x-forwarded-for: 192.0.2.7
            x-forwarded-proto: http
            x-forwarded-host: a.example
            x-forwarded-port: 8000
            x-forwarded-path: /x//y
            x-real-ip: 192.0.2.7
            x-kong-request-id: 0123456789abcdef0123456789abcdef");
    assert_eq!(forwarded(&CASE), expected);
}

#[test]
fn compat_p33_hosts_lose_their_port_and_prefixes_show_decoded() {
    let headers = forwarded(&Case { host: "a.example:8080", prefix: Some("/sp%20ace"), ..CASE });
    assert_eq!(headers["x-forwarded-host"], "a.example");
    assert_eq!(headers["x-forwarded-prefix"], "/sp ace");
}

#[test]
fn compat_p13_via_names_the_version() {
    assert_eq!(forwarded(&Case { version: Version::HTTP_10, ..CASE })["via"], "1 gw/1");
    assert_eq!(forwarded(&Case { version: Version::HTTP_2, ..CASE })["via"], "2 gw/1");
    assert_eq!(
        forwarded(&Case { headers: "via: 1.0 a\nvia: 1.1 b", ..CASE })["via"],
        "1.0 a, 1.1 b, 1.1 gw/1"
    );
    let nameless = forwarded(&Case { host: "", headers: "x-forwarded-host: evil", ..CASE });
    assert!(!nameless.contains_key("x-forwarded-host"));
}

const CLAIMS: &str = "x-forwarded-for: 1.1.1.1
        x-forwarded-for: 2.2.2.2
        x-forwarded-proto: https
        x-forwarded-host: evil
        x-forwarded-port: 1
        x-forwarded-path: /evil
        x-forwarded-prefix: /evil
        x-real-ip: 6.6.6.6
        x-kong-request-id: evil
        forwarded: for=1.1.1.1";

#[test]
fn compat_p34_and_deviations_11_and_12_a_strangers_claims_are_replaced() {
    let expected = map("via: 1.1 gw/1
            x-forwarded-for: 1.1.1.1, 2.2.2.2, 192.0.2.7
            x-forwarded-proto: http
            x-forwarded-host: a.example
            x-forwarded-port: 8000
            x-forwarded-path: /x//y
            x-real-ip: 192.0.2.7
            x-kong-request-id: 0123456789abcdef0123456789abcdef
            forwarded: for=1.1.1.1");
    assert_eq!(forwarded(&Case { headers: CLAIMS, ..CASE }), expected);
}

#[test]
fn compat_p34_a_trusted_peers_claims_stay() {
    let expected = map("via: 1.1 gw/1
            x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.1
            x-forwarded-proto: https
            x-forwarded-host: evil
            x-forwarded-port: 1
            x-forwarded-path: /evil
            x-forwarded-prefix: /evil
            x-real-ip: 6.6.6.6
            x-kong-request-id: 0123456789abcdef0123456789abcdef
            forwarded: for=1.1.1.1");
    assert_eq!(
        forwarded(&Case { headers: CLAIMS, peer: "10.0.0.1:1", prefix: Some("/x"), ..CASE }),
        expected
    );
    // Without a list of its own the address it tells is the first of the list.
    let alone = forwarded(&Case { headers: "x-real-ip: 6.6.6.6", peer: "10.0.0.1:1", ..CASE });
    assert_eq!(alone["x-forwarded-for"], "6.6.6.6");
}

#[test]
fn tls_is_told_as_https() {
    let connection = ConnectInfo::new("192.0.2.7:1".parse().unwrap(), "192.0.2.1:8443".parse().unwrap());
    let connection = connection.with_tls(TlsInfo::default());
    let mut headers = HeaderMap::new();
    let forward = Forward {
        connection: &connection,
        client: &Trust::default().client(&headers, &connection),
        version: Version::HTTP_2,
        host: &Host::none(),
        path: "/",
        prefix: None,
        request_id: b"1",
        brand: &Brand::default(),
    };
    set_forwarded(&mut headers, &forward);
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-forwarded-port"], "8443");
    assert!(headers["via"].to_str().unwrap().starts_with("2 gateway/"));
}

#[test]
fn compat_p31_a_response_gets_its_via() {
    let brand = Brand::new("gw/1", X_KONG_REQUEST_ID).unwrap();
    let mut headers = HeaderMap::new();
    append_via(&mut headers, Version::HTTP_11, &brand);
    assert_eq!(headers["via"], "1.1 gw/1");
    let mut headers = map("via: 1.1 up");
    append_via(&mut headers, Version::HTTP_11, &brand);
    assert_eq!(headers["via"], "1.1 up, 1.1 gw/1");
}
