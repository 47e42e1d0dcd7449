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
/// says. For `v1`, which only the flavour `traditional` honours, see [`append`].
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
        None | Some(0) if path == "/" => Joined::end(service, base, service.ends_with('/')),
        None => Joined { base, slash: "", rest: path },
        Some(matched) => match without_dots(path.get(matched..).unwrap_or_default()) {
            "" => {
                Joined::end(service, base, path.ends_with('/') && (path.len() > 1 || service.ends_with('/')))
            }
            rest => Joined { base, slash: if rest.starts_with('/') { "" } else { "/" }, rest },
        },
    }
}

/// Appends a canonical request path to a service's path as bytes, as `path_handling` `v1` says: a slash that the
/// request's part begins with is left out where the whole path goes on, or where the service's path ends with one.
///
/// `strip` is as in [`join`].
///
/// ```
/// use gateway_core::router::append;
///
/// assert_eq!(append(Some("/base"), "/apix", Some(4)).to_cow(), "/basex");
/// assert_eq!(append(Some("/base"), "/api", None).to_cow(), "/baseapi");
/// assert_eq!(append(Some("/base/"), "/api/x", Some(4)).to_cow(), "/base/x");
/// ```
#[must_use]
pub fn append<'a>(service: Option<&'a str>, path: &'a str, strip: Option<usize>) -> Joined<'a> {
    let base = service.filter(|service| !service.is_empty()).unwrap_or("/");
    let rest = match strip {
        None | Some(0) => path.strip_prefix('/').unwrap_or(path),
        Some(matched) => without_dots(path.get(matched..).unwrap_or_default()),
    };
    match base.strip_suffix('/') {
        Some(base) if rest.starts_with('/') => Joined { base, slash: "", rest },
        // The path as it came, so that it need not be written.
        Some("") if strip.is_none_or(|matched| matched == 0) => Joined { base: "", slash: "", rest: path },
        _ => Joined { base, slash: "", rest },
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

    /// The request's part: what stands behind the service's path and, where it goes on in that path's last segment,
    /// behind this segment. No `..` in it may take that back.
    pub(crate) fn rest(&self) -> &'a str {
        let glued = self.slash.is_empty() && !self.base.is_empty() && !self.base.ends_with('/');
        if !glued || self.rest.starts_with('/') {
            return self.rest;
        }
        let ends = [self.rest.find('/'), self.rest.find("%2F")];
        let end = ends.into_iter().flatten().min().unwrap_or(self.rest.len());
        self.rest.get(end..).unwrap_or_default()
    }

    /// Appends the path, as the first part of a target.
    pub fn append_to(&self, target: &mut String) {
        target.reserve(self.len());
        target.extend([self.base, self.slash, self.rest]);
    }

    /// The path, where it is a part of the service's or the request's as it stands.
    #[must_use]
    pub const fn to_str(&self) -> Option<&'a str> {
        match (self.base.is_empty(), self.slash.is_empty(), self.rest.is_empty()) {
            (_, true, true) => Some(self.base),
            (true, true, _) => Some(self.rest),
            (true, _, true) => Some(self.slash),
            _ => None,
        }
    }

    /// The path, borrowed where it can be.
    #[must_use]
    pub fn to_cow(&self) -> Cow<'a, str> {
        self.to_str().map_or_else(
            || {
                let mut whole = String::new();
                self.append_to(&mut whole);
                Cow::Owned(whole)
            },
            Cow::Borrowed,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::pattern::Pattern;

    /// The path sent upstream for a request that a route with this path takes.
    fn sent(service: &str, route: &str, request: &str, strips: bool) -> String {
        sent_by(join, service, route, request, strips)
    }

    /// The same with `path_handling` `v1`.
    fn sent_v1(service: &str, route: &str, request: &str, strips: bool) -> String {
        sent_by(append, service, route, request, strips)
    }

    fn sent_by(
        join: for<'a> fn(Option<&'a str>, &'a str, Option<usize>) -> Joined<'a>,
        service: &str,
        route: &str,
        request: &str,
        strips: bool,
    ) -> String {
        let (path, query) =
            request.split_once('?').map_or((request, None), |(path, query)| (path, Some(query)));
        let matched = match route.strip_prefix('~') {
            Some(pattern) => Pattern::new(pattern).unwrap().regex.end(path).unwrap(),
            None => path.strip_prefix(route).map(|_| route.len()).unwrap(),
        };
        let service = Some(service).filter(|service| !service.is_empty());
        let joined = join(service, path, strips.then_some(matched));
        let mut target = String::new();
        joined.append_to(&mut target);
        assert_eq!((target.as_str(), target.len()), (&*joined.to_cow(), joined.len()));
        target + &query.map(|query| format!("?{query}")).unwrap_or_default()
    }

    #[test]
    fn a_stripped_path_is_joined_with_one_slash_p38() {
        for (service, route, request, expected) in [
            ("", "/api", "/api", "/"),
            ("", "/api", "/api/", "/"),
            ("", "/api", "/api/x", "/x"),
            ("", "/api", "/apix", "/x"),
            ("", "/api", "/api?q=1", "/?q=1"),
            ("/base", "/api", "/api", "/base"),
            ("/base", "/api", "/api/", "/base/"),
            ("/base", "/api", "/api/x", "/base/x"),
            ("/base", "/api", "/apix", "/base/x"),
            ("/base", "/api", "/api?q=1", "/base?q=1"),
            ("/base", "/api/", "/api/", "/base/"),
            ("/base", "/api/", "/api/x", "/base/x"),
            ("/base", "/", "/", "/base"),
            ("/base", "", "/", "/base"),
            ("/base", "/", "/x", "/base/x"),
            ("/base", "", "/x", "/base/x"),
            ("/base", "/", "/x/", "/base/x/"),
            ("/base", "", "/x/", "/base/x/"),
            ("/base/", "/api", "/api", "/base"),
            ("/base/", "/api", "/api/", "/base/"),
            ("/base/", "/api", "/api/x", "/base/x"),
            ("/base/", "/", "/", "/base/"),
            ("/base/", "", "/", "/base/"),
            ("/base/", "/", "/x", "/base/x"),
            ("/base/", "", "/x", "/base/x"),
            ("/", "/api", "/api", "/"),
            ("/", "/api", "/api/x", "/x"),
            ("", r"~/re/\d+", "/re/12", "/"),
            ("", r"~/re/\d+", "/re/12x", "/x"),
            ("/base", r"~/re/\d+", "/re/12", "/base"),
            ("/base", r"~/re/\d+", "/re/12/x", "/base/x"),
            ("/base", r"~/re/\d+", "/re/12x", "/base/x"),
            ("/base/", r"~/re/\d+", "/re/12x", "/base/x"),
        ] {
            assert_eq!(sent(service, route, request, true), expected, "{service} {route} {request}");
        }
    }

    #[test]
    fn the_samples_of_the_manual_hold_v0() {
        assert_eq!(sent("/srv", "/rou", "/roureq", false), "/srv/roureq");
        assert_eq!(sent("/srv", "/rou", "/roureq", true), "/srv/req");
        assert_eq!(sent("/srv/", "/rou", "/rou", true), "/srv");
        assert_eq!(sent("/service", "/route/", "/route/", true), "/service/");
    }

    #[test]
    fn the_samples_of_the_manual_hold_v1_r25() {
        assert_eq!(sent_v1("/srv", "/rou", "/roureq", false), "/srvroureq");
        assert_eq!(sent_v1("/srv", "/rou", "/roureq", true), "/srvreq");
        assert_eq!(sent_v1("/srv/", "/rou", "/rou", true), "/srv/");
        assert_eq!(sent_v1("/service", "/route/", "/route/", true), "/service");
    }

    #[test]
    fn paths_are_appended_as_bytes_v1_p38() {
        for (service, route, request, strips, expected) in [
            ("/base", "/api", "/apix", true, "/basex"),
            ("/base", "/api", "/api", false, "/baseapi"),
            ("/base", "/api", "/api/x", true, "/base/x"),
            ("/base/", "/api", "/api/x", true, "/base/x"),
            ("/base/", "/api", "/apix", true, "/base/x"),
            ("/base", "/", "/x", true, "/basex"),
            ("/base", "", "/x", true, "/basex"),
            ("/base", "/", "/", true, "/base"),
            ("", "/api", "/api", true, "/"),
            ("", "/api", "/api/x", true, "/x"),
            ("", "/api", "/apix", true, "/x"),
            ("", "/api", "/api/x?q", false, "/api/x?q"),
            ("", "", "/", false, "/"),
            ("/base", r"~/re/\d+", "/re/12x", true, "/basex"),
            ("/service", "/route", "/route../req", true, "/servicereq"),
            ("/service", "/route", "/route..", true, "/service"),
        ] {
            assert_eq!(sent_v1(service, route, request, strips), expected, "{service} {route} {request}");
        }
    }

    #[test]
    fn a_whole_path_goes_behind_the_services_p38() {
        for (service, request, expected) in [
            ("", "/api/x?q", "/api/x?q"),
            ("", "/", "/"),
            ("/", "/", "/"),
            ("/base", "/api/x", "/base/api/x"),
            ("/base", "/api", "/base/api"),
            ("/base", "/", "/base"),
            ("/base/", "/", "/base/"),
            ("/base/", "/api", "/base/api"),
        ] {
            assert_eq!(sent(service, "", request, false), expected, "{service} {request}");
        }
    }

    #[test]
    fn what_is_left_of_a_path_cannot_climb_r13() {
        assert_eq!(sent("/service", "/route", "/route../req", true), "/service/req");
        assert_eq!(sent("/service", "/route", "/route./req", true), "/service/req");
        assert_eq!(sent("/service", "/route", "/route..", true), "/service");
        assert_eq!(sent("/service", "/route", "/route.", true), "/service");
        assert_eq!(sent("/service", "/route", "/route.x", true), "/service/.x");
    }

    #[test]
    fn what_a_request_adds_begins_behind_a_segment_that_it_shares_v1() {
        assert_eq!(append(Some("/base"), "/apix%2F..", Some(4)).rest(), "%2F..");
        assert_eq!(append(Some("/base"), "/apix/y%2Fz", Some(4)).rest(), "/y%2Fz");
        assert_eq!(append(Some("/base"), "/apix", Some(4)).rest(), "");
        assert_eq!(append(Some("/base/"), "/apix%2F..", Some(4)).rest(), "x%2F..");
        assert_eq!(append(None, "/apix%2F..", Some(4)).rest(), "x%2F..");
        assert_eq!(join(Some("/base"), "/apix%2F..", Some(4)).rest(), "x%2F..");
        assert_eq!(join(Some("/base"), "/x%2F..", None).rest(), "/x%2F..");
    }

    #[test]
    fn a_path_that_is_whole_somewhere_is_borrowed() {
        for (service, path, strip) in [
            (None, "/x", None),
            (None, "/api/x", Some(4)),
            (Some("/base"), "/api", Some(4)),
            (None, "/api", Some(4)),
        ] {
            assert!(matches!(join(service, path, strip).to_cow(), Cow::Borrowed(_)), "{path}");
            assert!(service.is_some() || matches!(append(service, path, strip).to_cow(), Cow::Borrowed(_)));
        }
    }
}
