//! The gateway's own functions, as far as a test can do without the gateway; and those that a test scripts.

use std::time::Duration;

use plugin_contract::{
    Call, Id, LATER, NOW,
    consumer::{Admit, Authenticate, Current, Field, Find, Groups, Identity},
    counter, decode, encode, jwt, kv,
    ratelimit::{Algorithm, Check, Key, Limiter, Store},
    request, response,
    time::Sleep,
    var,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    clock::What,
    consumers::{self, Consumer, Credential},
    exchange::{Exchange, Reply, Who},
    fields::Fields,
    limiter,
    native::REQUEST_ID,
    world::{World, number},
};
use crate::host::{Level, Status};

/// Bytes in, bytes out.
type Answering = Box<dyn FnMut(&[u8]) -> Result>;

/// A function that a test scripts.
pub(super) struct Scripted {
    /// How long its answers take; none: they are there at once.
    pub(super) delay: Option<Duration>,
    pub(super) answer: Answering,
}

impl Scripted {
    pub(super) fn new<C, F>(delay: Option<Duration>, mut answer: F) -> Self
    where
        C: Call + Deserialize<'static>,
        F: FnMut(C) -> C::Answer<'static> + 'static,
    {
        let answer = move |arguments: &[u8]| {
            // What the arguments point to lives as long as the test: so a closure can take them.
            let arguments = decode(arguments.to_vec().leak()).ok_or(Status::BAD_ARGUMENT)?;
            encoded(&answer(arguments))
        };
        Self { delay, answer: Box::new(answer) }
    }
}

/// An answer's bytes.
type Result = std::result::Result<Vec<u8>, Status>;

/// Something is not there, and this is not what is wrong with the call.
const FAILED: Status = Status(10);

/// Calls a function for the effective context.
pub(super) fn call(world: &World, name: &str, arguments: &[u8]) -> Result {
    let scripted = world.functions.borrow_mut().remove_entry(name);
    let Some((name, mut scripted)) = scripted else { return own(world, name, arguments) };
    let answer = (scripted.answer)(arguments);
    let delay = scripted.delay;
    world.functions.borrow_mut().entry(name).or_insert(scripted);
    match delay {
        None => Ok([vec![NOW], answer?].concat()),
        Some(delay) => Ok(later(world, delay, answer?)),
    }
}

