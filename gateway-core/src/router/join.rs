//! The path that goes to the upstream (compat P38).

use std::borrow::Cow;

/// A path for the upstream in its parts, so that it is written once and only where it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined<'a> {
    base: &'a str,
    slash: &'static str,
    rest: &'a str,
}

/// Joins a service's path and a canonical request path with exactly one slash between them, as `path_handling` `v0`
/// says. `v1` has no effect in the flavour `traditional_compatible`.
///
/// `strip` is what a route with `strip_path` takes off: the [`matched`](super::Match::matched) bytes. `None` leaves
/// the path whole. A query is no part of either path.
///
/// ```
/// use gateway_core::router::join;
///
/// assert_eq!(join(Some("/base"), "/api/x", Some(4)).to_cow(), "/base/x");
/// assert_eq!(join(Some("/base"), "/api/x", None).to_cow(), "/base/api/x");
/// assert_eq!(join(None, "/api", Some(4)).to_cow(), "/");
/// ```
#[must_use]
pub fn join<'a>(service: Option<&'a str>, path: &'a str, strip: Option<usize>) -> Joined<'a> {
    let service = service.unwrap_or_default();
    let base = service.strip_suffix('/').unwrap_or(service);
    match strip {
        None if path == "/" => Joined::end(service, base, service.ends_with('/')),
        None => Joined { base, slash: "", rest: path },
        Some(matched) => match without_dots(path.get(matched..).unwrap_or_default()) {
            "" => {
                Joined::end(service, base, path.ends_with('/') && (path.len() > 1 || service.ends_with('/')))
            }
            rest => Joined { base, slash: if rest.starts_with('/') { "" } else { "/" }, rest },
        },
    }
}

/// What is left of `/a..` or `/a./b` once `/a` is off must not climb (compat R13).
fn without_dots(rest: &str) -> &str {
    match rest {
        "." | ".." => "",
        _ => rest.strip_prefix("./").or_else(|| rest.strip_prefix("../")).unwrap_or(rest),
    }
}

impl<'a> Joined<'a> {
    /// The service's path alone, with a final slash or without. Without either there is nothing: `/`.
    fn end(service: &'a str, base: &'a str, slash: bool) -> Self {
        match (base.is_empty() || slash, service.ends_with('/')) {
            (false, _) => Self { base, slash: "", rest: "" },
            (true, true) => Self { base: service, slash: "", rest: "" },
            (true, false) => Self { base, slash: "/", rest: "" },
        }
    }

    /// The length of the path in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a path is never empty")]
    pub const fn len(&self) -> usize {
        self.base.len() + self.slash.len() + self.rest.len()
    }

    /// Appends the path, as the first part of a target.
    pub fn append_to(&self, target: &mut String) {
        target.reserve(self.len());
        target.extend([self.base, self.slash, self.rest]);
    }

    /// The path, borrowed where it is a part of the service's or the request's.
    #[must_use]
    pub fn to_cow(&self) -> Cow<'a, str> {
        match (self.base, self.slash, self.rest) {
            (whole, "", "") | ("", "", whole) | ("", whole, "") => Cow::Borrowed(whole),
            _ => {
                let mut whole = String::new();
                self.append_to(&mut whole);
                Cow::Owned(whole)
            }
        }
    }
}
