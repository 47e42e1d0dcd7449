//! The chores of this repository: `cargo xtask <chore>`.

mod bench;
mod faults;
mod guests;
mod languages;
mod modules;
mod pace;
mod pgo;
mod plugin;
mod sim;
mod upstream;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// A chore fails with a sentence for the person who started it.
type Failure = Box<dyn Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of this repository", version)]
enum Chore {
    Bench(bench::Bench),
    Faults(faults::Faults),
    Guests(guests::Guests),
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    Plugins(guests::Plugins),
    Upstream(upstream::Upstream),
    Pace(pace::Pace),
    Pgo(pgo::Pgo),
    Sim(sim::Sim),
}

// One thread: the load tools are pinned to a core with their one process, and a child started here gets its
// parent-death signal from the thread that lives as long as the program.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Dropping the chore's future ends every process that it started.
    let outcome = tokio::select! {
        outcome = run(Chore::parse()) => outcome,
        outcome = interrupted() => outcome,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Bench(bench) => bench.run().await,
        Chore::Faults(faults) => faults.run().await,
        Chore::Guests(guests) => guests.run().await,
        Chore::Plugin(plugin) => plugin.run().await,
        Chore::Plugins(plugins) => plugins.run().await,
        Chore::Upstream(upstream) => upstream.run().await,
        Chore::Pace(pace) => pace.run().await,
        Chore::Pgo(pgo) => pgo.run().await,
        Chore::Sim(sim) => sim.run().await,
    }
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome?,
        _ = terminate.recv() => {}
    }
    Err("interrupted; all processes of the run are ended".into())
}
