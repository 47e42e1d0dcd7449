//! A response as the wire shows it.

use std::fmt;

use http::HeaderMap;

/// A response taken apart by hand, so that a wrong end of its body is seen.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
    /// Whether the body came to the end that its framing promises.
    pub whole: bool,
    /// What stands after it.
    pub rest: Vec<u8>,
    /// Interim responses before it.
    pub interim: Vec<u16>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(
            f,
            "{} whole={} {:.200?} {:.800?} rest {}",
            self.status,
            self.whole,
            body,
            self.headers,
            self.rest.len()
        )
    }
}

impl Reply {
    pub fn to(method: &str, raw: &[u8]) -> Self {
        let (status, headers, rest) = head(raw);
        if (100..200).contains(&status) && status != 101 {
            let mut reply = Self::to(method, rest);
            reply.interim.insert(0, status);
            return reply;
        }
        let none = method == "HEAD" || matches!(status, 101 | 204 | 304);
        let (body, trailers, whole, rest) = match headers.get("content-length") {
            _ if none => (Vec::new(), HeaderMap::new(), true, rest),
            _ if headers.contains_key("transfer-encoding") => chunks(rest),
            Some(length) => {
                let length: usize = length.to_str().unwrap().parse().unwrap();
                let (body, after) = rest.split_at(length.min(rest.len()));
                (body.to_vec(), HeaderMap::new(), body.len() == length, after)
            }
            None => (rest.to_vec(), HeaderMap::new(), false, &[][..]),
        };
        Self { status, headers, body, trailers, whole, rest: rest.to_vec(), interim: Vec::new() }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The gateway's own answer: status, Kong's text in the body, reason word.
    #[track_caller]
    pub fn assert_failed(&self, status: u16, text: &str, reason: &str) {
        assert_eq!((self.status, self.header("x-gateway-reason")), (status, reason), "{self:?}");
        assert!(self.whole && self.text().contains(text), "{text} in {self:?}");
    }

    #[track_caller]
    pub fn assert_ok(&self, body: &str) {
        assert_eq!((self.status, self.text(), self.whole), (200, body, true), "{self:?}");
        assert!(self.rest.is_empty(), "{self:?}");
    }
}

fn head(raw: &[u8]) -> (u16, HeaderMap, &[u8]) {
    let shown = || String::from_utf8_lossy(raw).into_owned();
    let end = raw
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head: {:?}", shown()));
    let mut lines = std::str::from_utf8(&raw[..end]).unwrap().split("\r\n");
    let line = lines.next().unwrap();
    let status =
        line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    (status.unwrap_or_else(|| panic!("no status line: {:?}", shown())), fields(lines), &raw[end + 4..])
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no field: {line:?}"));
        headers.append(http::HeaderName::try_from(name).unwrap(), value.trim().try_into().unwrap());
    }
    headers
}

/// A chunked body, as far as it goes.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, HeaderMap, bool, &[u8]) {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n");
        let Some((line, after)) = line.map(|end| (&rest[..end], &rest[end + 2..])) else { break };
        let size = usize::from_str_radix(std::str::from_utf8(line).unwrap(), 16).unwrap();
        if size == 0 {
            if let Some(after) = after.strip_prefix(b"\r\n") {
                return (body, HeaderMap::new(), true, after);
            }
            let Some(end) = after.windows(4).position(|window| window == b"\r\n\r\n") else { break };
            let trailers = fields(std::str::from_utf8(&after[..end]).unwrap().split("\r\n"));
            return (body, trailers, true, &after[end + 4..]);
        }
        if after.len() < size + 2 {
            body.extend_from_slice(&after[..after.len().min(size)]);
            break;
        }
        body.extend_from_slice(&after[..size]);
        rest = &after[size + 2..];
    }
    (body, HeaderMap::new(), false, &[])
}
