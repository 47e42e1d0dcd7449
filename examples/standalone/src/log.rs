//! The operator's log, and the access log.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
};

use gateway_control::LogLevel;
use gateway_core::observe::{AccessLog, Sink};
use tracing::{Level, warn};
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    registry, reload,
    util::SubscriberInitExt,
};

use crate::{args::LogFormat, failure::Failure, settings::Settings};

/// How much is logged, which the Admin API may change.
struct Adjustable(reload::Handle<Targets, Registry>);

impl LogLevel for Adjustable {
    fn level(&self) -> Level {
        let level = self.0.with_current(Targets::default_level).ok().flatten();
        level.and_then(LevelFilter::into_level).unwrap_or(Level::ERROR)
    }

    /// Levels by module stay as they are, and with them that of who changes what.
    fn set_level(&self, level: Level) {
        let changed = self.0.modify(|filter| *filter = filter.clone().with_default(level));
        if let Err(error) = changed {
            warn!(%error, "the level of the log stays as it was");
        }
    }
}

/// Starts the operator's log on standard error. Gives the format it has, and what changes its level.
pub(crate) fn start(settings: &Settings) -> Result<(LogFormat, Arc<dyn LogLevel>), Failure> {
    let (filter, handle) = reload::Layer::new(filter(
        settings.log.as_deref().filter(|text| !text.is_empty()).unwrap_or("info"),
    )?);
    let on_terminal = io::stderr().is_terminal();
    let format = settings.log_format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let log = fmt::layer().with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => {
            registry().with(filter).with(log.with_ansi(on_terminal).with_target(false)).try_init()
        }
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
            registry().with(filter).with(log).try_init()
        }
    };
    started.map_err(|error| Failure::new(format!("log: {error}")))?;
    Ok((format, Arc::new(Adjustable(handle))))
}

/// Who changes what, and who is not let in: what the level of all else says nothing of.
const AUDIT: &str = "audit";

/// A level, or levels by module. Each part names its level: a mistyped level is no module.
///
/// [`AUDIT`] has a level of its own: `audit=off` ends it, and so does a log that is off altogether.
fn filter(text: &str) -> Result<Targets, Failure> {
    let level = |part: &str| {
        part.rsplit('=').next().is_some_and(|level| !level.is_empty() && level.parse::<LevelFilter>().is_ok())
    };
    let filter = text.parse::<Targets>().ok().filter(|_| text.split(',').all(level));
    let filter = filter.ok_or_else(|| {
        Failure::new(format!(
            "log: '{text}' is no level: off, error, warn, info, debug or trace, by module as in info,gateway_core=debug"
        ))
    })?;
    let is_said = filter.iter().any(|(target, _)| target == AUDIT) || text.trim().eq_ignore_ascii_case("off");
    Ok(if is_said { filter } else { filter.with_target(AUDIT, Level::INFO) })
}

/// Starts the access log, unless it is off.
pub(crate) fn access(settings: &Settings, shards: usize) -> Result<Option<AccessLog>, Failure> {
    // A demo shows its banner, a node its traffic.
    let default = if settings.is_demo() { "off" } else { "-" };
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

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::filter;

    #[test]
    fn who_changes_what_is_told_at_every_level() {
        let tells = |text: &str, level: Level| {
            filter(text).unwrap().with_default(level).would_enable("audit", &Level::INFO)
        };
        for text in ["info", "error", "warn,gateway_core=debug"] {
            assert!(tells(text, Level::ERROR), "{text}");
        }
        assert!(!tells("info,audit=off", Level::DEBUG));
        assert!(!filter("off").unwrap().would_enable("audit", &Level::INFO));
    }

    #[test]
    fn levels_are_taken_and_nothing_else() {
        for text in ["info", "DEBUG", "off", "info,gateway_core=debug", "gateway_core::server=warn"] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["", "inof", "info,", "info,gateway_core", "gateway_core=inof"] {
            let failure = filter(text).unwrap_err().to_string();
            assert!(failure.contains("error, warn, info, debug"), "{failure}");
        }
    }
}
