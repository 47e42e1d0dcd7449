use super::{Meter, Pace, Reading, Waits};

const PACE: Pace = Pace { idle: 30_000, grace: 5_000, rate: 240 };

#[test]
fn nothing_for_the_idle_time_is_too_long() {
    let reading = Reading { since: 1_000, bytes: 1 << 30, waited: 0 };
    assert_eq!(reading.deadline(PACE), Some(31_000));
}

#[test]
fn a_drip_ends_when_its_bytes_do_not_pay_for_the_waiting() {
    let fresh = Reading { since: 1_000, ..Reading::default() };
    assert_eq!(fresh.deadline(PACE), Some(6_001));
    let dripping = Reading { since: 1_000, waited: 4_000, bytes: 4 };
    assert_eq!(dripping.deadline(PACE), Some(2_001));
    let paying = Reading { since: 1_000, waited: 8_000, bytes: 2_400 };
    assert_eq!(paying.deadline(PACE), Some(3_001));
}

#[test]
fn no_deadline_without_waiting_and_none_by_rate_when_that_is_off() {
    assert_eq!(Reading::default().deadline(PACE), None);
    let off = Pace { rate: 0, ..PACE };
    assert_eq!(Reading { since: 1_000, ..Reading::default() }.deadline(off), Some(31_000));
}

#[test]
fn a_meter_adds_up_its_waits_and_forgets_speed_long_past() {
    let meter = Meter::default();
    meter.begin(1_000);
    meter.begin(1_500);
    meter.end(2_000, 100, PACE);
    assert_eq!(meter.read(), Reading { since: 0, waited: 1_000, bytes: 100 });
    meter.begin(3_000);
    meter.end(3_100, 1 << 30, PACE);
    assert_eq!(meter.read(), Reading { since: 0, waited: 1_100, bytes: 31_100 * 240 / 1000 });
    meter.reset();
    assert_eq!(meter.read(), Reading::default());
}

#[test]
fn bytes_that_go_without_a_wait_pay_for_the_waits() {
    let meter = Meter::default();
    meter.begin(1_000);
    meter.end(2_000, 100, PACE);
    meter.earn(900, PACE);
    assert_eq!(meter.read(), Reading { since: 0, waited: 1_000, bytes: 1_000 });
    meter.earn(1 << 30, PACE);
    assert_eq!(meter.read().bytes, 31_000 * 240 / 1000);
}

#[test]
fn a_late_body_is_told_once_and_the_next_deadline_is_known() {
    let waits = Waits::new(PACE);
    let (first, second) = (waits.open(), waits.open());
    waits.with(first, |wait| wait.meter.begin(1_000));
    waits.with(second, |wait| wait.meter.begin(2_000));
    assert_eq!(waits.expire(6_001), (1, Some(7_001)));
    assert_eq!(waits.expire(6_001), (0, Some(7_001)));
    waits.answered(second);
    assert_eq!(waits.expire(99_000), (0, None));
    assert!(waits.more_may_come());
    waits.close(first, false);
    waits.close(second, true);
    assert!(!waits.more_may_come());
}

#[test]
fn more_may_come_of_a_body_that_was_left() {
    let waits = Waits::new(PACE);
    assert!(!waits.more_may_come());
    waits.close(waits.open(), false);
    assert!(waits.more_may_come());
}
