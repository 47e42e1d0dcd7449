//! Problems drawn for people, as rustc draws its own.

use std::{borrow::Cow, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{
    Matter, Problem, Problems,
    secrets::{is_secret, masked, masked_by_name},
};
use crate::config::Span;

/// Whether the drawing has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escapes.
    Always,
}

/// The most that are drawn; the rest is counted.
const MOST: usize = 100;

/// The longest line that is shown, bytes: minified JSON is one line.
const LONGEST_LINE: usize = 1000;

impl Problems {
    /// Draws every problem with the lines of `text` it stands on. `name` is what the text is
    /// called, a file name. Secrets are left out of the lines.
    #[must_use]
    pub fn render(&self, name: &str, text: &str, colour: Colour) -> String {
        let renderer = renderer(colour);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut drawing = String::new();
        for problem in self.essential().take(MOST) {
            drawing += &problem.draw(&renderer, name, text, &self.hidden);
            drawing += "\n\n";
        }
        drawing += &self.tally(name);
        drawing
    }

    fn tally(&self, name: &str) -> String {
        let count = self.essential().count();
        let noun = if count == 1 { "problem" } else { "problems" };
        match count.checked_sub(MOST).filter(|more| *more > 0) {
            Some(more) => format!("{count} {noun} in {name}, the last {more} not shown\n"),
            None => format!("{count} {noun} in {name}\n"),
        }
    }
}

/// A line, and the stretch to mark in it.
pub(crate) type Excerpt = (String, Range<usize>);

/// A message and the line it is about.
pub(crate) struct Drawing {
    pub(crate) level: Level<'static>,
    /// What the message is known by, `L001`.
    pub(crate) code: Option<&'static str>,
    pub(crate) title: String,
    /// What stands below the marked place.
    pub(crate) label: String,
    pub(crate) notes: Vec<(Level<'static>, String)>,
    /// The place, and its line with the stretch to mark in it.
    pub(crate) place: Option<(Span, Option<Excerpt>)>,
}

impl Drawing {
    /// As lines; `name` is what the text is called.
    pub(crate) fn draw(self, renderer: &Renderer, name: &str) -> String {
        let title = self.level.primary_title(self.title);
        let title = if let Some(code) = self.code { title.id(code) } else { title };
        let group = match self.place {
            Some((span, Some((line, marked)))) if line.len() <= LONGEST_LINE => title.element(
                Snippet::source(Cow::<str>::from(line))
                    .line_start(span.line as usize)
                    .path(name)
                    .annotation(AnnotationKind::Primary.span(marked).label(self.label)),
            ),
            Some((span, _)) => {
                let origin = Origin::path(name).line(span.line as usize).char_column(span.column as usize);
                title.element(origin)
            }
            None => Group::with_title(title),
        };
        let notes = self.notes.into_iter().map(|(level, text)| level.message(text));
        renderer.render(&[group.elements(notes)])
    }
}

/// What draws in these colours.
pub(crate) fn renderer(colour: Colour) -> Renderer {
    match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    }
}

/// The line that `span` begins on without the secrets, and the stretch to mark in it.
pub(crate) fn excerpt(span: Span, text: &str, hidden: &[Span]) -> Option<Excerpt> {
    let (line, rest) = line_of(span, text)?;
    Some(marked(span, line, masked(text, line, rest, hidden)?))
}

/// Where the line of `span` begins, and the line.
fn line_of(span: Span, text: &str) -> Option<(usize, &str)> {
    let start = (span.start as usize).min(text.len());
    let line = text.get(..start)?.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let rest = text.get(line..)?;
    Some((line, rest.get(..rest.find(['\n', '\r']).unwrap_or(rest.len()))?))
}

/// What of the line `shown`, which begins at `line`, is to be marked.
fn marked(span: Span, line: usize, shown: String) -> Excerpt {
    let from = (span.start as usize).saturating_sub(line).min(shown.len());
    let to = (span.end as usize).saturating_sub(line).clamp(from, shown.len());
    (shown, from..to)
}

impl Problem {
    fn draw(&self, renderer: &Renderer, name: &str, text: &str, hidden: &[Span]) -> String {
        let drawing = Drawing {
            level: Level::ERROR,
            code: None,
            title: self.title(),
            label: self.label(),
            notes: self.notes(),
            place: self.span.map(|span| (span, self.excerpt(text, hidden))),
        };
        drawing.draw(renderer, name)
    }

    fn title(&self) -> String {
        let field = self.field();
        let name = if field.is_empty() { String::new() } else { format!("{field}: ") };
        match &self.subject {
            Some(subject) => match &subject.name {
                Some(of) => format!("{} `{of}`: {name}{}", subject.kind, self.message),
                None => format!("{}: {name}{}", subject.kind, self.message),
            },
            None => format!("{name}{}", self.message),
        }
    }

    fn label(&self) -> String {
        match (&self.nearest, &self.found) {
            (Some(nearest), _) => format!("did you mean `{nearest}`?"),
            (None, Some(found)) => format!("found {found}"),
            (None, None) => String::new(),
        }
    }

    fn notes(&self) -> Vec<(Level<'static>, String)> {
        let mut notes = Vec::new();
        if !self.path.is_empty() {
            notes.push((Level::NOTE.with_name("at"), self.path.to_string()));
        }
        if let Some(other) = &self.other {
            let place = other.span.map_or_else(String::new, |span| format!(", line {}", span.line));
            notes.push((Level::NOTE.with_name("first"), format!("{}{place}", other.path)));
        }
        // Where the nearest name is known, the others are noise.
        if let Some(allowed) = self.allowed.as_ref().filter(|_| self.nearest.is_none()) {
            notes.push((Level::NOTE.with_name("allowed"), allowed.clone()));
        }
        if let Some(id) = self.subject.as_ref().and_then(|subject| subject.id) {
            notes.push((Level::NOTE.with_name("id"), id.to_string()));
        }
        if self.matter == Matter::Syntax && self.span.is_some() {
            notes.push((Level::HELP, "nothing behind this place was read".to_owned()));
        }
        notes
    }

    /// The line it begins on without secrets, and the stretch to mark in it.
    fn excerpt(&self, text: &str, hidden: &[Span]) -> Option<Excerpt> {
        let span = self.span?;
        let (line, rest) = line_of(span, text)?;
        let shown = match (self.matter, &self.nearest) {
            (Matter::Syntax, _) => masked_by_name(rest)?,
            // The name of a secret, mistyped.
            (_, Some(meant)) if is_secret(meant) => {
                let value = Span { start: span.end, end: u32::MAX, ..span };
                masked(text, line, rest, &[hidden, &[value]].concat())?
            }
            _ => masked(text, line, rest, hidden)?,
        };
        Some(marked(span, line, shown))
    }
}
