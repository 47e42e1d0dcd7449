//! The committed corpus of `fuzz/` for the ABI through the function of its target: what fuzzing has found stays found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(unreachable_pub, reason = "a crate of its own when it is fuzzed")]
#[path = "../../fuzz/src/abi/mod.rs"]
mod abi;

use std::{
    fs, panic,
    path::Path,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Panics of any thread: one where an instance is made would only cost a request.
static PANICS: AtomicU32 = AtomicU32::new(0);

#[test]
fn whatever_a_guest_calls_the_host_stands() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Relaxed);
        before(info);
    }));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/abi");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{} is no corpus", folder.display());
    let mut random = fastrand::Rng::with_seed(7);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let stats = abi::abi(&bytes);
        let refused = file.ends_with("refuses");
        assert_eq!(stats.entries < 10, refused, "{}: {stats:?}", file.display());
        for _ in 0..100 {
            abi::abi(&mutated(bytes.clone(), &mut random));
        }
        assert_eq!(PANICS.load(Relaxed), 0, "{}", file.display());
    }
}

/// With some numbers of it exchanged for those that hosts stumble over, and some lines moved to other callbacks.
fn mutated(bytes: Vec<u8>, random: &mut fastrand::Rng) -> Vec<u8> {
    const NUMBERS: [&str; 14] = [
        "0",
        "1",
        "2",
        "3",
        "7",
        "8",
        "65535",
        "131072",
        "131071",
        "4294967295",
        "4294967292",
        "2147483648",
        "@bad",
        "#call",
    ];
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    for _ in 0..random.usize(1..6) {
        let from = random.usize(..lines.len());
        match random.u8(..4) {
            0 => {
                let to = random.usize(..lines.len());
                lines[from][0] = if lines[from][0] == "returns" { "returns" } else { lines[to][0] };
            }
            1 => lines.swap(from, 0),
            _ if lines[from].len() > 2 => {
                let word = random.usize(2..lines[from].len());
                lines[from][word] = *random.choice(&NUMBERS).unwrap();
            }
            _ => {
                let copy = lines[from].clone();
                lines.push(copy);
            }
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| line.join(" ")).collect();
    lines.join("\n").into_bytes()
}
