//! `cargo xtask plugin`: a plugin of one's own, made, built and tested.

mod new;
mod test;

use std::{fs, path::PathBuf};

use clap::{Args, Subcommand};

use crate::{
    Result,
    modules::{TARGET, build, modules},
};

/// Makes, builds and tests a plugin of your own.
#[derive(Subcommand, Debug)]
pub(crate) enum Plugin {
    New(new::New),
    Build(Build),
    Test(test::Test),
}

impl Plugin {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::New(new) => new.run(),
            Self::Build(build) => build.run().await,
            Self::Test(test) => test.run().await,
        }
    }
}

/// Builds a plugin, or a workspace of plugins, to one file of WebAssembly each.
#[derive(Args, Debug)]
pub(crate) struct Build {
    /// Its folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Build {
    async fn run(self) -> Result<()> {
        for module in built(&self.folder).await? {
            println!("{} bytes  {}", fs::metadata(&module)?.len(), module.display());
        }
        Ok(())
    }
}

/// The modules of a folder, built.
async fn built(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let target = folder.canonicalize()?.join("target");
    let failed = |error| format!("{error}; needed: `rustup target add {TARGET}`");
    build(folder, &target, "").await.map_err(failed)?;
    modules(&target)
}
