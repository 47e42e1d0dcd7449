//! What can be measured: each measurement is one turn on one proxy, giving one number a column.

mod change;
mod idle;
mod load;
mod p99;
mod plugins;
mod syscalls;

use std::time::Duration;

use clap::ValueEnum;

use crate::Result;
use crate::bench::goals::Goal;
use crate::bench::stage::Stage;

/// The kinds of measurement.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    /// As many requests as the proxy can take (wrk, closed loop): CPU per request, latency, memory
    Load,
    /// Latency at half of the proxy's peak rate (open loop)
    P99,
    /// Latency with 50,000 routes while 400 of them change each second, beside the same without changes
    Change,
    /// CPU per request with three plugins in WebAssembly, beside none and beside nginx with the same in Lua
    Plugins,
    /// Socket reads and writes a request (strace, 10,000 requests)
    Syscalls,
    /// Memory of idle connections
    Idle,
    /// No figures: print which headers each proxy sends both ways and fail if one is missing
    Headers,
}

/// How much load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) time: Duration,
    /// Requests per second of the open loop; `None` is half of the proxy's own peak.
    pub(crate) rate: Option<f64>,
    /// Connections that idle.
    pub(crate) idle: usize,
}

/// A column of the table.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) decimals: usize,
}

const fn column(title: &'static str, decimals: usize) -> Column {
    Column { title, decimals }
}

/// A measurement: its name, its columns, and which of them is compared between proxies.
pub(crate) struct Measurement {
    pub(crate) title: &'static str,
    pub(crate) columns: &'static [Column],
    /// The column that the plot shows and the ratios compare.
    pub(crate) key: usize,
    pub(crate) goals: &'static [Goal],
}

impl Kind {
    /// `None` for the one that only looks at headers.
    pub(crate) fn measurement(self) -> Option<&'static Measurement> {
        match self {
            Kind::Load => Some(&load::MEASUREMENT),
            Kind::P99 => Some(&p99::MEASUREMENT),
            Kind::Change => Some(&change::MEASUREMENT),
            Kind::Plugins => Some(&plugins::MEASUREMENT),
            Kind::Syscalls => Some(&syscalls::MEASUREMENT),
            Kind::Idle => Some(&idle::MEASUREMENT),
            Kind::Headers => None,
        }
    }

    /// One turn: a number for each column.
    pub(crate) async fn turn(self, stage: &Stage, load: Load) -> Result<Vec<f64>> {
        match self {
            Kind::Load | Kind::Plugins => load::turn(stage, load).await,
            Kind::P99 => p99::turn(stage, load).await,
            Kind::Change => change::turn(stage, load).await,
            Kind::Syscalls => syscalls::turn(stage, load).await,
            Kind::Idle => idle::turn(stage, load).await,
            Kind::Headers => Ok(Vec::new()),
        }
    }
}
