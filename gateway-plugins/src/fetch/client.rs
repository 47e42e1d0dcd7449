//! One GET after another, with bounds.

use std::collections::HashMap;

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, ConnectInfo,
    plugin::Exchange,
    upstream::{Backend, HostPolicy, TlsSettings},
};
use http::{
    HeaderMap, HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, HOST, LOCATION, USER_AGENT},
    uri::PathAndQuery,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    FetchError,
    error::shown,
    source::{check_address, check_next, is_own},
};
use crate::origins::{Reaches, Speaks, made, origin};

/// Asks servers, for the time of one fetch.
pub(super) struct Client<'a> {
    tls: &'a TlsSettings,
    /// The origin that the operator named.
    named: Option<String>,
    origins: HashMap<String, Backend>,
}

/// What is asked for.
pub(super) struct Get<'a> {
    pub(super) url: &'a str,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<HeaderValue>,
    /// Bytes of an answer that are taken.
    pub(super) most: usize,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Got {
    /// What gave it, after redirects.
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// How often an answer may lead elsewhere.
const REDIRECTS: usize = 5;

impl<'a> Client<'a> {
    pub(super) fn new(tls: &'a TlsSettings) -> Self {
        Self { tls, named: None, origins: HashMap::new() }
    }

    /// The answer, after at most a few redirects. None of them leads out of TLS, and what somebody is known by is shown to
    /// the first origin alone.
    pub(super) async fn get(&mut self, get: Get<'_>) -> Result<Got, FetchError> {
        let (mut url, mut authorization) = (get.url.to_owned(), get.authorization);
        for _ in 0..=REDIRECTS {
            let got = self.ask(&url, get.accept, authorization.as_ref(), get.most).await?;
            let Some(to) = got.headers.get(LOCATION).filter(|_| got.status.is_redirection()) else {
                return Ok(got);
            };
            let to = String::from_utf8_lossy(to.as_bytes()).into_owned();
            let refused = |why| FetchError::Redirect { url: url.clone(), to: shown(&to), why };
            let next = followed(&url, &to).map_err(refused)?;
            authorization = authorization.filter(|_| origin(&next) == origin(&url));
            url = next;
        }
        Err(FetchError::Redirect { url: get.url.to_owned(), to: shown(&url), why: "too many redirects" })
    }

    async fn ask(
        &mut self,
        url: &str,
        accept: &'static str,
        authorization: Option<&HeaderValue>,
        most: usize,
    ) -> Result<Got, FetchError> {
        let failed = |source: BoxError| FetchError::Connection { url: url.to_owned(), source };
        let mut request = request(url, accept, authorization).map_err(failed)?;
        let backend = self.backend(url)?;
        let mut exchange = Exchange::new(std::sync::Arc::new(ConnectInfo::unknown()));
        let answer = backend.forward(&mut request, HostPolicy::Client, 0, &mut exchange).await;
        let (parts, body) = answer.map_err(|error| failed(error.into()))?.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            match error.is::<LengthLimitError>() {
                true => FetchError::TooLarge { url: url.to_owned(), limit: most },
                false => failed(error),
            }
        })?;
        Ok(Got { url: url.to_owned(), status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    fn backend(&mut self, url: &str) -> Result<&Backend, FetchError> {
        check_address(url)?;
        let own = origin(url).ok_or_else(|| FetchError::Source(url.to_owned()))?;
        if !self.origins.contains_key(&own) {
            let failed = |source: BoxError| FetchError::Connection { url: own.clone(), source };
            let named = self.named.get_or_insert_with(|| own.clone());
            let reach = if *named == own || is_own(named) { Reaches::All } else { Reaches::Elsewhere };
            let made = made(&own, reach, Speaks::Http1, self.tls).map_err(failed)?;
            self.origins.insert(own.clone(), made);
        }
        self.origins.get(&own).ok_or_else(|| FetchError::Source(url.to_owned()))
    }
}

impl Got {
    /// The body of an answer that is one.
    pub(super) fn found(self, url: &str) -> Result<Bytes, FetchError> {
        match self.status {
            StatusCode::OK => Ok(self.body),
            status => Err(FetchError::Status { url: url.to_owned(), status }),
        }
    }
}

fn request(
    url: &str,
    accept: &'static str,
    authorization: Option<&HeaderValue>,
) -> Result<Request<Body>, BoxError> {
    let uri: Uri = url.parse()?;
    let authority = uri.authority().ok_or("no host")?;
    let mut request = Request::new(Body::empty());
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION"))));
    authorization.map(|authorization| headers.insert(AUTHORIZATION, authorization.clone()));
    *request.uri_mut() = Uri::from(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    Ok(request)
}

/// Where an answer of `from` leads, if anybody may go there.
fn followed(from: &str, to: &str) -> Result<String, &'static str> {
    let own = origin(from).ok_or("it is no address")?;
    let (scheme, _) = from.split_once(':').ok_or("it is no address")?;
    let next = match to {
        to if to.starts_with("//") => format!("{scheme}:{to}"),
        to if to.starts_with('/') => format!("{own}{to}"),
        to => to.to_owned(),
    };
    if !next.starts_with(&format!("{scheme}://")) {
        return Err("another scheme, or no whole address");
    }
    check_next(from, &next).map_err(|_| "this is not asked")?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::followed;

    #[test]
    fn redirects_stay_within_their_scheme() {
        for (from, to, next) in [
            ("https://a/x/y", "https://b:1/z?s=1", Some("https://b:1/z?s=1")),
            ("https://a:8443/x/y", "/z", Some("https://a:8443/z")),
            ("https://a/x", "//b/z", Some("https://b/z")),
            ("https://a/x", "http://a/x", None),
            ("https://a/x", "https://127.0.0.1:8001/x", None),
            ("https://a/x", "https://[::1]/x", None),
            ("https://a/x", "https://169.254.169.254/x", None),
            ("https://a/x", "https://localhost/x", None),
            ("https://a/x", "https://10.0.0.1/x", Some("https://10.0.0.1/x")),
            ("https://a/x", "http://127.0.0.1/x", None),
            ("https://a/x", "file:///etc/passwd", None),
            ("https://a/x", "https://user@b/", None),
            ("https://a/x", "y", None),
            ("http://127.0.0.1:1/x", "http://127.0.0.1:2/y", Some("http://127.0.0.1:2/y")),
            ("http://127.0.0.1:1/x", "http://10.0.0.1/y", None),
            ("http://127.0.0.1:1/x", "https://b/y", None),
        ] {
            assert_eq!(followed(from, to).ok().as_deref(), next, "{from} -> {to}");
        }
    }
}
