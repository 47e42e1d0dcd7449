//! A request to be explained.

use std::{
    error::Error as StdError,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http::{HeaderName, HeaderValue, Method, Request, Uri, header::HOST, request::Parts, uri::Authority};
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{ConnectInfo, TlsInfo, config::Protocol};

/// A request in curl's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Question {
    /// Where it is sent: `https://host:port/path?query`; `http` where it names no scheme.
    pub url: String,
    /// Its method. Default `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// Its header fields; in JSON a map from names to a value or a list of them. A `Host` among them takes the
    /// place of the URL's.
    #[serde(default, deserialize_with = "fields")]
    pub headers: Vec<(String, String)>,
    /// The peer's address. Default `127.0.0.1`.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Who it turns out to be once authenticated: a username, a custom id or an id. Default: nobody.
    #[serde(default)]
    pub consumer: Option<String>,
}

/// A question that is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuestionError {
    /// Which part of it: `url`.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Question {
    /// A `GET` of this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: get(), headers: Vec::new(), source: None, consumer: None }
    }

    /// The head as a client would send it by HTTP/1.1, and the connection it comes on.
    ///
    /// # Errors
    /// If a part of it cannot be sent.
    pub fn head(&self) -> Result<(Parts, ConnectInfo), QuestionError> {
        let uri = self.uri()?;
        let authority = uri.authority().ok_or_else(|| wrong("url", "it names no host"))?;
        let scheme = if uri.scheme_str() == Some("https") { Protocol::Https } else { Protocol::Http };
        if has_wrong_port(authority) {
            return Err(wrong("url", "its port is not within 0 to 65535"));
        }
        let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|error| wrong("method", error))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        let request = Request::builder().method(method).uri(format!("{slash}{target}")).body(());
        let mut parts = request.map_err(|error| wrong("url", error))?.into_parts().0;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong("headers", error))?;
            let value = HeaderValue::from_str(value).map_err(|error| wrong("headers", error))?;
            parts.headers.try_append(name, value).map_err(|error| wrong("headers", error))?;
        }
        if !parts.headers.contains_key(HOST) {
            // As curl: the scheme's own port is left out.
            let shown = if port == scheme.default_port() { String::new() } else { format!(":{port}") };
            let host = HeaderValue::try_from(format!("{}{shown}", authority.host()));
            let host = host.map_err(|error| wrong("url", error))?;
            parts.headers.try_insert(HOST, host).map_err(|error| wrong("headers", error))?;
        }
        Ok((parts, self.connection(scheme, port, authority.host())))
    }

    fn uri(&self) -> Result<Uri, QuestionError> {
        let text = if self.url.contains("://") { self.url.clone() } else { format!("http://{}", self.url) };
        let uri: Uri = text.parse().map_err(|error| wrong("url", error))?;
        match uri.scheme_str() {
            Some("http" | "https") => Ok(uri),
            _ => Err(wrong("url", "its scheme is neither http nor https")),
        }
    }

    fn connection(&self, scheme: Protocol, port: u16, host: &str) -> ConnectInfo {
        let peer = SocketAddr::new(self.source.unwrap_or(Ipv4Addr::LOCALHOST.into()), 0);
        let connection = ConnectInfo::new(peer, (Ipv4Addr::UNSPECIFIED, port).into());
        if !scheme.is_tls() {
            return connection;
        }
        // An address is no server name (RFC 6066 section 3).
        let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
        let sni = (!is_address).then(|| Arc::from(host.to_ascii_lowercase()));
        connection.with_tls(TlsInfo { sni, ..TlsInfo::default() })
    }
}

impl QuestionError {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Whether there is a port that is none: `http` reads it as if there were no port.
fn has_wrong_port(authority: &Authority) -> bool {
    let port = authority.as_str().rsplit(['@', ']']).next().and_then(|place| place.split_once(':'));
    port.is_some_and(|(_, port)| !port.is_empty() && port.parse::<u16>().is_err())
}

fn wrong(field: &'static str, error: impl fmt::Display) -> QuestionError {
    QuestionError::new(field, error.to_string())
}

impl fmt::Display for QuestionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl StdError for QuestionError {}

fn get() -> String {
    Method::GET.to_string()
}

/// A map from names to a value or a list of them.
fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Values {
        One(String),
        Many(Vec<String>),
    }
    let map = IndexMap::<String, Values>::deserialize(deserializer)?;
    let each = map.into_iter().flat_map(|(name, values)| {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_a_head_as_curl_would_send_it() {
        for (url, target, host, port, scheme) in [
            ("http://a.t/x?y", "/x?y", "a.t", 80, Protocol::Http),
            ("a.t", "/", "a.t", 80, Protocol::Http),
            ("http://a.t?y", "/?y", "a.t", 80, Protocol::Http),
            ("https://A.t:443/x#y", "/x", "A.t", 443, Protocol::Https),
            ("https://a.t:8443/a//b/..", "/a//b/..", "a.t:8443", 8443, Protocol::Https),
            ("http://[::1]:81/", "/", "[::1]:81", 81, Protocol::Http),
            ("http://u:p@a.t:/", "/", "a.t", 80, Protocol::Http),
        ] {
            let (parts, connection) = Question::new(url).head().unwrap();
            assert_eq!(parts.uri, target, "{url}");
            assert_eq!(parts.headers["host"], host, "{url}");
            assert_eq!((connection.local().port(), connection.scheme()), (port, scheme), "{url}");
        }
    }

    #[test]
    fn the_server_name_is_the_urls_and_host_may_be_another() {
        let mut question = Question::new("https://A.t/");
        question.headers = vec![("Host".into(), "b.t".into()), ("x".into(), "1".into())];
        let (parts, connection) = question.head().unwrap();
        assert_eq!((&parts.headers["host"], parts.headers.len()), (&HeaderValue::from_static("b.t"), 2));
        assert_eq!(connection.tls().unwrap().sni.as_deref(), Some("a.t"));
        let (_, connection) = Question::new("https://127.0.0.1/").head().unwrap();
        assert_eq!(connection.tls().unwrap().sni, None);
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let wrong = |change: fn(&mut Question)| {
            let mut question = Question::new("http://a.t/");
            change(&mut question);
            question.head().unwrap_err().field
        };
        assert_eq!(wrong(|question| question.url = "ftp://a.t".into()), "url");
        assert_eq!(wrong(|question| question.url = "http://a b/".into()), "url");
        assert_eq!(wrong(|question| question.url = "/path".into()), "url");
        assert_eq!(wrong(|question| question.url = "http://a.t:99999/".into()), "url");
        assert_eq!(wrong(|question| question.url = "http://u:p@[::1]:65536/".into()), "url");
        assert_eq!(wrong(|question| question.method = "G T".into()), "method");
        assert_eq!(wrong(|question| question.headers = vec![("a b".into(), String::new())]), "headers");
        let many = |question: &mut Question| {
            question.headers = (0..40_000).map(|number| (format!("x-{number}"), String::new())).collect();
        };
        assert_eq!(wrong(many), "headers", "more than a map of headers holds");
    }

    #[test]
    fn json_gives_a_field_one_value_or_many() {
        let json = r#"{"url": "a.t", "headers": {"x": "1", "y": ["2", "3"]}, "source": "::1"}"#;
        let question: Question = serde_json::from_str(json).unwrap();
        let fields: Vec<_> =
            question.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("x", "1"), ("y", "2"), ("y", "3")]);
        assert_eq!((question.method.as_str(), question.source.unwrap().is_loopback()), ("GET", true));
        assert!(serde_json::from_str::<Question>(r#"{"url": "a.t", "verb": "GET"}"#).is_err());
    }
}
