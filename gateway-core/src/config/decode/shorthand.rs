//! Fields that stand for others.

use serde_json::Value;

use super::record::{Around, Decoder};
use crate::config::{
    document::{Data, Entry, Node, Span},
    problem::Step,
    schema::Record,
};

impl Decoder<'_> {
    /// The map with what shorthands stand for in their place, and without what is read
    /// elsewhere; nothing where there is no shorthand.
    pub(super) fn expand(&mut self, record: &Record, node: &Node, around: Around<'_>) -> Option<Node> {
        record.shorthands.iter().find(|shorthand| node.get(&shorthand.field.name).is_some())?;
        let besides = |entry: &&Entry| !around.besides.iter().any(|(name, ..)| *name == entry.key);
        let mut entries: Vec<_> = node.entries().iter().filter(besides).cloned().collect();
        for shorthand in &record.shorthands {
            let Some(at) = entries.iter().position(|entry| entry.key == shorthand.field.name) else {
                continue;
            };
            let entry = entries.remove(at);
            if entry.value.is_null() {
                continue;
            }
            let before = self.problems.len();
            let value = self.step(Step::Field(shorthand.field.name.clone()), |walk| {
                walk.value(&shorthand.field, &entry.value)
            });
            if self.problems.len() > before {
                continue;
            }
            for (name, value) in shorthand.expand.of(value) {
                put(&mut entries, &name, &value, &entry);
            }
        }
        Some(Node { span: node.span, data: Data::Map(entries) })
    }
}

/// Sets a dotted name in a map, at the place of the shorthand that brings it.
fn put(entries: &mut Vec<Entry>, name: &str, value: &Value, from: &Entry) {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let span: Option<Span> = from.value.span;
    let at = entries.iter().position(|entry| entry.key == first).unwrap_or_else(|| {
        let value = Node { span, data: Data::Null };
        entries.push(Entry { key: first.to_owned(), key_span: from.key_span, value });
        entries.len() - 1
    });
    let Some(entry) = entries.get_mut(at) else { return };
    match (rest, &mut entry.value.data) {
        (None, _) => entry.value = Node::of(value, span),
        (Some(rest), Data::Map(inner)) => put(inner, rest, value, from),
        (Some(rest), data) => {
            let mut inner = Vec::new();
            put(&mut inner, rest, value, from);
            *data = Data::Map(inner);
        }
    }
}
