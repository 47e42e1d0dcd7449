//! The head of a request.

use http::{
    HeaderName, HeaderValue, Request,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use http_body::Body as _;

use super::{Framing, fields};
use crate::{Body, sanitize::Lines};

/// What the head of a request has in place of fields of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rewrite<'a> {
    /// Its `Host`.
    pub(crate) host: Option<&'a HeaderValue>,
    /// The forwarding headers.
    pub(crate) lines: Option<&'a Lines<'a>>,
}

impl Rewrite<'_> {
    fn replaces(self, name: &HeaderName) -> bool {
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING => true,
            HOST => self.host.is_some(),
            _ => self.lines.is_some_and(|lines| lines.replace(name)),
        }
    }
}

/// How the body of `request` goes out: it decides, never a field.
pub(super) fn framing(request: &Request<Body>) -> Framing {
    let body = request.body();
    if body.is_end_stream() {
        return Framing::None;
    }
    body.size_hint().exact().map_or(Framing::Chunked, Framing::Length)
}

/// Writes the head of `request`: in origin form (RFC 9112 section 3.2.1), changed as `rewrite` says, the framing
/// fields anew. A request without a body gets none of them, but keeps a `Content-Length: 0`.
pub(super) fn write_head(out: &mut Vec<u8>, request: &Request<Body>, rewrite: Rewrite<'_>, framing: Framing) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(host) = rewrite.host {
        fields::write(out, &HOST, host);
    }
    let mut told_length = false;
    for (name, value) in request.headers() {
        told_length |= *name == CONTENT_LENGTH;
        if !rewrite.replaces(name) {
            fields::write(out, name, value);
        }
    }
    if let Some(lines) = rewrite.lines {
        out.extend_from_slice(lines.text());
    }
    write_framing(out, told_length, framing);
    out.extend_from_slice(b"\r\n");
}

fn write_framing(out: &mut Vec<u8>, told_length: bool, framing: Framing) {
    match framing {
        Framing::Length(length) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Framing::None if told_length => out.extend_from_slice(b"content-length: 0\r\n"),
        Framing::None => {}
        Framing::Chunked | Framing::Close => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};
    use http_body_util::{BodyExt, Full};

    use super::{Rewrite, framing, write_head};
    use crate::Body;

    fn written(request: &Request<Body>, host: Option<&'static str>) -> String {
        let (mut out, host) = (Vec::new(), host.map(HeaderValue::from_static));
        let rewrite = Rewrite { host: host.as_ref(), lines: None };
        write_head(&mut out, request, rewrite, framing(request));
        String::from_utf8(out).unwrap()
    }

    fn request(body: Body) -> Request<Body> {
        let request = Request::put("/a?b").header("host", "client").header("x", "1").header("x", "2");
        request.header("content-length", "99").header("transfer-encoding", "gzip").body(body).unwrap()
    }

    #[test]
    fn the_body_decides_the_framing() {
        let fields = "PUT /a?b HTTP/1.1\r\nhost: client\r\nx: 1\r\nx: 2\r\n";
        assert_eq!(written(&request(Body::empty()), None), format!("{fields}content-length: 0\r\n\r\n"));
        assert_eq!(written(&request(Body::from("abc")), None), format!("{fields}content-length: 3\r\n\r\n"));
        // `map_frame` does not pass the size on.
        let unknown = Body::new(Full::new(bytes::Bytes::from("abc")).map_frame(|frame| frame));
        assert_eq!(written(&request(unknown), None), format!("{fields}transfer-encoding: chunked\r\n\r\n"));
    }

    #[test]
    fn the_endpoints_host_replaces_the_clients() {
        let request = Request::get("http://x/").header("host", "client").body(Body::empty()).unwrap();
        assert_eq!(written(&request, Some("endpoint:80")), "GET / HTTP/1.1\r\nhost: endpoint:80\r\n\r\n");
    }
}
