//! Paths that were made of parts.

use std::fmt::Write;

/// `path` with everything encoded that a path cannot hold (RFC 3986 section 3.3); codes that are there stay. None where
/// it does not begin with a slash.
pub(crate) fn encoded(path: &str) -> Option<String> {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.strip_prefix('/').map(|_| path)?.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&b) => encoded.push(b.into()),
            // Writing to a text cannot fail.
            b => drop(write!(encoded, "%{b:02X}")),
        }
    }
    Some(encoded)
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn what_a_path_cannot_hold_is_encoded() {
        for (path, expected) in [
            ("/a/%20b", Some("/a/%20b")),
            ("/a b?c#d\r\n", Some("/a%20b%3Fc%23d%0D%0A")),
            ("/ü", Some("/%C3%BC")),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(encoded(path).as_deref(), expected, "{path}");
        }
    }
}
