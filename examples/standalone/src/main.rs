//! The standalone gateway: `kong.yml` in, requests through.

mod address;
mod banner;
mod check;
mod cli;
mod demo;
mod explain;
mod failure;
mod file;
mod inspect;
mod lint;
mod listeners;
mod log;
mod node;
mod plugins;
mod run;
mod settings;
mod signals;
mod units;
mod variables;
mod what;

use std::process::ExitCode;

use cli::Task;

/// Faster than the system's for many small values, which heads are made of. Only here: a library leaves
/// the choice to its binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match variables::read().task() {
        Task::Run(args) => run::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Check(args) => check::check(&args).map(|()| ExitCode::SUCCESS),
        Task::Explain(args) => explain::explain(&args),
        Task::Inspect(args) => inspect::inspect(&args).map(|()| ExitCode::SUCCESS),
        Task::Lint(args) => lint::lint(&args),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("gateway: {failure}");
            ExitCode::FAILURE
        }
    }
}
