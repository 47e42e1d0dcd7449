//! baseline
use std::time::Instant;
use gateway_core::{Gateway, config::*, plugins};

fn config(n: usize) -> Config {
    let mut config = Config::default();
    let services: Vec<_> = (0..n / 50).map(|i| { let mut s = Service::new(&format!("service-{i}"), "127.0.0.1"); s.port = 10000 + (i % 100) as u16; s }).collect();
    for s in &services { config = config.with(s.clone()); }
    for i in 0..n {
        let mut r = Route::new(&format!("route-{i}")).to(&services[i / 50]);
        r.paths = Some(vec![format!("/team-{}/service-{i}/v1", i % 97)]);
        if i % 2 == 0 { r.hosts = Some(vec![format!("api.tenant-{i}.example.com")]); }
        if i % 10 == 3 { r.methods = Some(vec!["GET".into()]); }
        config = config.with(r);
    }
    config
}

fn step<T>(name: &str, run: impl FnOnce() -> T) -> T {
    let mut out = None;
    let mut time = std::time::Duration::ZERO;
    let info = allocation_counter::measure(|| { let t = Instant::now(); out = Some(run()); time = t.elapsed(); });
    println!("{name}: {:.1} ms, peak {:.1} MB, kept {:.1} MB, {} allocations", time.as_secs_f64()*1e3, info.bytes_max as f64/1e6, info.bytes_current as f64/1e6, info.count_total);
    out.unwrap()
}

fn main() {
    let registry = plugins::bundled();
    let raw = step("generate", || config(50_000));
    let text = raw.to_yaml();
    println!("{} bytes", text.len());
    let parsed = step("parse", || Config::parse(&text, &registry).unwrap());
    let checked = step("check", || raw.check(&registry).unwrap());
    assert_eq!(parsed, checked);
    let gateway = step("build", || Gateway::builder().config(checked.clone()).build().unwrap());
    step("clone+drop", || drop(checked.clone()));
    for i in 0..3 {
        let mut change = Change::default();
        let mut route = gateway.snapshot().config().routes.values().nth(77).unwrap().as_ref().clone();
        route.paths = Some(vec![format!("/changed/{i}")]);
        change.routes.insert(route.id, Some(route.into()));
        step("apply one", || gateway.apply(&change).unwrap());
    }
    step("reload same", || gateway.reload(&checked).unwrap());
}
