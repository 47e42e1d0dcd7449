//! Targets as logs may have them: without the secrets that protocols put into queries.

use std::borrow::Cow;

/// Arguments whose values are as good as a password: those of OAuth 2 and OpenID Connect, and the names that key-auth
/// and jwt have unless configured otherwise. (RFC 6750 section 5.3: "don't pass bearer tokens in page URLs" - who does
/// anyway finds them in every log.)
const SECRETS: [&str; 8] = [
    "access_token",
    "apikey",
    "client_assertion",
    "client_secret",
    "id_token",
    "id_token_hint",
    "jwt",
    "refresh_token",
];

/// What stands in their place.
const HIDDEN: &str = "***";

/// `target` with the values of secrets hidden; a `code` is one where a `state` stands beside it (RFC 6749 section 4.1.2).
pub(super) fn redacted(target: &str) -> Cow<'_, str> {
    let Some((path, query)) = target.split_once('?') else { return Cow::Borrowed(target) };
    let has_state = query.split('&').any(|argument| argument.starts_with("state="));
    let is_secret =
        |name: &str| SECRETS.iter().any(|secret| is(name, secret)) || has_state && is(name, "code");
    let hidden = |argument: &str| argument.split_once('=').is_some_and(|(name, _)| is_secret(name));
    if !query.split('&').any(hidden) {
        return Cow::Borrowed(target);
    }
    let arguments = query.split('&').map(|argument| match argument.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => argument.to_owned(),
    });
    Cow::Owned(format!("{path}?{}", arguments.collect::<Vec<_>>().join("&")))
}

/// Whether a name as it was sent is `plain`: parts of it may be percent-encoded.
fn is(name: &str, plain: &str) -> bool {
    if !name.contains('%') {
        return name == plain;
    }
    percent_encoding::percent_decode_str(name).eq(plain.bytes())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::redacted;

    #[test]
    fn secrets_in_queries_are_hidden_and_nothing_else_is_touched() {
        for (target, shown) in [
            ("/a?access_token=abc", "/a?access_token=***"),
            ("/a?x=1&access%5ftoken=abc&y=2", "/a?x=1&access%5ftoken=***&y=2"),
            ("/cb?code=c&state=s", "/cb?code=***&state=s"),
            ("/logout?id_token_hint=e.y.J", "/logout?id_token_hint=***"),
            ("/a?apikey=k&jwt=e.y.J", "/a?apikey=***&jwt=***"),
            ("/a?client_secret=s&client_secret=t", "/a?client_secret=***&client_secret=***"),
        ] {
            assert_eq!(redacted(target), shown);
        }
        for plain in
            ["/", "/access_token=abc", "/a?", "/a?code=123", "/a?q=access_token", "/a?access_token", "*"]
        {
            assert!(matches!(redacted(plain), Cow::Borrowed(same) if same == plain), "{plain}");
        }
    }
}
