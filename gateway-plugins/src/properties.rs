//! Properties: Envoy's paths and encodings, and the gateway's own words.
//!
//! Texts are their bytes, whole numbers 64 bits and little-endian, `true` one byte, times nanoseconds since 1970,
//! lengths of time nanoseconds, all fields of a message a map as those of host calls are.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use gateway_core::{
    ConnectInfo,
    config::{Consumer, Protocol},
    plugin::{Exchange, UriCaptures},
};
use http::{HeaderMap, Version, header, uri::Authority};
use uuid::Uuid;

use crate::abi::pairs;

/// The value at `path`, of an exchange and the fields of its messages as far as they are known.
pub(crate) fn of_exchange(
    path: &[&[u8]],
    exchange: &Exchange,
    request: Option<&HeaderMap>,
    response: Option<&HeaderMap>,
) -> Option<Bytes> {
    match path {
        [b"request", b"headers"] => all(request?),
        [b"response", b"headers"] => all(response?),
        [b"request", b"headers", name] => field(request?, name),
        [b"response", b"headers", name] => field(response?, name),
        [b"request", name] => of_request(name, exchange, request),
        [b"response", name] => of_response(name, exchange),
        [b"source", name] => address(name, exchange.client.ip, exchange.connection.peer().port()),
        [b"destination", name] => {
            let local = exchange.connection.local();
            address(name, local.ip(), local.port())
        }
        [b"connection", name] => of_connection(name, &exchange.connection),
        [b"upstream", name] => {
            let endpoint = exchange.endpoint?;
            address(name, endpoint.ip(), endpoint.port())
        }
        [b"listener_direction"] => Some(number(INBOUND)),
        [b"route_name"] => named(exchange.route().map(|route| (&route.name, route.id))),
        [b"cluster_name"] => exchange.service().map(|service| text(&service.host)),
        [b"route", name] => entity(name, exchange.route().map(|route| (&route.name, route.id))),
        [b"service", name] => entity(name, exchange.service().map(|service| (&service.name, service.id))),
        [b"consumer", name] => of_consumer(name, exchange.consumer.as_ref()?),
        [b"uri_captures", name] => captured(name, exchange).map(text),
        _ => None,
    }
}

/// What Envoy calls a listener that serves clients.
const INBOUND: u64 = 1;

/// `http` or `https`, as the client speaks.
pub(crate) fn scheme(exchange: &Exchange) -> &'static str {
    if exchange.client.scheme == Protocol::Https { "https" } else { "http" }
}

fn of_request(name: &[u8], exchange: &Exchange, headers: Option<&HeaderMap>) -> Option<Bytes> {
    Some(match name {
        b"path" => text(exchange.path_and_query()),
        b"url_path" => text(exchange.path()),
        b"query" => text(exchange.uri.query().unwrap_or_default()),
        b"host" => Bytes::copy_from_slice(exchange.host.value().as_bytes()),
        b"forwarded_host" => match headers.and_then(|headers| forwarded_host(exchange, headers)) {
            Some(host) => text(&host),
            None => Bytes::copy_from_slice(exchange.host.value().as_bytes()),
        },
        b"scheme" => text(scheme(exchange)),
        b"method" => text(exchange.method.as_str()),
        b"protocol" => text(protocol(exchange.version)),
        b"id" => Bytes::copy_from_slice(&exchange.request_id.digits()),
        b"referer" => return field(headers?, header::REFERER.as_str().as_bytes()),
        b"useragent" | b"user_agent" => return field(headers?, header::USER_AGENT.as_str().as_bytes()),
        b"time" => time(exchange),
        b"duration" => duration(exchange.timings.finished?),
        b"size" => number(exchange.request_bytes),
        _ => return None,
    })
}

