//! The scenarios of the example `simulate`: what its pictures show is so, and the same each time.

#[path = "../examples/simulate/scenario.rs"]
mod scenario;

use std::ops::Range;

use scenario::{RATE, Run, all, canary, failover, slow, step_of};

/// The sum over these seconds.
fn sum(values: &[u64], seconds: Range<u64>) -> u64 {
    values[step_of(seconds.start * 1_000)..step_of(seconds.end * 1_000)].iter().sum()
}

fn load(run: &Run, server: usize, seconds: Range<u64>) -> u64 {
    sum(&run.load[server].1, seconds)
}

#[test]
fn a_second_group_stands_in_and_gives_back_slowly() {
    let run = failover();
    assert_eq!(run.failed.iter().sum::<u64>(), 0, "what dies is tried elsewhere");
    assert_eq!(load(&run, 3, 0..10), 0, "nobody spills over at first");
    // One of three is well: 1.4 thirds stay, the rest spills over.
    let spilled = load(&run, 3, 18..28) as f64 / (10 * RATE) as f64;
    assert!((0.5..0.57).contains(&spilled), "{spilled}");
    // Back within an ejection and the window; all are equal then.
    assert_eq!(load(&run, 3, 50..60), 0);
    for server in 0..3 {
        assert!(load(&run, server, 50..60).abs_diff(10 * RATE / 3) <= 20);
    }
    // Who comes back begins with a part of its share.
    let back = run.out[0].iter().rposition(|out| *out).unwrap_or(0);
    let at_first: u64 = run.load[0].1[back + 1..back + 3].iter().sum();
    assert!(at_first * 2 < RATE / 3, "{at_first}");
}

#[test]
fn a_canary_that_fails_is_broken_off_within_a_second() {
    let run = canary();
    let of_canary = |seconds: Range<u64>| load(&run, 1, seconds);
    assert_eq!(of_canary(0..10), 0);
    let halfway = of_canary(28..30) as f64 / (2 * RATE) as f64;
    assert!((0.3..0.5).contains(&halfway), "{halfway}");
    assert_eq!(of_canary(31..60), 0);
    assert!(run.failed.iter().sum::<u64>() < RATE / 4);
}

#[test]
fn second_tries_keep_the_slow_end_short() {
    let (without, with) = (slow(None), slow(Some(gateway_core::retry::Hedge::default())));
    let worst = |run: &Run| {
        let of_fault = &run.p99[step_of(25_000)..step_of(40_000)];
        of_fault.iter().sum::<u64>() / of_fault.len() as u64
    };
    assert!(worst(&with) * 2 < worst(&without), "{} and {}", worst(&with), worst(&without));
    // What that costs stays within the budget.
    let asked = |run: &Run| (0..3).map(|server| load(run, server, 0..60)).sum::<u64>();
    assert!(asked(&with) <= asked(&without) + 60 * RATE * 2 / 5 + 61, "{}", asked(&with));
}

#[test]
fn a_run_is_the_same_each_time() {
    for (one, other) in all().iter().zip(&all()) {
        assert_eq!((one.name, one.title), (other.name, other.title));
        assert_eq!(
            (&one.load, &one.out, &one.p99, &one.failed),
            (&other.load, &other.out, &other.p99, &other.failed)
        );
    }
}
