//! A plugin's tests: compiled into them, and built, in the real gateway.

use std::{path::PathBuf, process::Stdio};

use clap::Args;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::built;
use crate::{
    Result,
    modules::{cargo, root},
};

/// Runs the tests of a plugin, or of a workspace of plugins: natively, and then once more with the built modules in
/// the real gateway.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Its folder.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Only natively.
    #[arg(long)]
    native: bool,
    /// Only those whose names contain this.
    #[arg(long)]
    only: Option<String>,
}

impl Test {
    pub(super) async fn run(self) -> Result<()> {
        println!("==> natively");
        self.tests(None).await?;
        if self.native {
            return Ok(());
        }
        let modules = built(&self.folder).await?;
        let mut testbed = testbed(&modules).await?;
        let address = address(&mut testbed).await?;
        println!("==> as WebAssembly in the real gateway: {} modules", modules.len());
        self.tests(Some(&address)).await
    }

    async fn tests(&self, testbed: Option<&str>) -> Result<()> {
        let mut cargo = cargo(&self.folder);
        cargo.arg("test").args(self.only.as_deref()).env_remove("PLUGIN_TESTBED");
        testbed.map(|address| cargo.env("PLUGIN_TESTBED", address));
        if cargo.status().await?.success() { Ok(()) } else { Err("a test failed".into()) }
    }
}

/// Builds the testbed and starts it. It ends with its standard input, and so with this program.
async fn testbed(modules: &[PathBuf]) -> Result<Child> {
    let root = root();
    let target = root.join("target");
    let mut build = cargo(&root);
    // Of the whole workspace: with features of its own, its libraries would be built once more beside those of the tests.
    build.args(["build", "--workspace", "--bin", "plugin-testbed", "--target-dir"]).arg(&target);
    if !build.status().await?.success() {
        return Err("the testbed does not build".into());
    }
    let program = target.join("debug").join(format!("plugin-testbed{}", std::env::consts::EXE_SUFFIX));
    let mut testbed = Command::new(program);
    testbed.args(modules).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(testbed.spawn()?)
}

/// The address that a testbed says first, once it has compiled its modules.
async fn address(testbed: &mut Child) -> Result<String> {
    let output = testbed.stdout.take().ok_or("the testbed says nothing")?;
    let mut lines = BufReader::new(output).lines();
    Ok(lines.next_line().await?.ok_or("the testbed ended before it began")?)
}
