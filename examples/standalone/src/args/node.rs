//! The node that would serve a file.

use std::path::PathBuf;

use clap::Args;

use super::{RouterFlavor, RunArgs};

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
