//! The standalone gateway: `kong.yml` in, requests through.
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "`output` ends in silence where nobody reads")]

mod address;
mod admin;
mod args;
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
mod output;
mod plugins;
mod remote;
mod run;
mod settings;
mod signals;
mod starter;
mod stored;
mod text;
mod units;
mod variables;
mod what;

use std::process::ExitCode;

use cli::{Command, ConfigCommand, PluginCommand};
use failure::Failure;

/// Faster than the system's for many small values, which heads are made of. Only here: a library leaves
/// the choice to its binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match done(variables::read().task()) {
        Ok(code) => code,
        Err(failure) => {
            output::complain(format_args!("gateway: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

fn done(task: Command) -> Result<ExitCode, Failure> {
    match task {
        // These say something by their exit code.
        Command::Explain(args) => return explain::explain(&args),
        Command::Config(ConfigCommand::Parse(args)) => return check::parse(&args),
        Command::Lint(args) => return lint::lint(&args),
        Command::Diff(args) => return remote::diff(&args.file, &args.admin),
        Command::Import(args) => return remote::import(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Plugin(PluginCommand::Inspect(args)) => inspect::inspect(&args),
        Command::Init(args) => starter::init(&args),
        Command::Export(args) => remote::export(&args),
        Command::History(args) => remote::history(&args),
        Command::Rollback(args) => remote::rollback(&args),
        Command::Health(args) => remote::health(&args),
        Command::Drain(args) => remote::drain(&args),
        Command::Reload(args) => remote::reload(&args),
        Command::Quit(args) => remote::quit(&args),
        Command::Schema => starter::schema(),
        Command::Completions(args) => starter::completions(&args),
    }
    .map(|()| ExitCode::SUCCESS)
}
