//! The entities of a file: where each stands, and its id. Their fields are read one by one, later.

use std::{borrow::Cow, collections::HashMap};

use foldhash::fast::RandomState;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{clash, entity::Reader, row::Row, world::World};
use crate::config::{
    derived_id,
    document::{Data, Entry, Node},
    index::Named,
    problem::Step,
    schema::EntityKind,
};

/// The entities of a file, nested ones behind those around them.
#[derive(Default)]
pub(super) struct Rows<'n> {
    pub(super) list: Vec<Row<'n>>,
    ids: HashMap<Named, usize, RandomState>,
    names: HashMap<(EntityKind, String), Uuid, RandomState>,
    /// How many entities have the same content, by the id of the first.
    equals: HashMap<Named, usize, RandomState>,
}

/// The entity that others are nested in, and their field that refers to it.
type Parent = Option<(Uuid, &'static str)>;

impl<'n> Rows<'n> {
    /// The entities of a list, which stands where the reader's path leads.
    pub(super) fn collect(
        &mut self,
        reader: &mut Reader<'_>,
        kind: EntityKind,
        list: &'n Node,
        parent: Parent,
    ) {
        match &list.data {
            Data::Null => {}
            Data::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    reader.decoder.path.push(Step::Index(at));
                    self.entity(reader, kind, item, parent);
                    reader.decoder.path.pop();
                }
            }
            _ => {
                let problem = reader.decoder.problem(list, "expected an array").finding(list.describe());
                reader
                    .decoder
                    .report(problem.allowing(format!("a list, each element one {}", kind.singular())));
            }
        }
    }

    /// One entity, which stands where the reader's path leads, and those nested in it.
    pub(super) fn entity(
        &mut self,
        reader: &mut Reader<'_>,
        kind: EntityKind,
        node: &'n Node,
        parent: Parent,
    ) {
        let written_out = short_form(kind, node, parent);
        let is_short = written_out.is_some();
        let entity = written_out.map_or(Cow::Borrowed(node), Cow::Owned);
        if !matches!(entity.data, Data::Map(_)) {
            let problem = reader.decoder.problem(&entity, "expected a record").finding(entity.describe());
            return reader.decoder.report(problem.allowing(format!("one {}", kind.singular())));
        }
        let mut row = Row::new(kind, entity, reader.decoder.path.clone(), Uuid::nil());
        row.parent = parent;
        let id = self.identify(reader, row);
        if is_short {
            return;
        }
        for (name, child, field) in kind.nested() {
            if let Some(list) = node.get(name) {
                reader.decoder.path.push(Step::field(*name));
                self.collect(reader, *child, list, Some((id, *field)));
                reader.decoder.path.pop();
            }
        }
    }

    /// The id that the file gives, the one that the name yields, or one made of the content. Those that hang on
    /// references come later.
    fn identify(&mut self, reader: &mut Reader<'_>, mut row: Row<'n>) -> Uuid {
        let text = |field: &str| row.node.get(field).and_then(Node::as_str);
        let given = text("id").and_then(|id| Uuid::parse_str(id).ok());
        let name = row.kind.key().and_then(text).map(str::to_owned);
        row.id = match (given, &name) {
            (Some(id), _) => id,
            (None, Some(name)) => derived_id(row.kind.collection(), name),
            (None, None) if !row.kind.natural().is_empty() => Uuid::nil(),
            (None, None) if row.kind.is_credential() => Uuid::new_v4(),
            (None, None) => self.of_content(reader, &row),
        };
        let (kind, id, place) = (row.kind, row.id, self.list.len());
        if let Some(name) = name {
            self.names.entry((kind, name)).or_insert(id);
        }
        self.list.push(row);
        if given.is_none() && id.is_nil() {
            return id;
        }
        let before = self.ids.insert((kind, id), place);
        if let (Some(before), Some(row)) = (before.filter(|_| given.is_some()), self.list.last()) {
            let before = self.list.get(before);
            before.inspect(|before| clash::same_id(&mut reader.decoder, row, before, id));
        }
        id
    }

    /// An id that stays the same as long as the entity does, wherever it stands in the file.
    fn of_content(&mut self, reader: &mut Reader<'_>, row: &Row<'n>) -> Uuid {
        let mut fields = reader.fields(row);
        if let Some((parent, field)) = row.parent {
            fields.insert(field.to_owned(), json!({ "id": parent }));
        }
        let content = Value::Object(fields.clone()).to_string();
        row.fields.set(Some(fields));
        let first = derived_id(row.kind.collection(), &content);
        let count = self.equals.entry((row.kind, first)).or_default();
        *count += 1;
        if *count == 1 { first } else { derived_id(row.kind.collection(), &format!("{content}#{count}")) }
    }
}

impl World for Rows<'_> {
    fn find(&self, kind: EntityKind, text: &str) -> Option<Uuid> {
        let by_id = Uuid::parse_str(text).ok().filter(|id| self.ids.contains_key(&(kind, *id)));
        by_id.or_else(|| self.names.get(&(kind, text.to_owned())).copied())
    }

    fn names(&self, kind: EntityKind) -> Vec<&str> {
        self.names.keys().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str()).collect()
    }

    fn place(&self, named: Named) -> Option<u128> {
        self.ids.get(&named).map(|place| *place as u128)
    }

    fn row(&self, _: EntityKind, place: u128) -> Option<Row<'_>> {
        let row = self.list.get(usize::try_from(place).ok()?)?;
        Some(Row::new(row.kind, Cow::Borrowed(&*row.node), row.path.clone(), row.id))
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
