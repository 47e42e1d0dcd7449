//! How many lines an instance may write into the log within a second, and the one that it has begun. Pure: the time comes in.

/// Lines of one instance. The bound for each callback says nothing of many callbacks.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    second: u64,
    written: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is written, and before it how many were left out of late.
    Written(u64),
    /// It is left out.
    LeftOut,
}

impl Lines {
    /// A line at `now`, in milliseconds, where `most` are let through within a second.
    pub(crate) fn take(&mut self, now: u64, most: u32) -> Line {
        if self.second != now / 1_000 {
            (self.second, self.written) = (now / 1_000, 0);
        }
        if self.written >= most {
            self.left_out += 1;
            return Line::LeftOut;
        }
        self.written += 1;
        Line::Written(std::mem::take(&mut self.left_out))
    }
}

/// What a guest has written of a line whose end has not come: some write a line in many pieces.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// The descriptor that it is written to.
    pub(crate) descriptor: u32,
    text: Vec<u8>,
}

impl Begun {
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// More of it. Beyond `most` bytes it is cut.
    pub(crate) fn push(&mut self, text: &[u8], most: usize) {
        let room = most.saturating_sub(self.text.len());
        self.text.extend_from_slice(text.get(..room).unwrap_or(text));
    }

    /// All of it, without the ends of lines behind.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.text);
        let end = text.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
        text.truncate(end);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Begun, Line, Lines};

    #[test]
    fn a_line_in_pieces_is_one_line_and_not_longer_than_it_may_be() {
        let mut begun = Begun::default();
        for piece in ["panic: ", "fallen", "\n", "\n"] {
            begun.push(piece.as_bytes(), 100);
        }
        assert_eq!(begun.take(), b"panic: fallen");
        assert!(begun.is_empty() && begun.take().is_empty());
        for _ in 0..3 {
            begun.push(b"abc", 5);
        }
        assert_eq!(begun.take(), b"abcab");
    }

    #[test]
    fn what_is_too_much_within_a_second_is_left_out_and_told_in_the_next() {
        let mut lines = Lines::default();
        let second: Vec<_> = (0..5).map(|at| lines.take(7_000 + at, 3)).collect();
        assert_eq!(second[..3], [Line::Written(0), Line::Written(0), Line::Written(0)]);
        assert_eq!(second[3..], [Line::LeftOut, Line::LeftOut]);
        assert_eq!(lines.take(8_000, 3), Line::Written(2));
        assert_eq!(lines.take(8_001, 3), Line::Written(0));
        assert_eq!(lines.take(9_000, 0), Line::LeftOut);
    }
}
