//! What is wrong with an expression, and a picture of where.

use std::{error::Error, fmt, ops::Range};

/// An expression that cannot be read.
///
/// It is shown as Kong shows it: in Kong's words where they are known (compat A39), then a picture with a pointer
/// into the text, then what is wrong or what may stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// Kong's words for a predicate that is well-formed and makes no sense.
    words: Option<&'static str>,
    line: usize,
    column: usize,
    /// The line, or the part of it around the mistake.
    shown: String,
    /// The pointer below it.
    pointer: String,
    note: String,
}

/// At most this many characters of a line are shown.
const WIDTH: usize = 120;
/// So many of them before the mistake.
const BEFORE: usize = 40;

impl ExpressionError {
    /// Something that is wrong from here on.
    pub(super) fn at(text: &str, at: usize, note: impl Into<String>) -> Self {
        Self::draw(text, at, "^---", note.into())
    }

    /// Something that is wrong with this part.
    pub(super) fn over(text: &str, span: Range<usize>, note: impl Into<String>) -> Self {
        let part = text.get(span.clone()).and_then(|part| part.lines().next()).unwrap_or_default();
        let pointer = match part.chars().count().min(WIDTH - BEFORE) {
            0 | 1 => "^".into(),
            length => format!("^{}^", "-".repeat(length - 2)),
        };
        Self::draw(text, span.start, &pointer, note.into())
    }

    /// The same, said in Kong's words first.
    pub(super) fn saying(self, words: &'static str) -> Self {
        Self { words: Some(words), ..self }
    }

    fn draw(text: &str, at: usize, pointer: &str, note: String) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = before.get(start..).unwrap_or_default().chars().count();
        let cut = if line.chars().count() > WIDTH { column.saturating_sub(BEFORE) } else { 0 };
        let drawn = |letter: char| if letter.is_control() { ' ' } else { letter };
        Self {
            words: None,
            line: before.matches('\n').count() + 1,
            column: column + 1,
            shown: line.chars().skip(cut).take(WIDTH).map(drawn).collect(),
            pointer: " ".repeat(column - cut) + pointer,
            note,
        }
    }

    /// The line of the mistake, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Its character in the line, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { words, line, column, shown, pointer, note } = self;
        if let Some(words) = words {
            writeln!(f, "{words}")?;
        }
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(
            f,
            "{margin}--> {line}:{column}\n{margin} |\n{number} | {shown}\n{margin} | {pointer}\n{margin} |"
        )?;
        write!(f, "{margin} = {}", note.replace('\n', &format!("\n{margin}   ")))
    }
}

impl Error for ExpressionError {}
