//! Where a token may stand.

use plugin_sdk::{Only, form, prelude::*};

/// Where a token may stand.
pub(crate) struct Places {
    arguments: Vec<String>,
    cookies: Vec<String>,
    /// In small letters.
    fields: Vec<String>,
}

/// What there is of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    None,
    One(String),
    /// A name without a value.
    Other,
    /// Two that differ, or more.
    Several,
}

impl Places {
    pub(crate) fn new(arguments: Vec<String>, cookies: Vec<String>, mut fields: Vec<String>) -> Self {
        fields.iter_mut().for_each(|name| name.make_ascii_lowercase());
        Self { arguments, cookies, fields }
    }

    /// The token of a request. It may stand in several places, as long as it is the same.
    pub(crate) fn token(&self, request: &Request) -> Token {
        let mut token = Token::None;
        if !self.arguments.is_empty() {
            let query = request.query();
            let mine = form::pairs(&query).filter(|(name, _)| self.arguments.iter().any(|own| own == name));
            token = mine.fold(token, |token, (_, value)| match value {
                Some(value) => token.with(&value),
                None => token.with_other(),
            });
        }
        if !self.cookies.is_empty() {
            let lines = request.header_values("cookie");
            token = self.cookies.iter().flat_map(|name| cookies(&lines, name)).fold(token, Token::with);
        }
        self.fields.iter().fold(token, |token, name| match request.only_header(name) {
            Only::One(value) => token.with(bearer(&value).unwrap_or_default()),
            Only::None => token,
            // What another service makes of them is not known.
            Only::Several => Token::Several,
        })
    }
}

impl Token {
    fn with(self, text: &str) -> Self {
        match self {
            one if text.is_empty() => one,
            Self::None => Self::One(text.to_owned()),
            Self::One(token) if token == text => Self::One(token),
            Self::One(_) | Self::Other | Self::Several => Self::Several,
        }
    }

    fn with_other(self) -> Self {
        if matches!(self, Self::None | Self::Other) { Self::Other } else { Self::Several }
    }
}

/// The token after `Bearer` (RFC 6750 section 2.1), whose case does not matter (RFC 9110 section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim_start().split_at_checked("Bearer".len())?;
    (scheme.eq_ignore_ascii_case("Bearer") && token.starts_with(char::is_whitespace)).then(|| token.trim())
}

/// The values of the cookies of a name (RFC 6265 section 4.2.1). Case does not matter in it, as in Kong.
fn cookies<'a>(lines: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = lines.iter().flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mine = pairs.filter(move |(own, _)| own.trim().eq_ignore_ascii_case(name));
    mine.map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::{bearer, cookies};

    #[test]
    fn a_token_comes_after_the_scheme() {
        for (value, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c ", Some("a.b.c")),
            (" BEARER\ta", Some("a")),
            ("Bearer", None),
            ("Bearera", None),
            ("Basic a", None),
            ("", None),
        ] {
            assert_eq!(bearer(value), token, "{value}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let lines = ["a=1; token=x.y.z;b=2", "session=3; TOKEN=w"].map(str::to_owned);
        let found = |name| cookies(&lines, name).collect::<Vec<_>>();
        assert_eq!(found("token"), ["x.y.z", "w"]);
        assert_eq!(found("Session"), ["3"]);
        assert!(found("oken").is_empty());
    }
}