fn own(world: &World, name: &str, arguments: &[u8]) -> Result {
    let time = world.clock.now();
    match name {
        Authenticate::NAME => {
            read(arguments, |call: Authenticate<'_>| identity(world, authenticate(world, call.who)?))
        }
        Admit::NAME => read(arguments, |call: Admit<'_>| now(&authenticate(world, call.who)?.is_some())),
        Find::NAME => read(arguments, |call: Find<'_>| find(world, &call)),
        Current::NAME => identity(world, world.with(|exchange| exchange.consumer).flatten()),
        Groups::NAME => groups(world),
        Field::NAME => read(arguments, |call: Field<'_>| field(world, call)),
        Limiter::NAME => read(arguments, |call: Limiter<'_>| limiter(world, &call)),
        Check::NAME => read(arguments, |call: Check<'_>| check(world, call)),
        // Nothing in a test is sent in another form than the canonical one, or routed.
        request::Target::NAME | request::Received::NAME => {
            now(&world.with(|exchange| exchange.target.clone()).ok_or(FAILED)?)
        }
        // What comes of tokens is scripted; what judges them is made before a test can script anything.
        jwt::Verifier::NAME => read(arguments, |_: jwt::Verifier<'_>| now(&1_u32)),
        response::Headers::NAME => read(arguments, |call: response::Headers<'_>| headers(world, call.set)),
        response::List::NAME => read(arguments, |call: response::List<'_>| list(world, &call)),
        response::Fill::NAME => read(arguments, |call: response::Fill<'_>| fill(world, &call)),
        response::Refuse::NAME => read(arguments, |call: response::Refuse<'_>| refuse(world, &call)),
        Sleep::NAME => read(arguments, |call: Sleep| {
            let delay = Duration::from_millis(call.milliseconds.min(60_000).into());
            Ok(later(world, delay, Vec::new()))
        }),
        kv::Get::NAME => read(arguments, |call: kv::Get<'_>| now(&world.store.borrow_mut().get(&call, time))),
        kv::Set::NAME => read(arguments, |call: kv::Set<'_>| now(&world.store.borrow_mut().set(&call, time))),
        kv::Delete::NAME => {
            read(arguments, |call: kv::Delete<'_>| now(&world.store.borrow_mut().delete(&call, time)))
        }
        kv::Open::NAME => read(arguments, |call: kv::Open<'_>| open(world, &call)),
        kv::Fetch::NAME => read(arguments, |call: kv::Fetch<'_>| {
            let answer =
                world.server.borrow().get(&prefix(world, call.store)?, &call.get, time, |it| encoded(&it));
            Ok(later(world, Duration::ZERO, answer?))
        }),
        kv::Store::NAME => read(arguments, |call: kv::Store<'_>| {
            let outcome = world.server.borrow().set(&prefix(world, call.store)?, &call.set, time);
            Ok(later(world, Duration::ZERO, encoded(&outcome)?))
        }),
        kv::Remove::NAME => read(arguments, |call: kv::Remove<'_>| {
            let removed = world.server.borrow().delete(&prefix(world, call.store)?, &call.delete, time);
            Ok(later(world, Duration::ZERO, encoded(&removed)?))
        }),
        counter::Add::NAME => read(arguments, |call: counter::Add<'_>| {
            let count = Some(world.store.borrow_mut().add(&call, time));
            answered(world, &call.store, &count)
        }),
        var::Get::NAME => read(arguments, |call: var::Get<'_>| {
            let value = world.with(|exchange| exchange.vars.get(call.name).cloned()).ok_or(FAILED)?;
            now(&value.as_deref())
        }),
        var::Set::NAME => read(arguments, |call: var::Set<'_>| set(world, call)),
        _ => Err(Status::NOT_FOUND),
    }
}

fn read<'a, C: Deserialize<'a>>(arguments: &'a [u8], run: impl FnOnce(C) -> Result) -> Result {
    run(decode(arguments).ok_or(Status::BAD_ARGUMENT)?)
}

fn encoded(answer: &impl Serialize) -> Result {
    encode(answer, Vec::new()).map_err(|_| FAILED)
}

fn now(answer: &impl Serialize) -> Result {
    encode(answer, vec![NOW]).map_err(|_| FAILED)
}

fn later(world: &World, delay: Duration, answer: Vec<u8>) -> Vec<u8> {
    let token = number();
    world.clock.later(delay, token, What::Foreign(answer));
    [&[LATER][..], &token.to_le_bytes()].concat()
}

/// An answer now where it is found here, and a little later where another server is asked.
fn answered(world: &World, store: &Store<'_>, answer: &impl Serialize) -> Result {
    match store {
        Store::Local => now(answer),
        Store::Redis(redis) if redis.sync.is_some() => now(answer),
        Store::Redis(_) => Ok(later(world, Duration::ZERO, encoded(answer)?)),
    }
}

fn authenticate(
    world: &World,
    by: plugin_contract::consumer::Who<'_>,
) -> std::result::Result<Option<Who>, Status> {
    let consumers = world.consumers.borrow();
    let Some(who) = who(&consumers, by) else { return Ok(None) };
    let anonymous = matches!(by, plugin_contract::consumer::Who::Anonymous(_));
    let known = consumers.iter().find(|consumer| consumer.id == who.consumer).ok_or(FAILED)?;
    world.with(|exchange| introduce(exchange, known, who, anonymous)).ok_or(FAILED)?;
    Ok(Some(who))
}

fn who(consumers: &[Consumer], who: plugin_contract::consumer::Who<'_>) -> Option<Who> {
    use plugin_contract::consumer::Who as By;
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

fn find(world: &World, call: &Find<'_>) -> Result {
    let by = plugin_contract::consumer::Who::Key { kind: call.kind, key: call.key };
    let who = who(&world.consumers.borrow(), by);
    identity(world, who)
}

fn identity(world: &World, who: Option<Who>) -> Result {
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

fn groups(world: &World) -> Result {
    let who = world.with(|exchange| exchange.consumer).flatten();
    let consumers = world.consumers.borrow();
    let consumer = who.and_then(|who| consumers.iter().find(|consumer| consumer.id == who.consumer));
    now(&consumer
        .map(|consumer| consumer.groups.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap_or_default())
}

fn field(world: &World, call: Field<'_>) -> Result {
    let consumers = world.consumers.borrow();
    let credentials = consumers.iter().flat_map(|consumer| &consumer.credentials);
    let Some(credential) = credentials.into_iter().find(|known| known.id == call.credential) else {
        return now(&None::<&str>);
    };
    now(&credential.open(call.name))
}

/// A store on the server that nodes share.
fn open(world: &World, call: &kv::Open<'_>) -> Result {
    let mut prefixes = world.prefixes.borrow_mut();
    let known = prefixes.iter().position(|prefix| prefix == call.prefix).unwrap_or_else(|| {
        prefixes.push(call.prefix.to_owned());
        prefixes.len() - 1
    });
    now(&u32::try_from(known).unwrap_or(u32::MAX))
}

fn prefix(world: &World, store: u32) -> std::result::Result<String, Status> {
    let at = usize::try_from(store).map_err(|_| Status::BAD_ARGUMENT)?;
    world.prefixes.borrow().get(at).cloned().ok_or(Status::BAD_ARGUMENT)
}

fn limiter(world: &World, call: &Limiter<'_>) -> Result {
    if call.algorithm != Algorithm::Fixed {
        let line = "the testing kit counts in fixed windows only: script Limiter and Check for others";
        world.lines.borrow_mut().push((Level::Error, line.to_owned()));
        return Err(FAILED);
    }
    let sound = |window: &plugin_contract::ratelimit::Window| window.limit > 0;
    if !(1..=8).contains(&call.windows.len()) || !call.windows.iter().all(sound) {
        return Err(Status::BAD_ARGUMENT);
    }
    let late = matches!(&call.store, Store::Redis(redis) if redis.sync.is_none());
    let limiter = limiter::Limiter { name: call.name.to_owned(), windows: call.windows.clone(), late };
    now(&world.limiters.borrow_mut().number(limiter))
}

fn check(world: &World, call: Check<'_>) -> Result {
    let key = limited(world, call.key)?;
    let mut limiters = world.limiters.borrow_mut();
    let late = limiters.limiter(call.limiter).ok_or(Status::BAD_ARGUMENT)?.late;
    let decision = limiters.check(call.limiter, &key, call.cost, world.clock.now());
    if late { Ok(later(world, Duration::ZERO, encoded(&decision)?)) } else { now(&decision) }
}

/// Whom a limiter limits: a test may script who calls.
fn limited(world: &World, key: Key<'_>) -> std::result::Result<String, Status> {
    let current = || -> std::result::Result<Option<(Id, Option<Id>)>, Status> {
        let answer = call(world, Current::NAME, &[])?;
        let (_, identity) = answer.split_first().ok_or(FAILED)?;
        let identity = decode::<Option<Identity<'_>>>(identity).ok_or(FAILED)?;
        Ok(identity.map(|identity| (identity.consumer, identity.credential)))
    };
    let id = match key {
        Key::Text(text) => return Ok(text.to_owned()),
        Key::Consumer => current()?.map(|(consumer, _)| consumer),
        Key::Credential => current()?.and_then(|(_, credential)| credential),
        Key::Address => None,
    };
    // A testbed has the exchange, and the test the client.
    let own = || world.with(|exchange| exchange.client_ip.clone());
    let address = || own().or_else(|| world.client.borrow().clone()).ok_or(FAILED);
    id.map_or_else(address, |id| Ok(consumers::text(id)))
}

fn headers<'a>(world: &World, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result {
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

fn list(world: &World, call: &response::List<'_>) -> Result {
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

fn fill(world: &World, call: &response::Fill<'_>) -> Result {
    let lists = world.lists.borrow();
    let list = usize::try_from(call.list).ok().and_then(|at| lists.get(at)).ok_or(Status::BAD_ARGUMENT)?;
    let mut values = call.values.iter().map(|value| match value {
        response::Value::Number(number) => number.to_string(),
        response::Value::Text(text) => (*text).to_owned(),
    });
    let field = |(name, known): &(String, Option<String>)| {
        Some((name.clone(), known.clone().or_else(|| values.next())?))
    };
    let fields = list.iter().map(field).collect::<Option<Vec<_>>>().ok_or(Status::BAD_ARGUMENT)?;
    headers(world, fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// In the gateway's own form for whoever takes JSON.
fn refuse(world: &World, call: &response::Refuse<'_>) -> Result {
    let mut fields = Fields::default();
    fields.add("content-type", "application/json; charset=utf-8");
    call.headers.iter().for_each(|(name, value)| fields.add(name, value));
    let body = json!({ "message": call.message, "request_id": REQUEST_ID }).to_string().into_bytes();
    let reply = Reply { status: call.status, fields, body };
    world.with(|exchange| exchange.reply = Some(reply)).ok_or(FAILED)?;
    now(&())
}

fn set(world: &World, call: var::Set<'_>) -> Result {
    let room = |exchange: &mut Exchange| {
        let vars = &mut exchange.vars;
        let room = call.value.len() <= 16 * 1024 && (vars.len() < 64 || vars.contains_key(call.name));
        if room {
            vars.insert(call.name.to_owned(), call.value.to_vec());
        }
        room
    };
    now(&world.with(room).ok_or(FAILED)?)
}
