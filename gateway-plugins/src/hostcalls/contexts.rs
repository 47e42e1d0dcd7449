//! Contexts: which one a call is for, and when one is done.

use wasmtime::Linker;

use crate::{
    abi::Status,
    caller::{Called, Caller},
    host::{ABSENT, Host},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_set_effective_context" => set_effective, (context: u32);
        "proxy_done" => done, ();
    });
    Ok(())
}

/// Another context of the same configuration only: what other configurations do is not this one's business.
fn set_effective(caller: &mut Caller<'_>, context: u32) -> Called {
    let host = caller.data_mut();
    let wanted = host.root_of(context).ok_or(Status::BadArgument)?;
    if host.root_of(host.current).is_some_and(|root| root != wanted) {
        return Err(Status::BadArgument.into());
    }
    host.effective = context;
    Ok(())
}

/// The context asked for time in `proxy_on_done`, and has had it.
fn done(caller: &mut Caller<'_>) -> Called {
    let host = caller.data_mut();
    let context = host.effective;
    let ending = host.stream().is_some_and(|stream| std::mem::take(&mut stream.ending));
    if !ending {
        return Err(ABSENT.into());
    }
    host.ending = host.ending.saturating_sub(1);
    host.finished.push(context);
    Ok(())
}
