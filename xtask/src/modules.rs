//! Modules of WebAssembly that are committed: built from a workspace of their own, with a digest of its sources.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;
use tokio::process::Command;

use crate::Result;

/// What modules are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The file that says which sources the committed modules were built from.
pub(crate) const DIGEST: &str = "inputs.sha256";
/// The file that says which compiler they were built with.
const COMPILER: &str = "rustc";
/// Folders that nothing of a module comes from.
const LEFT_OUT: [&str; 4] = ["built", "target", "tests", "testing"];

/// A workspace whose modules are committed. Paths are from the root of the repository.
pub(crate) struct Workspace {
    /// Where it lies.
    pub(crate) folder: &'static str,
    /// Where its modules are put.
    pub(crate) built: &'static str,
    /// Folders beside its own that its modules are made of.
    pub(crate) also: &'static [&'static str],
    /// Where builds leave what they need again.
    pub(crate) target: &'static str,
    /// The chore that builds it.
    pub(crate) chore: &'static str,
}

impl Workspace {
    /// Builds the modules and puts them where they are committed; or changes nothing, and compares.
    pub(crate) async fn run(&self, check: bool) -> Result<()> {
        let target = root().join(self.target);
        build(&root().join(self.folder), &target, &remapped()).await?;
        let modules = modules(&target)?;
        let compiler = compiler().await?;
        if check { self.compare(&modules, &compiler) } else { self.keep(&modules, &compiler) }
    }

    fn keep(&self, modules: &[PathBuf], compiler: &str) -> Result<()> {
        let built = root().join(self.built);
        for module in modules {
            let name = name(module)?;
            fs::copy(module, built.join(&name))?;
            println!("{} bytes  {}/{name}", fs::metadata(module)?.len(), self.built);
        }
        fs::write(built.join(COMPILER), compiler)?;
        Ok(fs::write(built.join(DIGEST), self.inputs()? + "\n")?)
    }

    fn compare(&self, modules: &[PathBuf], compiler: &str) -> Result<()> {
        let built = root().join(self.built);
        let theirs = fs::read_to_string(built.join(COMPILER))?;
        if theirs != compiler {
            println!("built, but NOT compared: those committed are of {theirs}this is {compiler}");
            return Ok(());
        }
        let other = |what: &str| format!("{}/{what} is of other sources: run `{}`", self.built, self.chore);
        if fs::read_to_string(built.join(DIGEST))?.trim() != self.inputs()? {
            return Err(other(DIGEST).into());
        }
        for module in modules {
            let name = name(module)?;
            match fs::read(built.join(&name))? == fs::read(module)? {
                true => println!("{}/{name} is of these sources", self.built),
                // Cargo puts the paths of crates outside the workspace into the names of symbols.
                false if !self.also.is_empty() => {
                    println!(
                        "{}/{name} is of these sources by their digest; its bytes hang on where they lie",
                        self.built
                    );
                }
                false => return Err(other(&name).into()),
            }
        }
        Ok(())
    }

    /// The SHA-256 of all sources: names and contents, in the order of their names.
    pub(crate) fn inputs(&self) -> Result<String> {
        let also = self.also.iter().map(|folder| (root().join(folder), Path::new(*folder)));
        digest_of([(root().join(self.folder), Path::new(""))].into_iter().chain(also))
    }
}

/// The SHA-256 of all sources in folders: names, each behind what its folder is called, and contents, in the order of
/// their names.
pub(crate) fn digest_of<'a>(folders: impl IntoIterator<Item = (PathBuf, &'a Path)>) -> Result<String> {
    let mut digest = digest::Context::new(&digest::SHA256);
    for (folder, prefix) in folders {
        let mut files = Vec::new();
        collect(&folder, &mut files)?;
        files.sort();
        for file in files {
            let name = prefix.join(file.strip_prefix(&folder)?);
            digest.update(name.to_string_lossy().replace('\\', "/").as_bytes());
            digest.update(&[0]);
            digest.update(&fs::read(&file)?);
            digest.update(&[0]);
        }
    }
    Ok(digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Builds a workspace, or a package, for [`TARGET`].
pub(crate) async fn build(folder: &Path, target: &Path, flags: &str) -> Result<()> {
    let mut cargo = cargo(folder);
    cargo.args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(target);
    if !flags.is_empty() {
        cargo.arg("--locked").env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
    }
    if cargo.status().await?.success() { Ok(()) } else { Err("the modules do not build".into()) }
}

/// The cargo that runs this, in a folder.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo sets for this program is not meant for the packages it builds.
    cargo.current_dir(folder).env_remove("CARGO_MANIFEST_DIR").kill_on_drop(true);
    cargo
}

/// The modules that a build has left.
pub(crate) fn modules(target: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(target.join(TARGET).join("release"))?.collect::<std::io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut modules: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect();
    modules.sort();
    Ok(modules)
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// A module's file, by the name of its package: rustc writes `key_auth.wasm`.
fn name(module: &Path) -> Result<String> {
    let name = module.file_name().and_then(|name| name.to_str()).ok_or("a module without a name")?;
    Ok(name.replace('_', "-"))
}

/// The compiler that builds them, as it names itself.
async fn compiler() -> Result<String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    Ok(String::from_utf8(rustc.arg("--version").output().await?.stdout)?)
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

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) if LEFT_OUT.contains(&name) => {}
            _ if path.is_dir() => collect(&path, files)?,
            _ => files.push(path),
        }
    }
    Ok(())
}
