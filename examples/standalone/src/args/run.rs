//! What a node that runs is told.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{BoolishValueParser, NonEmptyStringValueParser},
};

use super::{LogFormat, RouterFlavor};
use crate::address::{Address, ListenAddress};

/// A node that runs.
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
