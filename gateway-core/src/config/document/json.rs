//! JSON with places. YAML would read most of it, but not surrogate pairs, tabs or `\/`.

use super::{
    Data, Entry, LONGEST_KEY, Node,
    position::{Lines, narrow},
};
use crate::config::problem::Problem;

/// The tree of `text` where it is JSON, with the keys that are given twice; otherwise nothing.
pub(super) fn read(text: &str, lines: &Lines<'_>, deepest: usize) -> Option<(Node, Vec<Problem>)> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut reader = Reader { text, at: 0, lines, deepest };
    let root = reader.value(0)?;
    reader.space();
    // A key given twice, or one too long, is left to the YAML reader, which reports it with its path.
    (reader.at == text.len()).then_some((root, Vec::new()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    lines: &'a Lines<'a>,
    deepest: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        let first = self.peek()?;
        let span = self.lines.at_byte(self.at);
        let data = match first {
            b'{' if depth < self.deepest => self.map(depth)?,
            b'[' if depth < self.deepest => self.list(depth)?,
            b'"' => Data::String(self.string()?),
            _ => self.word()?,
        };
        Some(Node { span: Some(span.up_to(narrow(self.at))), data })
    }

    fn map(&mut self, depth: usize) -> Option<Data> {
        self.take(b'{')?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while self.peek()? != b'}' {
            if !entries.is_empty() {
                self.take(b',')?;
            }
            self.space();
            let start = self.lines.at_byte(self.at);
            let key = self.string()?;
            let key_span = Some(start.up_to(narrow(self.at)));
            self.take(b':')?;
            let value = self.value(depth + 1)?;
            if key.len() > LONGEST_KEY || !seen.insert(key.clone()) {
                return None;
            }
            entries.push(Entry { key, key_span, value });
        }
        self.take(b'}')?;
        Some(Data::Map(entries))
    }

    fn list(&mut self, depth: usize) -> Option<Data> {
        self.take(b'[')?;
        let mut items = Vec::new();
        while self.peek()? != b']' {
            if !items.is_empty() {
                self.take(b',')?;
            }
            items.push(self.value(depth + 1)?);
        }
        self.take(b']')?;
        Some(Data::List(items))
    }

    /// A string: its end is found here, its escapes are `serde_json`'s matter.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        while *bytes.get(end)? != b'"' {
            end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
        }
        self.at = end + 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    fn word(&mut self) -> Option<Data> {
        let rest = self.text.get(self.at..)?;
        let end = rest.find([',', '}', ']', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        self.at += end;
        match serde_json::from_str::<serde_json::Value>(rest.get(..end)?).ok()? {
            serde_json::Value::String(_) => None,
            value => Some(Node::of(&value, None).data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;

    #[test]
    fn json_reads_as_json_with_places() {
        let text = "{\n\t\"a\": [1, 2.5, \"\\ud83d\\ude00 \\/\", null, true]\n}";
        let (tree, _) = load(text).expect("well-formed");
        assert_eq!(tree.to_value(), serde_json::json!({"a": [1, 2.5, "😀 /", null, true]}));
        let list = tree.get("a").expect("there");
        assert_eq!(list.span.map(|span| (span.line, span.column)), Some((2, 7)));
        assert_eq!(list.items()[2].span.map(|span| span.column), Some(16));
    }

    #[test]
    fn what_is_not_quite_json_is_read_as_yaml() {
        let (tree, problems) = load("{a: yes, \"b\": 1, \"b\": 2}").expect("well-formed");
        assert_eq!(tree.to_value(), serde_json::json!({"a": true, "b": 1}));
        assert_eq!(problems.len(), 1);
    }
}
