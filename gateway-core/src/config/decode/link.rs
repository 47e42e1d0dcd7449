//! What entities say of each other: references, and keys that only one may have.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    clash::{self, Held},
    entity::Reader,
    row::Row,
    typed,
    world::World,
};
use crate::config::{
    Config, derived_id,
    index::{ANCHORS, Index, NAMED, Named, keys, natural, plain, references},
    problem::{MOST_PROBLEMS, Matter, Problem, Step},
    schema::{EntityKind, Kind},
};

/// Takes entities one by one, and holds what becomes of them.
pub(super) struct Linker<'w, 'o, W> {
    world: &'w W,
    reader: Reader<'o>,
    config: Config,
    held: Vec<Held>,
    uses: Vec<(Named, Named)>,
    /// Ids that came from references and fields.
    derived: HashMap<Named, u128, RandomState>,
    /// Groups wait for the consumers that say they are members.
    groups: Vec<(Uuid, Map<String, Value>)>,
    joined: HashMap<String, Vec<Value>, RandomState>,
    /// How often a nearest name was looked for: each time costs a look at all of them.
    suggested: usize,
    mismatch: Option<Problem>,
}

/// Entities that are right, and what the index notes of them.
pub(super) struct Linked {
    pub(super) config: Config,
    pub(super) held: Vec<Held>,
    pub(super) uses: Vec<(Named, Named)>,
}

/// How often a nearest name is looked for.
const MOST_SUGGESTIONS: usize = 50;

impl<'w, 'o, W: World> Linker<'w, 'o, W> {
    pub(super) fn new(world: &'w W, reader: Reader<'o>) -> Self {
        Self {
            world,
            reader,
            config: Config::default(),
            held: Vec::new(),
            uses: Vec::new(),
            derived: HashMap::default(),
            groups: Vec::new(),
            joined: HashMap::default(),
            suggested: 0,
            mismatch: None,
        }
    }

    /// Whether there are so many problems that no more are told.
    pub(super) fn is_full(&self) -> bool {
        self.reader.decoder.problems.len() >= MOST_PROBLEMS
    }

    /// Reads one entity, which stands at `place` among all of its kind.
    pub(super) fn take(&mut self, row: &Row<'_>, place: u128) {
        let mut fields = self.reader.fields(row);
        if let Some((parent, field)) = row.parent {
            fields.insert(field.to_owned(), json!({ "id": parent }));
        }
        self.refer(row, &mut fields);
        let id = self.natural_id(row, &fields, place);
        self.held.extend(keys(row.kind, &fields).map(|key| Held { key, place, id }));
        match row.kind {
            EntityKind::ConsumerGroups => return self.groups.push((id, fields)),
            EntityKind::Consumers => self.join(id, &mut fields),
            _ => {}
        }
        self.put(row.kind, id, fields, Some(row));
    }

    /// The entities, or what is wrong with them. `known` are the keys of those that were not taken.
    ///
    /// # Errors
    /// All problems.
    pub(super) fn finish(mut self, known: &Index) -> Result<Linked, Vec<Problem>> {
        self.memberships();
        let mut held = std::mem::take(&mut self.held);
        clash::report(&mut held, known, self.world, &mut self.reader.decoder);
        let mut problems = self.reader.decoder.problems;
        if problems.is_empty() {
            problems.extend(self.mismatch);
        }
        if problems.is_empty() {
            return Ok(Linked { config: self.config, held, uses: self.uses });
        }
        problems.truncate(MOST_PROBLEMS);
        Err(problems)
    }

    fn put(&mut self, kind: EntityKind, id: Uuid, fields: Map<String, Value>, row: Option<&Row<'_>>) {
        if !self.reader.decoder.problems.is_empty() {
            return;
        }
        self.uses.extend(references(kind, &fields).into_iter().map(|used| (used, (kind, id))));
        if let Err(error) = typed::put(&mut self.config, kind, id, fields) {
            // A table that allows what its type does not: a mistake of this library, told as a problem.
            let problem =
                row.map(|row| row.problem(row.path.clone(), row.node.span, error.to_string(), Matter::Field));
            self.mismatch = self.mismatch.take().or(problem);
        }
    }

