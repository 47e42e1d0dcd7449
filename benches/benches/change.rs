//! What a change costs at 50,000 routes: reading, checking and compiling all of them, then changing one, and 400.
//!
//! `cargo bench -p gateway-benches --bench change`
//!
//! Each line is the best of several runs: time on the clock, time on the processor (which a busy machine does not
//! lengthen), the most memory that was held at once on top of what there was, what of it stayed, and how often memory
//! was asked for. The baseline beside them is a copy of the same entities in maps of the standard library.

use std::{collections::BTreeMap, hint::black_box, sync::Arc, time::Duration};

use allocation_counter::AllocationInfo;
use gateway_benches::routes::{DataSet, ROUTES};
use gateway_core::{
    Gateway,
    config::{Change, Checked, Config, Route},
    plugin::Registry,
    plugins,
};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// How many routes a large change has.
const BATCH: usize = 400;

fn main() {
    let (registry, set) = (plugins::bundled(), DataSet::new(ROUTES));
    let (text, typed) = (set.kong_yml(), set.config());
    println!("{} routes, {} services, a file of {} bytes", ROUTES, set.services.len(), text.len());

    report("copy and free standard maps", 5, || standard(&typed));
    report("copy and free a config", 5, || typed.clone());
    report("parse the file", 3, || Checked::parse(&text, &registry));
    report("check typed entities", 3, || Checked::of(&typed, &registry));
    let Ok(checked) = Checked::parse(&text, &registry) else { unreachable!("the data set is right") };
    report("compile from nothing", 3, || Gateway::builder().checked(checked.clone()).build());

    let Ok(gateway) = Gateway::builder().checked(checked.clone()).build() else {
        unreachable!("so it compiles")
    };
    one_after_the_other(&gateway, &registry, &set, 1);
    one_after_the_other(&gateway, &registry, &set, BATCH);
    report("reload the same file, checked", 3, || {
        gateway.reload_checked(checked.clone()).map(|change| change.routes.len())
    });
}

/// Checks and makes changes of `count` routes.
fn one_after_the_other(gateway: &Gateway, registry: &Registry, set: &DataSet, count: usize) {
    let mut round = 0;
    report(&format!("check a change of {count}"), 10, || {
        round += 1;
        gateway.snapshot().checked().apply(&change(set, count, round), registry)
    });
    report(&format!("apply a change of {count}"), 10, || {
        round += 1;
        gateway.apply(&change(set, count, round))
    });
}

/// Routes spread over all, each with another path than before.
fn change(set: &DataSet, count: usize, round: usize) -> Change {
    let mut change = Change::default();
    for at in set.sample(count) {
        let mut route = Route::clone(&set.routes[at]);
        route.paths = Some(vec![format!("/changed-{round}/{at}")]);
        change.routes.insert(route.id, Some(Arc::new(route)));
    }
    change
}

/// The same entities in the standard library's maps, which have to be copied for each change.
fn standard(config: &Config) -> impl Sized + use<> {
    let routes: BTreeMap<_, _> = config.routes.iter().map(|(id, route)| (*id, Arc::clone(route))).collect();
    let services: BTreeMap<_, _> =
        config.services.iter().map(|(id, service)| (*id, Arc::clone(service))).collect();
    (routes, services)
}

/// Prints the best of some runs. What a run makes is freed after its time has ended.
fn report<T>(name: &str, runs: usize, mut run: impl FnMut() -> T) {
    let best = (0..runs).map(|_| measure(&mut run)).min_by_key(|(_, cpu, _)| *cpu);
    let Some((wall, cpu, memory)) = best else { return };
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<32} {:>9.2} ms {:>9.2} ms of the processor {:>8.2} MB at most {:>8.2} MB stay {:>9} allocations",
        millis(wall),
        millis(cpu),
        memory.bytes_max as f64 / 1e6,
        memory.bytes_current as f64 / 1e6,
        memory.count_total,
    );
}

fn measure<T>(run: &mut impl FnMut() -> T) -> (Duration, Duration, AllocationInfo) {
    let (mut wall, mut cpu, mut made) = (Duration::ZERO, Duration::ZERO, None);
    let memory = allocation_counter::measure(|| {
        let (wall_before, cpu_before) = (now(ClockId::Monotonic), now(ClockId::ThreadCPUTime));
        made = Some(black_box(run()));
        (wall, cpu) = (now(ClockId::Monotonic) - wall_before, now(ClockId::ThreadCPUTime) - cpu_before);
    });
    drop(made);
    (wall, cpu, memory)
}

fn now(clock: ClockId) -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    Duration::new(tv_sec.try_into().unwrap_or_default(), tv_nsec.try_into().unwrap_or_default())
}
