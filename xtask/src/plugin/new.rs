//! A new plugin: the example, under another name.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

use clap::Args;

use crate::{Result, modules::root};

/// The files of the example that a new plugin begins with, by their names in its folder.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../../../examples/plugin-hello/Cargo.toml")),
    ("Cargo.lock", include_str!("../../../examples/plugin-hello/Cargo.lock")),
    ("src/lib.rs", include_str!("../../../examples/plugin-hello/src/lib.rs")),
    ("tests/plugin.rs", include_str!("../../../examples/plugin-hello/tests/plugin.rs")),
];

/// Makes the folder of a new plugin: one that works, to be changed.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// Its name: small letters, digits and hyphens.
    name: String,
    /// Where its folder is made; by default here.
    #[arg(long, default_value = ".")]
    path: PathBuf,
}

impl New {
    pub(super) fn run(self) -> Result<()> {
        if !is_name(&self.name) {
            return Err(
                format!("{}: a name is small letters, digits and hyphens, as my-plugin", self.name).into()
            );
        }
        let folder = env::current_dir()?.join(&self.path).join(&self.name);
        if folder.exists() {
            return Err(format!("{} is there already", folder.display()).into());
        }
        fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        let sdk = relative(&folder, &root().canonicalize()?.join("plugin-sdk"));
        for (name, text) in FILES {
            let file = folder.join(name);
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&file, renamed(text, &self.name, &sdk))?;
            println!("{}", file.display());
        }
        fs::write(folder.join(".gitignore"), "target/\n")?;
        println!("\nnext: cargo xtask plugin test {0}, and cargo xtask plugin build {0}", folder.display());
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(fits)
}

/// The example's text for a plugin of another name, with the way to the SDK.
fn renamed(text: &str, name: &str, sdk: &str) -> String {
    let type_name: String = name.split('-').map(capital).collect();
    text.replace("../../plugin-sdk", sdk)
        .replace("plugin_hello", &name.replace('-', "_"))
        .replace("plugin-hello", name)
        .replace("PluginHello", &type_name)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The way from one folder to another, both absolute, with slashes.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to) = (from.components().collect::<Vec<_>>(), to.components().collect::<Vec<_>>());
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    // Nothing in common but the root: the two have nothing to do with each other.
    if shared <= 1 {
        return to.iter().collect::<PathBuf>().to_string_lossy().replace('\\', "/");
    }
    let up = from.iter().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.iter().skip(shared).copied()).collect();
    way.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{FILES, is_name, relative, renamed};

    #[test]
    fn names_are_those_that_crates_and_configurations_can_have() {
        assert!(["a", "my-plugin", "v2"].into_iter().all(is_name));
        assert!(!["", "My", "2a", "a_b", "a-", "../a"].into_iter().any(is_name));
    }

    #[test]
    fn nothing_of_the_examples_name_is_left() {
        for (file, text) in FILES {
            let renamed = renamed(text, "rate-card", "../sdk");
            assert!(!renamed.to_lowercase().replace(['-', '_'], "").contains("pluginhello"), "{file}");
        }
        assert!(renamed(FILES[2].1, "rate-card", "").contains("struct RateCard"));
        assert!(renamed(FILES[0].1, "rate-card", "../sdk").contains(r#"path = "../sdk""#));
    }

    #[test]
    fn the_sdk_is_found_from_where_the_plugin_lies() {
        assert_eq!(relative(Path::new("/w/gw/mine/a"), Path::new("/w/gw/plugin-sdk")), "../../plugin-sdk");
        assert_eq!(relative(Path::new("/tmp/a"), Path::new("/w/gw/plugin-sdk")), "/w/gw/plugin-sdk");
    }
}
