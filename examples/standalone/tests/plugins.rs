//! Plugins in WebAssembly: what is compiled is kept.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use kit::{Directory, command, failure};

const FILE: &str =
    "_format_version: '3.0'\nservices: [{name: a, host: a.test, plugins: [{name: key-auth}]}]\n";

/// Files of more than 10 KB.
fn large(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let large_files = files.into_iter().filter(|file| file.metadata().unwrap().len() > 10_000);
    large_files.chain(folders.iter().flat_map(|folder| large(folder))).collect()
}

#[test]
fn compiled_plugins_are_kept_among_the_users_caches_or_where_the_settings_say_or_nowhere() {
    let directory = Directory::new();
    let (file, caches, own) =
        (directory.put("kong.yml", FILE), directory.path("caches"), directory.path("own"));
    let check = |settings: &str| {
        let settings = directory.put("settings.toml", settings);
        let args = ["check", &file, "--settings", &settings];
        assert!(command(&args).env("XDG_CACHE_HOME", &caches).status().unwrap().success());
    };
    check("[plugins]\ncache = \"\"");
    check(&format!("[plugins]\ncache = \"{own}\""));
    assert!(!large(Path::new(&own)).is_empty() && !Path::new(&caches).exists());
    check("");
    assert!(!large(&Path::new(&caches).join("gateway")).is_empty());
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let directory = Directory::new();
    let (file, open) = (directory.put("kong.yml", FILE), directory.path("open"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let settings = directory.put("settings.toml", &format!("[plugins]\ncache = \"{open}\""));
    let said = failure(&["check", &file, "--settings", &settings]);
    assert!(said.contains(&open) && said.contains("others may write to it"), "{said}");
}
