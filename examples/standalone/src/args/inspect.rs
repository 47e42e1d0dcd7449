//! A plugin's file that is looked into.

use std::path::PathBuf;

use clap::Args;

use super::OutputFormat;

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
