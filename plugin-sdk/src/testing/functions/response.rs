//! Fields of answers, and answers in place of the upstream's.

use plugin_contract::response::Refuse;
use serde_json::json;

use super::answers::now;
use crate::testing::{
    exchange::{Exchange, REQUEST_ID, Reply},
    fields::Fields,
    scripted::{FAILED, Result},
    world::World,
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
