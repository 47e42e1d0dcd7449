//! The head of a request.

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::Body as _;

use super::super::http1::Rewrite;
use crate::{
    Body,
    error::{Error, Reason},
};

/// The head of `request` as HTTP/2 has it (RFC 9113 section 8.3.1), changed as `rewrite` says. `Host` becomes the
/// authority; a length is said where the client has said one, and it is the body's.
///
/// # Errors
/// [`Reason::BadHost`] where the host that it is for is no authority.
pub(super) fn head(
    request: &Request<Body>,
    rewrite: Rewrite<'_>,
    scheme: &Scheme,
) -> Result<Request<()>, Error> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.version_mut() = Version::HTTP_2;
    *head.uri_mut() = target(request, rewrite, scheme)?;
    *head.headers_mut() = fields(request, rewrite);
    Ok(head)
}

fn target(request: &Request<Body>, rewrite: Rewrite<'_>, scheme: &Scheme) -> Result<Uri, Error> {
    let host = rewrite.host.or_else(|| request.headers().get(HOST)).map(HeaderValue::as_bytes);
    let authority = Authority::try_from(host.unwrap_or_default());
    let authority = authority.map_err(|error| Error::new(Reason::BadHost, error))?;
    let path = request.uri().path_and_query().cloned();
    let uri = Uri::builder().scheme(scheme.clone()).authority(authority);
    let uri = uri.path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/"))).build();
    uri.map_err(|error| Error::new(Reason::BadHost, error))
}

fn fields(request: &Request<Body>, rewrite: Rewrite<'_>) -> HeaderMap {
    const FORWARDING: usize = 9;
    let given = request.headers();
    let mut fields = HeaderMap::with_capacity(given.len() + FORWARDING);
    for (name, value) in given {
        if !ends_here(name, value) && !rewrite.lines.is_some_and(|lines| lines.replace(name)) {
            fields.append(name.clone(), value.clone());
        }
    }
    for (name, value) in rewrite.lines.into_iter().flat_map(|lines| parsed(lines.text())) {
        fields.append(name, value);
    }
    let length = request.body().size_hint().exact().filter(|_| given.contains_key(CONTENT_LENGTH));
    if let Some(length) = length {
        fields.insert(CONTENT_LENGTH, length.into());
    }
    fields
}

/// What HTTP/2 has no place for (RFC 9113 section 8.2.2), or says otherwise.
fn ends_here(name: &HeaderName, value: &HeaderValue) -> bool {
    match *name {
        HOST | CONTENT_LENGTH | CONNECTION | TRANSFER_ENCODING | UPGRADE => true,
        TE => value != "trailers",
        _ => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
    }
}

/// The forwarding headers, which are made as lines.
fn parsed(lines: &[u8]) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r")?;
        let at = memchr::memchr(b':', line)?;
        let name = HeaderName::from_bytes(line.get(..at)?).ok()?;
        let value = HeaderValue::from_bytes(line.get(at + 1..)?.trim_ascii()).ok()?;
        Some((name, value))
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request, uri::Scheme};
    use http_body_util::{BodyExt, Full};

    use super::{Rewrite, head, parsed};
    use crate::{Body, error::Reason};

    fn of(body: Body, host: Option<&'static str>) -> Request<()> {
        let request = Request::post("/p.S/M?x").header("host", "client:1").header("te", "trailers");
        let request = request.header("te", "gzip").header("keep-alive", "5");
        let request = request.header("connection", "x").header("upgrade", "y").header("content-length", "99");
        let request = request.header("a", "1").header("a", "2").body(body).unwrap();
        let host = host.map(HeaderValue::from_static);
        head(&request, Rewrite { host: host.as_ref(), lines: None }, &Scheme::HTTP).unwrap()
    }

    #[test]
    fn the_target_is_whole_and_what_belongs_to_http_1_stays_there() {
        let head = of(Body::from("abc"), None);
        assert_eq!(head.uri(), "http://client:1/p.S/M?x");
        assert_eq!(head.headers().len(), 4, "{:?}", head.headers());
        assert_eq!(
            (&head.headers()["te"], &head.headers()["content-length"]),
            (&"trailers".parse().unwrap(), &3.into())
        );
        assert_eq!(of(Body::empty(), Some("[::1]:50051")).uri(), "http://[::1]:50051/p.S/M?x");
    }

    #[test]
    fn a_body_of_unknown_length_has_none() {
        let unknown = Body::new(Full::new(bytes::Bytes::from("abc")).map_frame(|frame| frame));
        assert!(!of(unknown, None).headers().contains_key("content-length"));
    }

    #[test]
    fn a_host_that_is_no_authority_is_the_clients_fault() {
        let request = Request::post("/").header("host", "a b").body(Body::empty()).unwrap();
        let error = head(&request, Rewrite::default(), &Scheme::HTTP).unwrap_err();
        assert_eq!(error.reason(), Reason::BadHost);
    }

    #[test]
    fn lines_become_fields() {
        let fields: Vec<_> = parsed(b"via: 2 gateway\r\nx-forwarded-for: ::1, 10.0.0.1\r\n").collect();
        assert_eq!(fields[0], ("via".parse().unwrap(), HeaderValue::from_static("2 gateway")));
        assert_eq!(fields[1].1, "::1, 10.0.0.1");
        assert_eq!(fields.len(), 2);
    }
}