/// The host, and the port where it is not the scheme's own, that a trusted peer says the client asked for.
fn forwarded_host(exchange: &Exchange, headers: &HeaderMap) -> Option<String> {
    let said = |name: &str| headers.get(name).filter(|_| exchange.client.trusted)?.to_str().ok();
    let host: Authority = said("x-forwarded-host")?.parse().ok()?;
    let own = if exchange.client.scheme == Protocol::Https { 443 } else { 80 };
    let port = host.port_u16().or_else(|| said("x-forwarded-port")?.parse().ok());
    let plain = !host.as_str().contains('@');
    plain.then(|| match port.filter(|port| *port != own) {
        Some(port) => format!("{}:{port}", host.host()),
        None => host.host().to_owned(),
    })
}

fn of_response(name: &[u8], exchange: &Exchange) -> Option<Bytes> {
    let answered = exchange.timings.responded.is_some() || exchange.timings.finished.is_some();
    Some(match name {
        b"code" if answered => number(exchange.status.as_u16().into()),
        b"code_details" => text(exchange.reason.map_or("via_upstream", |reason| reason.word())),
        b"size" => number(exchange.response_bytes),
        b"backend_latency" => duration(exchange.timings.responded?.checked_sub(exchange.timings.forwarded?)?),
        _ => return None,
    })
}

fn of_connection(name: &[u8], connection: &ConnectInfo) -> Option<Bytes> {
    Some(match name {
        // Clients are not asked for certificates.
        b"mtls" => Bytes::from_static(&[0]),
        b"tls_version" => text(connection.tls()?.version?),
        b"requested_server_name" => text(connection.tls()?.sni.as_deref()?),
        _ => return None,
    })
}

/// What the route's expression took out of the path: a group by its name or its number.
fn captured<'a>(name: &[u8], exchange: &'a Exchange) -> Option<&'a str> {
    let (captures, name) = (exchange.extensions.get::<UriCaptures>()?, std::str::from_utf8(name).ok()?);
    captures.get(name).or_else(|| captures.at(name.parse().ok()?))
}

/// A field of a consumer.
pub(crate) fn of_consumer(name: &[u8], consumer: &Consumer) -> Option<Bytes> {
    Some(match name {
        b"id" => text(&consumer.id.to_string()),
        b"username" => text(consumer.username.as_deref()?),
        b"custom_id" => text(consumer.custom_id.as_deref()?),
        _ => return None,
    })
}

/// `address` with its port, as Envoy has it, or the port alone.
fn address(name: &[u8], ip: IpAddr, port: u16) -> Option<Bytes> {
    match name {
        b"address" => Some(text(&SocketAddr::new(ip.to_canonical(), port).to_string())),
        b"port" => Some(number(port.into())),
        _ => None,
    }
}

fn entity(field: &[u8], entity: Option<(&Option<String>, Uuid)>) -> Option<Bytes> {
    let (name, id) = entity?;
    match field {
        b"id" => Some(text(&id.to_string())),
        b"name" => name.as_deref().map(text),
        _ => None,
    }
}

/// Its name, or its id where it has none.
fn named(entity: Option<(&Option<String>, Uuid)>) -> Option<Bytes> {
    let (name, id) = entity?;
    Some(name.as_deref().map_or_else(|| text(&id.to_string()), text))
}

fn field(headers: &HeaderMap, name: &[u8]) -> Option<Bytes> {
    let value = headers.get(std::str::from_utf8(name).ok()?)?;
    Some(Bytes::copy_from_slice(value.as_bytes()))
}

