//! Gateways that share a PostgreSQL are written to and read through while they and the database are killed.
//!
//! `CHAOS=60` makes it a minute in place of some seconds, `CHAOS_SEED` repeats the same kills.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cluster;
#[path = "../kit/mod.rs"]
mod kit;
mod load;
mod model;
#[path = "../../../../gateway-control/tests/store/server.rs"]
mod server;

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cluster::Cluster;
use kit::until;
use load::Figures;
use model::Model;
use server::Server;

/// How many gateways there are.
const GATEWAYS: usize = 3;

#[test]
fn nothing_acknowledged_is_lost_and_all_are_of_one_mind_again() {
    let Some(mut database) = Server::start() else { return };
    let seconds = env::var("CHAOS").map_or(4, |seconds| seconds.parse().unwrap());
    let seed = env::var("CHAOS_SEED").map_or_else(|_| of_now(), |seed| seed.parse().unwrap());
    println!("CHAOS={seconds} CHAOS_SEED={seed}");
    let (cluster, over, figures) = (Cluster::start(&database), AtomicBool::new(false), Figures::default());
    let models = thread::scope(|scope| {
        let _end = End(&over);
        let writers: Vec<_> = (0..load::WRITERS)
            .map(|number| {
                let (cluster, figures) = (&cluster, &figures);
                scope.spawn(move || load::write(cluster, number, seconds, figures))
            })
            .collect();
        for number in 0..GATEWAYS {
            let (cluster, over, figures) = (&cluster, &over, &figures);
            scope.spawn(move || load::read(cluster, number, over, figures));
        }
        scope.spawn(|| load::watch(&cluster, &over, &figures));
        disturb(&cluster, &mut database, Duration::from_secs(seconds), seed, &figures);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    let began = Instant::now();
    until("all are of one mind", || cluster.agree());
    println!("{figures}; of one mind {} ms after the end", began.elapsed().as_millis());
    figures.check(seconds);
    models.iter().for_each(|model: &Model| model.check(&cluster));
}

/// However it ends: what goes on until then ends, too.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Kills one gateway after the other, and the database in between; each comes back. Both are killed at least once.
fn disturb(cluster: &Cluster, database: &mut Server, time: Duration, seed: u64, figures: &Figures) {
    let (end, mut random) = (Instant::now() + time, Random(seed | 1));
    for round in 0.. {
        thread::sleep(random.milliseconds(300, 1_500));
        if round >= 2 && Instant::now() > end {
            return;
        }
        if round % 4 == 1 {
            let began = Instant::now();
            database.kill();
            thread::sleep(random.milliseconds(0, 1_000));
            database.run();
            figures.database_killed(began.elapsed());
        } else {
            cluster.kill(random.below(GATEWAYS), random.milliseconds(0, 500));
            figures.gateway_killed();
        }
    }
}

/// xorshift64: the same seed, the same kills.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % most
    }

    fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(usize::try_from(most - least).unwrap()) as u64)
    }
}
