use std::time::Duration;

use proptest::prelude::*;

use super::{Machine, Open, Settings, State, Ticket, Verdict};

fn settings() -> Settings {
    Settings { minimum: 10, consecutive: 0, ..Settings::default() }
}

/// So many calls at `now`, each with this verdict.
fn calls(breaker: &mut Machine, settings: &Settings, count: u32, verdict: Verdict, now: u64) {
    for _ in 0..count {
        let ticket = breaker.admit(settings, now).unwrap();
        breaker.report(settings, ticket, verdict, now);
    }
}

fn opened(settings: &Settings, now: u64) -> Machine {
    let mut breaker = Machine::default();
    calls(&mut breaker, settings, settings.minimum, Verdict::FAILURE, now);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

#[test]
fn half_of_the_calls_failing_opens_it_but_not_before_there_are_enough() {
    let settings = settings();
    let mut breaker = Machine::default();
    calls(&mut breaker, &settings, 5, Verdict::SUCCESS, 1_000);
    calls(&mut breaker, &settings, 4, Verdict::FAILURE, 1_000);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, &settings, 1, Verdict::FAILURE, 1_000);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.admit(&settings, 1_500), Err(Open { after: Duration::from_millis(4_500) }));
}

#[test]
fn failures_of_long_ago_do_not_count() {
    let settings = settings();
    let mut breaker = Machine::default();
    calls(&mut breaker, &settings, 9, Verdict::FAILURE, 1_000);
    calls(&mut breaker, &settings, 9, Verdict::FAILURE, 12_000);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn failures_in_a_row_open_it_however_few_calls_there_are() {
    let settings = Settings { consecutive: 3, ..settings() };
    let mut breaker = Machine::default();
    calls(&mut breaker, &settings, 2, Verdict::FAILURE, 0);
    calls(&mut breaker, &settings, 1, Verdict::SUCCESS, 0);
    calls(&mut breaker, &settings, 2, Verdict::FAILURE, 0);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, &settings, 1, Verdict::FAILURE, 0);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn slow_calls_open_it_where_that_is_asked_for() {
    let slow = Verdict { failed: false, slow: true };
    let mut breaker = Machine::default();
    calls(&mut breaker, &settings(), 50, slow, 0);
    assert_eq!(breaker.state(), State::Closed);
    let settings = Settings { slow_percent: 80, ..settings() };
    let mut breaker = Machine::default();
    calls(&mut breaker, &settings, 2, Verdict::SUCCESS, 0);
    calls(&mut breaker, &settings, 7, slow, 0);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, &settings, 1, slow, 0);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn as_many_successes_as_there_are_probes_close_it() {
    let settings = settings();
    let mut breaker = opened(&settings, 0);
    let tickets: Vec<Ticket> = (0..3).map(|_| breaker.admit(&settings, 5_000).unwrap()).collect();
    assert_eq!(breaker.admit(&settings, 5_000), Err(Open { after: Duration::ZERO }));
    for (number, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(breaker.state(), State::HalfOpen, "{number}");
        breaker.report(&settings, ticket, Verdict::SUCCESS, 5_010);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn each_failed_trial_takes_longer_and_one_that_stayed_well_starts_over() {
    let settings = settings();
    let mut breaker = opened(&settings, 0);
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..6 {
        let Err(Open { after }) = breaker.admit(&settings, now) else { panic!("let in at {now}") };
        waits.push(after.as_secs());
        now += u64::try_from(after.as_millis()).unwrap();
        calls(&mut breaker, &settings, 1, Verdict::FAILURE, now);
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    now += 60_000;
    calls(&mut breaker, &settings, 3, Verdict::SUCCESS, now);
    for (well_for, wait) in [(60_000, 5), (59_999, 60)] {
        let mut breaker = breaker;
        calls(&mut breaker, &settings, 10, Verdict::FAILURE, now + well_for);
        let open = breaker.admit(&settings, now + well_for).unwrap_err();
        assert_eq!(open.after.as_secs(), wait);
    }
}

#[test]
fn a_call_from_before_it_opened_decides_nothing_after() {
    let settings = settings();
    let mut breaker = Machine::default();
    let late = breaker.admit(&settings, 0).unwrap();
    calls(&mut breaker, &settings, 10, Verdict::FAILURE, 0);
    let probe = breaker.admit(&settings, 5_000).unwrap();
    breaker.report(&settings, late, Verdict::FAILURE, 5_001);
    breaker.abandon(late);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.report(&settings, probe, Verdict::FAILURE, 5_002);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_probe_whose_client_leaves_makes_room_for_another() {
    let settings = Settings { probes: 1, ..settings() };
    let mut breaker = opened(&settings, 0);
    let probe = breaker.admit(&settings, 5_000).unwrap();
    assert!(breaker.admit(&settings, 5_001).is_err());
    breaker.abandon(probe);
    assert!(breaker.admit(&settings, 5_002).is_ok());
}

#[test]
fn calls_may_count_by_their_number_in_place_of_time() {
    let settings = Settings { window_calls: 20, ..settings() };
    let mut breaker = Machine::default();
    // Half of the last twenty, however long that takes.
    calls(&mut breaker, &settings, 11, Verdict::SUCCESS, 0);
    calls(&mut breaker, &settings, 9, Verdict::FAILURE, 3_600_000);
    assert_eq!(breaker.state(), State::Closed);
    calls(&mut breaker, &settings, 1, Verdict::FAILURE, 7_200_000);
    assert_eq!(breaker.state(), State::Open);
    // Failures of more than twenty calls ago do not count, however short ago they were.
    let mut breaker = Machine::default();
    for _ in 0..40 {
        calls(&mut breaker, &settings, 9, Verdict::FAILURE, 0);
        calls(&mut breaker, &settings, 20, Verdict::SUCCESS, 0);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_ramp_lets_ever_more_in_and_a_failure_in_it_counts() {
    let settings = Settings { ramp: Duration::from_secs(10), consecutive: 3, ..settings() };
    let mut breaker = opened(&Settings { minimum: 3, ..settings }, 0);
    calls(&mut breaker, &settings, 3, Verdict::SUCCESS, 5_000);
    assert_eq!(breaker.state(), State::Closed);
    let mut ramping = breaker;
    for (second, let_in) in [(0, 10), (1, 19), (5, 55), (9, 91), (10, 100), (11, 100)] {
        let now = 5_000 + second * 1_000;
        let admitted = (0..100).filter(|_| ramping.admit(&settings, now).is_ok()).count();
        assert!(admitted.abs_diff(let_in) <= 1, "{admitted} at {second} s");
    }
    for _ in 0..3 {
        let ticket = (0..20).find_map(|_| breaker.admit(&settings, 5_001).ok()).unwrap();
        breaker.report(&settings, ticket, Verdict::FAILURE, 5_001);
    }
    assert_eq!(breaker.state(), State::Open);
}

/// What may be done with a breaker: let a call in, let one come back, let time pass.
#[derive(Clone, Copy, Debug)]
enum Act {
    Admit,
    Report(usize, bool),
    Abandon(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Admit),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, failed)| Act::Report(which, failed)),
        1 => any::<usize>().prop_map(Act::Abandon),
        2 => (0u64..4_000).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_its_promises_hold(
        acts in proptest::collection::vec(act(), 0..400),
        probes in 0u32..4,
        consecutive in 0u32..4,
    ) {
        let settings = Settings { probes, consecutive, ..settings() };
        let (mut breaker, mut now, mut out) = (Machine::default(), 0, Vec::new());
        // When it opened, and how long it has to stay so at least.
        let mut opened_at = None;
        for act in acts {
            let before = breaker.state();
            match act {
                Act::Wait(time) => now += time,
                Act::Admit => match breaker.admit(&settings, now) {
                    Ok(ticket) => {
                        prop_assert!(opened_at.is_none_or(|at| now >= at + 5_000), "let in while open");
                        out.push((ticket, breaker.state()));
                    }
                    Err(_) => prop_assert_ne!(before, State::Closed),
                },
                Act::Report(which, failed) if !out.is_empty() => {
                    let (ticket, _) = out.swap_remove(which % out.len());
                    breaker.report(&settings, ticket, Verdict { failed, slow: false }, now);
                    if !failed {
                        prop_assert_ne!((before, breaker.state()), (State::Closed, State::Open));
                    }
                }
                Act::Abandon(which) if !out.is_empty() => {
                    breaker.abandon(out.swap_remove(which % out.len()).0);
                    prop_assert_eq!(before, breaker.state());
                }
                _ => {}
            }
            match (before, breaker.state()) {
                (State::Closed | State::HalfOpen, State::Open) => opened_at = Some(now),
                (State::Open | State::HalfOpen, State::Closed | State::HalfOpen) if before != breaker.state() => {
                    opened_at = None;
                }
                _ => {}
            }
            if breaker.state() == State::HalfOpen {
                let trying = out.iter().filter(|(ticket, _)| ticket.0 == breaker.epoch()).count();
                prop_assert!(trying <= probes.max(1) as usize, "{} probes at a time", trying);
            }
        }
        // It can always close again: time passes, and what is tried succeeds.
        now += 60_000;
        out.into_iter().for_each(|(ticket, _)| breaker.abandon(ticket));
        calls(&mut breaker, &settings, probes.max(1), Verdict::SUCCESS, now);
        prop_assert_eq!(breaker.state(), State::Closed);
    }
}
