//! A limiter takes memory for a key that is new, and none for one that is known.
#![allow(clippy::unwrap_used)] // tests may

use gateway_plugins::{Checked, Entity, Limiters, RateLimits, Scope};
use plugin_contract::ratelimit::{Algorithm, Limiter, Period, Store, Window};

#[test]
fn a_known_key_takes_no_memory() {
    let limiters = Limiters::default();
    for algorithm in [Algorithm::Fixed, Algorithm::Sliding, Algorithm::Pace] {
        let windows = [Period::Day, Period::Month, Period::Year].map(|period| Window { period, limit: 200 });
        let limiter = Limiter { algorithm, windows: windows.to_vec(), store: Store::Local, name: "" };
        let limiter = limiters.limiter(&limiter, Scope::new("p", &Entity::default())).unwrap();
        let check = || matches!(limiter.check("203.0.113.217", 1), Checked::Now(verdict) if verdict.allowed);
        assert!(check());
        // Past the limit, so that refusals are looked at, too.
        let taken = allocation_counter::measure(|| (0..300).for_each(|_| _ = check()));
        assert_eq!(taken.count_total, 0, "{algorithm:?}");
        assert!(!check());
    }
}
