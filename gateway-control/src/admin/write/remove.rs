//! What becomes of those that refer to an entity that goes (compat A23).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{entity, lookup, refused};
use crate::{
    admin::{
        kind::{Kind, id_of},
        reply::Failure,
    },
    control::Draft,
    rows::Rows,
    times,
};

/// What becomes of an entity when one that it refers to goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes, too.
    Goes,
    /// It stays, without the one that goes.
    Forgets,
    /// Nothing goes as long as it is there.
    Forbids,
}

const fn fate(collection: &str) -> Fate {
    match collection.as_bytes() {
        b"routes" | b"services" | b"upstreams" => Fate::Forbids,
        b"consumer_groups" => Fate::Forgets,
        // Plugins, targets, credentials, names of servers, keys of a set.
        _ => Fate::Goes,
    }
}

/// Takes an entity out, and what cannot be without it.
pub(super) fn remove(draft: &mut Draft<'_>, kind: &Kind, id: Uuid) -> Result<(), Failure> {
    let users: Vec<_> = draft.checked().users_of(kind.collection, id).collect();
    if let Some((by, user)) = users.iter().find(|(by, _)| fate(by) == Fate::Forbids) {
        return Err(match kind.collection {
            "ca_certificates" => refused::trusted(id, by, *user),
            collection => refused::referenced(collection, by),
        });
    }
    let mut rows = Rows::default();
    for (by, user) in users {
        match fate(by) {
            Fate::Forgets => {
                let group = Kind::of(by).and_then(|kind| lookup::row(draft, kind, user));
                if let Some(group) = group {
                    rows.put(by, user, without(group, id));
                }
            }
            _ => rows.take(by, user),
        }
    }
    rows.take(kind.collection, id);
    entity::apply(draft, rows)
}

/// A group without this member.
pub(super) fn without(mut group: Map<String, Value>, consumer: Uuid) -> Map<String, Value> {
    let consumer = consumer.to_string();
    if let Some(Value::Array(members)) = group.get_mut("consumers") {
        members.retain(|member| id_of(member) != Some(consumer.as_str()));
    }
    group.insert("updated_at".to_owned(), times::of("consumer_groups", times::now()));
    group
}
