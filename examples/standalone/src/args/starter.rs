//! What helps at the beginning.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Where the first file goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder, which is made if it is not there
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(crate) folder: PathBuf,
}

/// Which shell is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}
