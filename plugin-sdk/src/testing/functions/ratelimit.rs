//! Limiters, in fixed windows.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use plugin_contract::{
    Id,
    consumer::Identity,
    decode,
    ratelimit::{Algorithm, Check, Key, Limiter, Store, Window},
};

use super::answers::{later, now};
use crate::{
    host::{Level, Status},
    testing::{
        consumers, limiter,
        scripted::{FAILED, Result, encoded},
        world::World,
    },
};

pub(super) fn limiter(world: &World, call: &Limiter<'_>) -> Result {
    if call.algorithm != Algorithm::Fixed {
        let line = "the testing kit counts in fixed windows only: script Limiter and Check for others";
        world.lines.borrow_mut().push((Level::Error, line.to_owned()));
        return Err(FAILED);
    }
    let sound = |window: &Window| window.limit > 0;
    if !(1..=8).contains(&call.windows.len()) || !call.windows.iter().all(sound) {
        return Err(Status::BAD_ARGUMENT);
    }
    let late = matches!(&call.store, Store::Redis(redis) if redis.sync.is_none());
    let limiter = limiter::Limiter { name: call.name.to_owned(), windows: call.windows.clone(), late };
    now(&world.limiters.borrow_mut().number(limiter))
}

/// `current` says who calls.
pub(super) fn check(world: &World, call: Check<'_>, current: impl FnOnce() -> Result) -> Result {
    let key = limited(world, call.key, current)?;
    let mut limiters = world.limiters.borrow_mut();
    let late = limiters.limiter(call.limiter).ok_or(Status::BAD_ARGUMENT)?.late;
    let decision = limiters.check(call.limiter, &key, call.cost, world.clock.now());
    if late { Ok(later(world, Duration::ZERO, encoded(&decision)?)) } else { now(&decision) }
}

/// Whom a limiter limits: a test may script who calls.
fn limited(
    world: &World,
    key: Key<'_>,
    current: impl FnOnce() -> Result,
) -> std::result::Result<String, Status> {
    let who = || -> std::result::Result<Option<(Id, Option<Id>)>, Status> {
        let answer = current()?;
        let (_, identity) = answer.split_first().ok_or(FAILED)?;
        let identity = decode::<Option<Identity<'_>>>(identity).ok_or(FAILED)?;
        Ok(identity.map(|identity| (identity.consumer, identity.credential)))
    };
    let id = match key {
        Key::Text(text) => return Ok(text.to_owned()),
        Key::Consumer => who()?.map(|(consumer, _)| consumer),
        Key::Credential => who()?.and_then(|(_, credential)| credential),
        Key::Address => None,
    };
    // A testbed has the exchange, and the test the client.
    let own = || world.with(|exchange| exchange.client_ip.clone());
    let address = || own().or_else(|| world.client.borrow().clone()).ok_or(FAILED);
    id.map_or_else(|| address().map(|address| client(&address)), |id| Ok(consumers::text(id)))
}

/// A client by its address, by its network of 64 bits in IPv6, as in the gateway.
fn client(address: &str) -> String {
    match address.parse().map(|address: IpAddr| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        Ok(address) => address.to_string(),
        Err(_) => address.to_owned(),
    }
}
