//! What a pick costs, by algorithm, at 2, 10 and 1,000 endpoints, next to a bare atomic round robin; and what it costs to
//! keep account of a request, next to a bare lock.
//!
//! Goals at 1,000 endpoints: 50 ns round robin, 100 ns two choices, 150 ns by hash; 60 ns of account.
//!
//! `cargo bench -p gateway-benches --bench balance`. Lots and clock are counters here, as the balancers take them
//! from outside.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::{
    balance::{
        Balancer, Bound, Crowd, HashRing, Latency, LeastConnections, Load, Maglev, Pick, Place, Random,
        RoundRobin, hash,
    },
    breaker::{self, Breaker, Verdict},
    config::Healthchecks,
    health::{Counter, Health, Judge, Outcome, Rounds},
};

const COUNTS: [usize; 3] = [2, 10, 1_000];

/// A number that looks random, of a counter.
const fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// Endpoints as a gateway under way has them: some requests each, some latency.
fn loads(count: usize) -> Vec<Arc<Load>> {
    (0..count as u64)
        .map(|number| {
            let load = Load::default();
            (0..scatter(number) % 8).for_each(|_| load.enter());
            load.observe(500 + (scatter(number) % 5_000) as u32, 1_000);
            Arc::new(load)
        })
        .collect()
}

fn measure(c: &mut Criterion, name: &str, count: usize, balancer: &impl Balancer) {
    let mut number = 0u64;
    c.bench_function(&format!("balance/{name}/{count}"), |bencher| {
        bencher.iter(|| {
            number += 1;
            let random = scatter(number);
            let pick = Pick::any(0).drawing(random).at(1_000 + number / 1_000).hashed(Some(random as u32));
            black_box(balancer.pick(&pick))
        });
    });
}

/// The ring with a bound on what each has under way. Requests of a hash that everybody asks for find it full.
fn bounded(c: &mut Criterion, count: usize, ring: &HashRing, weights: &[u16]) {
    let crowd = Crowd::default();
    let loads: Vec<_> = (0..count).map(|_| Arc::new(Load::in_crowd(&crowd))).collect();
    loads.iter().for_each(|load| (0..4).for_each(|_| load.enter()));
    let bound = Bound::new(&loads, weights, 125, &crowd);
    let mut number = 0u64;
    c.bench_function(&format!("balance/hash ring, bounded/{count}"), |bencher| {
        bencher.iter(|| {
            number += 1;
            let picked = bound.pick(ring, &Pick::any(0).hashed(Some(scatter(number) as u32)));
            // Entered and left, as a request does.
            if let Some(load) = picked.and_then(|index| loads.get(index)) {
                load.enter();
                load.leave();
            }
            black_box(picked)
        });
    });
}

/// Breaker and health of one request that goes well: what a try tells of itself.
fn account(c: &mut Criterion) {
    let lock = std::sync::Mutex::new(0u64);
    c.bench_function("account/bare lock", |bencher| {
        bencher.iter(|| *lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += black_box(1));
    });
    let (breaker, settings) = (Breaker::default(), breaker::Settings::default());
    let mut checks = Healthchecks::default();
    (checks.passive.unhealthy.http_failures, checks.passive.unhealthy.timeouts) = (10, 3);
    let (judge, health) = (Judge::passive(&checks), Health::default());
    let (counter, rounds, mut now) = (Counter::default(), Rounds::default(), 1u64);
    c.bench_function("account/breaker and health", |bencher| {
        bencher.iter(|| {
            now += 1;
            if let Ok(ticket) = breaker.admit(&settings, || now) {
                breaker.report(&settings, ticket, Verdict::SUCCESS, now);
            }
            // As an endpoint does it: what changes nothing takes no lock.
            let counted = judge.count(black_box(Outcome::Status(200)));
            counter.add(false);
            black_box(counted.is_idle_in(health.state()) && !rounds.is_over(10_000, now))
        });
    });
}

/// What every balancer costs at least.
fn baseline(c: &mut Criterion, count: usize) {
    let cursor = AtomicUsize::new(0);
    c.bench_function(&format!("balance/bare atomic/{count}"), |bencher| {
        bencher.iter(|| black_box(cursor.fetch_add(1, Relaxed) % black_box(count)));
    });
}

fn pick(c: &mut Criterion) {
    for count in COUNTS {
        let (weights, loads) = (vec![100; count], loads(count));
        let places: Vec<_> = (0..count)
            .map(|number| Place {
                name: format!("10.0.{}.{}::80", number / 250, number % 250 + 1),
                weight: 100,
            })
            .collect();
        baseline(c, count);
        measure(c, "round robin", count, &RoundRobin::new(&weights, 1));
        measure(c, "random", count, &Random::new(&weights));
        measure(c, "least connections", count, &LeastConnections::new(&loads, &weights, 1));
        measure(c, "latency", count, &Latency::new(&loads, &weights, 1));
        let ring = HashRing::new(&places, count, 65_536, 1);
        measure(c, "hash ring", count, &ring);
        measure(c, "maglev", count, &Maglev::new(&places, 1));
        bounded(c, count, &ring, &weights);
    }
    c.bench_function("balance/hash of 36 bytes", |bencher| {
        let value = b"5f9b9c1e-4e1e-4f0e-8b8a-0a9b8c7d6e5f";
        bencher.iter(|| hash(black_box(value)));
    });
}

criterion_group!(benches, pick, account);
criterion_main!(benches);
