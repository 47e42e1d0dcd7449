//! What an idle kept-open connection costs the proxy in memory.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Result;
use crate::bench::goals::Goal;
use crate::bench::http::Client;
use crate::bench::measure::{Column, Load, Measurement, column};
use crate::bench::proc;
use crate::bench::stage::{PATH, Stage};

const COLUMNS: &[Column] =
    &[column("KiB/connection", 2), column("RSS MiB before", 1), column("RSS MiB with all", 1)];

pub(super) static MEASUREMENT: Measurement = Measurement {
    title: "Memory of idle connections",
    columns: COLUMNS,
    key: 0,
    goals: &[Goal::Most { column: 0, most: 16.0 }],
};

/// Connections opened before the first look, so that what is set up once is not counted.
const WARM_UP: usize = 64;

/// How long all are idle before the second look.
const REST: Duration = Duration::from_secs(3);

pub(super) async fn turn(stage: &Stage, load: Load) -> Result<Vec<f64>> {
    raise_limit()?;
    let mut idle = opened(stage, WARM_UP).await?;
    let before = resident(stage)?;
    idle.extend(opened(stage, load.idle).await?);
    // A moment ago the last of them was at work.
    tokio::time::sleep(REST).await;
    let with_all = resident(stage)?;
    // Still open: a proxy that sheds connections early would look cheap.
    for client in &mut idle {
        client.get(PATH).await.map_err(|error| format!("an idle connection was lost: {error}"))?.ok()?;
    }
    let mib = f64::from(1 << 20);
    Ok(vec![(with_all - before) / 1024.0 / load.idle as f64, before / mib, with_all / mib])
}

/// Opens connections one after the other, one request on each.
async fn opened(stage: &Stage, count: usize) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Client::connect(stage.address()).await?;
        client.get(PATH).await?.ok()?;
        clients.push(client);
    }
    Ok(clients)
}

fn resident(stage: &Stage) -> Result<f64> {
    Ok(proc::resident(&stage.proxy.members()?)? as f64)
}

/// As many open files as this user may have.
fn raise_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
