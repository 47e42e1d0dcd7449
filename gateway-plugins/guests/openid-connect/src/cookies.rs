//! Cookies: found among others, written, and taken off what goes upstream (RFC 6265).

use std::fmt::Write;

/// Where a cookie goes, and when.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    path: String,
    domain: Option<String>,
    same_site: String,
    secure: bool,
}

impl Scope {
    /// # Errors
    /// What no cookie can have.
    pub(crate) fn new(
        path: &str,
        domain: Option<&str>,
        same_site: &str,
        secure: bool,
    ) -> Result<Self, String> {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        if !plain(path) || !domain.is_none_or(plain) {
            return Err("session_cookie_path, session_cookie_domain: not what a cookie can have".to_owned());
        }
        if same_site == "None" && !secure {
            return Err("session_cookie_same_site: None needs session_cookie_secure".to_owned());
        }
        let (path, domain) = (path.to_owned(), domain.map(str::to_owned));
        Ok(Self { path, domain, same_site: same_site.to_owned(), secure })
    }

    /// The scope of a login under way: this host, and the way back from another site.
    pub(crate) fn of_logins(secure: bool) -> Self {
        Self { path: "/".to_owned(), domain: None, same_site: "Lax".to_owned(), secure }
    }

    /// The name as browsers hold it to its scope (RFC 6265bis, section 4.1.3).
    pub(crate) fn name(&self, name: &str) -> String {
        let host = self.secure && self.domain.is_none() && self.path == "/";
        format!(
            "{}{name}",
            if host {
                "__Host-"
            } else if self.secure {
                "__Secure-"
            } else {
                ""
            }
        )
    }

    /// The value of `Set-Cookie`; without an age the cookie lasts as long as the browser's session.
    pub(crate) fn cookie(&self, name: &str, value: &str, age: Option<u32>) -> String {
        let mut cookie = format!("{name}={value}; Path={}; HttpOnly; SameSite={}", self.path, self.same_site);
        // Writing to a text does not fail.
        let _ = self.domain.as_ref().map(|domain| write!(cookie, "; Domain={domain}"));
        let _ = self.secure.then(|| cookie.push_str("; Secure"));
        let _ = age.map(|age| write!(cookie, "; Max-Age={age}"));
        cookie
    }

    /// The value of `Set-Cookie` that takes a cookie away.
    pub(crate) fn none(&self, name: &str) -> String {
        self.cookie(name, "", Some(0))
    }
}

/// Bytes of a value in one cookie: browsers take 4096 with the name and all that is said of it.
const MOST: usize = 3700;
/// Cookies of one value.
pub(crate) const PIECES: usize = 6;

/// The cookies that hold a value: `2.` and the first part of two, the second one under the name with `-1`. None where
/// it is too long.
pub(crate) fn pieces<'v>(name: &str, value: &'v str) -> Option<Vec<(String, String)>> {
    let parts: Vec<&'v str> =
        value.as_bytes().chunks(MOST).filter_map(|part| str::from_utf8(part).ok()).collect();
    let named = |at: usize, part: &str| match at {
        0 if parts.len() > 1 => (name.to_owned(), format!("{}.{part}", parts.len())),
        0 => (name.to_owned(), part.to_owned()),
        _ => (piece(name, at), part.to_owned()),
    };
    let pieces = parts.iter().enumerate().map(|(at, part)| named(at, part)).collect();
    (parts.len() <= PIECES).then_some(pieces)
}

/// The name of a further piece.
pub(crate) fn piece(name: &str, at: usize) -> String {
    format!("{name}-{at}")
}

/// The cookies of a request, found in one pass: lines are long where sessions are in them.
pub(crate) struct Jar<'c>(Vec<Cookie<'c>>);

/// One of them as it stands there, and its name, behind which its value is, if it has one.
struct Cookie<'c> {
    pair: &'c str,
    name: &'c str,
    value: Option<&'c str>,
}

