//! Which form of body a client wants.

use http::{
    HeaderMap, HeaderValue, Method, Request, Version,
    header::{ACCEPT, CONTENT_TYPE},
};

/// What a request says about the answer it can take; two bytes and a flag, kept for the case that it fails.
///
/// ```
/// use gateway_core::reply::{Asked, Form};
///
/// let request = http::Request::builder().header("accept", "text/html").body(()).unwrap();
/// assert_eq!(Asked::of(&request).form(), Some(Form::Html));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    accept: Option<Form>,
    content_type: Option<Form>,
    pub(super) message: Message,
}

/// What of the request's head shapes the answer's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Message {
    /// HTTP/1.x.
    #[default]
    Http1,
    /// HTTP/1.x, without a body in the answer.
    Http1Head,
    /// HTTP/2 and later: no `Connection` field.
    Http2,
    /// HTTP/2 and later, without a body in the answer.
    Http2Head,
}

impl Message {
    const fn of(method: &Method, version: Version) -> Self {
        let http1 = matches!(version, Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11);
        match (http1, matches!(*method, Method::HEAD)) {
            (true, false) => Self::Http1,
            (true, true) => Self::Http1Head,
            (false, false) => Self::Http2,
            (false, true) => Self::Http2Head,
        }
    }

    pub(super) const fn is_http1(self) -> bool {
        matches!(self, Self::Http1 | Self::Http1Head)
    }

    pub(super) const fn is_head(self) -> bool {
        matches!(self, Self::Http1Head | Self::Http2Head)
    }
}

/// The forms of the gateway's own bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// `application/json`.
    Json,
    /// `text/html`.
    Html,
    /// `application/xml`.
    Xml,
    /// `text/plain`.
    Plain,
    /// A gRPC status, in trailers only.
    Grpc,
}

impl Asked {
    /// What `request` asks for.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::by(request.method(), request.version(), request.headers())
    }

    /// What a request with this head asks for. It allocates nothing.
    #[must_use]
    pub fn by(method: &Method, version: Version, headers: &HeaderMap) -> Self {
        let message = Message::of(method, version);
        let content_type = headers.get(CONTENT_TYPE);
        if !message.is_http1() && content_type.is_some_and(is_grpc) {
            return Self { accept: Some(Form::Grpc), content_type: None, message };
        }
        // What nearly every program sends is not taken apart: this runs for each request.
        let accept = headers.get(ACCEPT).map(|first| match first.as_bytes() {
            b"*/*" | b"application/json" => Form::Json,
            _ => Form::best(headers.get_all(ACCEPT).iter()),
        });
        let content_type = content_type.map(|value| Form::best(std::iter::once(value)));
        Self { accept, content_type, message }
    }

    /// The form that the request names in `Accept`, [`Form::Grpc`] for a gRPC call, or none.
    #[must_use]
    pub const fn form(self) -> Option<Form> {
        self.accept
    }

    /// The form of an answer that Kong makes in its own code: JSON unless asked otherwise.
    pub(super) fn own(self) -> Form {
        self.accept.unwrap_or(Form::Json)
    }

    /// The form of an answer that Kong takes from nginx: `Accept`, else the request's
    /// `Content-Type`, else plain text (compat B 3.1).
    pub(super) fn nginx_born(self) -> Form {
        self.accept.or(self.content_type).unwrap_or(Form::Plain)
    }
}

/// A gRPC call; gRPC-Web is not one (compat A 2.5).
fn is_grpc(content_type: &HeaderValue) -> bool {
    let value = content_type.as_bytes();
    value.strip_prefix(b"application/grpc").is_some_and(|rest| !rest.starts_with(b"-web"))
}

impl Form {
    /// The form with the highest quality, the first among equals (RFC 9110, 12.5.1). As Kong does it, a
    /// type that we cannot make counts as JSON, and so does a field in which nothing is acceptable.
    fn best<'a>(fields: impl Iterator<Item = &'a HeaderValue>) -> Self {
        let ranges = fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
        let mut best = (Self::Json, 0);
        for (form, quality) in ranges.filter_map(Self::range) {
            if quality > best.1 {
                best = (form, quality);
            }
        }
        best.0
    }

    /// One media range and its quality in thousandths.
    fn range(text: &str) -> Option<(Self, u16)> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().filter(|media| media.contains('/'))?;
        let quality = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| quality(value.trim()))
        });
        Some((Self::of_media(media), quality.unwrap_or(1000)))
    }

    fn of_media(media: &str) -> Self {
        let is = |name: &str| media.eq_ignore_ascii_case(name);
        if is("text/html") {
            Self::Html
        } else if is("application/xml") {
            Self::Xml
        } else if is("text/plain") || is("text/*") {
            Self::Plain
        } else {
            Self::Json
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
            Self::Plain => "text/plain; charset=utf-8",
            Self::Grpc => "application/grpc",
        }
    }
}

/// A qvalue (RFC 9110, 12.4.2) in thousandths; nonsense is no preference.
fn quality(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 1000;
    }
    match whole {
        "0" => digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')),
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, Version, header};

    use super::{Asked, Form};

    fn accepting(fields: &[&str]) -> Asked {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::ACCEPT, HeaderValue::from_str(field).unwrap());
        }
        Asked::by(&Method::GET, Version::HTTP_11, &headers)
    }

    #[test]
    fn accept_chooses_by_quality_and_the_first_among_equals() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, form) in [
            (browser, Form::Html),
            ("*/*", Form::Json),
            ("application/*", Form::Json),
            ("text/*", Form::Plain),
            ("TEXT/HTML", Form::Html),
            ("application/xml;q=0.2, text/plain; q=0.75", Form::Plain),
            ("text/plain;q=0.5, application/xml;q=0.501", Form::Xml),
            ("text/html;q=0, text/plain;q=0.001", Form::Plain),
            ("text/html;q=0", Form::Json),
            ("text/plain;format=flowed;q=0.4, text/html;q=0.3", Form::Plain),
            ("image/png", Form::Json),
            ("image/png, text/html;q=0.9", Form::Json),
            ("garbage", Form::Json),
            ("", Form::Json),
        ] {
            assert_eq!(accepting(&[accept]).own(), form, "{accept}");
        }
        assert_eq!(accepting(&["text/plain;q=0.1", "application/xml"]).own(), Form::Xml);
    }

    #[test]
    fn without_accept_the_kind_of_failure_decides() {
        assert_eq!(accepting(&[]).own(), Form::Json);
        assert_eq!(accepting(&[]).nginx_born(), Form::Plain);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        let asked = Asked::by(&Method::POST, Version::HTTP_11, &headers);
        assert_eq!((asked.own(), asked.nginx_born()), (Form::Json, Form::Html));
    }

    #[test]
    fn grpc_is_grpc_over_http_2_only_and_not_grpc_web() {
        let by = |version, content_type| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            Asked::by(&Method::POST, version, &headers).own()
        };
        assert_eq!(by(Version::HTTP_2, "application/grpc+proto"), Form::Grpc);
        assert_eq!(by(Version::HTTP_2, "application/grpc-web"), Form::Json);
        assert_eq!(by(Version::HTTP_11, "application/grpc"), Form::Json);
    }
}
