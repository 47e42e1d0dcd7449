//! Paths and URLs.

use serde_json::Value;

use super::text;
use crate::config::regex_limits::REGEX;

/// The path of a service: begins with a slash, no empty segments, RFC 3986 characters.
pub(in crate::config::schema) fn path(value: &Value) -> Result<(), String> {
    let path = text(value);
    if !path.starts_with('/') {
        return Err("should start with: /".to_owned());
    }
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    // RFC 3986 3.3: unreserved, sub-delims, `:`, `@`, and what percent encoding needs.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
    if !path.bytes().all(allowed) {
        return Err(format!(
            "invalid path: '{path}' (characters outside of the reserved list of RFC 3986 found)"
        ));
    }
    percent(path)
}

/// A path of a route: a prefix in normal form, or `~` and a regular expression (compat A31).
pub(in crate::config::schema) fn route_path(value: &Value) -> Result<(), String> {
    let path = text(value);
    if let Some(pattern) = path.strip_prefix("~/") {
        return regex(&format!("/{pattern}"));
    }
    if !path.starts_with('/') {
        return Err("should start with: / (fixed path) or ~/ (regex path)".to_owned());
    }
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    percent(path)?;
    let normal = normal(path);
    if normal == path { Ok(()) } else { Err(format!("non-normalized path, consider use '{normal}' instead")) }
}

/// Kong says PCRE where it means the engine; clients look for the words.
fn regex(pattern: &str) -> Result<(), String> {
    let refused = |error: &regex::Error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        format!("invalid regex: '{pattern}' (PCRE returned: {reason})")
    };
    // `(?<n>` and `(?P<n>` are one for this engine.
    let mut builder = regex::RegexBuilder::new(pattern);
    builder.size_limit(REGEX).build().map(drop).map_err(|error| refused(&error))
}

fn percent(path: &str) -> Result<(), String> {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = path.as_bytes();
    let bad =
        memchr::memchr_iter(b'%', bytes).find(|&at| !digit(bytes.get(at + 1)) || !digit(bytes.get(at + 2)));
    match bad {
        Some(at) => {
            let found: String = path.get(at..).unwrap_or_default().chars().take(3).collect();
            Err(format!("invalid url-encoded value: '{found}'"))
        }
        None => Ok(()),
    }
}

/// The normal form of a path: unreserved characters decoded, hexadecimal digits in upper case,
/// dot segments gone (RFC 3986 6.2.2).
fn normal(path: &str) -> String {
    let decoded = decode(path);
    if !decoded.contains("/.") {
        return decoded;
    }
    let mut segments: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in decoded.split('/').skip(1) {
        open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let end = if open && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, code) = rest.split_at(at);
        decoded.push_str(before);
        let (code, after) = code.split_at_checked(3).unwrap_or((code, ""));
        let byte = code.get(1..).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            Some(byte) => decoded.push(byte.into()),
            None => decoded.push_str(&code.to_ascii_uppercase()),
        }
        rest = after;
    }
    decoded.push_str(rest);
    decoded
}

/// A URL with a scheme and a host.
pub(in crate::config::schema) fn url(value: &Value) -> Result<(), String> {
    let Some((scheme, rest)) = text(value).split_once("://") else {
        return Err("missing host in url".to_owned());
    };
    if scheme.is_empty() {
        return Err("missing scheme in url".to_owned());
    }
    if rest.starts_with(['/', '?', '#']) || rest.is_empty() {
        return Err("missing host in url".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{path, route_path};

    #[test]
    fn paths_of_routes() {
        let cases = [
            ("/a", Ok(())),
            ("/a(b", Ok(())),
            ("/ü", Ok(())),
            ("/a%2Fb", Ok(())),
            ("~/a/(?<id>\\d+)$", Ok(())),
            ("~/a/(?P<id>\\d+)$", Ok(())),
            ("x", Err("should start with: / (fixed path) or ~/ (regex path)")),
            ("~x", Err("should start with: / (fixed path) or ~/ (regex path)")),
            ("/a//b", Err("must not have empty segments")),
            ("/ab%7Ec", Err("non-normalized path, consider use '/ab~c' instead")),
            ("/a/../b", Err("non-normalized path, consider use '/b' instead")),
            ("/a/.", Err("non-normalized path, consider use '/a/' instead")),
            ("/%2f", Err("non-normalized path, consider use '/%2F' instead")),
            ("/%zz", Err("invalid url-encoded value: '%zz'")),
            ("~/[", Err("invalid regex: '/[' (PCRE returned: unclosed character class)")),
        ];
        for (text, outcome) in cases {
            assert_eq!(route_path(&text.into()), outcome.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn paths_of_services() {
        let cases = [
            ("/a/b%20c", Ok(())),
            ("a", Err("should start with: /")),
            ("/a//b", Err("must not have empty segments")),
            ("/a b", Err("invalid path: '/a b' (characters outside of the reserved list of RFC 3986 found)")),
            ("/%2", Err("invalid url-encoded value: '%2'")),
        ];
        for (text, outcome) in cases {
            assert_eq!(path(&text.into()), outcome.map_err(str::to_owned), "{text}");
        }
    }
}
