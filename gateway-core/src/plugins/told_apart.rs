//! What requests are told apart by where a plugin keeps callers to what they were given once.

use std::net::IpAddr;

use http::{HeaderName, Request};
use uuid::Uuid;

use crate::{Body, balance::hash, plugin::Exchange, upstream::cookie};

/// What requests are told apart by. A request that has nothing of the kind is told apart by its consumer, and without
/// one by the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ToldApart {
    /// Nothing: each request by itself.
    Not,
    Consumer,
    Ip,
    Header(HeaderName),
    Cookie(Box<str>),
}

impl ToldApart {
    /// By the words of a plugin's `hash`, with the name of the header or cookie.
    ///
    /// # Errors
    /// With the name where it is none of a header.
    pub(super) fn new(word: &str, header: Option<&str>, cookie: Option<&str>) -> Result<Self, String> {
        Ok(match word {
            "consumer" => Self::Consumer,
            "ip" => Self::Ip,
            "header" => Self::Header(header_name(header.unwrap_or_default())?),
            "cookie" => Self::Cookie(cookie.unwrap_or_default().into()),
            _ => Self::Not,
        })
    }

    /// The lot of a request: the same for the same caller, on each node and at any time.
    pub(super) fn lot(&self, request: &Request<Body>, exchange: &Exchange) -> u32 {
        match self {
            Self::Not => fastrand::u32(..),
            Self::Consumer => of_caller(exchange),
            Self::Ip => of_address(exchange.client.ip),
            Self::Header(name) => {
                let value = request.headers().get(name);
                value.map_or_else(|| of_caller(exchange), |value| hash(value.as_bytes()))
            }
            Self::Cookie(name) => cookie(request.headers(), name).map_or_else(|| of_caller(exchange), hash),
        }
    }
}

/// A name of a header field.
///
/// # Errors
/// With the name where it is none.
pub(super) fn header_name(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| format!("'{text}' is no name of a header"))
}

fn of_caller(exchange: &Exchange) -> u32 {
    let consumer = exchange.consumer.as_ref().map(|consumer| consumer.id);
    let id = consumer.or_else(|| exchange.credential.as_ref().map(|credential| credential.id));
    id.as_ref().map(Uuid::as_bytes).map_or_else(|| of_address(exchange.client.ip), |id| hash(id))
}

fn of_address(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => hash(&ip.octets()),
        IpAddr::V6(ip) => hash(&ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;

    use super::ToldApart;
    use crate::{Body, config::Consumer, plugins::testing::exchange};

    #[test]
    fn a_caller_has_the_same_lot_and_falls_back_to_what_there_is() {
        let mut exchange = exchange();
        let plain = Request::new(Body::empty());
        let named = |header: &'static str, value: &'static str| {
            Request::builder().header(header, value).body(Body::empty()).unwrap()
        };
        let by = |word| ToldApart::new(word, Some("x-user"), Some("user")).unwrap();
        let by_ip = by("ip").lot(&plain, &exchange);
        for word in ["consumer", "header", "cookie"] {
            assert_eq!(by(word).lot(&plain, &exchange), by_ip, "{word}");
        }
        exchange.consumer = Some(Arc::new(Consumer::new("alice")));
        let by_consumer = by("consumer").lot(&plain, &exchange);
        assert_ne!(by_consumer, by_ip);
        assert_eq!(by("header").lot(&plain, &exchange), by_consumer);
        let by_header = by("header").lot(&named("x-user", "7"), &exchange);
        assert_ne!(by_header, by_consumer);
        assert_eq!(by("cookie").lot(&named("cookie", "a=1; user=7"), &exchange), by_header);
        let drawn: std::collections::HashSet<_> =
            (0..50).map(|_| by("none").lot(&plain, &exchange)).collect();
        assert!(drawn.len() > 40);
        assert!(ToldApart::new("header", Some("no name"), None).is_err());
    }
}
