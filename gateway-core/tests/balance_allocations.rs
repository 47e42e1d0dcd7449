//! A pick, and the account of a request, allocate nothing, whatever the algorithm and however many endpoints there are.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use allocation_counter::measure;
use futures_util::FutureExt;
use gateway_core::{
    balance::{
        Balancer, Bound, Crowd, HashRing, Latency, LeastConnections, Load, Maglev, Pick, Place, Random,
        RoundRobin, hash,
    },
    breaker::{Breaker, Settings, Verdict},
    config::Algorithm,
    health::{Counter, Rounds},
    upstream::{Dns, Group, Member, PoolLimits, Upstream},
};

const COUNT: usize = 1_000;

fn picks(name: &str, pick: impl Fn(&Pick<'_>) -> Option<usize>) {
    let excluded = |index: usize| index.is_multiple_of(3);
    let taken = measure(|| {
        for number in 0..2_000u64 {
            let random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let hashed = Some(hash(&number.to_be_bytes()));
            let any = Pick::any(0).drawing(random).at(number).hashed(hashed);
            assert!(pick(&any).is_some());
            let fresh = Pick::but(0, &excluded).drawing(random).at(number).hashed(hashed);
            assert!(pick(&fresh).is_some_and(|index| !excluded(index)));
        }
    });
    assert_eq!(taken.count_total, 0, "{name}");
}

#[test]
fn a_pick_allocates_nothing() {
    let weights = vec![100; COUNT];
    let crowd = Crowd::default();
    let loads: Vec<_> = (0..COUNT).map(|_| Arc::new(Load::in_crowd(&crowd))).collect();
    loads.iter().for_each(|load| load.observe(1_000, 1));
    let places: Vec<_> =
        (0..COUNT).map(|number| Place { name: format!("10.0.0.1::{number}"), weight: 100 }).collect();
    let ring = HashRing::new(&places, COUNT, 65_536, 1);
    let (round_robin, random) = (RoundRobin::new(&weights, 1), Random::new(&weights));
    let (least, latency) = (LeastConnections::new(&loads, &weights, 1), Latency::new(&loads, &weights, 1));
    let (maglev, bound) = (Maglev::new(&places, 1), Bound::new(&loads, &weights, 125, &crowd));
    picks("round robin", |pick| round_robin.pick(pick));
    picks("random", |pick| random.pick(pick));
    picks("least connections", |pick| least.pick(pick));
    picks("latency", |pick| latency.pick(pick));
    picks("hash ring", |pick| ring.pick(pick));
    picks("maglev", |pick| maglev.pick(pick));
    picks("hash ring, bounded", |pick| bound.pick(&ring, pick));
}

#[tokio::test]
async fn nor_does_an_upstream_of_a_thousand() {
    for algorithm in
        [Algorithm::RoundRobin, Algorithm::LeastConnections, Algorithm::Latency, Algorithm::ConsistentHashing]
    {
        let members =
            (0..COUNT).map(|number| Member::new("127.0.0.1", 1_000 + u16::try_from(number).unwrap()));
        let mut group = Group::new("many", members);
        group.algorithm = algorithm;
        let upstream = Upstream::new(group, None, Arc::new(Dns::system()), 1, PoolLimits::default());
        let pick =
            |number: u32| upstream.pick_hashed(0, Some(hash(&number.to_be_bytes())), &[]).now_or_never();
        // The first one of a thread brings what the thread keeps.
        assert!(pick(0).unwrap().is_ok());
        let taken = measure(|| (1..500).for_each(|number| assert!(pick(number).unwrap().is_ok())));
        assert_eq!(taken.count_total, 0, "{algorithm:?}");
    }
}

#[test]
fn nor_does_the_account_of_a_request() {
    let (breaker, settings) = (Breaker::default(), Settings::default());
    let (counter, rounds) = (Counter::default(), Rounds::default());
    let taken = measure(|| {
        for now in 0..20_000u64 {
            if let Ok(ticket) = breaker.admit(&settings, || now) {
                let verdict = if now.is_multiple_of(40) { Verdict::FAILURE } else { Verdict::SUCCESS };
                breaker.report(&settings, ticket, verdict, now);
            }
            counter.add(now.is_multiple_of(40));
            if rounds.is_over(1_000, now) {
                assert!(counter.take().requests > 0);
            }
        }
    });
    assert_eq!(taken.count_total, 0);
}
