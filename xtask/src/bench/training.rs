//! What a gateway that counts its own steps is made to do: the load of the benches, over HTTP/1.1 and HTTP/2.

use std::path::Path;
use std::time::Duration;

use crate::Result;
use crate::bench::peer::{PEERS, PLUGGED, Peer, find};
use crate::bench::process::{output, pinned};
use crate::bench::stage::{Cores, KEY, Origin, Stage};
use crate::bench::wrk;

const TIME: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 64;
/// Requests over HTTP/2.
const REQUESTS: usize = 20_000;

/// Loads `program` without plugins and with three in WebAssembly. It writes down what it has counted as it ends.
pub(crate) async fn train(root: &Path, program: &Path) -> Result<()> {
    for peer in PEERS.first().into_iter().chain(PLUGGED.first()) {
        let cores = Cores { proxy: 0, load: 1 };
        let stage = Stage::open_with(program, peer, root, cores, Origin::Fixed, Some(KEY)).await?;
        let loaded = load(&stage, peer).await;
        stage.close().await;
        loaded?;
    }
    Ok(())
}

async fn load(stage: &Stage, peer: &Peer) -> Result<()> {
    let seen = wrk::run(stage, CONNECTIONS, TIME).await?;
    eprintln!("{}: {} requests over HTTP/1.1, {REQUESTS} over HTTP/2", peer.name, seen.requests);
    http2(stage).await
}

async fn http2(stage: &Stage) -> Result<()> {
    let h2load = find("h2load").ok_or("h2load is missing: apt-get install nghttp2-client")?;
    let mut command = pinned(stage.cores.load, h2load);
    command.args(["-n", &REQUESTS.to_string(), "-c", "8", "-m", "8"]);
    command.args(stage.field.iter().flat_map(|field| ["-H", field])).arg(stage.url());
    let printed = output(command, Duration::from_secs(60)).await?;
    let all = format!("{REQUESTS} succeeded, 0 failed");
    if printed.contains(&all) { Ok(()) } else { Err(format!("h2load saw errors:\n{printed}").into()) }
}
