//! Names and values as they stand in queries and in forms: `a=1&b=two+words`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// The names and values of a query, or of a form (`application/x-www-form-urlencoded`), in their order. A name without
/// `=` has no value. What is not UTF-8 shows as the replacement character.
///
/// ```
/// let pairs: Vec<_> = plugin_sdk::form::pairs("a=1+2&b&%63=").collect();
/// assert_eq!(pairs, [("a".into(), Some("1 2".into())), ("b".into(), None), ("c".into(), Some("".into()))]);
/// ```
pub fn pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
    split(text).map(|(name, value)| (readable(decoded(name)), value.map(|value| readable(decoded(value)))))
}

/// `text` without the values of a name, written anew: a space as `+`, all but letters, digits and `-._~` as `%XX`.
/// Nothing where the name does not occur.
///
/// ```
/// use plugin_sdk::form::without;
///
/// assert_eq!(without("a=%31&key=x&b=y%20z", "key").as_deref(), Some("a=1&b=y+z"));
/// assert_eq!(without("a=1", "key"), None);
/// ```
#[must_use]
pub fn without(text: &str, name: &str) -> Option<String> {
    let is = |own: &str| *decoded(own) == *name.as_bytes();
    if !split(text).any(|(own, _)| is(own)) {
        return None;
    }
    let mut written = String::with_capacity(text.len());
    for (own, value) in split(text).filter(|(own, _)| !is(own)) {
        if !written.is_empty() {
            written.push('&');
        }
        encode(&decoded(own), &mut written);
        if let Some(value) = value {
            written.push('=');
            encode(&decoded(value), &mut written);
        }
    }
    Some(written)
}

/// RFC 3986 section 2.3, and the space, which is written as `+`.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b' ');

fn split(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value))))
}

fn decoded(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        return Cow::Owned(percent_decode_str(&text.replace('+', " ")).collect());
    }
    percent_decode_str(text).into()
}

fn readable(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8_lossy(&bytes) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        }),
    }
}

fn encode(bytes: &[u8], into: &mut String) {
    for part in percent_encode(bytes, &ESCAPED) {
        part.split(' ').enumerate().for_each(|(at, word)| {
            if at > 0 {
                into.push('+');
            }
            into.push_str(word);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{pairs, without};

    #[test]
    fn what_is_left_means_the_same() {
        let text = "a=1&b&c=&a%20b=x%26y&key=1&%6Bey=2&d=%zz&e=%ff&&f=a=b";
        let left = without(text, "key").unwrap();
        assert_eq!(left, "a=1&b&c=&a+b=x%26y&d=%25zz&e=%FF&f=a%3Db");
        let kept: Vec<_> = pairs(text).filter(|(name, _)| name != "key").collect();
        assert_eq!(pairs(&left).collect::<Vec<_>>(), kept);
        assert_eq!(without(&left, "key"), None);
    }

    #[test]
    fn nothing_may_be_left() {
        assert_eq!(without("key=1", "key").as_deref(), Some(""));
        assert_eq!(without("", "key"), None);
        assert_eq!(pairs("").count(), 0);
    }
}
