//! `cargo xtask guests` and `cargo xtask plugins`: modules that are committed, built from their sources.

use clap::Args;

use crate::{Result, languages::LANGUAGES, modules::Workspace};

/// The guests of the plugin host's tests.
const GUESTS: Workspace = Workspace {
    folder: "gateway-plugins/tests/guests",
    built: "gateway-plugins/tests/guests/built",
    also: &[],
    target: "target/guests",
    chore: "cargo xtask guests",
};

/// The plugins that come with the gateway.
const BUNDLED: Workspace = Workspace {
    folder: "gateway-plugins/guests",
    built: "gateway-plugins/bundled",
    also: &["plugin-sdk"],
    target: "target/plugins",
    chore: "cargo xtask plugins",
};

/// Builds the WASM guests of the plugin host's tests and puts them beside their sources, with a digest of those.
/// Needs `rustup target add wasm32-unknown-unknown`. Those in AssemblyScript, C++ and Go are built where npm, clang++ with
/// libc++ for WASI, and Go are there. Tests use what is committed and need none of it.
#[derive(Args, Debug)]
pub(crate) struct Guests {
    /// Changes nothing: compares what comes out with what is committed. Another compiler than that of the committed
    /// ones makes other bytes; then they are only built.
    #[arg(long)]
    check: bool,
}

impl Guests {
    pub(crate) async fn run(self) -> Result<()> {
        GUESTS.run(self.check).await?;
        for language in LANGUAGES {
            language.run(self.check).await?;
        }
        Ok(())
    }
}

/// Builds the plugins that come with the gateway, in gateway-plugins/guests, and puts them into
/// gateway-plugins/bundled, with a digest of their sources and of the SDK's.
#[derive(Args, Debug)]
pub(crate) struct Plugins {
    /// Changes nothing: compares what comes out with what is committed, as for `guests`.
    #[arg(long)]
    check: bool,
}

impl Plugins {
    pub(crate) async fn run(self) -> Result<()> {
        BUNDLED.run(self.check).await
    }
}

#[cfg(test)]
mod tests {
    use super::{BUNDLED, GUESTS};
    use crate::modules::{DIGEST, root};

    #[test]
    fn what_is_committed_is_built_from_the_sources_beside_it() {
        for workspace in [GUESTS, BUNDLED] {
            let committed = std::fs::read_to_string(root().join(workspace.built).join(DIGEST)).unwrap();
            assert_eq!(committed.trim(), workspace.inputs().unwrap(), "run `{}`", workspace.chore);
        }
    }
}
