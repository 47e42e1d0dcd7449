//! A change of a configuration that stands: only what it touches is checked.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Options,
    entity::Reader,
    link::{Linked, Linker},
    record::Decoder,
    row::Row,
    secret::Secrets,
    world::World,
};
use crate::config::{
    Change, Checked, Config,
    document::Node,
    index::Named,
    problem::{Path, Problem, Problems, Step},
    schema::EntityKind,
};

/// `checked` with `change` made, and what of it made a difference. See [`Checked::apply`].
pub(super) fn apply(
    checked: &Checked,
    change: &Change,
    options: &Options<'_>,
) -> Result<(Checked, Change), Problems> {
    let gone = checked.config.named_in(change);
    let mut rest = Checked { config: checked.config.without(&gone), index: checked.index.clone() };
    for (named, value) in all(&gone) {
        let none = serde_json::Map::new();
        rest.index.remove(named, value.as_object().unwrap_or(&none));
    }
    let next = Standing(change.puts().union(rest.config.clone()));
    let touched = touched(&rest, change.puts(), &gone, &next.0);
    let mut linker = Linker::new(&next, reader(&next.0, options));
    for ((kind, id), value) in all(&touched) {
        linker.take(&row(kind, id, &value), id.as_u128());
    }
    let linked = linker.finish(&rest.index).map_err(|problems| numbered(problems, &next.0))?;
    Ok(put(checked, rest, linked))
}

/// What is new, and what refers to something that is not there any more.
fn touched(rest: &Checked, new: Config, gone: &Config, next: &Config) -> Config {
    let mut touched = new;
    for kind in EntityKind::ALL {
        for id in gone.ids_of(*kind).into_iter().filter(|id| !next.has(*kind, *id)) {
            for (by, user) in rest.index.users((*kind, id)) {
                touched.take_over(next, by, user);
            }
        }
    }
    touched
}

/// What is right, put in place of what was there. An entity that is as before stays the same one.
fn put(before: &Checked, rest: Checked, linked: Linked) -> (Checked, Change) {
    let Linked { config, held, uses } = linked;
    let config = config.sharing(&before.config).union(rest.config);
    let mut index = rest.index;
    index.insert(held.into_iter().map(|held| (held.key, held.id)), uses);
    let change = before.config.diff(&config);
    (Checked { config, index }, change)
}

fn reader<'o>(next: &Config, options: &Options<'o>) -> Reader<'o> {
    let vaults = json!({ "vaults": next.values_of(EntityKind::Vaults) });
    let secrets = Secrets::new(&Node::of(&vaults, None), options);
    Reader::new(Decoder::new(Vec::new(), secrets), options.plugins)
}

/// All entities, in the order in which they are checked.
fn all(config: &Config) -> impl Iterator<Item = (Named, Value)> {
    EntityKind::ALL.iter().flat_map(|kind| {
        let ids = config.ids_of(*kind).into_iter();
        ids.filter_map(|id| Some(((*kind, id), config.value_of(*kind, id)?)))
    })
}

/// Typed entities. They refer to each other by id; an entity's place is its id.
struct Standing(Config);

fn row(kind: EntityKind, id: Uuid, value: &Value) -> Row<'static> {
    let mut path = Path::default();
    path.push(Step::field(kind.collection()));
    // Its number is found once it is needed; see `numbered`.
    path.push(Step::field(id.to_string()));
    Row::new(kind, Cow::Owned(Node::of(value, None)), path, id)
}

impl World for Standing {
    fn find(&self, kind: EntityKind, text: &str) -> Option<Uuid> {
        Uuid::parse_str(text).ok().filter(|id| self.0.has(kind, *id))
    }

    fn names(&self, _: EntityKind) -> Vec<&str> {
        Vec::new()
    }

    fn place(&self, (kind, id): Named) -> Option<u128> {
        self.0.has(kind, id).then_some(id.as_u128())
    }

    fn row(&self, kind: EntityKind, place: u128) -> Option<Row<'_>> {
        let id = Uuid::from_u128(place);
        Some(row(kind, id, &self.0.value_of(kind, id)?))
    }
}

/// The problems with the numbers of entities in their lists in place of their ids: `routes[7].paths[0]`.
fn numbered(mut problems: Vec<Problem>, config: &Config) -> Problems {
    let mut lists = HashMap::<EntityKind, Vec<Uuid>>::new();
    let mut number = |path: &mut Path| {
        let [Step::Field(collection), Step::Field(id), ..] = path.steps() else { return };
        let (Some(kind), Ok(id)) = (EntityKind::named(collection), Uuid::parse_str(id)) else { return };
        let list = lists.entry(kind).or_insert_with(|| config.ids_of(kind));
        if let Ok(index) = list.binary_search(&id) {
            path.replace(1, Step::Index(index));
        }
    };
    for problem in &mut problems {
        number(&mut problem.path);
        if let Some(other) = &mut problem.other {
            number(&mut other.path);
        }
        if let Some(subject) = &mut problem.subject {
            number(&mut Arc::make_mut(subject).path);
        }
    }
    Problems::new(problems)
}
