//! The operator's log, and the access log.

use std::io::{self, IsTerminal};

use gateway_core::observe::{AccessLog, Sink};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{cli::LogFormat, failure::Failure, settings::Settings};

/// Starts the operator's log on standard error. Gives the format it has.
pub(crate) fn start(settings: &Settings) -> Result<LogFormat, Failure> {
    let filter = settings.log.as_deref().unwrap_or("info");
    let filter =
        EnvFilter::try_new(filter).map_err(|error| Failure::new(format!("log: '{filter}': {error}")))?;
    let on_terminal = io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(on_terminal).with_target(false).try_init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
    };
    started.map_err(|error| Failure::new(format!("log: {error}")))?;
    Ok(format)
}

/// Starts the access log, unless it is off.
pub(crate) fn access(settings: &Settings, shards: usize) -> Result<Option<AccessLog>, Failure> {
    // A demo shows its banner, a node its traffic.
    let default = if settings.config.is_some() { "-" } else { "off" };
    let place = settings.access_log.as_deref().unwrap_or(default);
    let sink = match place {
        "off" => return Ok(None),
        "-" | "stdout" => Sink::Stdout,
        "stderr" => Sink::Stderr,
        path => Sink::File(path.into()),
    };
    let log = AccessLog::start(sink, shards);
    log.map(Some).map_err(|error| Failure::new(format!("cannot write the access log to {place}: {error}")))
}
