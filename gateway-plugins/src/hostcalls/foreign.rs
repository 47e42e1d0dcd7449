//! Functions beyond the ABI, by name.

use gateway_core::plugin::Exchange;
use plugin_contract::LATER;
use wasmtime::Linker;

use super::within;
use crate::{
    abi::Status,
    call::Call,
    caller::{Called, Caller, give, view},
    event::Event,
    host::{ABSENT, Host},
    memory::bytes,
    message::{EXCHANGE, Message},
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

/// The results are written into a buffer that the host keeps, and handed over when the function has let go of all that
/// it was lent.
fn call(
    caller: &mut Caller<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    size: u32,
    results_at: u32,
    results_size_at: u32,
) -> Called {
    let mut results = std::mem::take(&mut caller.data_mut().answer);
    let called = answer(caller, (name, name_size), (arguments, size), &mut results);
    // The guest may not want them.
    let called = match called {
        Ok(()) if results_at != 0 || results_size_at != 0 => {
            give(caller, &results, results_at, results_size_at)
        }
        called => called,
    };
    if results.capacity() <= KEPT {
        results.clear();
        caller.data_mut().answer = results;
    }
    called
}

/// A buffer that grew larger than this is not kept.
const KEPT: usize = 64 << 10;

/// Puts what the function gives into `results`.
fn answer(caller: &mut Caller<'_>, name: (u32, u32), arguments: (u32, u32), results: &mut Vec<u8>) -> Called {
    let (memory, host) = view(caller)?;
    within(arguments.1, host.runtime.limits.value)?;
    let (name, arguments) = (bytes(memory, name.0, name.1)?, bytes(memory, arguments.0, arguments.1)?);
    let returned = run(host, name, arguments, results);
    if let Some(reply) = host.message.effects.reply.take()
        && let Some(stream) = host.stream()
    {
        stream.answer(reply);
    }
    match returned? {
        Returned::Written => {}
        Returned::Now(bytes) => results.extend_from_slice(&bytes),
        Returned::Later(late) => {
            let token = host.new_token();
            host.spawn_event(async move { Event::Foreign(token, late.await) })?;
            results.clear();
            results.push(LATER);
            results.extend_from_slice(&token.to_le_bytes());
        }
    }
    Ok(())
}

/// Runs the function with what the effective context has at hand, and that alone.
fn run(host: &mut Host, name: &[u8], arguments: &[u8], results: &mut Vec<u8>) -> Result<Returned, Status> {
    let (lent, current) = (host.has_message(), host.effective == host.current);
    let root = host.root_of(host.effective).and_then(|root| host.roots.get(&root)).ok_or(ABSENT)?;
    let function = host.runtime.services.function(name).ok_or(ABSENT)?;
    let Message { request, response, effects, .. } = &mut host.message;
    let (request, response) = (request.get_mut().filter(|_| lent), response.get_mut().filter(|_| lent));
    let effects = (request.is_some() || response.is_some()).then_some(effects);
    let (sources, grants) = (&host.runtime.services.sources, &root.config.grants);
    let (plugin, configuration, shard) = (&*host.runtime.name, &root.config.own, host.shard);
    let names = &mut host.names;
    let notes = host.streams.get(host.effective).and_then(|stream| stream.notes.as_ref());
    let call = |exchange: Option<&Exchange>| {
        let answer = results;
        let mut call = Call {
            plugin,
            configuration,
            shard,
            exchange,
            request,
            response,
            effects,
            answer,
            notes,
            names,
            sources,
            grants,
        };
        function.call(arguments, &mut call)
    };
    if (lent || current) && EXCHANGE.is_set() {
        EXCHANGE.with(|exchange| call(Some(exchange)))
    } else {
        call(None)
    }
}
