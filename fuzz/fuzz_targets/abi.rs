#![no_main]

#[path = "../src/abi/mod.rs"]
mod abi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(abi::abi(data)));
