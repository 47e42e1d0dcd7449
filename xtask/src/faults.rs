//! Plays faults of upstreams over real sockets, and says what clients noticed.

use clap::Args;
use tokio::process::Command;

use crate::Result;

/// One of three upstreams goes wrong in each way in turn, under load: what clients notice, as a table
#[derive(Args)]
pub(crate) struct Faults {
    /// Requests a second
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// How many seconds each fault lasts
    #[arg(long, default_value_t = 8)]
    seconds: u32,
}

impl Faults {
    pub(crate) async fn run(self) -> Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["run", "--quiet", "--release", "-p", "gateway-core", "--example", "faults", "--"]);
        cargo.args([self.rate.to_string(), self.seconds.to_string()]);
        let status = cargo.kill_on_drop(true).status().await?;
        if status.success() { Ok(()) } else { Err(format!("the faults ended with {status}").into()) }
    }
}
