//! The access log: one line a request.

use std::{io, time::SystemTime};

use super::{Lines, Sink, line::push_line};
use crate::plugin::Exchange;

/// One JSON line a request, to a [`Sink`], as [`Lines`] bring them there: no request waits for it.
///
/// ```
/// use std::sync::Arc;
/// use gateway_core::{ConnectInfo, observe::{AccessLog, Sink}, plugin::Exchange};
///
/// let log = AccessLog::start(Sink::Stderr, 1)?;
/// log.write(0, &Exchange::new(Arc::new(ConnectInfo::unknown())));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AccessLog(Lines);

impl AccessLog {
    /// Opens the sink and starts the writer, for as many workers as `shards`, at least one.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn start(sink: Sink, shards: usize) -> io::Result<Self> {
        Lines::start("access-log", sink, shards).map(Self)
    }

    /// Adds the line of a request that ended now, on the worker `shard`.
    pub fn write(&self, shard: usize, exchange: &Exchange) {
        self.0.push(shard, |lines| push_line(lines, exchange, SystemTime::now()));
    }

    /// Opens a file sink anew before the next lines are written, for log rotation.
    pub fn reopen(&self) {
        self.0.reopen();
    }

    /// How many lines were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

#[cfg(test)]
mod tests;
