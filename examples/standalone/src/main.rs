//! The standalone gateway: `kong.yml` in, requests through.

mod address;
mod admin;
mod banner;
mod check;
mod cli;
mod demo;
mod explain;
mod failure;
mod file;
mod inspect;
mod kong_conf;
mod lint;
mod listeners;
mod log;
mod node;
mod plugins;
mod remote;
mod run;
mod settings;
mod signals;
mod starter;
mod stored;
mod units;
mod variables;
mod what;

use std::process::ExitCode;

use cli::Task;
use failure::Failure;

/// Faster than the system's for many small values, which heads are made of. Only here: a library leaves
/// the choice to its binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match done(variables::read().task()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("gateway: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn done(task: Task) -> Result<ExitCode, Failure> {
    match task {
        // These say something by their exit code.
        Task::Explain(args) => return explain::explain(&args),
        Task::Lint(args) => return lint::lint(&args),
        Task::Diff(args) => return remote::diff(&args.file, &args.admin),
        Task::Import(args) => return remote::import(&args),
        Task::Run(args) => run::run(&args),
        Task::Check(args) => check::check(&args),
        Task::Inspect(args) => inspect::inspect(&args),
        Task::Init(args) => starter::init(&args),
        Task::Export(args) => remote::export(&args),
        Task::History(args) => remote::history(&args),
        Task::Rollback(args) => remote::rollback(&args),
        Task::Health(args) => remote::health(&args),
        Task::Drain(args) => remote::drain(&args),
        Task::Reload(args) => remote::reload(&args),
        Task::Quit(args) => remote::quit(&args),
        Task::Schema => starter::schema(),
        Task::Completions(args) => starter::completions(&args),
    }
    .map(|()| ExitCode::SUCCESS)
}
