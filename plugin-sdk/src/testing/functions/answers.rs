//! How functions answer.

use std::time::Duration;

use plugin_contract::{LATER, NOW, decode, encode, ratelimit::Store};
use serde::{Deserialize, Serialize};

use crate::{
    host::Status,
    testing::{
        clock::What,
        scripted::{FAILED, Result, encoded},
        world::{World, number},
    },
};

/// Runs a function with its arguments.
pub(super) fn read<'a, C: Deserialize<'a>>(arguments: &'a [u8], run: impl FnOnce(C) -> Result) -> Result {
    run(decode(arguments).ok_or(Status::BAD_ARGUMENT)?)
}

/// An answer at once.
pub(super) fn now(answer: &impl Serialize) -> Result {
    encode(answer, vec![NOW]).map_err(|_| FAILED)
}

/// An answer after a while: its token.
pub(super) fn later(world: &World, delay: Duration, answer: Vec<u8>) -> Vec<u8> {
    let token = number();
    world.clock.later(delay, token, What::Foreign(answer));
    [&[LATER][..], &token.to_le_bytes()].concat()
}

/// An answer now where it is found here, and a little later where another server is asked.
pub(super) fn answered(world: &World, store: &Store<'_>, answer: &impl Serialize) -> Result {
    match store {
        Store::Local => now(answer),
        Store::Redis(redis) if redis.sync.is_some() => now(answer),
        Store::Redis(_) => Ok(later(world, Duration::ZERO, encoded(answer)?)),
    }
}
