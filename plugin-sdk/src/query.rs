//! The arguments of a query, or of a form (`application/x-www-form-urlencoded`).

/// Arguments in their order. A name may stand several times; an argument may have no value.
///
/// They are read and written as Kong does: `+` and `%20` are spaces, and what comes out is sorted by name, with the
/// values of one name in their order (compat P17, P30).
///
/// ```
/// use plugin_sdk::Query;
///
/// let mut query = Query::parse("b=2&a=x%20y&debug&key=abc");
/// assert_eq!(query.get("a"), Some("x y"));
/// assert!(query.remove("key"));
/// query.append("b", "3");
/// assert_eq!(query.to_string(), "a=x+y&b=2&b=3&debug");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<Argument>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Argument {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Query {
    /// Reads a query without its question mark, or a form.
    #[must_use]
    pub fn parse(text: impl AsRef<[u8]>) -> Self {
        let arguments = text.as_ref().split(|byte| *byte == b'&').filter(|part| !part.is_empty());
        Self(arguments.map(Argument::parse).filter(|argument| !argument.name.is_empty()).collect())
    }

    /// Whether there are no arguments.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an argument has this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument.is(name))
    }

    /// The first value of this name; nothing where there is none, or where it is not UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// All values of this name; one that is missing is empty.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.0.iter().filter(move |argument| argument.is(name));
        values.filter_map(|argument| std::str::from_utf8(argument.value.as_deref().unwrap_or_default()).ok())
    }

    /// All names and values as text, as well as they can be.
    pub fn iter(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.0.iter().map(move |argument| (text(&argument.name), argument.value.as_ref().map(text)))
    }

    /// Takes all arguments of this name out. Says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| !argument.is(name));
        self.0.len() < before
    }

    /// Gives the arguments of a name another one, in place of those that have it already. Says whether there was one.
    pub fn rename(&mut self, name: &str, other: &str) -> bool {
        if !self.contains(name) {
            return false;
        }
        if name != other {
            self.remove(other);
        }
        let own = self.0.iter_mut().filter(|argument| argument.is(name));
        own.for_each(|argument| other.as_bytes().clone_into(&mut argument.name));
        true
    }

    /// Writes an argument in place of all of its name.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.append(name, value);
    }

    /// Adds an argument.
    pub fn append(&mut self, name: &str, value: &str) {
        self.0.push(Argument { name: name.into(), value: Some(value.into()) });
    }

    /// Adds all arguments of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        let mut text = String::new();
        for argument in sorted {
            if !text.is_empty() {
                text.push('&');
            }
            encode(&argument.name, &mut text);
            if let Some(value) = &argument.value {
                text.push('=');
                encode(value, &mut text);
            }
        }
        f.write_str(&text)
    }
}

impl Argument {
    fn parse(text: &[u8]) -> Self {
        match text.iter().position(|byte| *byte == b'=') {
            None => Self { name: decode(text), value: None },
            Some(at) => {
                let (name, value) = text.split_at(at);
                Self { name: decode(name), value: Some(decode(value.get(1..).unwrap_or_default())) }
            }
        }
    }

    fn is(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.first_chunk::<2>().and_then(hexadecimal)) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
    }
    bytes
}

fn hexadecimal(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

/// Everything but unreserved characters (RFC 3986 section 2.3) is encoded; a space is `+`.
fn encode(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        match byte {
            b' ' => text.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => text.push(byte.into()),
            byte => {
                text.push('%');
                text.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn what_is_read_is_written_in_the_order_of_names() {
        for (text, written) in [
            ("", ""),
            ("b=2&a=1&b=1", "a=1&b=2&b=1"),
            ("x&y=&z=a=b", "x&y=&z=a%3Db"),
            ("a%20b=c+d&&=e", "a+b=c+d"),
            ("a=%zz%4", "a=%25zz%254"),
            ("a=%ff%c3%bc", "a=%FF%C3%BC"),
        ] {
            assert_eq!(Query::parse(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn arguments_are_renamed_and_replaced_with_all_their_values() {
        let mut query = Query::parse("a=1&a=2&b=3");
        assert!(query.rename("a", "b") && !query.rename("a", "c"));
        assert_eq!(query.to_string(), "b=1&b=2");
        query.set("b", "x y");
        assert_eq!((query.to_string(), query.get("b")), ("b=x+y".to_owned(), Some("x y")));
        assert!(!query.remove("a") && query.remove("b") && query.is_empty());
    }
}
