//! From a text's events to a tree: anchors, aliases, merge keys, and bounds on all of them.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use foldhash::fast::RandomState;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Mark, Tag};

use super::{Data, Entry, LONGEST_KEY, Node, Scalar, Span, json, position::Lines, resolve};
use crate::config::problem::{MOST_PROBLEMS, Path, Problem, Step};

/// Longest text, bytes.
const LONGEST: usize = 256 << 20;
/// Deepest nesting.
const DEEPEST: usize = 64;
/// Most values that aliases may copy in all: a few lines must not grow into gigabytes.
const MOST_COPIES: usize = 1_000_000;
/// Most text that they may copy in all, bytes: a few values may be long.
const MOST_COPIED_TEXT: usize = 64 << 20;

/// Maps up to so many keys are looked through without a set of them.
const SMALL: usize = 32;

/// The tree of `text`, YAML or JSON, with what is wrong in it besides syntax: keys given twice.
///
/// # Errors
/// The one mistake in syntax that stops the reading.
pub(in crate::config) fn load(text: &str) -> Result<(Node, Vec<Problem>), Box<Problem>> {
    if text.len() > LONGEST {
        return Err(Box::new(Problem::syntax(None, format!("longer than {LONGEST} bytes"))));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::new(text);
    if let Some(read) = json::read(text, &lines, DEEPEST) {
        return Ok(read);
    }
    Loader::new(lines).load(text)
}

struct Loader<'t> {
    lines: Lines<'t>,
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, Size), RandomState>,
    copies: Size,
    problems: Vec<Problem>,
}

/// A list or a map that is still open.
struct Frame {
    /// Where it begins.
    at: Span,
    anchor: usize,
    kind: Open,
    /// What is inside so far, aliases expanded.
    size: Size,
}

/// How much memory a value takes.
#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    /// Bytes of texts and keys.
    text: usize,
}

impl Size {
    const fn of(text: usize) -> Self {
        Self { values: 1, text }
    }

    fn add(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        self.text = self.text.saturating_add(other.text);
    }
}

/// A key whose value comes next.
struct Key {
    text: String,
    span: Option<Span>,
    /// Whether it is `<<`, not in quotes: what comes is merged.
    merges: bool,
}

enum Open {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Key>, merged: Vec<Node> },
}

impl<'t> Loader<'t> {
    fn new(lines: Lines<'t>) -> Self {
        Self {
            lines,
            frames: Vec::new(),
            root: None,
            anchors: HashMap::default(),
            copies: Size::default(),
            problems: Vec::new(),
        }
    }

