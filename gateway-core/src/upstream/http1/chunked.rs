//! The chunked coding, read (RFC 9112 section 7.1).

use bytes::{Buf, Bytes};
use http::HeaderMap;

use super::{MOST_BYTES, MOST_FIELDS, Malformed, fields};

/// Bytes of all chunk extensions of a body, which mean nothing to us (docs/threat-model.md, F9).
const MOST_EXTENSIONS: u32 = 16 * 1024;

/// A chunked body under way.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    extensions: u32,
    /// The trailers so far; an allocation for those who send some.
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Size,
    /// After at least one.
    Digits(u64),
    /// Blanks after a size.
    Blank(u64),
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataEnd,
    DataEndLf,
    Trailers,
    Done,
}

/// What comes out of a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Chunked {
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next piece off the front of `bytes`; `None` once they are used up, or the body is over.
    pub(super) fn decode(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Trailers => return self.decode_trailers(bytes),
                State::Data(left) if !bytes.is_empty() => return Ok(Some(self.take_data(bytes, left))),
                _ => {}
            }
            let Some(byte) = bytes.first().copied() else { return Ok(None) };
            self.state = self.step(byte)?;
            bytes.advance(1);
        }
    }

    fn take_data(&mut self, bytes: &mut Bytes, left: u64) -> Piece {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - length as u64;
        self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
        Piece::Data(bytes.split_to(length))
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        match (self.state, byte) {
            (State::Size, _) => digit(0, byte).map(State::Digits),
            (State::Digits(size) | State::Blank(size), b' ' | b'\t') => Ok(State::Blank(size)),
            (State::Digits(size) | State::Blank(size), b';') => Ok(State::Extension(size)),
            (State::Digits(size) | State::Blank(size) | State::Extension(size), b'\r') => {
                Ok(State::SizeEnd(size))
            }
            (State::Digits(size), _) => digit(size, byte).map(State::Digits),
            (State::Extension(size), byte) if byte != b'\n' => self.extend(size),
            (State::SizeEnd(0), b'\n') => Ok(State::Trailers),
            (State::SizeEnd(size), b'\n') => Ok(State::Data(size)),
            (State::DataEnd, b'\r') => Ok(State::DataEndLf),
            (State::DataEndLf, b'\n') => Ok(State::Size),
            _ => Err(Malformed::Chunk),
        }
    }

    fn extend(&mut self, size: u64) -> Result<State, Malformed> {
        self.extensions += 1;
        if self.extensions < MOST_EXTENSIONS { Ok(State::Extension(size)) } else { Err(Malformed::Chunk) }
    }

    /// Reads up to the empty line. No line may end in a bare LF.
    fn decode_trailers(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        while let Some(byte) = bytes.first().copied() {
            bytes.advance(1);
            let ends_line = self.trailers.last() == Some(&b'\r');
            if ends_line != (byte == b'\n') || self.trailers.len() >= MOST_BYTES {
                return Err(Malformed::Trailers);
            }
            self.trailers.push(byte);
            if self.trailers == b"\r\n" || self.trailers.ends_with(b"\r\n\r\n") {
                self.state = State::Done;
                return parse_trailers(std::mem::take(&mut self.trailers));
            }
        }
        Ok(None)
    }
}

fn digit(size: u64, byte: u8) -> Result<u64, Malformed> {
    let digit = char::from(byte).to_digit(16).ok_or(Malformed::Chunk)?;
    size.checked_mul(16).and_then(|size| size.checked_add(digit.into())).ok_or(Malformed::Chunk)
}