impl<'c> Jar<'c> {
    pub(crate) fn read(line: &'c str) -> Self {
        let pairs = line.split(';').map(str::trim).filter(|pair| !pair.is_empty());
        let cookie = |pair: &'c str| match pair.split_once('=') {
            Some((name, value)) => Cookie { pair, name, value: Some(value) },
            None => Cookie { pair, name: pair, value: None },
        };
        Self(pairs.map(cookie).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'c str, &'c str)> {
        self.0.iter().filter_map(|cookie| Some((cookie.name, cookie.value?)))
    }

    /// The cookie of this name. Of two that differ one may be from another host of the domain: then there is none.
    pub(crate) fn get(&self, name: &str) -> Option<&'c str> {
        let mut found = self.iter().filter(|(own, _)| *own == name).map(|(_, value)| value);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    /// A value that may be in pieces.
    pub(crate) fn whole(&self, name: &str) -> Option<std::borrow::Cow<'c, str>> {
        let first = self.get(name)?;
        let Some((count, first)) = first.split_once('.') else { return Some(first.into()) };
        let count: usize = count.parse().ok().filter(|count| (2..=PIECES).contains(count))?;
        let mut value = first.to_owned();
        for at in 1..count {
            value.push_str(self.get(&piece(name, at))?);
        }
        Some(value.into())
    }

    /// What is left without those that `is_ours` says; none where nothing is.
    pub(crate) fn without(&self, is_ours: impl Fn(&str) -> bool) -> Option<String> {
        let others = self.0.iter().filter(|cookie| !is_ours(cookie.name)).map(|cookie| cookie.pair);
        let left = others.collect::<Vec<_>>().join("; ");
        (!left.is_empty()).then_some(left)
    }
}

/// Whether `name` is the cookie `own`, or a piece of it.
pub(crate) fn belongs(name: &str, own: &str) -> bool {
    let rest = name.strip_prefix(own);
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(|at| at.len() == 1))
}

#[cfg(test)]
mod tests {
    use super::{Jar, Scope, belongs, pieces};

    #[test]
    fn a_long_value_is_cut_and_put_together() {
        for length in [0, 1, 3700, 3701, 7400, 7401, 22_200] {
            let value: String = ('a'..='z').cycle().take(length).collect();
            let cut = pieces("s", &value).unwrap();
            assert!(cut.iter().all(|(_, part)| part.len() <= 3702));
            let line =
                cut.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let line = format!("other=1; {line}; s-9=x");
            if length > 0 {
                assert_eq!(Jar::read(&line).whole("s").unwrap(), value, "{length}");
            }
            assert_eq!(Jar::read(&line).without(|name| belongs(name, "s")).as_deref(), Some("other=1"));
        }
        assert!(pieces("s", &"a".repeat(22_201)).is_none());
    }

    #[test]
    fn pieces_that_are_missing_make_no_value() {
        for line in
            ["s=3.a; s-1=b", "s=2.a", "s=9.a", "s=1.a", "s=x.a", "t=1", "s=a; s=b", "s=2.a; s-1=b; s-1=c"]
        {
            assert_eq!(Jar::read(line).whole("s"), None, "{line}");
        }
    }

    #[test]
    fn a_scope_says_what_browsers_hold_it_to() {
        let host = Scope::new("/", None, "Lax", true).unwrap();
        assert_eq!(host.name("s"), "__Host-s");
        assert_eq!(host.cookie("s", "v", None), "s=v; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(host.none("s"), "s=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
        let wide = Scope::new("/app", Some("example.com"), "None", true).unwrap();
        assert_eq!(wide.name("s"), "__Secure-s");
        assert!(wide.cookie("s", "v", Some(5)).contains("; Domain=example.com; Secure; Max-Age=5"));
        assert_eq!(Scope::new("/", None, "Lax", false).unwrap().name("s"), "s");
        assert!(
            Scope::new("/;x", None, "Lax", true).is_err() && Scope::new("/", None, "None", false).is_err()
        );
    }
}
