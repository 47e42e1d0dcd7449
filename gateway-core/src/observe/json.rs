//! JSON text, written into a buffer without an allocation.

/// Appends `text` as a JSON string, quotes included.
///
/// Beyond what JSON demands it escapes DEL, the C1 controls, Unicode's line ends and its invisible and
/// bidirectional marks: nothing that a client sends can move a terminal's cursor, begin a line or show
/// text in another order (docs/threat-model.md, H7). Bytes that are not UTF-8 become U+FFFD.
pub(super) fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if text.iter().all(|byte| PLAIN.contains(byte) && *byte != b'"' && *byte != b'\\') {
        out.extend_from_slice(text);
    } else {
        for chunk in text.utf8_chunks() {
            chunk.valid().chars().for_each(|char| push_char(out, char));
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

/// Printable ASCII.
const PLAIN: std::ops::RangeInclusive<u8> = b' '..=b'~';

fn push_char(out: &mut Vec<u8>, char: char) {
    match char {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            push_escape(out, char);
        }
        _ if char.is_control() => push_escape(out, char),
        _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// `\u000a`; only for characters of the basic plane.
fn push_escape(out: &mut Vec<u8>, char: char) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[(u32::from(char) >> shift) as usize & 15]);
    }
}

/// Appends a whole number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::push_string;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_as_their_lossy_text(bytes: Vec<u8>) {
            let parsed: String = serde_json::from_str(&string(&bytes)).unwrap();
            prop_assert_eq!(parsed, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn any_text_comes_back(text: String) {
            let json = string(text.as_bytes());
            prop_assert!(!json.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn controls_of_terminals_and_line_ends_are_escaped() {
        assert_eq!(string(b"a\r\n\x1b[2J\x7f\0"), r#""a\u000d\u000a\u001b[2J\u007f\u0000""#);
        assert_eq!(string("\u{9b}2J\u{2028}\u{202e}é".as_bytes()), "\"\\u009b2J\\u2028\\u202eé\"");
        assert_eq!(string(b"\"\\"), r#""\"\\""#);
        assert_eq!(string(b"a\xff\xfeb"), "\"a\u{fffd}\u{fffd}b\"");
    }
}
