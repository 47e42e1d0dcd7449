//! The scenarios of the example `simulate`: what its pictures show is so, and the same each time.

#[path = "../examples/simulate/scenario.rs"]
mod scenario;

use std::ops::Range;

use gateway_core::balance::{Balancer, Pick, RoundRobin, hash};
use scenario::{
    Layout, RATE, Run, all, canary, failover, hashing, mirror, outage, outlier, slow, step_of, zones,
};

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
fn the_other_zone_takes_what_the_own_one_cannot() {
    let run = zones();
    assert_eq!(run.failed.iter().sum::<u64>(), 0);
    let other = |seconds: Range<u64>| load(&run, 2, seconds.clone()) + load(&run, 3, seconds);
    assert_eq!(other(0..10), 0, "the own zone is enough");
    // One of two is well: it keeps 70 %.
    let spilled = other(13..24) as f64 / (11 * RATE) as f64;
    assert!((0.28..0.34).contains(&spilled), "{spilled}");
    let all = other(28..39) as f64 / (11 * RATE) as f64;
    assert!(all > 0.99, "{all}");
    assert_eq!(other(58..60), 0, "and gives it back");
}

#[test]
fn who_fails_more_often_is_out_until_it_answers_well() {
    let run = outlier();
    let out_for =
        |server: usize, steps: Range<usize>| run.out[server][steps].iter().filter(|out| **out).count();
    assert!((1..6).all(|well| out_for(well, 0..120) == 0), "nobody else");
    assert_eq!(out_for(0, 0..step_of(15_000)), 0);
    // Seen within two intervals of two seconds; by its trials it comes back now and then, and goes again.
    assert!(out_for(0, step_of(19_000)..step_of(35_000)) > 20, "{:?}", run.out[0]);
    let failing = sum(&run.failed, 19..35) as f64 / (16 * RATE) as f64;
    assert!(failing < 0.03, "{failing}, and 5 % without");
    assert!(load(&run, 0, 50..60).abs_diff(10 * RATE / 6) <= 20, "well again it takes its part");
}

#[test]
fn an_outage_sees_a_fifth_more_and_no_storm_at_its_end_g13() {
    let run = outage();
    let asked = |seconds: Range<u64>| (0..3).map(|server| load(&run, server, seconds.clone())).sum::<u64>();
    assert_eq!(asked(0..20), 20 * RATE, "nothing fails, nothing is repeated");
    // Over any time a fifth more and ten a second, and what is paid in is kept for ten seconds.
    assert!(asked(20..30) <= 10 * RATE * 12 / 10 + 10 * RATE / 5 + 10 * 11, "{}", asked(20..30));
    assert!(asked(0..60) <= 60 * RATE * 12 / 10 + 10 * 61);
    assert!(asked(30..31) * 10 <= RATE * 15, "{}", asked(30..31));
    assert_eq!(sum(&run.failed, 31..60), 0);
}

#[test]
fn what_becomes_of_a_copy_nobody_waits_for() {
    let run = mirror();
    assert_eq!(run.failed.iter().sum::<u64>(), 0);
    assert_eq!(load(&run, 0, 0..60), 60 * RATE);
    let copied = load(&run, 1, 0..60) as f64 / (60 * RATE) as f64;
    assert!((0.19..0.21).contains(&copied), "{copied}");
    let mean = |seconds: Range<u64>| {
        let steps = &run.p99[step_of(seconds.start * 1_000)..step_of(seconds.end * 1_000)];
        steps.iter().sum::<u64>() / steps.len() as u64
    };
    assert!(mean(20..60).abs_diff(mean(0..20)) <= mean(0..20) / 4, "{} and {}", mean(0..20), mean(20..60));
}

#[test]
fn only_the_keys_of_who_is_out_move() {
    for layout in [Layout::Ring, Layout::Maglev] {
        let (whole, without) = (layout.over(&[100; 5]), layout.over(&[100, 0, 100, 100, 100]));
        let at = |balancer: &dyn Balancer, key: u64| {
            balancer.pick(&Pick::any(0).hashed(Some(hash(&key.to_be_bytes())))).unwrap_or(usize::MAX)
        };
        let (mut moved, mut owned) = (0usize, 0usize);
        for key in 0..20_000 {
            let (before, after) = (at(&*whole, key), at(&*without, key));
            owned += usize::from(before == 1);
            moved += usize::from(before != after);
            assert!(before == 1 || before == after || layout == Layout::Maglev, "a key of another one moved");
        }
        // About a fifth: on Kong's ring its own, by Maglev's table a few more.
        let (moved, owned) = (moved as f64 / 20_000.0, owned as f64 / 20_000.0);
        assert!((0.15..0.25).contains(&owned), "{owned}");
        assert!(moved >= owned && moved < owned + 0.05, "{moved} of {owned}");
    }
    let run = hashing(Layout::Ring);
    assert!(load(&run, 1, 22..39) <= 17, "its trials alone");
    assert!(load(&run, 1, 45..60) > 15 * RATE / 10, "its users are back");
}

#[test]
fn round_robin_is_exact_for_each_worker_over_one_cycle() {
    let weights = [5, 1, 3, 0, 2];
    let balancer = RoundRobin::new(&weights, 3);
    // Workers at speeds of their own do not disturb each other.
    for (shard, cycles) in [(0, 1), (1, 4), (2, 2), (0, 3)] {
        for _ in 0..cycles {
            let mut counts = [0u16; 5];
            for _ in 0..weights.iter().sum::<u16>() {
                counts[balancer.pick(&Pick::any(shard)).unwrap_or(3)] += 1;
            }
            assert_eq!(counts, weights);
        }
    }
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
