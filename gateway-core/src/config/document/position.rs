//! Where something stands in a text.

use std::cell::Cell;

use serde::Serialize;

/// A stretch of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Line of the first character, from 1.
    pub line: u32,
    /// Column of the first character in characters, from 1.
    pub column: u32,
    /// Byte offset of the first character.
    pub start: u32,
    /// Byte offset behind the last one.
    pub end: u32,
}

/// Turns lines and columns into byte offsets and back. Lines can be as long as the text, so it
/// goes on from where it was last: readers ask in the order of the text.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
    last: Cell<Place>,
}

/// One place, known both ways.
#[derive(Clone, Copy, Default)]
struct Place {
    byte: usize,
    /// From 0.
    line: usize,
    /// From 0, in characters.
    column: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let breaks = memchr::memchr2_iter(b'\n', b'\r', bytes)
            .filter(|&at| bytes.get(at) == Some(&b'\n') || bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain(breaks.map(|at| at + 1)).collect();
        Self { text, starts, last: Cell::default() }
    }

    /// The stretch between two places, each a line from 1 and a column from 0.
    pub(super) fn span(&self, start: (usize, usize), end: (usize, usize)) -> Span {
        let from = self.offset(start);
        let to = self.offset(end).max(from);
        Span {
            line: narrow(start.0.max(1)),
            column: narrow(start.1 + 1),
            start: narrow(from),
            end: narrow(to),
        }
    }

    /// The empty stretch at a byte offset.
    pub(super) fn at_byte(&self, byte: usize) -> Span {
        let line = self.starts.partition_point(|&start| start <= byte).saturating_sub(1);
        let from = self.known(line, |last| last.byte <= byte);
        let between = self.text.get(from.byte..byte).unwrap_or_default();
        let place = Place { byte, line, column: from.column + between.chars().count() };
        self.last.set(place);
        let byte = narrow(byte);
        Span { line: narrow(line + 1), column: narrow(place.column + 1), start: byte, end: byte }
    }

    fn offset(&self, (line, column): (usize, usize)) -> usize {
        let line = line.saturating_sub(1);
        if line >= self.starts.len() {
            return self.text.len();
        }
        let from = self.known(line, |last| last.column <= column);
        let rest = self.text.get(from.byte..).unwrap_or_default();
        let ahead = column - from.column;
        let byte = from.byte + rest.char_indices().nth(ahead).map_or(rest.len(), |(at, _)| at);
        self.last.set(Place { byte, line, column });
        byte
    }

    /// A known place in this line to go on from: the last one where it fits, or else the beginning.
    fn known(&self, line: usize, fits: impl Fn(&Place) -> bool) -> Place {
        let last = self.last.get();
        if last.line == line && fits(&last) {
            return last;
        }
        Place { byte: self.starts.get(line).copied().unwrap_or_default(), line, column: 0 }
    }
}

impl Span {
    /// The same, up to the end of another.
    pub(super) const fn up_to(self, end: u32) -> Self {
        Self { end, ..self }
    }
}

/// Texts are bounded far below 4 GiB.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn columns_count_characters_and_offsets_count_bytes() {
        let lines = Lines::new("a: é x\r\nb: 1\n");
        let span = lines.span((1, 5), (1, 6));
        assert_eq!((span.line, span.column, span.start, span.end), (1, 6, 6, 7));
        let span = lines.at_byte(9);
        assert_eq!((span.line, span.column), (2, 1));
        let span = lines.at_byte(6);
        assert_eq!((span.line, span.column), (1, 6));
        let span = lines.span((1, 3), (1, 4));
        assert_eq!((span.start, span.end), (3, 5));
    }
}
