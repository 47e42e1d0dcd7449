//! How a registry wants to be asked (RFC 9110, section 11.6.1; the distribution project's token flow).

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token that somebody else gives.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// What the fields of an answer ask for: a token, where several things would do.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let fields = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|field| field.to_str().ok());
        let all: Vec<_> = fields.filter_map(Self::parse).collect();
        all.iter().find(|challenge| **challenge != Self::Basic).or_else(|| all.first()).cloned()
    }

    /// One challenge a field, as registries send them.
    fn parse(field: &str) -> Option<Self> {
        let (scheme, rest) = field.split_once(' ').unwrap_or((field, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let parameters = scheme.eq_ignore_ascii_case("bearer").then(|| parameters(rest))?;
        let get = |name: &str| {
            let found = parameters.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        Some(Self::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") })
    }

    /// The address that gives a token for `scope`.
    pub(super) fn address(realm: &str, service: Option<&str>, scope: &str) -> String {
        let asked = service.map(|service| ("service", service)).into_iter().chain([("scope", scope)]);
        let query: Vec<_> = asked.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let glue = if realm.contains('?') { '&' } else { '?' };
        format!("{realm}{glue}{}", query.join("&"))
    }
}

/// `name=value` and `name="value"`, with commas between.
fn parameters(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_owned();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => match unquoted(quoted) {
                Some(both) => both,
                None => return found,
            },
            None => {
                let end = after.find(',').unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.trim().to_owned(), after)
            }
        };
        found.push((name, value));
        rest = after;
    }
    found
}

/// A quoted string without its quotes, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

/// A value within a query.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => {
                text.push(char::from(byte));
            }
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};

    use super::Challenge;

    fn of(fields: &[&str]) -> Option<Challenge> {
        let fields = fields.iter().map(|field| (WWW_AUTHENTICATE, HeaderValue::from_str(field).unwrap()));
        Challenge::of(&fields.collect::<HeaderMap>())
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
        };
        let hub = r#"Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push""#;
        let full = bearer("https://auth.example/token", Some("registry"), Some("repository:a/b:pull,push"));
        assert_eq!(of(&[hub]), Some(full.clone()));
        assert_eq!(of(&["Basic realm=\"x\"", hub]), Some(full), "a token where both would do");
        assert_eq!(of(&[r#"bearer REALM=https://a/t , x="a\"b""#]), Some(bearer("https://a/t", None, None)));
        assert_eq!(of(&["BASIC"]), Some(Challenge::Basic));
        for none in ["Bearer", r#"Bearer service="a""#, r#"Bearer realm="open"#, "Digest realm=\"a\"", ""] {
            assert_eq!(of(&[none]), None, "{none}");
        }
    }

    #[test]
    fn a_token_is_asked_for_one_service_and_one_scope() {
        let address = Challenge::address("https://a/t", Some("b c&d"), "repository:a/b:pull");
        assert_eq!(address, "https://a/t?service=b%20c%26d&scope=repository:a/b:pull");
        assert_eq!(Challenge::address("https://a/t?x=1", None, "s"), "https://a/t?x=1&scope=s");
    }
}
