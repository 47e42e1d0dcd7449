//! The command line.

use clap::{Parser, Subcommand};

use crate::{
    args::{CompletionsArgs, ExplainArgs, FileArgs, InitArgs, InspectArgs, RunArgs},
    remote::{AdminArgs, DiffArgs, ExportArgs, HistoryArgs, ImportArgs, QuitArgs, RollbackArgs},
};

/// An API gateway that speaks Kong's configuration.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a file, or a demo. What `gateway` alone does.
    #[command(after_help = EXAMPLES)]
    Run(RunArgs),
    /// Name all mistakes of a file; exit code 1 if there are any.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(FileArgs),
    /// As `kong config parse`: whether a file is right, in Kong's words.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say which route takes a request, and why no other does; nothing is sent.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Name what a file says and hardly means: routes that no request reaches, and the like.
    #[command(after_help = LINT_EXAMPLES)]
    Lint(FileArgs),
    /// Look into a plugin's file.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Write a first kong.yml, with a schema for your editor.
    Init(InitArgs),
    /// Write all entities of a running gateway as a file.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Put a file in the place of all entities of a running gateway.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Say what a file would change in a running gateway; exit code 1 if anything.
    Diff(DiffArgs),
    /// Show who changed what in a running gateway with a store.
    History(HistoryArgs),
    /// Make everything as it was at a revision.
    Rollback(RollbackArgs),
    /// Say whether a running gateway is well; exit code 1 if not.
    Health(AdminArgs),
    /// Send load balancers elsewhere; what still comes is served.
    Drain(AdminArgs),
    /// Make a running gateway read its file again.
    Reload(AdminArgs),
    /// Stop a running gateway gracefully, and wait for its end.
    Quit(QuitArgs),
    /// Print the JSON Schema of declarative files, for editors.
    Schema,
    /// Print what makes a shell complete these commands.
    Completions(CompletionsArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Say what a module is, what it takes and what it asks for; it is not run.
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say `parse successful`, or what is wrong; exit code 1 then.
    Parse(FileArgs),
}

impl Cli {
    /// What is to be done.
    pub(crate) fn task(self) -> Command {
        self.command.unwrap_or(Command::Run(self.run))
    }
}

const EXAMPLES: &str = "\
Examples:
  gateway                                  a demo, and three things to try
  gateway kong.yml                         serve a file; a change of it is picked up
  gateway kong.yml --admin 127.0.0.1:8001  with Kong's Admin API, status and metrics
  gateway --store /var/lib/gateway --admin 127.0.0.1:8001   entities in a store, changed by the Admin API
  gateway kong.yml --listen :80 --listen-tls :443
  gateway check kong.yml                   name all mistakes, serve nothing
  gateway lint kong.yml                    name what is right, but hardly meant
  gateway explain kong.yml http://a.example/users   which route takes it, and why
  GATEWAY_WORKERS=2 gateway kong.yml       each option is a variable too

An option wins over its variable, that over the settings file, that over the default.
SIGTERM and SIGINT stop gracefully, a second one at once. SIGHUP reads the file again.";

const CHECK_EXAMPLES: &str = "\
Examples:
  gateway check kong.yml
  gateway check kong.yml --format json     for tools
  gateway check kong.yml --settings gateway.toml   as the node that has these settings
  generate-config | gateway check -";

const EXPLAIN_EXAMPLES: &str = "\
Examples: a request in curl's words
  gateway explain kong.yml http://api.example.com/users/7
  gateway explain kong.yml -X POST https://api.example.com/users -H 'X-Version: 2'
  gateway explain kong.yml http://127.0.0.1/ -H 'Host: api.example.com'
  gateway explain kong.yml http://api.example.com/ --from 10.0.0.7 --consumer alice
  gateway explain kong.yml http://api.example.com/ --format json

Nothing is sent: it shows the route that takes the request, the others and why they do not, what would go to
the upstream, the plugins on the way, and the endpoints to pick from.
Exit code 0: a route takes it. 1: none does, or the file is wrong. 2: the command line is.";

const LINT_EXAMPLES: &str = "\
Examples:
  gateway lint kong.yml
  gateway lint kong.yml --format json      for tools
  generate-config | gateway lint -

Each finding has a code; docs/lint.md tells what is behind it.
Exit code 0: nothing, or notes only. 1: warnings, or the file is wrong. 2: the command line is.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  gateway export > kong.yml
  gateway export --output kong.yml --admin 127.0.0.1:9001
  gateway export --store /var/lib/gateway  while no gateway has it open

Keys and passwords stand in it in clear; references to vaults stay references.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  gateway import kong.yml --dry-run        what it would change
  gateway import kong.yml

What is not in the file goes. All of it is taken, or nothing.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  gateway plugin inspect my-plugin.wasm
  gateway plugin inspect my-plugin.wasm --format json
  gateway plugin inspect oci://ghcr.io/example/geo:1.4.0   its hash is what a delivery pins";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_what_happens_without_a_command() {
        for line in [vec!["gateway", "kong.yml"], vec!["gateway", "run", "kong.yml"]] {
            let Command::Run(args) = Cli::parse_from(line).task() else { panic!("run") };
            assert_eq!(args.config.unwrap().to_str(), Some("kong.yml"));
        }
        assert!(matches!(Cli::parse_from(["gateway", "check", "kong.yml"]).task(), Command::Check(_)));
        assert!(Cli::try_parse_from(["gateway", "--listen", "nowhere"]).is_err());
        assert!(Cli::try_parse_from(["gateway", "--router-flavor", "alphabetical"]).is_err());
    }

    #[test]
    fn lists_are_repeated_or_separated_by_commas() {
        let line = ["gateway", "--listen", ":1,:2", "--listen", ":3", "--allow-debug-header"];
        let Command::Run(args) = Cli::parse_from(line).task() else { panic!("run") };
        assert_eq!(args.listen.len(), 3);
        assert_eq!(args.allow_debug_header, Some(true));
    }
}