fn parse_trailers(text: Vec<u8>) -> Result<Option<Piece>, Malformed> {
    if text == b"\r\n" {
        return Ok(None);
    }
    let text = Bytes::from(text);
    let mut found = vec![httparse::EMPTY_HEADER; MOST_FIELDS];
    match httparse::parse_headers(&text, &mut found) {
        Ok(httparse::Status::Complete((length, found))) if length == text.len() => {
            let mut trailers = HeaderMap::new();
            fields::take(&mut trailers, &text, found, Malformed::Trailers)?;
            Ok(Some(Piece::Trailers(trailers)))
        }
        _ => Err(Malformed::Trailers),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{Chunked, Malformed, Piece};

    /// Data, the number of trailers, what is left after the end where there is one.
    type Decoded = (Vec<u8>, usize, Option<Vec<u8>>);

    /// What comes out of `text` in pieces of these sizes.
    fn decode(text: &[u8], sizes: &[usize]) -> Result<Decoded, Malformed> {
        let (mut chunked, mut data, mut trailers) = (Chunked::default(), Vec::new(), 0);
        let (mut rest, mut sizes) = (text, sizes.iter().copied().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(found) = chunked.decode(&mut piece)? {
                match found {
                    Piece::Data(bytes) => data.extend_from_slice(&bytes),
                    Piece::Trailers(found) => trailers += found.len(),
                }
            }
            if chunked.is_done() {
                return Ok((data, trailers, Some([&piece[..], more].concat())));
            }
            rest = more;
        }
        Ok((data, trailers, None))
    }

    #[test]
    fn chunks_extensions_and_trailers() {
        let text =
            b"5\r\nhello\r\n1 ;x=\"y\"\r\n \r\n00A\t\r\n0123456789\r\n0\r\nx-sum: 7\r\ny: z\r\n\r\nnext";
        let (data, trailers, rest) = decode(text, &[text.len()]).unwrap();
        assert_eq!((data.as_slice(), trailers), (&b"hello 0123456789"[..], 2));
        assert_eq!(rest.as_deref(), Some(&b"next"[..]));
    }

    #[test]
    fn row_f8_a_chunk_has_one_grammar() {
        for text in [
            "\r\n",
            "zz\r\n",
            "0x3\r\nabc\r\n",
            "+3\r\nabc\r\n",
            " 3\r\nabc\r\n",
            "3\nabc\r\n",
            "3\r\nabc\n",
            "3\r\nabcd\r\n",
            "3 3\r\nabc\r\n",
            "3;x\ny\r\nabc\r\n",
            "10000000000000000\r\n",
            "0\r\n\n",
            "0\r\nx: y\n\r\n",
            "0\r\nx: y\rz\r\n\r\n",
            "0\r\nx y\r\n\r\n",
            "0\r\n folded\r\n\r\n",
        ] {
            assert!(decode(text.as_bytes(), &[text.len()]).is_err(), "{text:?}");
        }
        let extensions = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(17_000));
        assert_eq!(decode(extensions.as_bytes(), &[100]), Err(Malformed::Chunk));
        let trailers = format!("0\r\nx: {}\r\n\r\n", "y".repeat(70_000));
        assert_eq!(decode(trailers.as_bytes(), &[100]), Err(Malformed::Trailers));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            trailer in prop::bool::ANY,
            sizes in prop::collection::vec(1usize..20, 1..20),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend(format!("{:X}\r\n", chunk.len()).bytes());
                text.extend(chunk);
                text.extend(b"\r\n");
            }
            text.extend(if trailer { &b"0\r\nx: y\r\n\r\nrest"[..] } else { b"0\r\n\r\nrest" });
            let (data, trailers, rest) = decode(&text, &sizes).unwrap();
            prop_assert_eq!(data, chunks.concat());
            prop_assert_eq!((trailers, rest), (usize::from(trailer), Some(b"rest".to_vec())));
        }

        #[test]
        fn any_bytes_mean_the_same_in_any_pieces(
            text in prop::collection::vec(
                prop::sample::select(b"0123afZ;\r\n \t:x".to_vec()), 0..80),
            sizes in prop::collection::vec(1usize..20, 1..20),
        ) {
            let whole = decode(&text, &[text.len().max(1)]);
            match (whole, decode(&text, &sizes)) {
                (Ok(one), Ok(other)) => prop_assert_eq!(one, other),
                (one, other) => prop_assert_eq!(one.is_err(), other.is_err()),
            }
        }
    }
}
