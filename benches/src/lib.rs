//! Micro benches, each with its baseline beside it: `cargo bench -p gateway-benches`.
