//! What kind of program has sent a request, and where it may be sent.

use plugin_sdk::prelude::*;

/// Whether a person waits in front of the answer: only such a request is answered by a login. Programs are told 401, as
/// they would follow the redirect and take the login page for their answer.
pub(crate) fn navigates(request: &Request) -> bool {
    let is = |name: &str, wanted: &str| request.header(name).is_none_or(|value| value == wanted);
    request.method() == "GET"
        && request.header("accept").is_some_and(|accept| accept.contains("text/html"))
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
        && request.header("x-requested-with").is_none()
        && request.header("upgrade").is_none()
}

/// Whether another site has the browser send this request (Fetch Metadata).
pub(crate) fn comes_from_elsewhere(request: &Request) -> bool {
    request.header("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// A path on this very host, or `/` where a text is none: what a browser would take for another host's address is none.
pub(crate) fn local(path: &str) -> &str {
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let own = path.starts_with('/') && !path.starts_with("//");
    if own && plain && path.len() <= LONGEST { path } else { "/" }
}

/// Bytes of a path that a login comes back to.
const LONGEST: usize = 2000;

/// The address of this gateway as the client sees it: whoever ends its TLS says so, if that is trusted.
pub(crate) fn base(request: &Request) -> String {
    let told = request.property(&["request", "forwarded_host"]).and_then(|host| String::from_utf8(host).ok());
    let host = told.filter(|host| !host.is_empty()).unwrap_or_else(|| request.authority().to_string());
    format!("{}://{host}", request.scheme())
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nothing_leads_to_another_host() {
        for path in ["/", "/a/b?c=d&e=%2F%2Fevil", "/a//b"] {
            assert_eq!(local(path), path);
        }
        let long = format!("/{}", "a".repeat(2000));
        for path in [
            "//evil",
            "/\\evil",
            "\\evil",
            "https://evil",
            "evil",
            "",
            "/a\r\nb",
            "/a b",
            "/\tx",
            "javascript:x",
            &long,
        ] {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
