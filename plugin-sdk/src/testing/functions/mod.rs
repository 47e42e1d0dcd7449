//! The gateway's own functions, as far as a test can do without the gateway; and those that a test scripts.

mod answers;
mod consumer;
mod ratelimit;
mod report;
mod response;

use std::time::Duration;

use plugin_contract::{
    Call, NOW,
    consumer::{Admit, Authenticate, Current, Field, Find, Groups},
    counter,
    crypto::VerifyPassword,
    jwt, kv,
    ratelimit::{Allow, Check, Limiter, Report, Tell},
    request,
    response::{Headers, Refuse},
    time::Sleep,
    var,
};

use self::{
    answers::{answered, later, now, read},
    consumer::{authenticate, field, find, groups, identity, verify_password},
    ratelimit::{check, limiter},
    report::{allow, report, tell},
    response::{headers, refuse},
};
use super::{
    exchange::Exchange,
    scripted::{FAILED, Result, encoded},
    world::World,
};
use crate::host::Status;

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
        VerifyPassword::NAME => read(arguments, |call: VerifyPassword<'_>| verify_password(world, call)),
        Limiter::NAME => read(arguments, |call: Limiter<'_>| limiter(world, &call)),
        Check::NAME => read(arguments, |call: Check<'_>| {
            // A test may script who calls.
            check(world, call, || self::call(world, Current::NAME, &[]))
        }),
        Report::NAME => read(arguments, |call: Report<'_>| report(world, &call)),
        Allow::NAME => read(arguments, |call: Allow<'_>| {
            // And what a limiter says.
            let check = |arguments: &[u8]| self::call(world, Check::NAME, arguments);
            allow(world, call, check)
        }),
        Tell::NAME => read(arguments, |call: Tell| tell(world, call.report, &call.decision)),
        // Nothing in a test is sent in another form than the canonical one, or routed.
        request::Target::NAME | request::Received::NAME => {
            now(&world.with(|exchange| exchange.target.clone()).ok_or(FAILED)?)
        }
        // What comes of tokens is scripted; what judges them is made before a test can script anything.
        jwt::Verifier::NAME => read(arguments, |_: jwt::Verifier<'_>| now(&1_u32)),
        Headers::NAME => read(arguments, |call: Headers<'_>| headers(world, call.set)),
        Refuse::NAME => read(arguments, |call: Refuse<'_>| refuse(world, &call)),
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
