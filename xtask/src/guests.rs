//! `cargo xtask guests`: the WASM guests of the plugin host's tests, built from their sources.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use clap::Args;
use tokio::process::Command;

use crate::Result;

/// Where their workspace lies, from the root of the repository.
const GUESTS: &str = "gateway-plugins/tests/guests";
/// What they are built for.
const TARGET: &str = "wasm32-unknown-unknown";
/// The file that says which sources the committed modules were built from.
const DIGEST: &str = "built/inputs.sha256";

/// The file that says which compiler they were built with.
const COMPILER: &str = "built/rustc";

/// Builds the WASM guests of the plugin host's tests and puts them beside their sources, with a digest of those.
/// Needs `rustup target add wasm32-unknown-unknown`. Tests use what is committed and need no such target.
#[derive(Args, Debug)]
pub(crate) struct Guests {
    /// Changes nothing: compares what comes out with what is committed. Another compiler than that of the committed
    /// ones makes other bytes; then they are only built.
    #[arg(long)]
    check: bool,
}

impl Guests {
    pub(crate) async fn run(self) -> Result<()> {
        let (guests, target) = (root().join(GUESTS), root().join("target/guests"));
        build(&guests, &target).await?;
        let modules = modules(&target.join(TARGET).join("release"))?;
        let compiler = compiler().await?;
        if self.check { compare(&guests, &modules, &compiler) } else { keep(&guests, &modules, &compiler) }
    }
}

async fn build(guests: &Path, target: &Path) -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(guests).args(["build", "--locked", "--release", "--target", TARGET, "--target-dir"]);
    cargo.arg(target).env("RUSTFLAGS", remapped()).env_remove("CARGO_ENCODED_RUSTFLAGS");
    if cargo.status().await?.success() { Ok(()) } else { Err("the guests do not build".into()) }
}

/// The compiler that builds them, as it names itself.
async fn compiler() -> Result<String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    Ok(String::from_utf8(rustc.arg("--version").output().await?.stdout)?)
}

fn keep(guests: &Path, modules: &[PathBuf], compiler: &str) -> Result<()> {
    for module in modules {
        let name = module.file_name().ok_or("a module without a name")?;
        fs::copy(module, guests.join("built").join(name))?;
        println!("{} bytes  built/{}", fs::metadata(module)?.len(), name.display());
    }
    fs::write(guests.join(COMPILER), compiler)?;
    Ok(fs::write(guests.join(DIGEST), inputs(guests)? + "\n")?)
}

fn compare(guests: &Path, modules: &[PathBuf], compiler: &str) -> Result<()> {
    let theirs = fs::read_to_string(guests.join(COMPILER))?;
    if theirs != compiler {
        println!("built, but NOT compared: those committed are of {theirs}this is {compiler}");
        return Ok(());
    }
    for module in modules {
        let name = module.file_name().ok_or("a module without a name")?;
        if fs::read(guests.join("built").join(name))? != fs::read(module)? {
            return Err(
                format!("built/{} is of other sources: run `cargo xtask guests`", name.display()).into()
            );
        }
        println!("built/{} is of these sources", name.display());
    }
    Ok(())
}

/// Paths of this machine, and where its crates come from, do not end up in panic messages.
fn remapped() -> String {
    let home =
        env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| home + "/.cargo")).unwrap_or_default();
    let registries = fs::read_dir(Path::new(&home).join("registry/src")).into_iter().flatten().flatten();
    let mut flags = format!("--remap-path-prefix={}=/gateway", root().display());
    for registry in registries {
        flags += &format!(" --remap-path-prefix={}=/cargo", registry.path().display());
    }
    flags
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

fn modules(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.collect::<std::io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect())
}

/// The SHA-256 of all sources: names and contents, in the order of their names.
fn inputs(guests: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(guests, &mut files)?;
    files.sort();
    let mut digest = digest::Context::new(&digest::SHA256);
    for file in files {
        let name = file.strip_prefix(guests)?.to_string_lossy().replace('\\', "/");
        digest.update(name.as_bytes());
        digest.update(&[0]);
        digest.update(&fs::read(&file)?);
        digest.update(&[0]);
    }
    Ok(digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("built" | "target") => {}
            _ if path.is_dir() => collect(&path, files)?,
            _ => files.push(path),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DIGEST, GUESTS, inputs, root};

    #[test]
    fn the_committed_guests_are_built_from_the_sources_beside_them() {
        let guests = root().join(GUESTS);
        let committed = std::fs::read_to_string(guests.join(DIGEST)).unwrap();
        assert_eq!(committed.trim(), inputs(&guests).unwrap(), "run `cargo xtask guests`");
    }
}
