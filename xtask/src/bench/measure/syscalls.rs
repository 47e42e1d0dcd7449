//! System calls a request, counted by strace: it slows the proxy down, so nothing else is measured meanwhile.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::bench::goals::Goal;
use crate::bench::http::Client;
use crate::bench::measure::{Column, Load, Measurement, column};
use crate::bench::peer::find;
use crate::bench::stage::{PATH, Stage};

const COLUMNS: &[Column] = &[
    column("socket calls/request", 2),
    column("reads/request", 2),
    column("writes/request", 2),
    column("all calls/request", 2),
];

pub(super) static MEASUREMENT: Measurement = Measurement {
    title: "System calls a request",
    columns: COLUMNS,
    key: 0,
    goals: &[Goal::Most { column: 0, most: 4.1 }],
};

/// Requests while strace counts.
const REQUESTS: usize = 10_000;
const READS: &[&str] = &["read", "readv", "recvfrom", "recvmsg", "recvmmsg", "splice"];
const WRITES: &[&str] = &["write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile"];

pub(super) async fn turn(stage: &Stage, load: Load) -> Result<Vec<f64>> {
    let rounds = REQUESTS / load.connections;
    let mut clients = connected(stage, load.connections).await?;
    // Warm: the connections to the targets are open before strace counts.
    clients = requests(clients, 20).await?;
    let summary = stage.run.join("strace.txt");
    let tracer = attach(stage, &summary).await?;
    requests(clients, rounds).await?;
    detach(tracer).await?;

    let calls = calls(&fs::read_to_string(&summary)?);
    let requests = (rounds * load.connections) as f64;
    let a_request = |names: Option<&[&str]>| {
        let counted =
            calls.iter().filter(|(name, _)| names.is_none_or(|names| names.contains(&name.as_str())));
        counted.map(|(_, count)| *count as f64).sum::<f64>() / requests
    };
    let (reads, writes) = (a_request(Some(READS)), a_request(Some(WRITES)));
    if reads == 0.0 {
        return Err(format!("strace counted nothing; {} says what it saw", summary.display()).into());
    }
    Ok(vec![reads + writes, reads, writes, a_request(None)])
}

async fn connected(stage: &Stage, count: usize) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(Client::connect(stage.address()).await?);
    }
    Ok(clients)
}

/// Sends `each` requests on every connection, all connections at once.
async fn requests(clients: Vec<Client>, each: usize) -> Result<Vec<Client>> {
    let mut sending: JoinSet<Result<Client>> = JoinSet::new();
    for mut client in clients {
        sending.spawn(async move {
            for _ in 0..each {
                client.get(PATH).await?.ok()?;
            }
            Ok(client)
        });
    }
    let all = async { sending.join_all().await.into_iter().collect() };
    timeout(Duration::from_secs(60), all).await.map_err(|_| "the requests took longer than a minute")?
}

async fn attach(stage: &Stage, summary: &Path) -> Result<Child> {
    let strace = find("strace").ok_or("strace is missing: apt-get install strace")?;
    // A file left by a run before this one would be taken for ours.
    let _ = fs::remove_file(summary);
    let log = summary.with_extension("log");
    let mut command = Command::new(strace);
    command.args(["-c", "-f", "-o"]).arg(summary).kill_on_drop(true).stderr(fs::File::create(&log)?);
    for process in stage.proxy.members()? {
        command.args(["-p", &process.to_string()]);
    }
    let mut tracer = command.spawn()?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        if tracer.try_wait()?.is_some() {
            return Err(format!("strace cannot attach:\n{}", fs::read_to_string(&log)?.trim_end()).into());
        }
        if fs::read_to_string(&log)?.contains("attached") {
            // It says so after the first of several processes.
            sleep(Duration::from_millis(200)).await;
            return Ok(tracer);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err("strace did not attach within 5 s".into())
}

/// An interrupted strace lets the proxy go and writes its summary.
async fn detach(mut tracer: Child) -> Result<()> {
    let id = tracer.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or("strace ended early")?;
    kill_process(id, Signal::INT)?;
    timeout(Duration::from_secs(5), tracer.wait()).await.map_err(|_| "strace did not end")??;
    Ok(())
}

/// The calls in a summary of strace: `% time  seconds  usecs/call  calls  [errors]  syscall`.
fn calls(summary: &str) -> Vec<(String, u64)> {
    summary
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let name = *fields.last()?;
            let count = fields.get(3)?.parse().ok()?;
            (name != "total").then(|| (name.to_owned(), count))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_strace_is_read_without_its_frame() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.01    0.100000          10     20000       311 recvfrom
 39.99    0.050000          10     10000           writev
------ ----------- ----------- --------- --------- ----------------
100.00    0.150000          10     30000       311 total
";
        assert_eq!(calls(summary), [("recvfrom".to_owned(), 20000), ("writev".to_owned(), 10000)]);
    }
}
