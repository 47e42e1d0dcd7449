//! What one answer is told apart from another by.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use http::{HeaderMap, HeaderName, Method, Request, Uri};
use percent_encoding::percent_decode_str;

use crate::{Body, plugin::Exchange};

/// The name of an answer in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// 64 hexadecimal digits, as Kong shows it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What of a request takes part in its key, besides what always does.
#[derive(Clone, Debug, Default)]
pub(super) struct Varying {
    /// The arguments of the query that count; none: all.
    pub(super) arguments: Option<Box<[String]>>,
    /// Fields that count.
    pub(super) headers: Box<[HeaderName]>,
    /// Whether the case of the path does not count.
    pub(super) ignore_case: bool,
}

impl Varying {
    /// The key of a request with this method.
    ///
    /// Kong's parts: consumer, route, method, path, query and the fields of the configuration. Besides: scheme and
    /// host, and the path that the upstream is asked for. An upstream sees all of these, so a key without them would
    /// let one client choose what others get (docs/threat-model.md, C1).
    pub(super) fn key(&self, method: &Method, request: &Request<Body>, exchange: &Exchange) -> Key {
        let mut parts = Parts::new();
        parts.add(exchange.consumer.as_ref().map_or(&[][..], |consumer| consumer.id.as_bytes()));
        parts.add(exchange.route().map_or(&[][..], |route| route.id.as_bytes()));
        parts.add(method.as_str().as_bytes());
        parts.add(if exchange.client.scheme.is_tls() { b"https" } else { b"http" });
        parts.add(exchange.host.value().as_bytes());
        self.add_path(&mut parts, exchange.path());
        self.add_path(&mut parts, request.uri().path());
        self.add_query(&mut parts, request.uri());
        parts.add_fields(&self.headers, request.headers());
        parts.key()
    }

    fn add_path(&self, parts: &mut Parts, path: &str) {
        if self.ignore_case {
            parts.add(path.to_ascii_lowercase().as_bytes());
        } else {
            parts.add(path.as_bytes());
        }
    }

    /// Arguments in the order of their names, as they are written. Those of one name keep their order: upstreams
    /// may mind it.
    fn add_query(&self, parts: &mut Parts, uri: &Uri) {
        let arguments = uri.query().unwrap_or_default().split('&').filter(|argument| !argument.is_empty());
        let mut arguments: Vec<_> = arguments.filter(|argument| self.counts(argument)).collect();
        arguments.sort_by_key(|argument| name(argument));
        parts.add(&arguments.len().to_be_bytes());
        arguments.iter().for_each(|argument| parts.add(argument.as_bytes()));
    }

    fn counts(&self, argument: &str) -> bool {
        let decoded =
            || percent_decode_str(&name(argument).replace('+', " ")).decode_utf8_lossy().into_owned();
        self.arguments.as_ref().is_none_or(|names| names.contains(&decoded()))
    }
}

fn name(argument: &str) -> &str {
    argument.split_once('=').map_or(argument, |(name, _)| name)
}

impl Key {
    /// The key of the variant for a request with these fields, where `Vary` names `names`. `generation` tells one
    /// answer's variants from those of an answer before it.
    pub(super) fn variant(&self, generation: u64, names: &[HeaderName], headers: &HeaderMap) -> Self {
        let mut parts = Parts::new();
        parts.add(&self.0);
        parts.add(&generation.to_be_bytes());
        parts.add_fields(names, headers);
        parts.key()
    }
}

/// Parts, each with its length: what stands at the end of one cannot pass for the beginning of the next.
struct Parts(Context);

