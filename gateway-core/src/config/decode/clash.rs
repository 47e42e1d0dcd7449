//! What no two entities may have in common.

use uuid::Uuid;

use super::{record::Decoder, row::Row, world::World};
use crate::config::{
    index::{Index, Key, PART},
    problem::{MOST_PROBLEMS, Matter, Other},
};

/// A key that an entity has, with the entity's place among all of its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    pub(super) key: Key,
    pub(super) place: u128,
    pub(super) id: Uuid,
}

/// Tells of every key that several entities have: all but the first of them are wrong. `known` are the keys of
/// entities that are not looked at.
pub(super) fn report(held: &mut Vec<Held>, known: &Index, world: &impl World, decoder: &mut Decoder<'_>) {
    let others = held.iter().filter_map(|Held { key, .. }| {
        let id = known.holder(key)?;
        Some(Held { key: key.clone(), place: id.as_u128(), id })
    });
    held.extend(others.collect::<Vec<_>>());
    held.sort_unstable();
    held.dedup();
    let groups = held.chunk_by(|a, b| a.key == b.key);
    let mut clashes: Vec<_> =
        groups.flat_map(|group| group.iter().skip(1).zip(group.first().into_iter().cycle())).collect();
    // Keys of several fields first, then those of single ones, each in the order of the entities.
    clashes.sort_by_key(|(held, _)| (!held.key.field.is_empty(), held.key.kind, held.place));
    for (held, before) in clashes {
        if decoder.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let kind = held.key.kind;
        if let (Some(row), Some(before)) = (world.row(kind, held.place), world.row(kind, before.place)) {
            twice(decoder, &row, &before, &held.key);
        }
    }
}

/// Two entities of a file have the same id.
pub(super) fn same_id(decoder: &mut Decoder<'_>, row: &Row<'_>, before: &Row<'_>, id: Uuid) {
    tell(decoder, row, before, "id", "primary key", &id.to_string());
}

fn twice(decoder: &mut Decoder<'_>, row: &Row<'_>, before: &Row<'_>, key: &Key) {
    if !key.field.is_empty() {
        return tell(decoder, row, before, key.field, key.field, &key.value);
    }
    let natural = row.kind.natural();
    let set = natural.iter().copied().zip(key.value.split(PART)).filter(|(_, value)| !value.is_empty());
    let (names, values): (Vec<_>, Vec<_>) = set.unzip();
    let own = natural.iter().find(|name| row.node.get(name).is_some_and(|node| node.as_str().is_some()));
    tell(decoder, row, before, own.copied().unwrap_or_default(), &names.join(", "), &values.join(", "));
}

/// Two entities clash; the one that was there first is named.
fn tell(decoder: &mut Decoder<'_>, row: &Row<'_>, before: &Row<'_>, field: &str, called: &str, value: &str) {
    let collection = row.kind.collection();
    let message = format!(
        "uniqueness violation: '{collection}' entity with {called} set to '{value}' already declared"
    );
    let mut problem = row.problem(row.path.clone(), row.span_of(field), message, Matter::Unique);
    problem.other = Some(Other { path: before.path.clone(), span: before.span_of(field) });
    decoder.report(problem);
}
