//! Calls of a guest in any order, with any arguments, in any callback: one line a call.
//!
//! `CALLBACK CALL ARGUMENT...` calls in each callback of that name, in the order of the lines. `returns CALLBACK NUMBER`
//! says what a callback returns. An argument is a number, `@WORD` (where a known text lies) or `#WORD` (its length).
//! One guest reads all of that: nothing is compiled for an input.

mod bed;
mod exchange;
mod guest;
mod script;
mod table;

use std::time::Duration;

use bed::BED;
use exchange::request;
use gateway_core::plugin::{Configured, Plugin};
use gateway_plugins::Stats;
use script::script;
use serde_json::json;

/// Whatever a guest does: the host stands, the request has an end, its framing is the host's, and nothing stays. What the
/// plugin has done.
pub fn abi(data: &[u8]) -> Stats {
    let Some(script) = std::str::from_utf8(data).ok().map(script) else { return Stats::default() };
    BED.with(|bed| {
        bed.script.replace(script);
        let stats = bed.runtime.block_on(async {
            let plugin = bed.plugin();
            let watch = plugin.watch();
            if let Ok(Configured::Handler(handler)) =
                plugin.configure(&json!({ "host": { "upstreams": ["auth"] } }))
            {
                request(handler.as_ref()).await;
            }
            watch.stats()
        });
        // What is being made meanwhile goes when it is there.
        for _ in 0..2_000 {
            if bed.engine.alive().instances == 0 {
                return stats;
            }
            bed.runtime.block_on(async { tokio::task::yield_now().await });
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("{:?} with nothing that is served", bed.engine.alive());
    })
}
