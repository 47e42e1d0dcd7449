//! The gateway built by what it does under load (profile-guided optimisation).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio::process::Command;

use crate::Result;
use crate::bench::process::output;
use crate::bench::training::train;
use crate::modules::{cargo, root};

/// Build the gateway twice, the second time by what the first one did under load: target/pgo/gateway
#[derive(Args)]
pub(crate) struct Pgo {}

impl Pgo {
    pub(crate) async fn run(self) -> Result<()> {
        let (root, host) = (root().canonicalize()?, Host::ask().await?);
        let folder = root.join("target/pgo");
        let (counts, profile) = (folder.join("counts"), folder.join("gateway.profdata"));
        // What an earlier program has counted does not fit this one.
        let _ = fs::remove_dir_all(&counts);
        eprintln!("1 of 3: a gateway that counts what it does (some ten minutes)");
        let counting =
            host.build(&root, &folder, &format!("-Cprofile-generate={}", counts.display())).await?;
        eprintln!("2 of 3: load");
        train(&root, &counting).await?;
        host.merge(&counts, &profile).await?;
        eprintln!("3 of 3: the gateway by these counts (some ten minutes)");
        let built = host.build(&root, &folder, &format!("-Cprofile-use={}", profile.display())).await?;
        let gateway = folder.join("gateway");
        fs::copy(built, &gateway)?;
        eprintln!("{} is there; `BENCH_GATEWAY={0} cargo xtask bench` measures it", gateway.display());
        Ok(())
    }
}

/// This machine's toolchain.
struct Host {
    triple: String,
    profdata: PathBuf,
}

impl Host {
    async fn ask() -> Result<Self> {
        let said = rustc("-vV").await?;
        let triple =
            said.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
        let tools = Path::new(rustc("--print=sysroot").await?.trim()).join("lib/rustlib").join(triple);
        let profdata = tools.join("bin/llvm-profdata");
        if !profdata.is_file() {
            return Err("llvm-profdata is missing: rustup component add llvm-tools".into());
        }
        Ok(Self { triple: triple.to_owned(), profdata })
    }

    /// Builds the gateway with these flags. With a target named they are not for what runs at build time.
    async fn build(&self, root: &Path, folder: &Path, flags: &str) -> Result<PathBuf> {
        let mut cargo = cargo(root);
        cargo.args(["build", "--release", "--locked", "-p", "standalone", "--target", &self.triple]);
        cargo.arg("--target-dir").arg(folder).env("CARGO_ENCODED_RUSTFLAGS", flags);
        if !cargo.status().await?.success() {
            return Err("the gateway does not build".into());
        }
        Ok(folder.join(&self.triple).join("release/gateway"))
    }

    async fn merge(&self, counts: &Path, profile: &Path) -> Result<()> {
        let mut merge = Command::new(&self.profdata);
        merge.arg("merge").arg("-o").arg(profile).arg(counts);
        output(merge, Duration::from_secs(60)).await.map(drop)
    }
}

async fn rustc(question: &str) -> Result<String> {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.arg(question);
    output(rustc, Duration::from_secs(30)).await
}
