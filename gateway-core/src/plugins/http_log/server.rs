//! The log server: its URL, and one batch to it.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::delivery::Destination;
use crate::{
    Body, ConnectInfo, Error,
    config::{Protocol, Service},
    plugin::Exchange,
    upstream::{Backend, Group, HostPolicy, PoolLimits, Resolve, TlsSettings, Transport, Upstream},
};

/// So much of an answer is read, so that its connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;

/// Where entries go, and how.
pub(super) struct Server {
    backend: Backend,
    method: Method,
    target: Uri,
    headers: HeaderMap,
    /// Whether a batch is a JSON list; otherwise it is one entry as it is.
    lists: bool,
    /// For one try as a whole.
    timeout: Duration,
}

/// What a [`Server`] is made of.
pub(super) struct Settings<'a> {
    pub(super) endpoint: &'a str,
    pub(super) method: Method,
    pub(super) content_type: HeaderValue,
    pub(super) headers: HeaderMap,
    /// For each of connecting, writing and reading.
    pub(super) timeout: Duration,
    pub(super) keepalive: Duration,
    pub(super) lists: bool,
}

impl Server {
    /// # Errors
    /// With the field that is wrong, and why.
    pub(super) fn new(settings: Settings<'_>, resolver: Arc<dyn Resolve>) -> Result<Self, String> {
        let Settings { endpoint, method, content_type, mut headers, timeout, keepalive, lists } = settings;
        let Endpoint { service, target, user } =
            Endpoint::parse(endpoint).map_err(|why| format!("http_endpoint: {why}"))?;
        if let Some(user) = user {
            if headers.contains_key(AUTHORIZATION) {
                return Err(BOTH.to_owned());
            }
            headers.insert(AUTHORIZATION, user);
        }
        headers.insert(CONTENT_TYPE, content_type);
        let transport = match service.protocol {
            Protocol::Https => Transport::tls(&TlsSettings::default()).map_err(|error| error.to_string())?,
            _ => Transport::clear(),
        };
        let pool = PoolLimits { idle_timeout: keepalive, ..PoolLimits::default() };
        let upstream = Upstream::new(Group::of_service(&service), None, resolver, 1, pool);
        let mut backend = Backend::new(&service, upstream, transport);
        // The queue tries again, and knows when.
        backend.retries = 0;
        (backend.connect_timeout, backend.write_timeout, backend.read_timeout) = (timeout, timeout, timeout);
        Ok(Self { backend, method, target, headers, lists, timeout: timeout.saturating_mul(3) })
    }

    async fn try_send(&self, batch: &[Bytes]) -> Result<(), String> {
        let mut request = Request::new(self.body(batch));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.headers.clone();
        let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
        let answer = self.backend.forward(&mut request, HostPolicy::Endpoint, 0, &mut exchange).await;
        let answer = answer.map_err(|error| told(&error))?;
        let status = answer.status();
        read_on(answer.into_body()).await;
        if status.as_u16() < 400 { Ok(()) } else { Err(format!("the log server answers {status}")) }
    }

    fn body(&self, batch: &[Bytes]) -> Body {
        match batch {
            [entry] if !self.lists => Body::from(entry.clone()),
            entries => {
                let mut list =
                    Vec::with_capacity(entries.iter().map(|entry| entry.len() + 1).sum::<usize>() + 1);
                for (at, entry) in entries.iter().enumerate() {
                    list.push(if at == 0 { b'[' } else { b',' });
                    list.extend_from_slice(entry);
                }
                list.push(b']');
                Body::from(list)
            }
        }
    }
}

impl Destination for Server {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        match timeout(self.timeout, self.try_send(batch)).await {
            Ok(sent) => sent,
            Err(_) => Err("the log server takes too long".to_owned()),
        }
    }
}

/// Kong's words.
const BOTH: &str =
    "specifying both an 'Authorization' header and user info in 'http_endpoint' is not allowed";

