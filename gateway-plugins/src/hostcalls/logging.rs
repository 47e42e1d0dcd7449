//! Lines in the gateway's log.

use tracing::level_filters::LevelFilter;
use wasmtime::Linker;

use super::kind;
use crate::{
    abi::LogLevel,
    host::Host,
    memory::{Called, Caller, bytes, put_u32, view},
};

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    super::define!(linker, "env", {
        "proxy_log" => log, (level: u32, text: u32, size: u32);
        "proxy_get_log_level" => level, (level_at: u32);
    });
    Ok(())
}

fn log(caller: &mut Caller<'_>, level: u32, text: u32, size: u32) -> Called {
    let level = kind(level)?;
    let (memory, host) = view(caller)?;
    // Nothing but the line's beginning is looked at, but all of it must be there.
    let text = bytes(memory, text, size)?;
    line(host, level, text.get(..host.runtime.limits.log_line).unwrap_or(text));
    Ok(())
}

/// Writes a line, unless the callback has written too many.
pub(super) fn line(host: &mut Host, level: LogLevel, text: &[u8]) {
    if host.log_lines == 0 {
        return;
    }
    host.log_lines -= 1;
    let (plugin, text) = (&*host.runtime.name, String::from_utf8_lossy(text));
    if host.message.configuration.is_some() && matches!(level, LogLevel::Error | LogLevel::Critical) {
        host.complaint = Some(text.clone().into_owned());
    }
    match level {
        LogLevel::Trace => tracing::trace!(target: TARGET, plugin, "{text}"),
        LogLevel::Debug => tracing::debug!(target: TARGET, plugin, "{text}"),
        LogLevel::Info => tracing::info!(target: TARGET, plugin, "{text}"),
        LogLevel::Warn => tracing::warn!(target: TARGET, plugin, "{text}"),
        LogLevel::Error | LogLevel::Critical => tracing::error!(target: TARGET, plugin, "{text}"),
    }
    if host.log_lines == 0 {
        tracing::warn!(target: TARGET, plugin, "the callback logs too much, the rest of it is left out");
    }
}

/// What guests' lines are filtered by.
const TARGET: &str = "plugin";

fn level(caller: &mut Caller<'_>, level_at: u32) -> Called {
    let (memory, _) = view(caller)?;
    let level = match LevelFilter::current() {
        LevelFilter::TRACE => LogLevel::Trace,
        LevelFilter::DEBUG => LogLevel::Debug,
        LevelFilter::INFO => LogLevel::Info,
        LevelFilter::WARN => LogLevel::Warn,
        LevelFilter::ERROR => LogLevel::Error,
        _ => LogLevel::Critical,
    };
    Ok(put_u32(memory, level_at, level as u32)?)
}
