//! One of three servers goes wrong in each way that machines do, under load and over real sockets: what clients notice
//! of it, as a table.
//!
//! ```sh
//! cargo xtask faults         # or: cargo run --release -p gateway-core --example faults -- 2000 8
//! ```
//! The first argument is requests a second, the second how many seconds each fault lasts.
#![allow(
    clippy::indexing_slicing,
    clippy::match_bool,
    reason = "a tool that nobody depends on; slices are of its own making"
)]

mod origin;
mod proxy;
mod scene;

use std::{error::Error, process::ExitCode, time::Duration};

use proxy::Fault;
use scene::{Figures, Script, WRITTEN};

fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let rate = arguments.next().map_or(Ok(2_000), |text| text.parse())?;
    let seconds = arguments.next().map_or(Ok(8), |text| text.parse())?;
    let usual = Duration::from_millis(5);
    let script = Script {
        rate,
        usual,
        per_try: Duration::from_millis(500),
        before: Duration::from_secs(4),
        wrong: Duration::from_secs(seconds),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("one of three goes wrong for {seconds} s, at {rate} requests a second, every fourth a POST\n");
    println!(
        "{:<12} {:>8} {:>11} {:>12} {:>9} {:>8} {:>10} {:>8} {:>8}",
        "fault",
        "requests",
        "GET failed",
        "POST failed",
        "run twice",
        "seen",
        "p99 normal",
        "before",
        "after"
    );
    let mut met = true;
    for (name, fault) in [
        ("killed", Fault::Killed),
        ("hung", Fault::Hung),
        ("reset", Fault::Reset),
        ("black hole", Fault::BlackHole),
        ("slowed 10x", Fault::Slow(usual * 9)),
        ("cut", Fault::Cut(12)),
        ("dribbling", Fault::Dribble(Duration::from_millis(100))),
    ] {
        let figures = runtime.block_on(script.play(fault))?;
        print(name, &figures);
        met &= are_met(&figures);
    }
    println!("\n{}", if met { "all goals are met" } else { "a goal is missed" });
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(name: &str, figures: &Figures) {
    let millis =
        |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{} ms", time.as_millis()));
    println!(
        "{name:<12} {:>8} {:>11} {:>12} {:>9} {:>8} {:>10} {:>8} {:>8}",
        figures.requests,
        figures.gets,
        figures.posts.values().sum::<usize>(),
        figures.twice,
        millis(figures.seen),
        millis(figures.normal),
        millis(Some(figures.p99[0])),
        millis(Some(figures.p99[1])),
    );
    for (reason, count) in &figures.posts {
        println!("{:<12} {count} POST: {reason}", "");
    }
}

/// Idempotent requests do not fail, others only once they are written, none runs twice, and two seconds after the fault
/// is seen clients notice nothing any more.
fn are_met(figures: &Figures) -> bool {
    let written = figures.posts.keys().all(|reason| WRITTEN.contains(&reason.as_str()));
    let soon = figures.normal.is_some_and(|time| time <= Duration::from_secs(2));
    let failed: usize = figures.posts.values().sum();
    let accounted = (figures.well..=figures.well + failed).contains(&figures.acted_on);
    figures.gets == 0 && written && figures.twice == 0 && accounted && soon
}