/// A reason and all its causes.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

async fn read_on(mut body: Body) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_ANSWER {
            return;
        }
    }
}

/// A URL, taken apart.
struct Endpoint {
    service: Service,
    target: Uri,
    /// `Authorization` of what stands before the host.
    user: Option<HeaderValue>,
}

impl Endpoint {
    fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let protocol = match uri.scheme_str() {
            Some("http") => Protocol::Http,
            Some("https") => Protocol::Https,
            _ => return Err("expected a URL with http or https".to_owned()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("missing host in url")?;
        let mut service = Service::new("http-log", host.trim_start_matches('[').trim_end_matches(']'));
        service.protocol = protocol;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let (user, place) =
            authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        service.port = match uri.port_u16() {
            Some(port) => port,
            None if place == host => protocol.default_port(),
            None => return Err("no port in url where one is expected".to_owned()),
        };
        let user = user.map(basic).transpose()?;
        let target = uri.path_and_query().cloned().map_or_else(|| Uri::from_static("/"), Uri::from);
        Ok(Self { service, target, user })
    }
}

fn basic(user: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user)))
        .map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Fields from a map of texts.
///
/// # Errors
/// With the name that is none, or whose value is none.
pub(super) fn headers<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, String> {
    fields
        .map(|(name, value)| {
            let wrong = |_| format!("headers: {name}: not a header field");
            let field = HeaderName::try_from(name).map_err(|_| wrong(()))?;
            Ok((field, HeaderValue::try_from(value).map_err(|_| wrong(()))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};

    use super::{Endpoint, Server, Settings};
    use crate::upstream::Dns;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, host, port, target) in [
            ("http://logs.example", "logs.example", 80, "/"),
            ("https://logs.example/in?key=1", "logs.example", 443, "/in?key=1"),
            ("http://[::1]:9200/", "::1", 9200, "/"),
            ("http://u:p@10.0.0.1:8080/a/b", "10.0.0.1", 8080, "/a/b"),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!((endpoint.service.host.as_str(), endpoint.service.port), (host, port), "{url}");
            assert_eq!(endpoint.target, target, "{url}");
        }
        let user = Endpoint::parse("http://Aladdin:open%20sesame@h/").unwrap().user.unwrap();
        assert_eq!(user, "Basic QWxhZGRpbjpvcGVuJTIwc2VzYW1l");
        for url in ["logs.example", "ftp://h/", "/path", "http://", "http:///x", "http://h:99999/"] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    fn server(endpoint: &str, headers: HeaderMap, lists: bool) -> Result<Server, String> {
        let settings = Settings {
            endpoint,
            method: Method::POST,
            content_type: HeaderValue::from_static("application/json"),
            headers,
            timeout: Duration::from_secs(1),
            keepalive: Duration::from_secs(1),
            lists,
        };
        Server::new(settings, Arc::new(Dns::system()))
    }

    #[test]
    fn a_user_in_the_url_and_in_a_header_are_refused() {
        let headers: HeaderMap = [(AUTHORIZATION, HeaderValue::from_static("x"))].into_iter().collect();
        let refused = server("http://u:p@h/", headers.clone(), false).err().unwrap();
        assert!(refused.starts_with("specifying both an 'Authorization' header and user info"));
        assert!(server("http://h/", headers, false).is_ok());
    }

    #[test]
    fn one_entry_stands_alone_unless_batches_are_lists() {
        let body = |lists, entries: &[&'static str]| {
            let entries: Vec<_> = entries.iter().map(|entry| Bytes::from(*entry)).collect();
            server("http://h/", HeaderMap::new(), lists).unwrap().body(&entries).as_bytes().unwrap().clone()
        };
        assert_eq!(body(false, &["{}"]), "{}");
        assert_eq!(body(true, &["{}"]), "[{}]");
        assert_eq!(body(true, &["{}", "1"]), "[{},1]");
    }
}
