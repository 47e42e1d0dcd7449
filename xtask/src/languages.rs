//! Guests of the plugin host's tests that are written in other languages than Rust. Each is built where its compiler is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::{
    Result,
    modules::{digest_of, root},
};

/// Where their sources lie, a folder each, and in `built` what comes of them.
const FOLDER: &str = "gateway-plugins/tests/languages";
/// The chore that builds them.
const CHORE: &str = "cargo xtask guests";

/// A guest, and how it is built.
pub(crate) struct Language {
    /// Its folder, and its module.
    name: &'static str,
    /// What its compiler is asked for its version.
    compiler: &'static [&'static str],
    /// What goes well where all is there that it needs.
    works: &'static [&'static str],
    /// What builds it, one command after the other, in a copy of its folder.
    steps: &'static [&'static [&'static str]],
    /// Where the module is then.
    module: &'static str,
}

pub(crate) const LANGUAGES: [Language; 3] = [
    Language {
        name: "assemblyscript",
        // Its compiler comes by the lock file, so it is the same everywhere.
        compiler: &["npm", "pkg", "get", "devDependencies.assemblyscript"],
        works: &["node", "--version"],
        steps: &[
            &["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            &["npm", "run", "--silent", "asbuild"],
        ],
        module: "build/guest.wasm",
    },
    Language {
        name: "cpp",
        compiler: &["clang++", "--version"],
        works: &[
            "clang++",
            "--target=wasm32-wasi",
            "-mexec-model=reactor",
            "-include",
            "string",
            "-xc++",
            "/dev/null",
            "-o",
            "/dev/null",
        ],
        steps: &[&[
            "clang++",
            "--target=wasm32-wasi",
            "-mexec-model=reactor",
            "-std=c++17",
            "-fno-exceptions",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wl,--export=malloc",
            "-Wl,--strip-all",
            "-o",
            "guest.wasm",
            "guest.cc",
        ]],
        module: "guest.wasm",
    },
    Language {
        name: "go",
        compiler: &["go", "version"],
        works: &["go", "version"],
        steps: &[&[
            "env",
            "GOOS=wasip1",
            "GOARCH=wasm",
            "GOTOOLCHAIN=local",
            "go",
            "build",
            "-buildmode=c-shared",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags=-s -w",
            "-o",
            "guest.wasm",
            ".",
        ]],
        module: "guest.wasm",
    },
];

impl Language {
    /// Builds the module and puts it where it is committed; or changes nothing, and compares. Where there is no compiler it says
    /// so, and what is committed stays.
    pub(crate) async fn run(&self, check: bool) -> Result<()> {
        let Some(compiler) = self.compiler().await else {
            println!(
                "{} is NOT built: no {} that works here",
                self.committed("wasm").display(),
                self.compiler[0]
            );
            return Ok(());
        };
        let built = self.build().await?;
        if check { self.compare(&built, &compiler) } else { self.keep(&built, &compiler) }
    }

    async fn build(&self) -> Result<PathBuf> {
        let copy = root().join("target/languages").join(self.name);
        copied(&self.sources(), &copy)?;
        for step in self.steps {
            if !command(step, &copy).status().await?.success() {
                return Err(format!("{} does not build: {}", self.name, step.join(" ")).into());
            }
        }
        Ok(copy.join(self.module))
    }

    fn keep(&self, built: &Path, compiler: &str) -> Result<()> {
        let module = self.committed("wasm");
        fs::copy(built, &module)?;
        println!("{} bytes  {FOLDER}/built/{}.wasm", fs::metadata(&module)?.len(), self.name);
        Ok(fs::write(self.committed("txt"), format!("{}\n{compiler}\n", self.inputs()?))?)
    }

    fn compare(&self, built: &Path, compiler: &str) -> Result<()> {
        let (inputs, theirs) = self.kept()?;
        let module = self.committed("wasm");
        if inputs != self.inputs()? {
            return Err(format!("{} is of other sources: run `{CHORE}`", module.display()).into());
        }
        if theirs != compiler {
            println!("{} is built, but NOT compared: it is of {theirs}, this is {compiler}", self.name);
            return Ok(());
        }
        if fs::read(&module)? != fs::read(built)? {
            return Err(format!("{} is not what its sources give: run `{CHORE}`", module.display()).into());
        }
        println!("{FOLDER}/built/{}.wasm is of these sources", self.name);
        Ok(())
    }

    /// The digest of the sources that the committed module was built from, and the compiler.
    pub(crate) fn kept(&self) -> Result<(String, String)> {
        let kept = fs::read_to_string(self.committed("txt"))?;
        let (inputs, compiler) = kept.trim_end().split_once('\n').ok_or("two lines are wanted")?;
        Ok((inputs.to_owned(), compiler.to_owned()))
    }

    /// The SHA-256 of its sources.
    pub(crate) fn inputs(&self) -> Result<String> {
        digest_of([(self.sources(), Path::new(""))])
    }

    /// The compiler as it names itself, in one line; none where it is not there, or lacks something, or is too old.
    async fn compiler(&self) -> Option<String> {
        told(self.works, &self.sources()).await?;
        let told = told(self.compiler, &self.sources()).await?;
        let line = told.lines().next()?.trim().to_owned();
        // `//go:wasmexport` came with Go 1.24.
        let old = go_minor(&line).is_some_and(|minor| minor < 24);
        (!old).then_some(line)
    }

    fn sources(&self) -> PathBuf {
        root().join(FOLDER).join(self.name)
    }

    fn committed(&self, extension: &str) -> PathBuf {
        root().join(FOLDER).join("built").join(self.name).with_extension(extension)
    }
}

/// What a command says that goes well.
async fn told(words: &[&str], folder: &Path) -> Option<String> {
    let told = command(words, folder).output().await.ok()?;
    String::from_utf8(told.stdout).ok().filter(|_| told.status.success())
}

fn command(words: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder).kill_on_drop(true);
    command
}

/// Copies files over, and leaves those that builds have put beside them.
fn copied(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copied(&path, &copy)?;
        } else {
            fs::copy(path, copy)?;
        }
    }
    Ok(())
}

/// The second number of `go version go1.26.1 linux/amd64`; none of other compilers.
fn go_minor(told: &str) -> Option<u32> {
    let (_, rest) = told.split_once("go1.")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{CHORE, LANGUAGES, go_minor};

    #[test]
    fn what_is_committed_is_built_from_the_sources_beside_it() {
        for language in LANGUAGES {
            assert_eq!(language.kept().unwrap().0, language.inputs().unwrap(), "run `{CHORE}`");
        }
    }

    #[test]
    fn a_go_says_how_old_it_is() {
        assert_eq!(go_minor("go version go1.26.1 linux/amd64"), Some(26));
        assert_eq!(go_minor("Debian clang version 14.0.6"), None);
    }
}
