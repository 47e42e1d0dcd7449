//! A gateway with 50,000 routes, of which 400 change each second, for `cargo xtask bench change`:
//!
//! `cargo run --release -p gateway-benches --example changing -- --port 18086 --changes 400`
//!
//! Changes are made in code, through `Gateway::apply`: the Admin API takes whole files only, and reading one would
//! be measured along. They come from a thread of their own, as the standalone gateway's do.
//!
//! Besides the data set there are 1,000 routes that are asked for, `/steady-<number>/`, and `/api`. Half of each
//! batch are steady ones: they answer all the time, while a further path of theirs comes and goes.
#![allow(clippy::unwrap_used, reason = "a tool that nobody depends on")]

use std::{
    env, process,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use gateway_benches::routes::{DataSet, ROUTES};
use gateway_core::{
    Gateway,
    config::{Change, Config, Route, Service},
    server::{Server, Settings},
};

const STEADY: usize = 1_000;
const EVERY: Duration = Duration::from_secs(1);

fn main() {
    let (port, changes) = (argument("--port", 18_086), argument("--changes", 0));
    let mut service = Service::new("bench", "127.0.0.1");
    service.port = u16::try_from(argument("--upstream", 19_101)).unwrap();
    let mut api = Route::new("api").to(&service);
    api.paths = Some(vec!["/api".into()]);
    let steady: Vec<_> = (0..STEADY).map(|number| steady(&service, number)).collect();
    let set = DataSet::new(ROUTES);
    let config = steady.iter().cloned().fold(set.config().with(service).with(api), Config::with);

    let start = Instant::now();
    let gateway = Gateway::builder().config(config).build().unwrap();
    eprintln!("{} routes checked and compiled in {:?}", ROUTES + STEADY + 1, start.elapsed());
    let mut settings = Settings::default();
    settings.workers = 1;
    let address = ([127, 0, 0, 1], u16::try_from(port).unwrap()).into();
    let bound = Server::new(settings).listen(address).bind().unwrap();
    let serving = gateway.clone();
    let _running = bound.start(move |worker| serving.serve(worker)).unwrap();
    for round in 0.. {
        thread::sleep(EVERY);
        if changes > 0 {
            let start = Instant::now();
            gateway.apply(&batch(&set, &steady, changes, round)).unwrap();
            eprintln!("{changes} routes changed in {:?}", start.elapsed());
        }
    }
}

fn steady(service: &Service, number: usize) -> Route {
    let mut route = Route::new(&format!("steady-{number}")).to(service);
    route.paths = Some(vec![format!("/steady-{number}/")]);
    route
}

/// Half of them steady routes, half of the data set, others in each round.
fn batch(set: &DataSet, steady: &[Route], changes: usize, round: usize) -> Change {
    let mut change = Change::default();
    let of_the_set = set.sample(ROUTES).skip(round * changes % ROUTES).take(changes / 2);
    let of_the_set = of_the_set.map(|at| Route::clone(&set.routes[at]));
    let steady = steady.iter().cycle().skip(round * 37 % STEADY).take(changes - changes / 2).cloned();
    for mut route in of_the_set.chain(steady) {
        let further = format!("/round-{round}/{}", route.id);
        route.paths.get_or_insert_default().push(further);
        change.routes.insert(route.id, Some(Arc::new(route)));
    }
    change
}

/// The number behind this flag.
fn argument(flag: &str, default: usize) -> usize {
    let value = env::args().skip_while(|argument| argument != flag).nth(1);
    value.map_or(default, |value| {
        value.parse().unwrap_or_else(|_| {
            eprintln!("{flag} takes a number, not {value}");
            process::exit(2)
        })
    })
}
