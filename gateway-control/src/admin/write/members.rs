//! Who is in which group: `/consumer_groups/{group}/consumers`, `/consumers/{consumer}/consumer_groups`.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{answer::Answer, conditions::Standing, entity, fields::Fields, lookup, place::Side, remove};
use crate::{
    admin::{
        kind::{Kind, id_of},
        reply::Failure,
    },
    control::Draft,
    rows::Rows,
    times,
};

/// Adds a member, or takes one or all out.
pub(super) fn write(
    draft: &mut Draft<'_>,
    method: &Method,
    from: Side,
    (group, consumer): (Option<&str>, Option<&str>),
    fields: &Fields,
) -> Result<Answer, Failure> {
    let group = group.map(|group| id("consumer_groups", draft, group)).transpose()?;
    let consumer = consumer.map(|consumer| id("consumers", draft, consumer)).transpose()?;
    match (method, group, consumer) {
        (&Method::POST, Some(group), None) if from == Side::Group => {
            let consumer = id("consumers", draft, &named(fields, "consumer")?)?;
            add(draft, group, consumer)?;
            Ok(Answer::new(StatusCode::CREATED, both(draft, group, consumer, from)))
        }
        (&Method::POST, None, Some(consumer)) if from == Side::Consumer => {
            let group = id("consumer_groups", draft, &named(fields, "group")?)?;
            add(draft, group, consumer)?;
            Ok(Answer::new(StatusCode::CREATED, both(draft, group, consumer, from)))
        }
        (&Method::DELETE, group, consumer) => {
            leave(draft, group, consumer)?;
            Ok(Answer::gone())
        }
        _ => Err(Failure::MethodNotAllowed),
    }
}

/// What stands there before: a list, or a member.
pub(super) fn standing(
    draft: &Draft<'_>,
    from: Side,
    (group, consumer): (Option<&str>, Option<&str>),
) -> Standing {
    let group = group.map(|group| id("consumer_groups", draft, group));
    let consumer = consumer.map(|consumer| id("consumers", draft, consumer));
    let is_there = match (group, consumer, from) {
        (Some(Ok(group)), Some(Ok(consumer)), _) => {
            let group = draft.config().consumer_groups.get(&group);
            group.is_some_and(|group| group.consumers.iter().any(|member| member.id == consumer))
        }
        (Some(Ok(_)), None, Side::Group) | (None, Some(Ok(_)), Side::Consumer) => true,
        _ => false,
    };
    if is_there { Standing::Whole } else { Standing::Nothing }
}

fn id(collection: &str, draft: &Draft<'_>, key: &str) -> Result<Uuid, Failure> {
    let kind = Kind::of(collection).ok_or(Failure::NotFound)?;
    lookup::find(draft, kind, key, None).ok_or(Failure::NotFound)
}

/// A text, or `{"id": ..}`, `{"username": ..}`, `{"name": ..}`.
fn named(fields: &Fields, field: &str) -> Result<String, Failure> {
    let value = fields.get(field);
    let inner = value.and_then(Value::as_object).and_then(|value| value.values().next());
    let name = value.and_then(Value::as_str).or_else(|| inner.and_then(Value::as_str));
    name.map(str::to_owned).ok_or_else(|| super::refused::field(field, "required field missing"))
}

fn group_row(draft: &Draft<'_>, group: Uuid) -> Option<Map<String, Value>> {
    lookup::row(draft, Kind::of("consumer_groups")?, group)
}

fn add(draft: &mut Draft<'_>, group: Uuid, consumer: Uuid) -> Result<(), Failure> {
    let mut row = group_row(draft, group).ok_or(Failure::NotFound)?;
    if let Some(Value::Array(members)) = row.get_mut("consumers") {
        let id = consumer.to_string();
        if members.iter().any(|member| id_of(member) == Some(id.as_str())) {
            return Ok(());
        }
        members.push(json!({ "id": consumer }));
    }
    row.insert("updated_at".to_owned(), times::of("consumer_groups", times::now()));
    let mut rows = Rows::default();
    rows.put("consumer_groups", group, row);
    entity::apply(draft, rows)
}

/// One consumer leaves one group, or all that are meant.
fn leave(draft: &mut Draft<'_>, group: Option<Uuid>, consumer: Option<Uuid>) -> Result<(), Failure> {
    let mut rows = Rows::default();
    let is_meant = |id: &Uuid| group.is_none_or(|group| group == *id);
    for (id, entity) in draft.config().consumer_groups.iter().filter(|(id, _)| is_meant(id)) {
        let members = entity.consumers.iter().map(|member| member.id);
        let leaving: Vec<_> = members.filter(|member| consumer.is_none_or(|one| one == *member)).collect();
        let Some(mut row) = group_row(draft, *id).filter(|_| !leaving.is_empty()) else { continue };
        for member in leaving {
            row = remove::without(row, member);
        }
        rows.put("consumer_groups", *id, row);
    }
    entity::apply(draft, rows)
}

fn both(draft: &Draft<'_>, group: Uuid, consumer: Uuid, from: Side) -> Value {
    let shown = |collection: &str, id: Uuid| {
        Kind::of(collection).and_then(|kind| kind.by_id(draft.config(), id)).unwrap_or_default()
    };
    let (group, consumer) = (shown("consumer_groups", group), shown("consumers", consumer));
    match from {
        Side::Group => json!({ "consumer_group": group, "consumers": [consumer] }),
        Side::Consumer => json!({ "consumer": consumer, "consumer_groups": [group] }),
    }
}
