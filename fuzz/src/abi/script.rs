//! The lines of an input as the bytes that the guest reads.

use super::table::{ARGUMENTS, CALLBACKS, CALLS, LINES, RETURNS, TEXTS, WORDS};

/// The bytes that the guest reads.
pub(super) fn script(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = CALLBACKS.iter().map(|(_, returns)| *returns).collect();
    bytes.resize(RETURNS, 0);
    for line in text.lines().take(LINES) {
        let words: Vec<_> = line.split_whitespace().collect();
        let callback = |name: &str| CALLBACKS.iter().position(|(known, _)| *known == name);
        match words.as_slice() {
            ["returns", name, number] => {
                if let (Some(at), Ok(number)) = (callback(name), number.parse()) {
                    bytes[at] = number;
                }
            }
            [name, call, arguments @ ..] => {
                let call = CALLS
                    .iter()
                    .position(|(_, known, _)| known.strip_prefix("proxy_").unwrap_or(known) == *call);
                let (Some(callback), Some(call)) = (callback(name), call) else { continue };
                let (callback, call) = (u8::try_from(callback), u8::try_from(call));
                bytes.extend([callback.expect("few"), call.expect("few"), 0, 0]);
                let arguments = arguments.iter().map(|word| argument(word)).chain(std::iter::repeat(0));
                arguments.take(ARGUMENTS).for_each(|number| bytes.extend(number.to_le_bytes()));
            }
            _ => {}
        }
    }
    bytes
}

/// A number, where a text lies, or its length.
fn argument(word: &str) -> u32 {
    let mut at = TEXTS;
    for (name, text) in WORDS {
        match word.split_at_checked(1) {
            Some(("@", known)) if known == name => return u32::try_from(at).expect("it is small"),
            Some(("#", known)) if known == name => return u32::try_from(text.len()).expect("it is small"),
            _ => at += text.len(),
        }
    }
    let number: i64 = word.parse().unwrap_or_default();
    u32::try_from(number & i64::from(u32::MAX)).unwrap_or_default()
}
