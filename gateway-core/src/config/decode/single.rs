//! One entity alone, as an Admin API takes it.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Options, entity::Reader, record::Decoder, rows::Rows, secret::Secrets};
use crate::config::{
    Config,
    document::{Data, Node},
    index::NAMED,
    problem::{Problem, Problems, Step},
    schema::EntityKind,
};

impl Config {
    /// One entity of `collection` with its defaults filled in, checked as far as it can be alone:
    /// fields, rules, a plugin's `config`; not references and not whether names are taken. There
    /// is nothing where no such collection is.
    ///
    /// References come back as `{"id": ..}` or `{"name": ..}`, as they were given.
    ///
    /// ```
    /// use gateway_core::{config::Config, plugin::Registry};
    /// use serde_json::json;
    ///
    /// let problems = Config::check_entity("services", &json!({"port": 70000}), &Registry::empty())
    ///     .expect("a collection")
    ///     .expect_err("two problems");
    /// assert_eq!(
    ///     problems.schema_violation()["message"],
    ///     "2 schema violations (host: required field missing; port: value should be between 0 and 65535)",
    /// );
    /// ```
    pub fn check_entity<'a>(
        collection: &str,
        entity: &Value,
        options: impl Into<Options<'a>>,
    ) -> Option<Result<Map<String, Value>, Problems>> {
        let kind = EntityKind::named(collection)?;
        Some(check(kind, entity, &options.into()))
    }
}

fn check(kind: EntityKind, entity: &Value, options: &Options<'_>) -> Result<Map<String, Value>, Problems> {
    let none = Node { span: None, data: Data::Null };
    let decoder = Decoder::new(Vec::new(), Secrets::new(&none, options));
    let node = Node::of(entity, None);
    let mut reader = Reader::new(decoder, options.plugins);
    let mut rows = Rows::default();
    rows.entity(&mut reader, kind, &node, None);
    // The first row is the entity itself; what is nested in it comes behind.
    let mut read = rows.list.iter().map(|row| reader.fields(row)).collect::<Vec<_>>().into_iter();
    let mut problems = reader.decoder.problems;
    problems.extend(misplaced(kind, &node));
    if !problems.is_empty() {
        return Err(Problems::new(problems));
    }
    let mut fields = read.next().unwrap_or_default();
    fields.retain(|field, _| !is_read_only(kind, field));
    let references = kind.record().fields.iter().filter(|field| field.kind.refers());
    for field in references {
        if let Some(value) = fields.get_mut(field.name.as_ref()) {
            give_back(value);
        }
    }
    Ok(fields)
}

/// What only files have: other entities within one, and memberships said by the member.
fn misplaced(kind: EntityKind, node: &Node) -> impl Iterator<Item = Problem> {
    let nested = move |field: &str| kind.nested().iter().any(|(name, ..)| *name == field);
    let misplaced =
        node.entries().iter().filter(move |entry| nested(&entry.key) || is_read_only(kind, &entry.key));
    misplaced.map(|entry| {
        let path = [Step::field(entry.key.clone())].into_iter().collect();
        Problem::new(path, None, "unknown field")
    })
}

/// Whether a field is read from files and kept elsewhere.
fn is_read_only(kind: EntityKind, field: &str) -> bool {
    kind == EntityKind::Consumers && field == "groups"
}

/// A reference as it was given.
fn give_back(value: &mut Value) {
    if let Value::Array(items) = value {
        return items.iter_mut().for_each(give_back);
    }
    let Some(name) = value.get(NAMED).and_then(Value::as_str) else { return };
    let field = if Uuid::parse_str(name).is_ok() { "id" } else { "name" };
    *value = json!({ field: name });
}
