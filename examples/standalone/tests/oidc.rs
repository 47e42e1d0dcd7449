//! The plugin openid-connect against real providers, with a real browser: `tests/oidc` has both sides of it.
//!
//! It takes node 20, `chromium` (or what `CHROMIUM` names), and in `tests/oidc` `npm ci` and, for the second provider,
//! `python3 -m venv venv && venv/bin/pip install -r requirements.txt`. Where one of them is missing the test says that it
//! is skipped; with `CI=true` that is an error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longer than a run takes.
const PATIENCE: Duration = Duration::from_secs(240);

#[test]
fn users_log_in_stay_and_log_out_at_a_certified_provider() {
    run("certified", "node_modules/oidc-provider");
}

#[test]
fn users_log_in_stay_and_log_out_at_a_provider_of_another_family() {
    run("canaille", "venv/bin/canaille");
}

/// Runs the journey at a provider that is installed there.
fn run(provider: &str, installed: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
    let chromium = env::var_os("CHROMIUM").map(PathBuf::from);
    let chromium =
        chromium.or_else(|| ["chromium", "chromium-browser", "google-chrome"].iter().find_map(program));
    let there = folder.join("node_modules").is_dir() && folder.join(installed).exists();
    let (Some(node), Some(chromium), true) = (program(&"node"), chromium, there) else {
        let missing = "node, chromium, or what `npm ci` and pip install in examples/standalone/tests/oidc";
        assert!(env::var("CI").as_deref() != Ok("true"), "there is no {missing}");
        eprintln!("SKIPPED: the journey at {provider} needs {missing}");
        return;
    };
    let log = env::temp_dir().join(format!("gateway-oidc-{provider}-{}.log", std::process::id()));
    let output = fs::File::create(&log).unwrap();
    let mut child = Command::new(node)
        .current_dir(&folder)
        .args(["end-to-end.mjs", provider, env!("CARGO_BIN_EXE_gateway")])
        .arg(chromium)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() > end => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    let said = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    assert!(status.is_some_and(|status| status.success()), "{provider}: {status:?}\n{said}");
    assert!(said.contains("\ndone"), "{said}");
}

/// Where a program of this name is.
fn program(name: &&str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
