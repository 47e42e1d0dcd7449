//! Draws the pictures of the simulation.

use std::path::PathBuf;

use clap::Args;
use tokio::process::Command;

use crate::Result;

/// Draw load, ejections and latencies of the simulated scenarios as SVG
#[derive(Args)]
pub(crate) struct Sim {
    /// Where the pictures go
    #[arg(long, default_value = "docs/pictures")]
    folder: PathBuf,
}

impl Sim {
    pub(crate) async fn run(self) -> Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["run", "--quiet", "-p", "gateway-core", "--example", "simulate", "--"]).arg(&self.folder);
        let status = cargo.kill_on_drop(true).status().await?;
        if status.success() { Ok(()) } else { Err(format!("the simulation ended with {status}").into()) }
    }
}
