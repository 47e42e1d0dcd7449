//! Where something stands in a text.

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

/// Finds byte offsets of lines and columns.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    ascii: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let breaks = memchr::memchr2_iter(b'\n', b'\r', bytes)
            .filter(|&at| bytes.get(at) == Some(&b'\n') || bytes.get(at + 1) != Some(&b'\n'));
        let starts = std::iter::once(0).chain(breaks.map(|at| at + 1)).collect();
        Self { text, starts, ascii: text.is_ascii() }
    }

    /// The byte offset of a line from 1 and a column from 0, in characters.
    pub(super) fn offset(&self, line: usize, column: usize) -> usize {
        let Some(&start) = self.starts.get(line.saturating_sub(1)) else { return self.text.len() };
        if self.ascii {
            return (start + column).min(self.text.len());
        }
        let rest = self.text.get(start..).unwrap_or_default();
        start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }

    /// The place between two of the parser's marks.
    pub(super) fn span(&self, start: (usize, usize), end: (usize, usize)) -> Span {
        let from = self.offset(start.0, start.1);
        let to = self.offset(end.0, end.1).max(from);
        Span {
            line: narrow(start.0.max(1)),
            column: narrow(start.1 + 1),
            start: narrow(from),
            end: narrow(to),
        }
    }

    /// The place between two byte offsets.
    pub(super) fn span_of_bytes(&self, start: usize, end: usize) -> Span {
        let line = self.starts.partition_point(|&at| at <= start);
        let line_start = line.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or_default();
        let column = self.text.get(line_start..start).map_or(0, |text| text.chars().count());
        Span { line: narrow(line), column: narrow(column + 1), start: narrow(start), end: narrow(end) }
    }
}

/// Texts are bounded far below 4 GiB.
fn narrow(number: usize) -> u32 {
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
        let span = lines.span_of_bytes(9, 10);
        assert_eq!((span.line, span.column), (2, 1));
    }
}
