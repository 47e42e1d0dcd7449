//! Problems in the shapes that Kong's Admin API gives them (compat A49).

use std::{collections::BTreeMap, fmt::Write};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{Matter, Path, Problem, Problems, Step};

impl Problems {
    /// Kong's tree of messages, nested like the file; gaps in lists are null.
    #[must_use]
    pub fn fields(&self) -> Value {
        // Kong looks at references and keys only once all fields are right, and files them
        // under the name of the entity.
        let late = |problem: &Problem| problem.matter == Matter::Reference;
        let only_references = self.list.iter().all(late);
        let mut tree = Tree::default();
        for problem in &self.list {
            if only_references {
                tree.reference(problem);
            } else {
                tree.insert(problem.steps(), problem);
            }
        }
        tree.into_root()
    }

    /// The one line `declarative config is invalid: {...}`.
    #[must_use]
    pub fn message(&self) -> String {
        invalid(&self.fields())
    }

    /// The whole body of Kong's 400, code 14.
    #[must_use]
    pub fn body(&self) -> Value {
        let fields = self.fields();
        json!({ "code": 14, "name": NAME, "message": invalid(&fields), "fields": fields })
    }

    /// The same with one entry an entity, as `?flatten_errors=1` asks for it.
    #[must_use]
    pub fn flattened_body(&self) -> Value {
        let mut tree = Tree::default();
        for problem in self.list.iter().filter(|problem| problem.subject.is_none()) {
            tree.insert(problem.steps(), problem);
        }
        let fields = tree.into_root();
        let message = invalid(&fields);
        let errors = self.flattened_errors();
        json!({ "code": 14, "name": NAME, "message": message, "fields": fields, "flattened_errors": errors })
    }

    /// The body of Kong's 400 for one entity, code 2 (compat A18, A19).
    #[must_use]
    pub fn schema_violation(&self) -> Value {
        let mut texts: Vec<_> = self.list.iter().map(Problem::in_words).collect();
        texts.sort();
        let count = match texts.len() {
            1 => "schema violation".to_owned(),
            count => format!("{count} schema violations"),
        };
        let message = format!("{count} ({})", texts.join("; "));
        json!({ "code": 2, "name": "schema violation", "message": message, "fields": self.fields() })
    }

    /// One object an entity: its type, name, id, tags, itself, and its errors.
    #[must_use]
    pub fn flattened_errors(&self) -> Value {
        let mut entities: IndexMap<&Path, Map<String, Value>> = IndexMap::new();
        for problem in &self.list {
            let Some(subject) = &problem.subject else { continue };
            let entity = entities.entry(&subject.path).or_insert_with(|| {
                let mut entity = Map::new();
                entity.insert("entity_type".into(), subject.kind.into());
                let mut put =
                    |key: &str, value: Option<Value>| value.map(|value| entity.insert(key.into(), value));
                put("entity_name", subject.name.clone().map(Value::from));
                put("entity_id", subject.id.map(|id| id.to_string().into()));
                put("entity_tags", subject.value.get("tags").filter(|tags| tags.is_array()).cloned());
                put("entity", Some(subject.value.clone()));
                put("errors", Some(Value::Array(Vec::new())));
                entity
            });
            if let Some(Value::Array(errors)) = entity.get_mut("errors") {
                errors.push(problem.flat());
            }
        }
        entities.into_values().map(Value::Object).collect()
    }
}

const NAME: &str = "invalid declarative configuration";

fn invalid(fields: &Value) -> String {
    let mut message = "declarative config is invalid: ".to_owned();
    lua(fields, &mut message);
    message
}

impl Problem {
    /// Where Kong files the message: under the field, or under `@entity`.
    fn steps(&self) -> Vec<Step> {
        let mut steps = self.path.steps().to_vec();
        match self.matter {
            Matter::Syntax => steps.push(Step::field("error")),
            Matter::Entity => steps.push(Step::field(ENTITY)),
            _ => {}
        }
        steps
    }

    /// The field and what is wrong with it.
    fn in_words(&self) -> String {
        let field = self.field();
        if field.is_empty() { self.message.clone() } else { format!("{}: {}", field.dotted(), self.message) }
    }

    fn flat(&self) -> Value {
        match self.matter {
            Matter::Entity | Matter::Unique | Matter::Reference => {
                json!({ "type": "entity", "message": self.message })
            }
            _ => json!({ "type": "field", "field": self.field().dotted(), "message": self.message }),
        }
    }
}

const ENTITY: &str = "@entity";

