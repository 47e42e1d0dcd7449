//! Consumers, and who calls.

use plugin_contract::{
    consumer::{Field, Find, Identity, Kind, Who as By},
    crypto::{Password, VerifyPassword},
};

use super::answers::now;
use crate::{
    host::Status,
    testing::{
        consumers::{self, Consumer, Credential},
        exchange::{Exchange, Who},
        scripted::{FAILED, Result},
        world::World,
    },
};

pub(super) fn authenticate(world: &World, by: By<'_>) -> std::result::Result<Option<Who>, Status> {
    let consumers = world.consumers.borrow();
    let Some(who) = who(&consumers, by) else { return Ok(None) };
    let anonymous = matches!(by, By::Anonymous(_));
    let known = consumers.iter().find(|consumer| consumer.id == who.consumer).ok_or(FAILED)?;
    world.with(|exchange| introduce(exchange, known, who, anonymous)).ok_or(FAILED)?;
    Ok(Some(who))
}

fn who(consumers: &[Consumer], who: By<'_>) -> Option<Who> {
    let credential = |fits: &dyn Fn(&Credential) -> bool| {
        consumers.iter().find_map(|consumer| {
            let found = consumer.credentials.iter().find(|credential| fits(credential))?;
            Some(Who { consumer: consumer.id, credential: Some(found.id) })
        })
    };
    match who {
        By::Key { kind, key } => credential(&|known| known.kind == kind && known.key() == key),
        By::Credential(id) => credential(&|known| known.id == id),
        By::Anonymous(name) | By::Consumer(name) => {
            let is = |consumer: &&Consumer| consumer.username == name || consumers::text(consumer.id) == name;
            Some(Who { consumer: consumers.iter().find(is)?.id, credential: None })
        }
        By::CustomId(id) => {
            let is = |consumer: &&Consumer| consumer.custom_id.as_deref() == Some(id);
            Some(Who { consumer: consumers.iter().find(is)?.id, credential: None })
        }
    }
}

/// What is forwarded says who it is, in place of what the client sent under these names (compat P17).
fn introduce(exchange: &mut Exchange, consumer: &Consumer, who: Who, anonymous: bool) {
    exchange.consumer = Some(who);
    let credential = consumer.credentials.iter().find(|known| Some(known.id) == who.credential);
    let fields = [
        ("x-consumer-id", Some(consumers::text(consumer.id))),
        ("x-consumer-custom-id", consumer.custom_id.clone()),
        ("x-consumer-username", Some(consumer.username.clone())),
        ("x-credential-identifier", credential.map(Credential::identifier)),
        ("x-anonymous-consumer", anonymous.then(|| "true".to_owned())),
    ];
    for (name, value) in fields {
        match value {
            Some(value) => exchange.request.set(name, &value),
            None => exchange.request.remove(name),
        }
    }
}

pub(super) fn find(world: &World, call: &Find<'_>) -> Result {
    let by = By::Key { kind: call.kind, key: call.key };
    let who = who(&world.consumers.borrow(), by);
    identity(world, who)
}

pub(super) fn identity(world: &World, who: Option<Who>) -> Result {
    let consumers = world.consumers.borrow();
    let identity = who.and_then(|who| {
        let consumer = consumers.iter().find(|consumer| consumer.id == who.consumer)?;
        Some(Identity {
            consumer: consumer.id,
            username: Some(&consumer.username),
            custom_id: consumer.custom_id.as_deref(),
            credential: who.credential,
        })
    });
    now(&identity)
}

pub(super) fn groups(world: &World) -> Result {
    let who = world.with(|exchange| exchange.consumer).flatten();
    let consumers = world.consumers.borrow();
    let consumer = who.and_then(|who| consumers.iter().find(|consumer| consumer.id == who.consumer));
    now(&consumer
        .map(|consumer| consumer.groups.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap_or_default())
}

/// Passwords are kept as they are, so no answer comes later.
pub(super) fn verify_password(world: &World, call: VerifyPassword<'_>) -> Result {
    let consumers = world.consumers.borrow();
    let mut credentials = consumers.iter().flat_map(|consumer| &consumer.credentials);
    let known = credentials.find(|known| known.kind == Kind::Basic && known.key() == call.username);
    now(&known.map_or_else(Password::default, |known| Password {
        credential: known.id,
        known: true,
        good: !call.password.is_empty() && known.text("password") == Some(call.password),
    }))
}

pub(super) fn field(world: &World, call: Field<'_>) -> Result {
    let consumers = world.consumers.borrow();
    let credentials = consumers.iter().flat_map(|consumer| &consumer.credentials);
    let Some(credential) = credentials.into_iter().find(|known| known.id == call.credential) else {
        return now(&None::<&str>);
    };
    now(&credential.open(call.name))
}
