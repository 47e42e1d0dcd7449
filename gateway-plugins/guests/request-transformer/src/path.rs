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

/// Whether a segment of `path` stands for the one above, or for none (RFC 3986 section 3.3).
pub(crate) fn climbs(path: &str) -> bool {
    path.split('/').any(|segment| matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::{climbs, encoded};

    #[test]
    fn a_path_that_leads_upwards_is_known() {
        for path in ["/a/../b", "/..", "/./a", "/a/%2E%2e/b", "/.%2e"] {
            assert!(climbs(path), "{path}");
        }
        for path in ["/", "/a/...", "/a.b/c..d", "/%2e.x"] {
            assert!(!climbs(path), "{path}");
        }
    }

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