/// As pairs, unless they are too many.
fn all(headers: &HeaderMap) -> Option<Bytes> {
    let mut out = Vec::new();
    pairs::encode(headers.iter().map(|(name, value)| (name.as_ref(), value.as_bytes())), &mut out).ok()?;
    Some(out.into())
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

/// When the request's head had been read.
fn time(exchange: &Exchange) -> Bytes {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    duration(since.saturating_sub(exchange.started.elapsed()))
}

fn duration(duration: Duration) -> Bytes {
    number(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn number(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{
        ConnectInfo, TlsInfo,
        config::{Consumer, Route, Service},
        plugin::{Exchange, Matched},
    };
    use http::{HeaderMap, HeaderValue, header::USER_AGENT};

    use super::of_exchange;
    use crate::abi::pairs;

    fn exchange() -> Exchange {
        let connection =
            ConnectInfo::new("192.0.2.7:5000".parse().unwrap(), "[2001:db8::1]:8443".parse().unwrap());
        let mut tls = TlsInfo::default();
        (tls.sni, tls.version) = (Some("a.example".into()), Some("TLSv1.3"));
        let mut exchange = Exchange::new(Arc::new(connection.with_tls(tls)));
        exchange.uri = "/a/b?c=d".parse().unwrap();
        let service = Service::new("users", "users.local");
        let route = Arc::new(Route::new("all").to(&service));
        exchange.matched = Some(Arc::new(Matched::new(route, Some(Arc::new(service)))));
        exchange.consumer = Some(Arc::new(Consumer::new("alice")));
        exchange.endpoint = Some("10.0.0.1:80".parse().unwrap());
        exchange
    }

    #[test]
    fn who_is_trusted_says_which_host_the_client_asked_for() {
        let (mut exchange, mut headers) = (exchange(), HeaderMap::new());
        exchange.client.scheme = gateway_core::config::Protocol::Https;
        let own = String::from_utf8(exchange.host.value().as_bytes().to_vec()).unwrap();
        for (trusted, host, port, seen) in [
            (true, "a.example", "443", "a.example"),
            (true, "a.example", "8443", "a.example:8443"),
            (true, "a.example:9443", "443", "a.example:9443"),
            (true, "a.example", "x", "a.example"),
            (true, "evil@a.example", "443", &own),
            (true, "a.example, b.example", "443", &own),
            (true, "", "443", &own),
            (false, "a.example", "443", &own),
        ] {
            exchange.client.trusted = trusted;
            headers.insert("x-forwarded-host", HeaderValue::from_str(host).unwrap());
            headers.insert("x-forwarded-port", HeaderValue::from_str(port).unwrap());
            let found = of_exchange(&[b"request", b"forwarded_host"], &exchange, Some(&headers), None);
            assert_eq!(found.unwrap(), seen.as_bytes(), "{host} {port}");
        }
    }

    #[test]
    fn paths_and_encodings_are_envoys() {
        let (exchange, mut headers) = (exchange(), HeaderMap::new());
        headers.insert(USER_AGENT, HeaderValue::from_static("test"));
        let get = |path: &str| {
            let path: Vec<_> = path.split('.').map(str::as_bytes).collect();
            of_exchange(&path, &exchange, Some(&headers), None)
        };
        for (path, value) in [
            ("request.path", "/a/b?c=d"),
            ("request.url_path", "/a/b"),
            ("request.query", "c=d"),
            ("request.method", "GET"),
            ("request.scheme", "https"),
            ("request.protocol", "HTTP/1.1"),
            ("request.headers.user-agent", "test"),
            ("request.useragent", "test"),
            ("source.address", "192.0.2.7:5000"),
            ("destination.address", "[2001:db8::1]:8443"),
            ("connection.tls_version", "TLSv1.3"),
            ("connection.requested_server_name", "a.example"),
            ("upstream.address", "10.0.0.1:80"),
            ("route_name", "all"),
            ("cluster_name", "users.local"),
            ("route.name", "all"),
            ("service.name", "users"),
            ("consumer.username", "alice"),
        ] {
            assert_eq!(get(path).as_deref(), Some(value.as_bytes()), "{path}");
        }
        assert_eq!(get("source.port").unwrap(), 5000_u64.to_le_bytes()[..]);
        assert_eq!(get("connection.mtls").unwrap(), [0][..]);
        assert_eq!(get("request.time").unwrap().len(), 8);
        assert_eq!(get("listener_direction").unwrap(), 1_u64.to_le_bytes()[..]);
        let fields = get("request.headers").unwrap();
        assert_eq!(pairs::decode(&fields).unwrap(), [(&b"user-agent"[..], &b"test"[..])]);
        for absent in [
            "request",
            "request.headers.x",
            "response.code",
            "response.headers",
            "response.headers.x",
            "node.id",
            "",
        ] {
            assert_eq!(get(absent), None, "{absent}");
        }
    }
}
