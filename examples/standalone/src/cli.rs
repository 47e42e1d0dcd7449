//! The command line.

use std::{net::IpAddr, path::PathBuf, str::FromStr};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{BoolishValueParser, NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser},
};
use gateway_core::router::{Flavor, UnknownFlavor};

use crate::{
    address::{Address, ListenAddress},
    remote::{AdminArgs, ExportArgs, HistoryArgs, ImportArgs, QuitArgs, RollbackArgs},
    starter::{CompletionsArgs, InitArgs},
};

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

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RunArgs {
    /// The declarative file, YAML or JSON. Without it: a demo
    #[arg(value_name = "FILE", env = "GATEWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Keep entities in this folder; FILE then fills it once, while it is empty [default: nowhere]
    #[arg(long, value_name = "FOLDER", env = "GATEWAY_STORE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) store: Option<String>,

    /// Listen in clear: HTTP/1.1 and HTTP/2; may be given many times; "ADDR proxy_protocol" where proxies speak that [default: 0.0.0.0:8000, in the demo 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR", env = "GATEWAY_LISTEN", value_delimiter = ',')]
    pub(crate) listen: Vec<ListenAddress>,

    /// Listen with TLS, certificates by server name; may be given many times [default: nowhere]
    #[arg(long, value_name = "ADDR", env = "GATEWAY_LISTEN_TLS", value_delimiter = ',')]
    pub(crate) listen_tls: Vec<ListenAddress>,

    /// The certificate chain (PEM) where no server name matches
    #[arg(long, value_name = "PATH", env = "GATEWAY_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The key (PEM) of --tls-cert
    #[arg(long, value_name = "PATH", env = "GATEWAY_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Serve the Admin API; without a token keep it on loopback [default: off]
    #[arg(long, value_name = "ADDR", env = "GATEWAY_ADMIN")]
    pub(crate) admin: Option<Address>,

    /// In which order routes are tried [default: traditional_compatible]
    #[arg(long, value_name = "FLAVOR", env = "GATEWAY_ROUTER_FLAVOR", value_parser = RouterFlavor::parser())]
    pub(crate) router_flavor: Option<RouterFlavor>,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", env = "GATEWAY_WORKERS", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,

    /// A folder with plugins, files *.wasm; may be given many times [default: none beside the bundled ones]
    #[arg(long, value_name = "FOLDER", env = "GATEWAY_PLUGINS", value_delimiter = ',')]
    pub(crate) plugins: Vec<PathBuf>,

    /// More settings, TOML; see docs/settings.md
    #[arg(long, value_name = "FILE", env = "GATEWAY_SETTINGS")]
    pub(crate) settings: Option<PathBuf>,

    /// Settings of Kong: those that mean something here are read, under all others; the rest is named
    #[arg(long, value_name = "FILE", env = "GATEWAY_KONG_CONF")]
    pub(crate) kong_conf: Option<PathBuf>,

    /// Answer `Kong-Debug: 1` with the route and service that were found
    #[arg(long, env = "GATEWAY_ALLOW_DEBUG_HEADER", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) allow_debug_header: Option<bool>,

    /// One JSON line a request: off, - (standard output), stderr, or a file [default: -, in the demo off]
    #[arg(long, value_name = "PATH", env = "GATEWAY_ACCESS_LOG", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) access_log: Option<String>,

    /// The operator's log on standard error: error, warn, info, debug, or a filter by module [default: info]
    #[arg(long, value_name = "LEVEL", env = "GATEWAY_LOG")]
    pub(crate) log: Option<String>,

    /// How the operator's log is written [default: text on a terminal, json elsewhere]
    #[arg(long, value_name = "FORMAT", env = "GATEWAY_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// What looks at a file and tells what it finds.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// The declarative file, YAML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// How what is found is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: OutputFormat,

    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// What compares a file with what runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// What looks into a plugin's file.
#[derive(Clone, Debug, Args)]
pub(crate) struct InspectArgs {
    /// The module, in WebAssembly's binary format: a file, https://HOST/PATH, or oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// The settings file, whose `[plugins]` say what is shown to registries
    #[arg(long, value_name = "PATH", env = "GATEWAY_SETTINGS")]
    pub(crate) settings: Option<PathBuf>,

    /// How what is found is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: OutputFormat,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The declarative file, YAML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where the request is sent
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// Its method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,

    /// A header field of it; may be given many times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<Field>,

    /// The client's address [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,

    /// The consumer that authentication would find: a username, a custom id or an id
    #[arg(long, value_name = "NAME")]
    pub(crate) consumer: Option<String>,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: OutputFormat,

    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// The node that would serve the file: its settings say how routes are read.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeArgs {
    /// In which order routes are tried [default: traditional_compatible]
    #[arg(long, value_name = "FLAVOR", env = "GATEWAY_ROUTER_FLAVOR", value_parser = RouterFlavor::parser())]
    pub(crate) router_flavor: Option<RouterFlavor>,

    /// A folder with plugins, files *.wasm; may be given many times [default: none beside the bundled ones]
    #[arg(long, value_name = "FOLDER", env = "GATEWAY_PLUGINS", value_delimiter = ',')]
    pub(crate) plugins: Vec<PathBuf>,

    /// The node's settings, TOML: whom it trusts, how strict it is; see docs/settings.md
    #[arg(long, value_name = "FILE", env = "GATEWAY_SETTINGS")]
    pub(crate) settings: Option<PathBuf>,
}

/// Of a node that runs, these say how it reads the file.
impl From<&NodeArgs> for RunArgs {
    fn from(node: &NodeArgs) -> Self {
        let NodeArgs { router_flavor, plugins, settings } = node.clone();
        Self { router_flavor, plugins, settings, workers: Some(1), ..Self::default() }
    }
}

/// A header field, written `Name: value`.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Field {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a field is written 'Name: value'")?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// In which order routes are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RouterFlavor(pub(crate) Flavor);

impl RouterFlavor {
    fn parser() -> impl TypedValueParser<Value = Self> {
        PossibleValuesParser::new(Flavor::ALL.iter().map(|flavor| flavor.as_str())).try_map(Self::try_from)
    }
}

impl TryFrom<String> for RouterFlavor {
    type Error = UnknownFlavor;

    fn try_from(name: String) -> Result<Self, UnknownFlavor> {
        name.parse().map(Self)
    }
}

/// How the operator's log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Drawn for people.
    Text,
    /// One JSON object.
    Json,
}

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
