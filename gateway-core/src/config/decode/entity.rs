//! One entity of a file, and those nested in it.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;
use uuid::Uuid;

use super::{
    Row, plugin,
    record::{Around, Decoder},
    subject,
};
use crate::config::{
    document::{Data, Entry, Node},
    problem::{Problem, Step},
    schema::{EntityKind, PluginSchemas, digest_of, is_reference},
};

/// The entity that others are nested in, as a row, and their field that refers to it.
pub(super) type Parent = Option<(usize, &'static str)>;

/// Reads lists of entities into rows.
pub(super) struct Reader<'n, 'o> {
    pub(super) decoder: Decoder<'o>,
    plugins: &'o dyn PluginSchemas,
    rows: Vec<Row<'n>>,
}

impl<'n, 'o> Reader<'n, 'o> {
    pub(super) fn new(decoder: Decoder<'o>, plugins: &'o dyn PluginSchemas) -> Self {
        Self { decoder, plugins, rows: Vec::new() }
    }

    pub(super) fn finish(self) -> (Vec<Row<'n>>, Vec<Problem>) {
        (self.rows, self.decoder.problems)
    }

    /// The entities of a list, which stands where the path leads.
    pub(super) fn list(&mut self, kind: EntityKind, list: &'n Node, parent: Parent) {
        match &list.data {
            Data::Null => {}
            Data::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.decoder.path.push(Step::Index(at));
                    self.entity(kind, item, parent);
                    self.decoder.path.pop();
                }
            }
            _ => {
                let problem = Problem::new(self.decoder.path.clone(), list.span, "expected an array");
                let problem = problem.finding(list.describe());
                self.decoder
                    .report(problem.allowing(format!("a list, each element one {}", kind.singular())));
            }
        }
    }

    /// One entity, which stands where the path leads.
    pub(super) fn entity(&mut self, kind: EntityKind, node: &'n Node, parent: Parent) {
        let node = match short_form(kind, node, parent) {
            Some(written_out) => Cow::Owned(written_out),
            None => Cow::Borrowed(node),
        };
        if !matches!(node.data, Data::Map(_)) {
            let problem = Problem::new(self.decoder.path.clone(), node.span, "expected a record");
            self.decoder
                .report(problem.finding(node.describe()).allowing(format!("one {}", kind.singular())));
            return;
        }
        let before = self.decoder.problems.len();
        let given = parent.map(|(_, field)| field);
        let around = Around { besides: kind.nested(), given, prefix: "" };
        let mut fields = self.decoder.record(kind.record(), &node, around);
        match kind {
            EntityKind::Plugins => plugin::read(&mut self.decoder, self.plugins, &node, &mut fields, given),
            EntityKind::Targets => add_port(&mut fields),
            EntityKind::CaCertificates => add_digest(&mut fields),
            _ => {}
        }
        let row = Row { kind, node, path: self.decoder.path.clone(), parent, fields, id: Uuid::nil() };
        if let Some(problems) =
            self.decoder.problems.get_mut(before..).filter(|problems| !problems.is_empty())
        {
            let subject = Arc::new(subject(kind, &row.node, row.path.clone(), row.name()));
            problems.iter_mut().for_each(|problem| problem.subject = Some(Arc::clone(&subject)));
        }
        let nested = match &row.node {
            Cow::Borrowed(node) => Some(*node),
            Cow::Owned(_) => None,
        };
        let at = self.rows.len();
        self.rows.push(row);
        if let Some(node) = nested {
            self.nested(kind, node, at);
        }
    }

    fn nested(&mut self, kind: EntityKind, node: &'n Node, at: usize) {
        for (name, child, field) in kind.nested() {
            if let Some(list) = node.get(name) {
                self.decoder.path.push(Step::field(*name));
                self.list(*child, list, Some((at, *field)));
                self.decoder.path.pop();
            }
        }
    }
}

/// A server name that stands in a certificate as nothing but its text (compat A 2.8).
fn short_form(kind: EntityKind, node: &Node, parent: Parent) -> Option<Node> {
    let short = kind == EntityKind::Snis && parent.is_some() && node.as_str().is_some();
    short.then(|| {
        let entry = Entry { key: "name".to_owned(), key_span: node.span, value: node.clone() };
        Node { span: node.span, data: Data::Map(vec![entry]) }
    })
}

/// A target without a port gets 8000 (compat A6).
fn add_port(fields: &mut serde_json::Map<String, Value>) {
    let Some(Value::String(target)) = fields.get_mut("target") else { return };
    let address_v6 = target.matches(':').count() > 1;
    if address_v6 && !target.starts_with('[') {
        *target = format!("[{target}]:8000");
    } else if target.ends_with(']') || !target.contains(':') {
        target.push_str(":8000");
    }
}

fn add_digest(fields: &mut serde_json::Map<String, Value>) {
    let cert = fields.get("cert").and_then(Value::as_str).filter(|cert| !is_reference(cert));
    if let Some(digest) = cert.and_then(digest_of) {
        fields.insert("cert_digest".to_owned(), digest.into());
    }
}
