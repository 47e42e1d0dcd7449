//! The open loop: latency at half of the peak rate, where a user lives.

use std::time::Duration;

use crate::Result;
use crate::bench::goals::Goal;
use crate::bench::measure::load::WARM_UP;
use crate::bench::measure::{Column, Load, Measurement, column};
use crate::bench::proc;
use crate::bench::process::{output, pinned};
use crate::bench::stage::{PATH, Stage};
use crate::bench::wrk;
use crate::pace::Paced;

const COLUMNS: &[Column] =
    &[column("p99 us", 0), column("p50 us", 0), column("requests/s", 0), column("CPU us/request", 2)];

pub(super) static MEASUREMENT: Measurement = Measurement {
    title: "Latency at half of the peak rate (open loop)",
    columns: COLUMNS,
    key: 0,
    goals: &[Goal::Ratio { peer: "nginx", most: 1.3, or_within: Some(200.0) }],
};

/// Fewer answers than this part of what was asked: the proxy was overloaded and the latency says nothing.
const KEPT_UP: f64 = 0.99;

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// `{}` in it is a number below `spread`.
    pub(super) path: &'static str,
    pub(super) spread: usize,
}

pub(super) async fn turn(stage: &Stage, load: Load) -> Result<Vec<f64>> {
    let (figures, paced) = measured(stage, load, Asked { path: PATH, spread: 1 }).await?;
    if paced.wrong > 0 {
        return Err(format!("{} answers were not a 200", paced.wrong).into());
    }
    Ok(figures)
}

/// The figures of the columns, and what the generator saw.
pub(super) async fn measured(stage: &Stage, load: Load, asked: Asked) -> Result<(Vec<f64>, Paced)> {
    let peak = wrk::run(stage, load.connections, WARM_UP).await?;
    let rate = load.rate.unwrap_or(peak.requests / peak.seconds / 2.0);
    let processes = stage.proxy.members()?;
    let before = proc::cpu_time(&processes)?;
    let paced = pace(stage, load, rate, asked).await?;
    let used = proc::cpu_time(&processes)?.saturating_sub(before);
    let answered = (paced.answered + paced.wrong) as f64;
    if answered < paced.due as f64 * KEPT_UP {
        return Err(format!("only {answered} of {} requests were answered at {rate:.0}/s", paced.due).into());
    }
    let figures = vec![
        paced.p99_us,
        paced.p50_us,
        answered / load.time.as_secs_f64(),
        used.as_secs_f64() * 1e6 / answered,
    ];
    Ok((figures, paced))
}

async fn pace(stage: &Stage, load: Load, rate: f64, asked: Asked) -> Result<Paced> {
    let mut command = pinned(stage.cores.load, std::env::current_exe()?);
    command.arg("pace").args(["--port", &stage.port.to_string()]).args(["--rate", &rate.to_string()]);
    command.args(["--path", asked.path, "--spread", &asked.spread.to_string()]);
    command.args(["--connections", &load.connections.to_string()]);
    command.args(["--seconds", &load.time.as_secs_f64().to_string()]);
    let printed = output(command, load.time + Duration::from_secs(10)).await?;
    Ok(serde_json::from_str(&printed)?)
}