/// A tree under construction.
#[derive(Default)]
enum Tree {
    #[default]
    Empty,
    Message(String),
    Messages(Vec<String>),
    Fields(IndexMap<String, Tree>),
    List(BTreeMap<usize, Tree>),
}

impl Tree {
    fn insert(&mut self, steps: Vec<Step>, problem: &Problem) {
        let mut place = self;
        for step in steps {
            place = match step {
                Step::Field(name) => place.field(name.into_owned()),
                Step::Index(index) => place.index(index),
            };
        }
        place.put(problem);
    }

    fn put(&mut self, problem: &Problem) {
        let list = matches!(problem.matter, Matter::Entity | Matter::Reference);
        match self {
            Self::Messages(messages) => messages.push(problem.message.clone()),
            Self::Empty if list => *self = Self::Messages(vec![problem.message.clone()]),
            Self::Empty => *self = Self::Message(problem.message.clone()),
            // A whole entity is refused where its fields are, too: Kong has one place for both.
            Self::Fields(fields) => match fields.entry(ENTITY.to_owned()).or_default() {
                Self::Messages(messages) => messages.push(problem.message.clone()),
                other => *other = Self::Messages(vec![problem.message.clone()]),
            },
            Self::Message(_) | Self::List(_) => {}
        }
    }

    /// The place under `name`; a message that stood here alone moves under `@entity`.
    fn field(&mut self, name: String) -> &mut Self {
        let fields = match self {
            Self::Fields(_) => None,
            Self::Message(message) => {
                let message = Self::Messages(vec![std::mem::take(message)]);
                Some([(ENTITY.to_owned(), message)].into())
            }
            _ => Some(IndexMap::new()),
        };
        if let Some(fields) = fields {
            *self = Self::Fields(fields);
        }
        match self {
            Self::Fields(fields) => fields.entry(name).or_default(),
            other => other,
        }
    }

    /// The place at `index`; what lies before it stays empty.
    fn index(&mut self, index: usize) -> &mut Self {
        if !matches!(self, Self::List(_)) {
            *self = Self::List(BTreeMap::new());
        }
        match self {
            Self::List(items) => items.entry(index).or_default(),
            other => other,
        }
    }

    /// A missing reference: `{"routes": {"r": ["invalid reference ..."]}}`.
    fn reference(&mut self, problem: &Problem) {
        let Some(subject) = &problem.subject else { return self.insert(problem.steps(), problem) };
        let index = subject.path.steps().last().map(|step| match step {
            Step::Index(index) => (index + 1).to_string(),
            Step::Field(name) => name.to_string(),
        });
        let name = subject.name.clone().or_else(|| subject.id.map(|id| id.to_string())).or(index);
        self.field(subject.collection.to_owned()).field(name.unwrap_or_default()).put(problem);
    }

    /// The tree of a whole file: a map, also where there is nothing.
    fn into_root(self) -> Value {
        match self {
            Self::Empty => Value::Object(Map::new()),
            other => other.into_value(),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Message(message) => message.into(),
            Self::Messages(messages) => messages.into(),
            Self::Fields(fields) => {
                Value::Object(fields.into_iter().map(|(name, tree)| (name, tree.into_value())).collect())
            }
            Self::List(items) => {
                let length = items.last_key_value().map_or(0, |(last, _)| last + 1);
                let mut list = vec![Value::Null; length];
                for (index, tree) in items {
                    if let Some(place) = list.get_mut(index) {
                        *place = tree.into_value();
                    }
                }
                Value::Array(list)
            }
        }
    }
}

/// A value as Lua would print it on one line: `{services={{host="required field missing"}}}`.
fn lua(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("nil"),
        Value::String(message) => {
            let _ = write!(text, "{message:?}");
        }
        Value::Array(items) => table(text, items.iter().enumerate().filter(|(_, item)| !item.is_null()), {
            let dense = items.iter().take_while(|item| !item.is_null()).count();
            move |text, index| if index < dense { Ok(()) } else { write!(text, "[{}]=", index + 1) }
        }),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            table(text, fields.into_iter(), |text, name: &String| {
                if identifier(name) { write!(text, "{name}=") } else { write!(text, "[{name:?}]=") }
            });
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

fn table<'v, K>(
    text: &mut String,
    items: impl Iterator<Item = (K, &'v Value)>,
    key: impl Fn(&mut String, K) -> std::fmt::Result,
) {
    text.push('{');
    for (at, (name, value)) in items.enumerate() {
        if at > 0 {
            text.push(',');
        }
        let _ = key(text, name);
        lua(value, text);
    }
    text.push('}');
}

fn identifier(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}
