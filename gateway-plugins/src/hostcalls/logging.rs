//! Lines in the gateway's log.

use std::sync::atomic::Ordering::Relaxed;

use tracing::level_filters::LevelFilter;
use wasmtime::Linker;

use super::kind;
use crate::{
    abi::LogLevel,
    caller::{Called, Caller, view},
    clock,
    host::Host,
    lines::Line,
    memory::{bytes, put_u32},
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

/// Writes a line, unless the callback or the instance has written too many. What the log's level leaves out does not count.
pub(super) fn line(host: &mut Host, level: LogLevel, text: &[u8]) {
    let error = matches!(level, LogLevel::Error | LogLevel::Critical);
    if error && let Some(complaints) = &mut host.complaints {
        complaints.add(text);
    }
    if filter(level) > LevelFilter::current() || !may_write(host) {
        return;
    }
    let (plugin, text) = (&*host.runtime.name, String::from_utf8_lossy(text));
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

/// Whether one more line may be written.
fn may_write(host: &mut Host) -> bool {
    let written = match host.log_lines.checked_sub(1) {
        Some(left) => {
            host.log_lines = left;
            host.lines.take(clock::steady(), host.runtime.limits.log_rate)
        }
        None => Line::LeftOut,
    };
    match written {
        Line::Written(0) => {}
        Line::Written(left_out) => {
            let plugin = &*host.runtime.name;
            tracing::warn!(target: TARGET, plugin, left_out, "the plugin logs too much, lines were left out");
        }
        Line::LeftOut => drop(host.runtime.counts.lines_left_out.fetch_add(1, Relaxed)),
    }
    written != Line::LeftOut
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
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
