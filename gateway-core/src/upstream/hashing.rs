//! What requests are told apart by, for consistent hashing.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Request, header::COOKIE};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::{
    Body,
    balance::hash,
    config::{Algorithm, HashOn, Upstream},
    plugin::{Exchange, UriCaptures},
};

/// What requests are told apart by: `hash_on` of an upstream, and `hash_fallback` for requests without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    on: Input,
    fallback: Option<Input>,
    cookie_path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Consumer,
    Ip,
    Header(HeaderName),
    Cookie(String),
    Path,
    QueryArg(String),
    UriCapture(String),
}

/// What a request is told apart by.
#[derive(Debug)]
pub(crate) struct Hashed {
    /// None where the request has nothing of what is asked for: then it is balanced in turn.
    pub(crate) hash: Option<u32>,
    /// The cookie that the client gets, where it had none.
    pub(crate) cookie: Option<Box<HeaderValue>>,
}

impl Hashing {
    /// That of an upstream entity; none where its algorithm or its `hash_on` do not hash.
    #[must_use]
    pub fn of_upstream(upstream: &Upstream) -> Option<Self> {
        if upstream.algorithm != Algorithm::ConsistentHashing {
            return None;
        }
        let cookie = upstream.hash_on_cookie.as_deref();
        let on = Input::new(
            upstream.hash_on,
            upstream.hash_on_header.as_deref(),
            cookie,
            upstream.hash_on_query_arg.as_deref(),
            upstream.hash_on_uri_capture.as_deref(),
        )?;
        let fallback = Input::new(
            upstream.hash_fallback,
            upstream.hash_fallback_header.as_deref(),
            cookie,
            upstream.hash_fallback_query_arg.as_deref(),
            upstream.hash_fallback_uri_capture.as_deref(),
        );
        Some(Self { on, fallback, cookie_path: upstream.hash_on_cookie_path.clone() })
    }

    /// Whether it asks for what the route's expression took out of the path.
    pub(crate) fn wants_captures(&self) -> bool {
        [Some(&self.on), self.fallback.as_ref()]
            .into_iter()
            .flatten()
            .any(|input| matches!(input, Input::UriCapture(_)))
    }

    /// What `request` is told apart by.
    pub(crate) fn of(&self, request: &Request<Body>, exchange: &Exchange) -> Hashed {
        for input in [Some(&self.on), self.fallback.as_ref()].into_iter().flatten() {
            if let Some(value) = input.value(request, exchange) {
                return Hashed { hash: Some(hash(&value)), cookie: None };
            }
            if let Input::Cookie(name) = input {
                let value = Uuid::new_v4().to_string();
                let cookie = format!("{name}={value}; Path={}; Same-Site=Lax; HttpOnly", self.cookie_path);
                let cookie = HeaderValue::try_from(cookie).ok().map(Box::new);
                return Hashed { hash: Some(hash(value.as_bytes())), cookie };
            }
        }
        Hashed { hash: None, cookie: None }
    }
}

impl Input {
    fn new(
        on: HashOn,
        header: Option<&str>,
        cookie: Option<&str>,
        query_arg: Option<&str>,
        uri_capture: Option<&str>,
    ) -> Option<Self> {
        match on {
            HashOn::None => None,
            HashOn::Consumer => Some(Self::Consumer),
            HashOn::Ip => Some(Self::Ip),
            // The config room has refused names that are none. With a dash they are found too (compat P47, D23).
            HashOn::Header => header?.parse().ok().map(Self::Header),
            HashOn::Cookie => cookie.map(|name| Self::Cookie(name.to_owned())),
            HashOn::Path => Some(Self::Path),
            HashOn::QueryArg => query_arg.map(|name| Self::QueryArg(name.to_owned())),
            HashOn::UriCapture => uri_capture.map(|name| Self::UriCapture(name.to_owned())),
        }
    }