    fn load(mut self, text: &str) -> Result<(Node, Vec<Problem>), Box<Problem>> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, mark) = event.map_err(|error| Box::new(self.syntax(&error)))?;
            self.event(event, mark)?;
        }
        let root = self.root.unwrap_or(Node { span: None, data: Data::Null });
        Ok((root, self.problems))
    }

    fn event(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Box<Problem>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let size = Size::of(text.len());
                let data = scalar(text.into_owned(), style, tag.as_deref());
                let span = Some(self.span(mark));
                self.push(Node { span, data }, anchor, size, style == ScalarStyle::Plain)
            }
            Event::SequenceStart(anchor, _) => self.open(mark, anchor, Open::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let kind = Open::Map { entries: Vec::new(), key: None, merged: Vec::new() };
                self.open(mark, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(mark),
            Event::Alias(anchor) => self.alias(anchor, mark),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.refuse(mark, "did not find one document: a second one begins here"))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, at: Mark, anchor: usize, kind: Open) -> Result<(), Box<Problem>> {
        if self.frames.len() >= DEEPEST {
            return Err(self.refuse(at, format!("nested deeper than {DEEPEST}")));
        }
        let at = self.lines.span(place(at.start), place(at.start));
        self.frames.push(Frame { at, anchor, kind, size: Size::of(0) });
        Ok(())
    }

    fn close(&mut self, end: Mark) -> Result<(), Box<Problem>> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let span = frame.at.up_to(self.lines.span(place(end.end), place(end.end)).end);
        let data = match frame.kind {
            Open::List(mut items) => {
                items.shrink_to_fit();
                Data::List(items)
            }
            Open::Map { entries, merged, .. } => Data::Map(self.finish(entries, merged)),
        };
        self.push(Node { span: Some(span), data }, frame.anchor, frame.size, false)
    }

    /// Refuses keys given twice, the later ones going, and adds what merge keys bring.
    fn finish(&mut self, mut entries: Vec<Entry>, merged: Vec<Node>) -> Vec<Entry> {
        // Nearly all maps are small and right: looking at each pair of keys costs less than a set of them.
        if merged.is_empty() && entries.len() <= SMALL && !any_twice(&entries) {
            entries.shrink_to_fit();
            return entries;
        }
        let mut seen = HashSet::<String, RandomState>::default();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if seen.insert(entry.key.clone()) {
                kept.push(entry);
            } else {
                self.twice(&entry);
            }
        }
        for entry in merged.into_iter().flat_map(sources) {
            if seen.insert(entry.key.clone()) {
                kept.push(entry);
            }
        }
        kept
    }

    fn twice(&mut self, entry: &Entry) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let mut path = self.path();
        path.push(Step::field(entry.key.clone()));
        let problem = Problem::new(path, entry.key_span, "field given twice");
        self.problems.push(problem.allowing("each field once; the first one counts"));
    }

    fn push(&mut self, node: Node, anchor: usize, size: Size, plain: bool) -> Result<(), Box<Problem>> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size.add(size);
        match &mut frame.kind {
            Open::List(items) => items.push(node),
            Open::Map { entries, key, merged } => match key.take() {
                Some(key) if key.merges => merged.push(node),
                Some(key) => entries.push(Entry { key: key.text, key_span: key.span, value: node }),
                None => *key = Some(Key::of(node, plain)?),
            },
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), Box<Problem>> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(self.refuse(mark, "found an alias inside of its own anchor"));
        };
        let size = *size;
        self.copies.add(size);
        if self.copies.values > MOST_COPIES {
            return Err(self.refuse(mark, format!("aliases copy more than {MOST_COPIES} values")));
        }
        if self.copies.text > MOST_COPIED_TEXT {
            return Err(self.refuse(mark, format!("aliases copy more than {MOST_COPIED_TEXT} bytes")));
        }
        if self.frames.len() + depth(node) > DEEPEST {
            return Err(self.refuse(mark, format!("nested deeper than {DEEPEST}")));
        }
        let node = node.clone();
        self.push(node, 0, size, true)
    }

    fn span(&self, mark: Mark) -> Span {
        self.lines.span(place(mark.start), place(mark.end))
    }

    /// Where the reading stands, as a path.
    fn path(&self) -> Path {
        let steps = self.frames.iter().filter_map(|frame| match &frame.kind {
            Open::List(items) => Some(Step::Index(items.len())),
            Open::Map { key, .. } => key.as_ref().map(|key| Step::field(key.text.clone())),
        });
        steps.collect()
    }

    fn refuse(&self, mark: Mark, text: impl Into<Cow<'static, str>>) -> Box<Problem> {
        Box::new(Problem::syntax(Some(self.span(mark)), text))
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let at = place(*error.marker());
        Problem::syntax(Some(self.lines.span(at, at)), error.info().to_owned())
    }
}

fn any_twice(entries: &[Entry]) -> bool {
    entries.iter().enumerate().any(|(at, entry)| entries.iter().take(at).any(|other| other.key == entry.key))
}

fn place(mark: saphyr_parser::Marker) -> (usize, usize) {
    (mark.line(), mark.col())
}

impl Key {
    fn of(node: Node, plain: bool) -> Result<Self, Box<Problem>> {
        let span = node.span;
        let text = match node.data {
            Data::String(text) => text,
            Data::Null => "null".to_owned(),
            Data::Boolean(boolean) => boolean.to_string(),
            Data::Integer(integer) => integer.to_string(),
            Data::Float(float) => float.to_string(),
            Data::List(_) | Data::Map(_) => {
                return Err(Box::new(Problem::syntax(span, "did not find a text as the key")));
            }
        };
        if text.len() > LONGEST_KEY {
            return Err(Box::new(Problem::syntax(
                span,
                format!("found a key longer than {LONGEST_KEY} bytes"),
            )));
        }
        Ok(Self { merges: plain && text == "<<", text, span })
    }
}

/// The entries that a merge key brings: of one map, or of several, the first winning.
fn sources(node: Node) -> Vec<Entry> {
    match node.data {
        Data::Map(entries) => entries,
        Data::List(items) => items.into_iter().flat_map(sources).collect(),
        _ => Vec::new(),
    }
}

fn depth(node: &Node) -> usize {
    let inner = match &node.data {
        Data::List(items) => items.iter().map(depth).max(),
        Data::Map(entries) => entries.iter().map(|entry| depth(&entry.value)).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or_default()
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Data {
    let tag = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    if tag == Some("str") || (tag.is_none() && style != ScalarStyle::Plain) {
        return Data::String(text);
    }
    match (resolve(&text), tag) {
        (Scalar::Integer(integer), Some("float")) => {
            integer.to_string().parse().map_or(Data::Null, Data::Float)
        }
        (Scalar::Null, _) => Data::Null,
        (Scalar::Boolean(boolean), _) => Data::Boolean(boolean),
        (Scalar::Integer(integer), _) => Data::Integer(integer),
        (Scalar::Float(float), _) => Data::Float(float),
        (Scalar::String, _) => Data::String(text),
    }
}

#[cfg(test)]
mod tests;
