//! From a file, or from typed entities, to a [`Config`] in which everything is right.
//!
//! One pass over the tree with the tables of fields, one over all entities for ids, references
//! and keys. Problems are collected on the way; the end is a configuration or all of them.

mod entity;
mod file;
mod legacy;
mod link;
mod linker;
mod options;
mod plugin;
mod record;
mod reference;
mod rules;
mod secret;
mod shorthand;
mod single;
mod typed;
mod unique;
mod value;

use std::borrow::Cow;

use serde_json::{Map, Value};
use uuid::Uuid;

pub use options::{Environment, Options};

use super::{
    Config,
    document::{self, Node},
    problem::{MOST_PROBLEMS, Path, Problem, Problems, Subject},
    schema::EntityKind,
};

impl Config {
    /// Reads a declarative file, YAML or JSON, of `_format_version` 1.1, 2.1 or 3.0.
    ///
    /// Everything is checked, also what entities say of each other, and defaults are filled in,
    /// those of plugins too.
    ///
    /// ```
    /// use gateway_core::{config::Config, plugin::Registry};
    ///
    /// let text = "
    /// _format_version: '3.0'
    /// services:
    /// - name: users
    ///   url: http://users.internal:8080
    ///   routes:
    ///   - name: users
    ///     path: [/users]
    /// ";
    /// let problems = Config::parse(text, &Registry::empty()).expect_err("`path` is no field");
    /// assert_eq!(
    ///     problems.to_string().lines().next(),
    ///     Some("8:5: services[0].routes[0].path: unknown field (did you mean `paths`?)"),
    /// );
    /// assert!(Config::parse(&text.replace("path:", "paths:"), &Registry::empty()).is_ok());
    /// ```
    ///
    /// # Errors
    /// Every problem of the file, not only the first.
    pub fn parse<'a>(text: &str, options: impl Into<Options<'a>>) -> Result<Self, Problems> {
        let (mut root, problems) = document::load(text).map_err(|problem| Problems::new(vec![*problem]))?;
        legacy::migrate(&mut root);
        decode(&root, problems, &options.into())
    }

    /// Checks typed entities as [`parse`](Self::parse) checks a file: fields, references, keys,
    /// the configurations of plugins. The answer has the defaults of plugins filled in.
    ///
    /// ```
    /// use gateway_core::{config::{Config, Route, Service}, plugin::Registry};
    ///
    /// let lost = Route::new("users").to(&Service::new("users", "users.internal"));
    /// let problems = Config::default().with(lost).check(&Registry::empty()).expect_err("two problems");
    /// assert_eq!(problems.len(), 2, "no service of this id, and nothing to match: {problems}");
    /// ```
    ///
    /// # Errors
    /// Every problem, not only the first.
    pub fn check<'a>(&self, options: impl Into<Options<'a>>) -> Result<Self, Problems> {
        decode(&Node::of(&self.to_value(), None), Vec::new(), &options.into())
    }
}

fn decode(root: &Node, problems: Vec<Problem>, options: &Options<'_>) -> Result<Config, Problems> {
    let (mut rows, mut problems) = file::read(root, problems, options);
    link::link(&mut rows, &mut problems);
    problems.truncate(MOST_PROBLEMS);
    if problems.is_empty() {
        return typed::config(rows).map_err(|problem| Problems::new(vec![*problem]));
    }
    Err(Problems::new(problems).hiding(root.secrets()))
}

/// One entity on its way from the tree to its type.
struct Row<'n> {
    kind: EntityKind,
    node: Cow<'n, Node>,
    path: Path,
    /// The entity it is nested in, as a row, and its field that refers to that.
    parent: Option<(usize, &'static str)>,
    /// Its fields, defaults filled in.
    fields: Map<String, Value>,
    id: Uuid,
}

impl Row<'_> {
    /// What names it, if anything does.
    fn name(&self) -> Option<&str> {
        let field = self.kind.key().unwrap_or("name");
        self.node.get(field).and_then(Node::as_str)
    }

    fn subject(&self) -> Subject {
        subject(self.kind, &self.node, self.path.clone(), self.name())
    }
}

/// What a problem says of the entity it is part of.
fn subject(kind: EntityKind, node: &Node, path: Path, name: Option<&str>) -> Subject {
    let mut value = node.to_value();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|field, _| !kind.nested().iter().any(|(nested, ..)| nested == field));
    }
    Subject {
        kind: kind.singular(),
        collection: kind.collection(),
        name: name.map(str::to_owned),
        id: node.get("id").and_then(Node::as_str).and_then(|id| Uuid::parse_str(id).ok()),
        path,
        value,
    }
}
