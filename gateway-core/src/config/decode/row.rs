//! One entity on its way from a tree to its type.

use std::{borrow::Cow, cell::Cell, sync::Arc};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::{
    Span,
    document::Node,
    problem::{Matter, Path, Problem, Subject},
    schema::EntityKind,
};

/// One entity on its way from a tree to its type.
pub(super) struct Row<'n> {
    pub(super) kind: EntityKind,
    pub(super) node: Cow<'n, Node>,
    pub(super) path: Path,
    /// The entity that it is nested in, and its field that refers to that.
    pub(super) parent: Option<(Uuid, &'static str)>,
    /// Nil: it comes from its references and fields.
    pub(super) id: Uuid,
    /// Its fields, where its id could not be told without reading them.
    pub(super) fields: Cell<Option<Map<String, Value>>>,
}

impl<'n> Row<'n> {
    pub(super) fn new(kind: EntityKind, node: Cow<'n, Node>, path: Path, id: Uuid) -> Self {
        Self { kind, node, path, parent: None, id, fields: Cell::new(None) }
    }

    /// What names it, if anything does.
    pub(super) fn name(&self) -> Option<&str> {
        let field = self.kind.key().unwrap_or("name");
        self.node.get(field).and_then(Node::as_str)
    }

    /// What a problem says of the entity it is part of.
    pub(super) fn subject(&self) -> Subject {
        let mut value = self.node.to_value();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|field, _| !self.kind.nested().iter().any(|(nested, ..)| nested == field));
        }
        Subject {
            kind: self.kind.singular(),
            collection: self.kind.collection(),
            name: self.name().map(str::to_owned),
            id: self.node.get("id").and_then(Node::as_str).and_then(|id| Uuid::parse_str(id).ok()),
            path: self.path.clone(),
            value,
        }
    }

    /// A problem of this entity.
    pub(super) fn problem(&self, path: Path, span: Option<Span>, message: String, matter: Matter) -> Problem {
        let mut problem = Problem::new(path, span, message).about(matter);
        problem.subject = Some(Arc::new(self.subject()));
        problem
    }

    /// Where the field stands, or else the entity.
    pub(super) fn span_of(&self, field: &str) -> Option<Span> {
        self.node.get(field).map_or(self.node.span, |node| node.span)
    }
}