    /// An id that hangs on references, now that they are ids.
    fn natural_id(&mut self, row: &Row<'_>, fields: &Map<String, Value>, place: u128) -> Uuid {
        if !row.id.is_nil() {
            return row.id;
        }
        let Some(values) = natural(row.kind, fields) else { return row.id };
        let id = derived_id(row.kind.collection(), &values.join(":"));
        let named = (row.kind, id);
        let before = self.world.place(named).or_else(|| self.derived.get(&named).copied());
        self.derived.insert(named, place);
        // Two with the same fields clash by these; here an id that was given stands in the way.
        let given = before.filter(|_| self.world.place(named).is_some());
        if let Some(before) = given.and_then(|before| self.world.row(row.kind, before)) {
            clash::same_id(&mut self.reader.decoder, row, &before, id);
        }
        id
    }

    /// Turns the names in a row's references into ids.
    fn refer(&mut self, row: &Row<'_>, fields: &mut Map<String, Value>) {
        for field in &row.kind.record().fields {
            let Some(value) = fields.get_mut(field.name.as_ref()) else { continue };
            match (&field.kind, value) {
                (Kind::Foreign(collection), value) => self.resolve(row, &field.name, None, collection, value),
                (Kind::Array(element), Value::Array(items)) => {
                    let Kind::Foreign(collection) = element.kind else { continue };
                    for (index, item) in items.iter_mut().enumerate() {
                        self.resolve(row, &field.name, Some(index), collection, item);
                    }
                }
                _ => {}
            }
        }
        self.anchors(row, fields);
    }

    /// The trust anchors of a service, which are given by id alone.
    fn anchors(&mut self, row: &Row<'_>, fields: &Map<String, Value>) {
        let anchors = fields.get(ANCHORS).and_then(Value::as_array).into_iter().flatten();
        for (index, id) in anchors.enumerate().filter_map(|(index, id)| Some((index, id.as_str()?))) {
            // Where it is no id, that has been told.
            if Uuid::parse_str(id).is_ok() && self.world.find(EntityKind::CaCertificates, id).is_none() {
                self.lost(row, ANCHORS, Some(index), EntityKind::CaCertificates, id);
            }
        }
    }

    fn resolve(
        &mut self,
        row: &Row<'_>,
        field: &str,
        index: Option<usize>,
        collection: &str,
        value: &mut Value,
    ) {
        let Some(name) = value.get(NAMED).and_then(Value::as_str) else { return };
        let Some(kind) = EntityKind::named(collection) else { return };
        match self.world.find(kind, name) {
            Some(id) => *value = json!({ "id": id }),
            None => {
                let name = name.to_owned();
                self.lost(row, field, index, kind, &name);
            }
        }
    }

    /// A reference to what is not there (compat A49).
    fn lost(&mut self, row: &Row<'_>, field: &str, index: Option<usize>, kind: EntityKind, name: &str) {
        if self.is_full() {
            return;
        }
        let message =
            format!("invalid reference '{field}: {name}' (no such entry in '{}')", kind.collection());
        let mut path = row.path.to(field);
        let mut node = row.node.get(field);
        if let Some(index) = index {
            path.push(Step::Index(index));
            node = node.and_then(|list| list.items().get(index));
        }
        let span = node.map_or(row.node.span, |node| node.span);
        let mut problem = row.problem(path, span, message, Matter::Reference);
        self.suggested += 1;
        if self.suggested <= MOST_SUGGESTIONS {
            problem = problem.near(name, self.world.names(kind));
        }
        self.reader.decoder.report(problem);
    }

    /// Notes the groups that a consumer names.
    fn join(&mut self, id: Uuid, fields: &mut Map<String, Value>) {
        let Some(Value::Array(groups)) = fields.remove("groups") else { return };
        for group in &groups {
            self.joined.entry(plain(Some(group))).or_default().push(json!({ "id": id }));
        }
    }

    /// Gives the groups the members that either side names.
    fn memberships(&mut self) {
        for (id, mut fields) in std::mem::take(&mut self.groups) {
            let mut members = match fields.remove("consumers") {
                Some(Value::Array(members)) => members,
                _ => Vec::new(),
            };
            members.extend(self.joined.remove(&id.to_string()).unwrap_or_default());
            let mut seen = HashSet::new();
            members.retain(|member| seen.insert(plain(Some(member))));
            fields.insert("consumers".to_owned(), Value::Array(members));
            self.put(EntityKind::ConsumerGroups, id, fields, None);
        }
    }
}