    fn value<'r>(&self, request: &'r Request<Body>, exchange: &'r Exchange) -> Option<Cow<'r, [u8]>> {
        match self {
            Self::Consumer => consumer(exchange).map(|id| Cow::Owned(id.to_string().into_bytes())),
            Self::Ip => Some(Cow::Owned(exchange.client.ip.to_string().into_bytes())),
            Self::Header(name) => header(request.headers(), name),
            Self::Cookie(name) => cookie(request.headers(), name).map(Cow::Borrowed),
            Self::Path => Some(percent_decode_str(exchange.path()).into()),
            Self::QueryArg(name) => {
                query_arg(request.uri().query()?, name).map(|it| Cow::Owned(it.into_bytes()))
            }
            Self::UriCapture(name) => {
                let captures = exchange.extensions.get::<UriCaptures>()?;
                captures.get(name).map(|value| Cow::Borrowed(value.as_bytes()))
            }
        }
    }
}

/// The consumer, or the credential of one that has none (compat S4).
fn consumer(exchange: &Exchange) -> Option<Uuid> {
    let consumer = exchange.consumer.as_ref().map(|consumer| consumer.id);
    consumer.or_else(|| exchange.credential.as_ref().map(|credential| credential.id))
}

/// The values of a field as one, as nginx joins them.
fn header<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<Cow<'r, [u8]>> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = values.next()?;
    let rest: Vec<_> = values.collect();
    if rest.is_empty() {
        return Some(Cow::Borrowed(first));
    }
    let all: Vec<_> = std::iter::once(first).chain(rest).collect();
    Some(Cow::Owned(all.join(&b", "[..])))
}

