//! The committed corpora of `fuzz/` through the functions of its targets: what fuzzing has found stays found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(unreachable_pub, reason = "a crate of its own when it is fuzzed")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::{fs, path::Path};

/// Runs `target` over each file of its corpus, and over each with a byte changed here and there.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{} is no corpus", folder.display());
    let mut random = fastrand::Rng::with_seed(7);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        target(&bytes);
        for _ in 0..20 {
            target(&mutated(bytes.clone(), &mut random));
        }
    }
}

fn mutated(mut bytes: Vec<u8>, random: &mut fastrand::Rng) -> Vec<u8> {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..=bytes.len());
        match random.u8(..4) {
            0 => bytes.insert(at, random.u8(..)),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] = *random.choice(b"\0\t\n\r %./:;,?#~-9aA\xff").unwrap(),
            _ => {
                let copy = bytes[at..].to_vec();
                bytes.extend(copy);
            }
        }
    }
    bytes
}

#[test]
fn path() {
    replay("path", targets::path);
}

#[test]
fn host() {
    replay("host", targets::host);
}

#[test]
fn config() {
    replay("config", targets::config);
}

#[test]
fn router() {
    replay("router", targets::router);
}

#[test]
fn expression() {
    replay("expression", targets::expression);
}

#[test]
fn proxy() {
    replay("proxy", targets::proxy);
}

#[test]
fn http1() {
    replay("http1", targets::http1);
}

#[test]
fn upstream() {
    replay("upstream", targets::upstream);
}
