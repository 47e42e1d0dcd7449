//! A filter in plain Go runs as it is: what its compiler needs of WASI is there, and its runtime starts within the bounds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod kit;

use std::{fs, path::Path, process::Command};

use kit::{builder, edge, empty, module, request};
use serde_json::json;

/// The module; none, with a line that says so, where this machine has no Go of 1.24 or newer, as no package of Debian's has.
fn guest() -> Option<Vec<u8>> {
    let told = Command::new("go").arg("version").output().ok().map(|told| told.stdout).unwrap_or_default();
    if minor(&String::from_utf8_lossy(&told)).is_none_or(|minor| minor < 24) {
        eprintln!("SKIPPED: no Go of 1.24 or newer on this machine");
        return None;
    }
    let built = std::env::temp_dir().join(format!("gateway-go-{}.wasm", std::process::id()));
    let mut go = Command::new("go");
    go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go"));
    go.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOTOOLCHAIN", "local");
    let status = go.args(["build", "-buildmode=c-shared", "-o"]).arg(&built).arg(".").status().unwrap();
    assert!(status.success(), "{status}");
    let module = fs::read(&built).unwrap();
    fs::remove_file(built).unwrap();
    Some(module)
}

/// The second number of `go version go1.26.1 linux/amd64`.
fn minor(told: &str) -> Option<u32> {
    told.split("go1.").nth(1)?.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[tokio::test]
async fn a_filter_in_plain_go_runs_as_it_is() {
    let Some(guest) = tokio::task::spawn_blocking(guest).await.unwrap() else { return };
    let edge = edge(builder("go"), &module(&guest), json!({ "said": "Hello" })).await;
    let nobody = edge.get("/").await;
    assert_eq!((nobody.status.as_u16(), nobody.text.as_str()), (401, "Who are you?"));
    // Its collector runs several times meanwhile.
    for number in 0..500 {
        let name = format!("{number}-{}", "x".repeat(4_000));
        let answer = edge.ask(request("GET", "/").header("x-name", &name).body(empty()).unwrap()).await;
        assert_eq!(answer.sent("x-greeting"), [format!(r#"{{"said":"Hello"}} {name}"#)]);
    }
    let stats = edge.watch.stats();
    assert_eq!((stats.traps, stats.instances), (0, 1), "{stats:?}");
}
