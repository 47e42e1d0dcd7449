//! A file that is looked at.

use std::path::PathBuf;

use clap::Args;

use super::{NodeArgs, OutputFormat};

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
