//! Forms in parts (RFC 7578).

use crate::rules::{Action, Rendered};

/// The parts of a form, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
struct Part {
    name: String,
    /// Its header fields, an empty line, its content.
    bytes: Vec<u8>,
}

impl Form {
    /// Reads a form; none where it is not whole.
    pub(crate) fn parse(body: &[u8], boundary: &str) -> Option<Self> {
        let delimiter = format!("\r\n--{boundary}");
        // The first delimiter needs no line before it (RFC 2046 section 5.1.1).
        let start = delimiter.as_bytes().get(2..)?;
        let mut rest = body.get(find(body, start)? + start.len()..)?;
        let mut parts = Vec::new();
        while !rest.starts_with(b"--") {
            let line = find(rest, b"\r\n")?;
            let after = rest.get(line + 2..)?;
            let end = find(after, delimiter.as_bytes())?;
            let bytes = after.get(..end)?.to_vec();
            parts.push(Part { name: name(&bytes)?, bytes });
            rest = after.get(end + delimiter.len()..)?;
        }
        Some(Self(parts))
    }

    /// Does what a rule says. Nothing is appended, as in Kong.
    pub(crate) fn apply(&mut self, (action, name, value): Rendered<'_>) {
        let there = self.0.iter().any(|part| part.name == name);
        match action {
            Action::Remove => self.remove(name),
            Action::Rename => {
                let own =
                    self.0.iter().find(|part| part.name == name).and_then(Part::content).map(<[u8]>::to_vec);
                if let Some(content) = own {
                    self.remove(name);
                    self.remove(&value);
                    self.0.push(Part::simple(&value, &content));
                }
            }
            Action::Replace if there => {
                self.remove(name);
                self.0.push(Part::simple(name, value.as_bytes()));
            }
            Action::Add if !there => self.0.push(Part::simple(name, value.as_bytes())),
            Action::Replace | Action::Add | Action::Append => {}
        }
    }

    pub(crate) fn bytes(&self, boundary: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in &self.0 {
            bytes.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            bytes.extend_from_slice(&part.bytes);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        bytes
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|part| part.name != name);
    }
}

impl Part {
    fn simple(name: &str, content: &[u8]) -> Self {
        // What would end the quotes or the line is encoded (RFC 7578 section 2).
        let quoted = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head = format!("Content-Disposition: form-data; name=\"{quoted}\"\r\n\r\n");
        Self { name: name.to_owned(), bytes: [head.as_bytes(), content].concat() }
    }

    fn content(&self) -> Option<&[u8]> {
        self.bytes.get(find(&self.bytes, b"\r\n\r\n")? + 4..)
    }
}

/// The name that the `Content-Disposition` of a part gives it.
fn name(part: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(part.get(..find(part, b"\r\n\r\n")?)?).ok()?;
    let mut lines = head.split("\r\n").filter_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let line = lines.next().filter(|_| lines.next().is_none())?;
    let mut names = parameters(line)?.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case("name"));
    // Two names: nobody knows which one the upstream goes by.
    names.next().filter(|_| names.next().is_none()).map(|(_, name)| name)
}

/// The parameters of a `Content-Disposition` (RFC 2183 section 2), their quotes taken off; none where they are not that.
fn parameters(line: &str) -> Option<Vec<(&str, String)>> {
    let (_, mut rest) = line.split_once(';')?;
    let mut parameters = Vec::new();
    loop {
        let (name, value) = rest.split_once('=')?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, after) = value.split_at(value.find(';').unwrap_or(value.len()));
                (value.trim().to_owned(), after)
            }
        };
        parameters.push((name.trim(), value));
        match after.trim_start().strip_prefix(';') {
            Some(more) => rest = more,
            None => return after.trim().is_empty().then_some(parameters),
        }
    }
}

/// A text up to the quote that ends it, and what follows. A backslash stands before a quote or another one; before
/// anything else it is part of a name of a file, as browsers have sent it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => {
                let escaped = letters.next_if(|(_, next)| matches!(next, '"' | '\\'));
                value.push(escaped.map_or('\\', |(_, letter)| letter));
            }
            _ => value.push(letter),
        }
    }
    None
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::Form;
    use crate::rules::Action;

    const TWO: &str = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b\r\n\
        content-disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\nx\r\ny\r\n--b--\r\n";

    #[test]
    fn a_form_that_is_not_changed_comes_out_as_it_was() {
        assert_eq!(Form::parse(TWO.as_bytes(), "b").unwrap().bytes("b"), TWO.as_bytes());
        for end in [0, 1, 40, TWO.len() - 5] {
            assert_eq!(Form::parse(&TWO.as_bytes()[..end], "b"), None, "{end}");
        }
    }

    #[test]
    fn a_part_has_one_name_which_may_stand_in_quotes() {
        let form = |line: &str| format!("--b\r\nContent-Disposition: form-data{line}\r\n\r\n1\r\n--b--\r\n");
        for (line, expected) in [
            ("; name=\"role\"", Some("role")),
            ("; name=role ; filename=x", Some("role")),
            ("; x=\"; name=safe\"; name=\"role\"", Some("role")),
            ("; name=\"a\\\"b\"", Some("a\"b")),
            ("; filename=\"C:\\x.txt\"; NAME=\"f\"", Some("f")),
            ("; name=\"a\"; name=\"role\"", None),
            ("; name=\"a\"\r\nContent-Disposition: form-data; name=\"role\"", None),
            ("; name=\"a", None),
            ("; name=\"a\"b", None),
            ("; name", None),
            ("", None),
        ] {
            let form = Form::parse(form(line).as_bytes(), "b");
            assert_eq!(form.as_ref().map(|form| &*form.0[0].name), expected, "{line}");
        }
    }

    #[test]
    fn parts_are_taken_out_and_put_in() {
        let mut form = Form::parse(TWO.as_bytes(), "b").unwrap();
        for (action, name, value) in [
            (Action::Rename, "f", "g"),
            (Action::Remove, "a", ""),
            (Action::Replace, "none", "x"),
            (Action::Add, "h\"", "2"),
            (Action::Append, "h", "3"),
        ] {
            form.apply((action, name, Cow::Borrowed(value)));
        }
        let expected = "--b\r\nContent-Disposition: form-data; name=\"g\"\r\n\r\nx\r\ny\r\n--b\r\n\
            Content-Disposition: form-data; name=\"h%22\"\r\n\r\n2\r\n--b--\r\n";
        assert_eq!(String::from_utf8(form.bytes("b")).unwrap(), expected);
    }
}
