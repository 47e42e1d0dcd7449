//! The state of a running gateway, and its end.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use clap::Args;
use http::{Request, StatusCode, header};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{AdminArgs, Client};
use crate::{failure::Failure, output::say};

/// How a running gateway is stopped.
#[derive(Clone, Debug, Args)]
pub(crate) struct QuitArgs {
    /// Seconds to go on serving before the stop begins
    #[arg(short, long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,

    /// Seconds that requests under way have to end; then they are cut
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,

    #[command(flatten)]
    admin: AdminArgs,
}

/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// How long a file may take to be read again; large ones take seconds.
const READ: Duration = Duration::from_secs(30);

/// How long the process may take once everything is cut.
const CUT: Duration = Duration::from_secs(5);

/// Says whether it serves, and what; the failure is that it does not.
pub(crate) fn health(args: &AdminArgs) -> Result<(), Failure> {
    let client = args.client()?;
    let ready = client.get("/status/ready")?;
    let told = ready.json.get("message").and_then(Value::as_str).unwrap_or("no answer");
    let status = client.json("/status")?;
    let text = |path: &str| status.pointer(path).map_or_else(|| "?".to_owned(), Value::to_string);
    let address = client.address();
    if ready.status != StatusCode::OK {
        return Err(Failure::new(format!("the gateway at {address} is not ready: {told}")));
    }
    say!("gateway.......running");
    say!("connections   {}", text("/server/connections_active"));
    say!("requests      {}", text("/server/total_requests"));
    if let Some(failure) = status.pointer("/configuration/failure/message").and_then(Value::as_str) {
        say!("the last change of its configuration was refused: {failure}");
    }
    say!("\nthe gateway at {address} is healthy");
    Ok(())
}

/// Sends load balancers elsewhere; what still comes is served.
pub(crate) fn drain(args: &AdminArgs) -> Result<(), Failure> {
    let form = "application/x-www-form-urlencoded";
    let request = Request::post("/status/ready").header(header::CONTENT_TYPE, form);
    args.client()?.ask(request.body("status=draining".to_owned())?, |_| {})?.ok()?;
    say!("the gateway is not ready any more: load balancers go elsewhere");
    Ok(())
}

/// Reads the file again (compat P50); the failure is that it is refused, and that none is read.
pub(crate) fn reload(args: &AdminArgs) -> Result<(), Failure> {
    let client = args.client()?;
    let process = process(&client)?;
    let root = client.json("/")?;
    if root.pointer("/configuration/database").is_some_and(|database| database != "off") {
        return Err(Failure::new(
            "the gateway runs from a store, there is no file to read again: `gateway import FILE` puts one in its place",
        ));
    }
    let before = Loads::of(&client)?;
    kill_process(process, Signal::HUP)?;
    match before.next(&client)?.failure {
        None => say!("gateway reloaded"),
        Some(failure) => return Err(Failure::new(format!("what ran before goes on: {failure}"))),
    }
    Ok(())
}

/// What became of the configurations that a gateway was given.
struct Loads {
    /// How many there were.
    count: u64,
    /// Why the last one was refused.
    failure: Option<String>,
}

impl Loads {
    fn of(client: &Client) -> Result<Self, Failure> {
        let status = client.json("/status")?;
        let at = |path: &str| status.pointer(path);
        let count = |path| at(path).and_then(Value::as_u64).unwrap_or_default();
        let count = count("/configuration/succeeded") + count("/configuration/failed");
        let failure = at("/configuration/failure/message").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { count, failure })
    }

    /// The same once there is one more.
    fn next(&self, client: &Client) -> Result<Self, Failure> {
        let end = Instant::now() + READ;
        while Instant::now() < end {
            let now = Self::of(client)?;
            if now.count != self.count {
                return Ok(now);
            }
            sleep(LOOK);
        }
        let told = format!("no file was read within {} seconds: has the gateway one?", READ.as_secs());
        Err(Failure::new(told))
    }
}

/// Stops it gracefully, and waits for its end (compat P49).
pub(crate) fn quit(args: &QuitArgs) -> Result<(), Failure> {
    let client = args.admin.client()?;
    let process = process(&client)?;
    sleep(Duration::from_secs(args.wait));
    kill_process(process, Signal::TERM)?;
    if gone(&client, Duration::from_secs(args.timeout)) {
        say!("gateway stopped (gracefully)");
        return Ok(());
    }
    // The second signal cuts what is under way.
    kill_process(process, Signal::TERM)?;
    if gone(&client, CUT) {
        say!("timeout, gateway stopped forcefully");
        return Ok(());
    }
    Err(Failure::new(format!("process {} does not end", process.as_raw_nonzero())))
}

/// The Admin API goes with the process.
fn gone(client: &Client, within: Duration) -> bool {
    let end = Instant::now() + within;
    while client.is_there() {
        if Instant::now() >= end {
            return false;
        }
        sleep(LOOK);
    }
    true
}

/// The process of the gateway, which has to be on this machine.
fn process(client: &Client) -> Result<Pid, Failure> {
    let root = client.json("/")?;
    let here = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let there = root.get("hostname").and_then(Value::as_str).unwrap_or_default();
    if there != here {
        let address = client.address();
        return Err(Failure::new(format!(
            "the gateway at {address} runs on '{there}': signals reach this machine only"
        )));
    }
    let pid = root.pointer("/pids/master").and_then(Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw).ok_or_else(|| Failure::new("the gateway does not say which process it is"))
}
