//! What the tables of plugins may ask of a text by a word: JSON Schema's `format`.

use serde_json::Value;

use super::{header, host, ip_or_cidr, method, path, sni, text, url};

/// What a text of this format must fulfil; nothing for words that mean nothing here.
pub(in crate::config::schema) fn format(word: &str) -> Option<fn(&Value) -> Result<(), String>> {
    Some(match word {
        "header-name" => header,
        "host" => host,
        "server-name" => sni,
        "ip-or-cidr" => ip_or_cidr,
        "method" => method,
        "path" => path,
        "url" => url,
        "regex" => regex,
        "name:value" => pair,
        "name:template" => valued,
        "header" => |value| named(split(text(value)).0),
        "header:header" => |value| {
            pair(value)?;
            let (name, other) = split(text(value));
            named(name).and_then(|()| named(other))
        },
        "header:value" => |value| {
            pair(value)?;
            let (name, content) = split(text(value));
            let legible = !content.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
            named(name).and_then(|()| if legible { Ok(()) } else { Err(no_header(content)) })
        },
        _ => return None,
    })
}

/// A name and what follows the colons behind it.
fn split(pair: &str) -> (&str, &str) {
    pair.split_once(':').map_or((pair, ""), |(name, rest)| (name, rest.trim_start_matches(':')))
}

/// A name, a colon, and anything.
fn pair(value: &Value) -> Result<(), String> {
    match text(value).split_once(':') {
        Some((name, _)) if !name.is_empty() => Ok(()),
        _ => Err(format!("invalid value: {}", text(value))),
    }
}

/// A name, a colon, and something.
fn valued(value: &Value) -> Result<(), String> {
    match split(text(value)) {
        (name, "") => Err(format!("key '{name}' has no value")),
        _ => Ok(()),
    }
}

fn named(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(allowed) { Ok(()) } else { Err(no_header(name)) }
}

fn no_header(text: &str) -> String {
    format!("'{text}' is not a valid header")
}

fn regex(value: &Value) -> Result<(), String> {
    let pattern = text(value);
    regex::Regex::new(pattern).map(drop).map_err(|_| format!("not a valid regex: {pattern}"))
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn each_format_says_what_is_wrong_in_kongs_words() {
        for (word, right, wrong, message) in [
            (
                "header-name",
                "x-key",
                "x key",
                "bad header name 'x key', allowed characters are A-Z, a-z, 0-9, '_', and '-'",
            ),
            ("method", "PUT", "Put", "invalid value: Put"),
            ("path", "/a", "a", "should start with: /"),
            ("ip-or-cidr", "10.0.0.0/8", "10", "invalid ip or cidr range: '10'"),
            ("regex", "^a+$", "a(", "not a valid regex: a("),
            ("name:value", "a:", "a", "invalid value: a"),
            ("name:value", "a:b:c", ":b", "invalid value: :b"),
            ("name:template", "a:$(headers.x)", "a:", "key 'a' has no value"),
            ("header", "x-a", "x a", "'x a' is not a valid header"),
            ("header:header", "x-a:x-b", "x-a:x b", "'x b' is not a valid header"),
            ("header:header", "x-a:x-b", "x-a", "invalid value: x-a"),
            ("header:value", "x-a:b c", "x a:b", "'x a' is not a valid header"),
            ("url", "https://a.example", "a.example", "missing host in url"),
        ] {
            let check = format(word).unwrap();
            assert_eq!(check(&right.into()), Ok(()), "{word}: {right}");
            assert_eq!(check(&wrong.into()), Err(message.to_owned()), "{word}: {wrong}");
        }
        assert!(format("date").is_none());
    }
}
