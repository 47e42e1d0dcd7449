//! What was last read from an HTTP/1 connection, for the field that hyper takes away.

use std::sync::{Arc, Mutex, PoisonError};

use http::{
    HeaderValue, Request,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// The last bytes of a connection, at least all that hyper may not have parsed yet.
#[derive(Clone, Debug)]
pub(super) struct Tape(Arc<Mutex<Recorded>>);

#[derive(Debug)]
struct Recorded {
    bytes: Vec<u8>,
    /// How many of them are kept.
    limit: usize,
}

impl Tape {
    /// For heads of at most so many bytes.
    pub(super) fn new(head: usize) -> Self {
        // What hyper has read and not parsed is no more than a head; the read that completes it comes on top.
        Self(Arc::new(Mutex::new(Recorded { bytes: Vec::new(), limit: 2 * head })))
    }

    /// Puts the `Content-Length` back that hyper has removed beside a `Transfer-Encoding` (compat D6): who checks
    /// the head is then to see both.
    pub(super) fn restore<B>(&self, request: &mut Request<B>) {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if request.headers().contains_key(TRANSFER_ENCODING)
            && let Some(length) = length_beside_coding(&recorded.bytes, request.method().as_str())
        {
            request.headers_mut().append(CONTENT_LENGTH, length);
        }
    }

    /// Takes note of what was read.
    pub(super) fn record(&self, read: &[u8]) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = (recorded.bytes.len() + read.len()).saturating_sub(recorded.limit);
        let surplus = surplus.min(recorded.bytes.len());
        recorded.bytes.drain(..surplus);
        recorded.bytes.extend_from_slice(read);
    }
}

/// The length in a head of this method that also has a coding. Where the head of the request at hand stands among
/// the bytes is hyper's knowledge, so every place where one may begin is looked at: a body that imitates such a head
/// is refused as well.
fn length_beside_coding(bytes: &[u8], method: &str) -> Option<HeaderValue> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let begins =
        |line: &[u8]| line.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.starts_with(b" "));
    while lines.by_ref().any(begins) {
        let (mut length, mut coded) = (None, false);
        for (name, value) in lines.clone().take_while(|line| !line.is_empty()).filter_map(field) {
            coded |= name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str().as_bytes());
            if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str().as_bytes()) {
                length = HeaderValue::from_bytes(value.trim_ascii()).ok();
            }
        }
        if coded && length.is_some() {
            return length;
        }
    }
    None
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((line.get(..colon)?, line.get(colon + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &str) -> Option<String> {
        length_beside_coding(bytes.as_bytes(), "POST").map(|length| length.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_length_beside_a_coding_is_found_wherever_the_head_stands() {
        let both = "POST /x HTTP/1.1\r\ncontent-LENGTH: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        let fine = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(length(both).as_deref(), Some("5"));
        assert_eq!(length(&both.replace("\r\n", "\n")).as_deref(), Some("5"));
        assert_eq!(length(&[fine, both, fine].concat()).as_deref(), Some("5"));
        assert_eq!(length(fine), None);
    }

    #[test]
    fn one_head_after_another_with_one_of_them_each_is_none() {
        let coded = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let long = "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(length(&[long, coded, long].concat()), None);
        assert_eq!(length(&both_of_another_method()), None);
    }

    fn both_of_another_method() -> String {
        "PUT /x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
    }

    #[test]
    fn a_tape_keeps_the_last_bytes() {
        let tape = Tape::new(4);
        for read in ["abcdef", "ghi", "0123456789abcdef"] {
            tape.record(read.as_bytes());
        }
        let recorded = tape.0.lock().unwrap();
        assert_eq!(recorded.bytes, b"0123456789abcdef");
    }
}
