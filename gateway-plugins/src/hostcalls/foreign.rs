//! Functions beyond the ABI, by name.

use wasmtime::Linker;

use super::copied;
use crate::{
    host::{ABSENT, Event, Host, with_exchange},
    memory::{Called, Caller, bytes, give, view},
    services::Returned,
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_call_foreign_function" => call, (
            name: u32, name_size: u32, arguments: u32, size: u32, results_at: u32, results_size_at: u32
        );
    });
    Ok(())
}

/// A result that is not there yet is a token of four bytes: `proxy_on_foreign_function` brings it later.
fn call(
    caller: &mut Caller<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    size: u32,
    results_at: u32,
    results_size_at: u32,
) -> Called {
    let arguments = copied(caller, arguments, size)?;
    let (memory, host) = view(caller)?;
    let name = bytes(memory, name, name_size)?;
    let function = std::str::from_utf8(name).ok().and_then(|name| host.runtime.services.function(name));
    let function = function.ok_or(ABSENT)?;
    let returned = with_exchange(|exchange| function.call(&arguments, Some(exchange)));
    let returned = returned.unwrap_or_else(|| function.call(&arguments, None))?;
    let results = match returned {
        Returned::Now(results) => results,
        Returned::Later(results) => {
            let token = host.new_token();
            host.spawn_event(async move { Event::Foreign(token, results.await) })?;
            token.to_le_bytes().to_vec().into()
        }
    };
    // The guest may not want them.
    if results_at == 0 && results_size_at == 0 {
        return Ok(());
    }
    give(caller, &results, results_at, results_size_at)
}
