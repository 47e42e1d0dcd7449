//! baseline
use gateway_benches::routes::DataSet;
use gateway_core::{Gateway, config::*, plugins};
use std::time::Instant;

fn step<T>(name: &str, run: impl FnOnce() -> T) -> T {
    let mut out = None;
    let mut time = std::time::Duration::ZERO;
    let info = allocation_counter::measure(|| {
        let t = Instant::now();
        out = Some(run());
        time = t.elapsed();
    });
    println!(
        "{name}: {:.1} ms, peak {:.1} MB, kept {:.1} MB, {} allocations",
        time.as_secs_f64() * 1e3,
        info.bytes_max as f64 / 1e6,
        info.bytes_current as f64 / 1e6,
        info.count_total
    );
    out.unwrap()
}

fn main() {
    let registry = plugins::bundled();
    let set = DataSet::new(50_000);
    let raw = set.config();
    let text = set.kong_yml();
    println!("{} bytes", text.len());
    let parsed = step("parse", || Checked::parse(&text, &registry).unwrap());
    drop(step("check", || raw.check(&registry).unwrap()));
    let gateway = step("build", || Gateway::builder().checked(parsed.clone()).build().unwrap());
    step("clone+drop", || drop(parsed.clone()));
    for i in 0..3 {
        let mut change = Change::default();
        let mut route = gateway.snapshot().config().routes.values().nth(77).unwrap().as_ref().clone();
        route.paths = Some(vec![format!("/changed/{i}")]);
        change.routes.insert(route.id, Some(route.into()));
        step("check one", || drop(gateway.snapshot().checked().apply(&change, &registry).unwrap()));
        step("apply one", || gateway.apply(&change).unwrap());
    }
    step("reload same", || gateway.reload(parsed.config()).unwrap());
}
