//! Fields of answers, and answers in place of the upstream's.

use plugin_contract::response::{Fill, List, Refuse, Value};
use serde_json::json;

use super::answers::now;
use crate::{
    host::Status,
    testing::{
        exchange::{Exchange, REQUEST_ID, Reply},
        fields::Fields,
        scripted::{FAILED, Result},
        world::World,
    },
};

pub(super) fn headers<'a>(world: &World, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result {
    let set = |exchange: &mut Exchange| {
        for (name, value) in fields {
            match &mut exchange.response {
                Some((_, fields)) => fields.write(name, value),
                None => exchange.deferred.push((name.to_owned(), value.to_owned())),
            }
        }
    };
    world.with(set).ok_or(FAILED)?;
    now(&())
}

pub(super) fn list(world: &World, call: &List<'_>) -> Result {
    if !(1..=64).contains(&call.fields.len()) {
        return Err(Status::BAD_ARGUMENT);
    }
    let owned = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
    let list: Vec<_> = call.fields.iter().map(owned).collect();
    let mut lists = world.lists.borrow_mut();
    let known = lists.iter().position(|known| *known == list).unwrap_or_else(|| {
        lists.push(list);
        lists.len() - 1
    });
    now(&u32::try_from(known).unwrap_or(u32::MAX))
}

pub(super) fn fill(world: &World, call: &Fill<'_>) -> Result {
    let lists = world.lists.borrow();
    let list = usize::try_from(call.list).ok().and_then(|at| lists.get(at)).ok_or(Status::BAD_ARGUMENT)?;
    let mut values = call.values.iter().map(|value| match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => (*text).to_owned(),
    });
    let field = |(name, known): &(String, Option<String>)| {
        Some((name.clone(), known.clone().or_else(|| values.next())?))
    };
    let fields = list.iter().map(field).collect::<Option<Vec<_>>>().ok_or(Status::BAD_ARGUMENT)?;
    headers(world, fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// In the gateway's own form for whoever takes JSON.
pub(super) fn refuse(world: &World, call: &Refuse<'_>) -> Result {
    let mut fields = Fields::default();
    fields.add("content-type", "application/json; charset=utf-8");
    call.headers.iter().for_each(|(name, value)| fields.add(name, value));
    let body = json!({ "message": call.message, "request_id": REQUEST_ID }).to_string().into_bytes();
    let reply = Reply { status: call.status, fields, body };
    world.with(|exchange| exchange.reply = Some(reply)).ok_or(FAILED)?;
    now(&())
}
