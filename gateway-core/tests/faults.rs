//! One of three upstreams is killed, hung, reset, black-holed, slowed, cut or dribbles, over real sockets and under load: the scenes of
//! the example `faults`, at a rate that any machine stands. `cargo xtask faults` plays them at 2,000 requests a second.
#![allow(clippy::unwrap_used, clippy::match_bool, dead_code, reason = "a test fails by panicking")]

#[path = "../examples/faults/origin.rs"]
mod origin;
#[path = "../examples/faults/proxy.rs"]
mod proxy;
#[path = "../examples/faults/scene.rs"]
mod scene;

use std::time::Duration;

use proxy::Fault;
use scene::{Figures, Script, WRITTEN};

/// Requests a second.
const RATE: u32 = 60;
const USUAL: Duration = Duration::from_millis(60);
/// More than what is slow takes on a machine that stands still for half a second.
const PER_TRY: Duration = Duration::from_secs(1);

/// What must hold whatever goes wrong.
async fn play(fault: Fault) -> Figures {
    let (before, wrong) = (Duration::from_secs(2), Duration::from_secs(5));
    let script = Script { rate: RATE, usual: USUAL, per_try: PER_TRY, before, wrong };
    let figures = script.play(fault).await.unwrap();
    assert_eq!(figures.requests, 7 * RATE as usize);
    assert_eq!(figures.gets, 0, "an idempotent request failed: {figures:?}");
    assert_eq!(figures.twice, 0, "a POST ran twice: {figures:?}");
    let unwritten = figures.posts.keys().find(|reason| !WRITTEN.contains(&reason.as_str()));
    assert_eq!(unwritten, None, "a POST failed that was not written: {figures:?}");
    // What was answered well was acted on, and what failed may have been.
    let failed: usize = figures.posts.values().sum();
    assert!((figures.well..=figures.well + failed).contains(&figures.acted_on), "{figures:?}");
    assert!(figures.seen.is_some(), "nobody noticed: {figures:?}");
    figures
}

fn failed(figures: &Figures) -> usize {
    figures.posts.values().sum()
}

/// So many POSTs may be under way to one of three in so long.
fn posts_within(time: Duration) -> usize {
    (f64::from(RATE) / 4.0 / 3.0 * time.as_secs_f64()).ceil() as usize
}

#[tokio::test]
async fn killed() {
    let figures = play(Fault::Killed).await;
    // Those under way when it dies; the three that it takes to see it are not written.
    assert!(failed(&figures) <= posts_within(USUAL) + 3, "{figures:?}");
}

#[tokio::test]
async fn reset() {
    let figures = play(Fault::Reset).await;
    // Three in a row, those that were under way beside them, and a trial or two.
    assert!(failed(&figures) <= posts_within(2 * USUAL) + 3 + 2, "{figures:?}");
}

#[tokio::test]
async fn hung() {
    let figures = play(Fault::Hung).await;
    // All that it was sent before the first ones were given up, and its trials.
    assert!(failed(&figures) <= posts_within(PER_TRY * 2) + 3, "{figures:?}");
    assert!(figures.p99[1] < PER_TRY, "requests still meet it: {figures:?}");
}

#[tokio::test]
async fn black_hole() {
    let figures = play(Fault::BlackHole).await;
    assert!(failed(&figures) <= posts_within(PER_TRY * 2) + 3, "{figures:?}");
    assert!(figures.p99[1] < PER_TRY, "requests still meet it: {figures:?}");
}

#[tokio::test]
async fn cut() {
    // In the middle of the head: no answer has begun.
    let figures = play(Fault::Cut(12)).await;
    assert!(failed(&figures) <= posts_within(2 * USUAL) + 3 + 2, "{figures:?}");
}

#[tokio::test]
async fn dribbling() {
    let figures = play(Fault::Dribble(Duration::from_millis(100))).await;
    assert!(failed(&figures) <= posts_within(PER_TRY * 2) + 3, "{figures:?}");
    assert!(figures.p99[1] < PER_TRY, "requests still meet it: {figures:?}");
}

#[tokio::test]
async fn slowed() {
    let figures = play(Fault::Slow(USUAL * 6)).await;
    assert_eq!(failed(&figures), 0, "slow is not wrong: {figures:?}");
}
