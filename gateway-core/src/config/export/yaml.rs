//! JSON values as YAML text that any YAML reader understands the same way.

use serde_json::Value;

use super::super::document::{Scalar, resolve};

/// `value` as a YAML document.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    block(&mut text, value, 0);
    text
}

fn block(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (at, (key, value)) in fields.iter().enumerate() {
                if at > 0 || indent == 0 {
                    start(text, indent);
                }
                string(text, key, None);
                text.push(':');
                inside(text, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                start(text, indent);
                text.push_str("- ");
                match item {
                    Value::Object(fields) if !fields.is_empty() => block(text, item, indent + 2),
                    Value::Array(items) if !items.is_empty() => {
                        // A list in a list stands on its own lines.
                        text.pop();
                        block(text, item, indent + 2);
                    }
                    other => scalar(text, other, Some(indent + 2)),
                }
            }
        }
        other => scalar(text, other, Some(indent)),
    }
    if indent == 0 {
        text.push('\n');
    }
}

/// What follows a key.
fn inside(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            start(text, indent + 2);
            block(text, value, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => block(text, value, indent + 2),
        other => {
            text.push(' ');
            scalar(text, other, Some(indent + 2));
        }
    }
}

fn start(text: &mut String, indent: usize) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(text: &mut String, value: &Value, indent: Option<usize>) {
    match value {
        Value::String(value) => string(text, value, indent),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
        // A number of YAML 1.1 with an exponent has a fraction, too.
        Value::Number(number) => match number.to_string() {
            digits if digits.contains('.') => text.push_str(&digits),
            digits => text.push_str(&digits.replacen('e', ".0e", 1)),
        },
        other => text.push_str(&other.to_string()),
    }
}

/// A text: plain where nothing can go wrong, as a block where it has lines, else in quotes.
fn string(text: &mut String, value: &str, indent: Option<usize>) {
    if is_plain(value) {
        text.push_str(value);
        return;
    }
    match indent.filter(|_| fits_a_block(value)) {
        Some(indent) => {
            text.push_str(if value.ends_with('\n') { "|" } else { "|-" });
            for line in value.lines() {
                start(text, if line.is_empty() { 0 } else { indent.max(2) });
                text.push_str(line);
            }
        }
        None => quoted(text, value),
    }
}

fn is_plain(value: &str) -> bool {
    let first = value.starts_with(|char: char| char.is_ascii_alphabetic() || matches!(char, '/' | '_'));
    let rest = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-.+".contains(&byte));
    first && rest && resolve(value) == Scalar::String
}

/// Lines of visible ASCII, the first not indented, at most one line feed at the end.
fn fits_a_block(value: &str) -> bool {
    let body = value.strip_suffix('\n').unwrap_or(value);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && body.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~'))
}

fn quoted(text: &mut String, value: &str) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            ' '..='~' => text.push(char),
            char if char.is_alphanumeric() => text.push(char),
            char => text.push_str(&format!("\\U{:08X}", u32::from(char))),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::write;
    use crate::config::{document::load, number::normal};

    fn read(text: &str) -> Value {
        let (tree, problems) = load(text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
        assert!(problems.is_empty(), "{problems:?}\n{text}");
        tree.to_value()
    }

    #[test]
    fn it_reads_like_a_file_written_by_hand() {
        let value = json!({"services": [{"name": "a", "tags": ["x", "yes"], "config": {}, "pem": "A\nB\n"}]});
        let text = "services:\n  - name: a\n    tags:\n      - x\n      - \"yes\"\n    config: {}\n    pem: |\n      A\n      B\n";
        assert_eq!(write(&value), text);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-z~:#\\- \n|>\"'%@`{}\\[\\],&*!?0-9.]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("[a-z<\\-: 0-9]{1,6}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in prop::collection::hash_map("[a-z]{1,6}", values(), 1..5)) {
            let value = Value::Object(value.into_iter().collect());
            prop_assert_eq!(read(&write(&value)), normal(value));
        }
    }
}
