//! The closed loop: every connection sends its next request as soon as it has the answer.

use std::time::{Duration, Instant};

use crate::Result;
use crate::bench::goals::Goal;
use crate::bench::measure::{Column, Load, Measurement, column};
use crate::bench::proc;
use crate::bench::stage::Stage;
use crate::bench::wrk;

pub(super) const COLUMNS: &[Column] = &[
    column("CPU us/request", 2),
    column("requests/s", 0),
    column("p50 us", 0),
    column("p99 us", 0),
    column("RSS MiB", 1),
    column("core busy %", 0),
];

pub(super) static MEASUREMENT: Measurement = Measurement {
    title: "Plain HTTP/1.1 proxying at full load",
    columns: COLUMNS,
    key: 0,
    goals: &[
        Goal::Ratio { peer: "nginx", most: 0.90, or_within: None },
        Goal::Ratio { peer: "haproxy", most: 0.75, or_within: None },
        Goal::Ratio { peer: "pingora", most: 0.50, or_within: None },
        Goal::Most { column: 4, most: 40.0 },
    ],
};

/// Opens the upstream connections and fills the caches.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

pub(super) async fn turn(stage: &Stage, load: Load) -> Result<Vec<f64>> {
    wrk::run(stage, load.connections, WARM_UP.min(load.time)).await?;
    let processes = stage.proxy.members()?;
    let (before, start) = (proc::cpu_time(&processes)?, Instant::now());
    let seen = wrk::run(stage, load.connections, load.time).await?;
    let (used, wall) = (proc::cpu_time(&processes)?.saturating_sub(before), start.elapsed());
    Ok(vec![
        used.as_secs_f64() * 1e6 / seen.requests,
        seen.requests / seen.seconds,
        seen.p50_us,
        seen.p99_us,
        proc::resident(&processes)? as f64 / f64::from(1 << 20),
        100.0 * used.as_secs_f64() / wall.as_secs_f64(),
    ])
}
