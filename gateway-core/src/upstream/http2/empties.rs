//! DATA frames without bytes, counted as they come.

const HEADER: usize = 9;
const DATA: u8 = 0;
const END_STREAM: u8 = 1;

/// How many frames of DATA have come that neither bring bytes nor end their stream (RFC 9113 section 6.1), by the headers
/// of frames alone. Some servers send one before the trailers of each answer, and the crate `h2` ends a connection with
/// the hundredth and first, however many answers it has brought.
#[derive(Debug, Default)]
pub(super) struct Empties {
    /// Bytes up to the next header.
    skip: usize,
    header: [u8; HEADER],
    have: usize,
    seen: usize,
}

impl Empties {
    /// With these bytes too, all that have come.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> usize {
        loop {
            let skip = self.skip.min(bytes.len());
            self.skip -= skip;
            let Some((&byte, rest)) = bytes.get(skip..).and_then(<[u8]>::split_first) else {
                return self.seen;
            };
            bytes = rest;
            self.take(byte);
        }
    }

    fn take(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(self.have) {
            *place = byte;
        }
        self.have += 1;
        if self.have == HEADER {
            let [a, b, c, kind, flags, ..] = self.header;
            (self.have, self.skip) = (0, usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
            self.seen += usize::from(self.skip == 0 && kind == DATA && flags & END_STREAM == 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Empties;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn empty_frames_that_do_not_end_are_counted_however_they_are_cut() {
        let frames = [
            frame(4, 0, &[0, 3, 0, 0, 0, 9]),
            frame(1, 4, b"head"),
            frame(0, 0, &[0; 9]),
            frame(0, 0, b""),
            frame(0, 1, b""),
            frame(4, 1, b""),
            frame(0, 0, b""),
            frame(0, 0, &[0; 200]),
            frame(0, 0, b""),
        ];
        let bytes = frames.concat();
        for size in 1..bytes.len() {
            let mut empties = Empties::default();
            let seen = bytes.chunks(size).map(|piece| empties.read(piece)).last();
            assert_eq!(seen, Some(3), "in pieces of {size}");
        }
    }
}