impl Parts {
    fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&part.len().to_be_bytes());
        self.0.update(part);
    }

    fn add_fields(&mut self, names: &[HeaderName], headers: &HeaderMap) {
        for name in names {
            let lines = headers.get_all(name);
            self.add(&lines.iter().count().to_be_bytes());
            lines.iter().for_each(|line| self.add(line.as_bytes()));
        }
    }

    fn key(self) -> Key {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        Key(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderName, HeaderValue, Method, Request};

    use super::{Key, Varying};
    use crate::{Body, ConnectInfo, config::Consumer, plugin::Exchange, sanitize::Host};

    fn exchange() -> Exchange {
        let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        exchange.host = Host::from_field(&HeaderValue::from_static("h.example")).unwrap();
        exchange
    }

    fn request(uri: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let request =
            fields.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    }

    fn key(varying: &Varying, uri: &str, fields: &[(&str, &str)]) -> Key {
        let mut exchange = exchange();
        exchange.uri = uri.parse().unwrap();
        varying.key(&Method::GET, &request(uri, fields), &exchange)
    }

    #[test]
    fn the_order_of_arguments_does_not_matter_but_that_of_one_name_does() {
        let all = Varying::default();
        let same = |a: &str, b: &str| key(&all, a, &[]) == key(&all, b, &[]);
        assert!(same("/?a=1&b=2", "/?b=2&a=1"));
        assert!(same("/?a=1&&b=2&", "/?a=1&b=2"));
        for (a, b) in [
            ("/?a=1&a=2", "/?a=2&a=1"),
            ("/?a", "/?a="),
            ("/?a=1", "/?a=1&b"),
            ("/?a=1&b=2", "/?a=1%26b=2"),
            ("/a?b", "/a"),
            ("/a", "/A"),
            ("/a/", "/a"),
            ("/%61?a", "/a?a"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_configured_varies() {
        let varying = Varying {
            arguments: Some(["id".to_owned(), "é".to_owned()].into()),
            headers: [HeaderName::from_static("accept-language")].into(),
            ignore_case: true,
        };
        let same = |a: (&str, &[(&str, &str)]), b: (&str, &[(&str, &str)])| {
            key(&varying, a.0, a.1) == key(&varying, b.0, b.1)
        };
        assert!(same(("/A?id=1&x=1", &[]), ("/a?x=2&id=1", &[("accept", "x")])));
        assert!(!same(("/?id=1", &[]), ("/?id=2", &[])));
        assert!(!same(("/?%C3%A9=1", &[]), ("/?%C3%A9=2", &[])));
        assert!(!same(("/", &[("accept-language", "de")]), ("/", &[("accept-language", "en")])));
        assert!(!same(("/", &[("accept-language", "")]), ("/", &[])));
        assert!(!same(
            ("/", &[("accept-language", "a"), ("accept-language", "b")]),
            ("/", &[("accept-language", "ab")])
        ));
    }

    #[test]
    fn who_asks_where_and_how_always_counts() {
        let (varying, base) = (Varying::default(), exchange());
        let request = request("/", &[]);
        let first = varying.key(&Method::GET, &request, &base);
        assert_ne!(first, varying.key(&Method::HEAD, &request, &base));
        let mut other = exchange();
        other.consumer = Some(Arc::new(Consumer::new("alice")));
        assert_ne!(first, varying.key(&Method::GET, &request, &other));
        let mut other = exchange();
        other.host = Host::from_field(&HeaderValue::from_static("evil.example")).unwrap();
        assert_ne!(first, varying.key(&Method::GET, &request, &other));
        let mut other = exchange();
        other.uri = "/elsewhere".parse().unwrap();
        assert_ne!(
            first,
            varying.key(&Method::GET, &request, &other),
            "another path leads to the same upstream path"
        );
        let shown = first.to_string();
        assert!(shown.len() == 64 && shown.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn variants_differ_by_the_fields_and_by_the_answer_they_belong_to() {
        let primary = key(&Varying::default(), "/", &[]);
        let names = [HeaderName::from_static("accept")];
        let variant = |generation, accept: &'static str| {
            let headers = [(names[0].clone(), HeaderValue::from_static(accept))].into_iter().collect();
            primary.variant(generation, &names, &headers)
        };
        assert_eq!(variant(1, "a"), variant(1, "a"));
        assert_ne!(variant(1, "a"), variant(1, "b"));
        assert_ne!(variant(1, "a"), variant(2, "a"));
    }
}