pub(crate) fn cookie<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// All values of an argument, sorted and joined by commas; one without a value is `true` (compat S4).
fn query_arg(query: &str, name: &str) -> Option<String> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut values: Vec<_> = pairs
        .map(|pair| pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value))))
        .filter(|(own, _)| decoded(own) == name)
        .map(|(_, value)| value.map_or_else(|| "true".to_owned(), decoded))
        .collect();
    values.sort_unstable();
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;

    use super::*;
    use crate::{
        ConnectInfo,
        config::{Consumer, Credential, CredentialKind},
    };

    fn upstream(on: HashOn, change: impl FnOnce(&mut Upstream)) -> Hashing {
        let mut upstream = Upstream::new("u");
        upstream.algorithm = Algorithm::ConsistentHashing;
        upstream.hash_on = on;
        change(&mut upstream);
        Hashing::of_upstream(&upstream).unwrap()
    }

    fn exchange() -> Exchange {
        Exchange::new(Arc::new(ConnectInfo::unknown()))
    }

    fn request(target: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let mut request = Request::get(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[track_caller]
    fn hashes(hashing: &Hashing, request: &Request<Body>, exchange: &Exchange, value: Option<&str>) {
        assert_eq!(hashing.of(request, exchange).hash, value.map(|value| hash(value.as_bytes())));
    }

    #[test]
    fn a_header_with_a_dash_is_found_p47_deviation_23() {
        let hashing = upstream(HashOn::Header, |upstream| upstream.hash_on_header = Some("X-User-Id".into()));
        hashes(&hashing, &request("/", &[("x-user-id", "7")]), &exchange(), Some("7"));
        let twice = request("/", &[("x-user-id", "7"), ("x-user-id", "8")]);
        hashes(&hashing, &twice, &exchange(), Some("7, 8"));
        hashes(&hashing, &request("/", &[]), &exchange(), None);
    }

    #[test]
    fn the_fallback_has_fields_of_its_own() {
        let hashing = upstream(HashOn::Header, |upstream| {
            upstream.hash_on_header = Some("xh".into());
            upstream.hash_fallback = HashOn::QueryArg;
            upstream.hash_fallback_query_arg = Some("user".into());
        });
        hashes(&hashing, &request("/?user=b", &[("xh", "a")]), &exchange(), Some("a"));
        hashes(&hashing, &request("/?user=b", &[]), &exchange(), Some("b"));
        hashes(&hashing, &request("/", &[]), &exchange(), None);
    }

    #[test]
    fn values_of_an_argument_are_sorted_and_joined_s4() {
        let hashing = upstream(HashOn::QueryArg, |upstream| upstream.hash_on_query_arg = Some("a b".into()));
        hashes(&hashing, &request("/?a+b=z&x=1&a%20b=c+d", &[]), &exchange(), Some("c d,z"));
        hashes(&hashing, &request("/?a+b", &[]), &exchange(), Some("true"));
        hashes(&hashing, &request("/?a+b=", &[]), &exchange(), Some(""));
        hashes(&hashing, &request("/?ab=1", &[]), &exchange(), None);
    }

    #[test]
    fn a_cookie_is_taken_or_issued_s4() {
        let hashing = upstream(HashOn::Cookie, |upstream| {
            upstream.hash_on_cookie = Some("sid".into());
            upstream.hash_on_cookie_path = "/shop".into();
        });
        let known = request("/", &[("cookie", "xsid=1; sid=abc"), ("cookie", "other=2")]);
        hashes(&hashing, &known, &exchange(), Some("abc"));
        assert!(hashing.of(&known, &exchange()).cookie.is_none());
        let issued = hashing.of(&request("/", &[]), &exchange());
        let cookie = issued.cookie.unwrap();
        let value = cookie.to_str().unwrap().strip_prefix("sid=").unwrap();
        let (value, attributes) = value.split_at(36);
        assert_eq!(attributes, "; Path=/shop; Same-Site=Lax; HttpOnly");
        assert_eq!(issued.hash, Some(hash(value.as_bytes())));
    }

    #[test]
    fn a_consumer_is_its_id_or_its_credentials_s4() {
        let hashing = upstream(HashOn::Consumer, |upstream| upstream.hash_fallback = HashOn::Ip);
        let mut exchange = exchange();
        hashes(&hashing, &request("/", &[]), &exchange, Some(&exchange.client.ip.to_string()));
        let consumer = Consumer::new("alice");
        let credential = Credential {
            id: Uuid::new_v4(),
            kind: CredentialKind::KeyauthCredentials,
            consumer: consumer.id.into(),
            fields: serde_json::Map::new(),
        };
        exchange.credential = Some(Arc::new(credential.clone()));
        hashes(&hashing, &request("/", &[]), &exchange, Some(&credential.id.to_string()));
        exchange.consumer = Some(Arc::new(consumer.clone()));
        hashes(&hashing, &request("/", &[]), &exchange, Some(&consumer.id.to_string()));
    }

    #[test]
    fn the_path_is_the_clients_decoded() {
        let mut exchange = exchange();
        exchange.uri = "/sp%20ace/7?x=1".parse().unwrap();
        let hashing = upstream(HashOn::Path, |_| {});
        hashes(&hashing, &request("/rewritten", &[]), &exchange, Some("/sp ace/7"));
    }

    #[test]
    fn captures_are_found_by_name() {
        let hashing =
            upstream(HashOn::UriCapture, |upstream| upstream.hash_on_uri_capture = Some("id".into()));
        assert!(hashing.wants_captures() && !upstream(HashOn::Ip, |_| {}).wants_captures());
        let mut exchange = exchange();
        hashes(&hashing, &request("/", &[]), &exchange, None);
        exchange.extensions.insert(UriCaptures::new([(Some("id"), "7"), (None, "8")]));
        hashes(&hashing, &request("/", &[]), &exchange, Some("7"));
    }

    #[test]
    fn who_does_not_hash_has_none() {
        assert_eq!(Hashing::of_upstream(&Upstream::new("u")), None);
        let mut upstream = Upstream::new("u");
        upstream.algorithm = Algorithm::ConsistentHashing;
        assert_eq!(Hashing::of_upstream(&upstream), None);
    }
}
