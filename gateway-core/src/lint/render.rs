//! Findings drawn for people, as problems are.

use annotate_snippets::Level;

use super::{Finding, Findings, Severity};
use crate::config::{Colour, Drawing, Span, excerpt, renderer};

/// The most that are drawn; the rest is counted.
const MOST: usize = 100;

impl Findings {
    /// Draws every finding with the line of `text` it is about. `name` is what the text is called, a file name.
    /// Secrets are left out of the lines.
    #[must_use]
    pub fn render(&self, name: &str, text: &str, colour: Colour) -> String {
        let renderer = renderer(colour);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut drawing = String::new();
        for finding in self.iter().take(MOST) {
            drawing += &finding.drawing(text, &self.hidden).draw(&renderer, name);
            drawing += "\n\n";
        }
        drawing += &self.tally(name);
        drawing
    }

    fn tally(&self, name: &str) -> String {
        let count = |severity| self.iter().filter(|finding| finding.severity == severity).count();
        let words = [
            (count(Severity::Error), "error"),
            (count(Severity::Warning), "warning"),
            (count(Severity::Note), "note"),
        ];
        let plural =
            |(count, word): &(usize, &str)| format!("{count} {word}{}", if *count == 1 { "" } else { "s" });
        let words: Vec<_> = words.iter().filter(|(count, _)| *count > 0).map(plural).collect();
        let words = if words.is_empty() { "nothing to note".to_owned() } else { words.join(", ") };
        match self.len().checked_sub(MOST).filter(|more| *more > 0) {
            Some(more) => format!("{words} in {name}, the last {more} not shown\n"),
            None => format!("{words} in {name}\n"),
        }
    }
}

impl Finding {
    fn drawing(&self, text: &str, hidden: &[Span]) -> Drawing {
        let kind = self.entity.collection.strip_suffix('s').unwrap_or(self.entity.collection);
        let mut notes = Vec::new();
        if let Some(path) = self.path.as_ref().filter(|path| !path.is_empty()) {
            notes.push((Level::NOTE.with_name("at"), path.to_string()));
        }
        for other in &self.others {
            let place = other.span.map_or_else(String::new, |span| format!(", line {}", span.line));
            notes.push((Level::NOTE.with_name("other"), format!("{}{place}", other.label)));
        }
        notes.push((Level::HELP, self.help.clone()));
        Drawing {
            level: match self.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
                Severity::Note => Level::NOTE,
            },
            code: Some(self.code.as_str()),
            title: format!("{kind} {}: {}", self.entity.label, self.message),
            label: self.code.name().to_owned(),
            notes,
            place: self.span.map(|span| (span, excerpt(span, text, hidden))),
        }
    }
}
