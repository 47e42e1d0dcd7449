//! How often something may happen.

use std::sync::{Arc, OnceLock};

use plugin_contract::{
    Call as _, NOW, encode,
    ratelimit::{Check, Limiter},
};

use super::read;
use crate::{
    Call, Function, Reply, Returned, Status,
    function::serve,
    ratelimit::{Checked, RateLimit, Scope},
    services::Services,
};

/// Limiters of one configuration.
const MOST: usize = 64;

pub(super) fn register(services: &mut Services) {
    serve(services, Make);
    services.add(Check::NAME, Arc::new(check));
}

struct Make;

impl Function for Make {
    type Arguments<'a> = Limiter<'a>;

    fn call<'a>(&'a self, limiter: Limiter<'a>, call: &'a mut Call<'_>) -> Result<Reply<u32>, Status> {
        let made: &Made = call.configuration.kept().ok_or(Status::InternalFailure)?;
        let bytes = encode(&limiter, Vec::new()).map_err(|_| Status::SerializationFailure)?;
        let scope = Scope { plugin: call.plugin, entity: &call.configuration.entity };
        made.number(&bytes, || call.sources.rate_limits.limiter(&limiter, scope)).map(Reply::Now)
    }
}

/// It is called for every request, so its answer needs no memory of its own.
fn check(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let check: Check<'_> = read(arguments)?;
    let made: &Made = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let limiter = made.get(check.limiter).ok_or(Status::BadArgument)?;
    match limiter.check(check.key, check.cost) {
        Checked::Now(verdict) => {
            let mut answer = std::mem::take(call.answer);
            answer.push(NOW);
            *call.answer = encode(&Some(verdict), answer).map_err(|_| Status::SerializationFailure)?;
            Ok(Returned::Written)
        }
        Checked::Later(late) => Ok(Returned::Later(Box::pin(async move {
            // What cannot be encoded is not part of the contract.
            encode(&late.await, Vec::new()).unwrap_or_default().into()
        }))),
    }
}

/// The limiters of a configuration, by their numbers. A place once taken stays: looking takes no lock.
struct Made([OnceLock<One>; MOST]);

/// A limiter, and the arguments it was made from.
type One = (Vec<u8>, Arc<dyn RateLimit>);

impl Default for Made {
    fn default() -> Self {
        Self([const { OnceLock::new() }; MOST])
    }
}

impl Made {
    fn get(&self, number: u32) -> Option<&dyn RateLimit> {
        let place = self.0.get(usize::try_from(number).ok()?)?;
        place.get().map(|(_, limiter)| &**limiter)
    }

    /// The number of the limiter with these arguments, made where there is none.
    fn number(
        &self,
        arguments: &[u8],
        make: impl FnOnce() -> Result<Arc<dyn RateLimit>, Status>,
    ) -> Result<u32, Status> {
        let is = |place: &OnceLock<One>| place.get().is_some_and(|(made, _)| made == arguments);
        let known = self.0.iter().position(is);
        let at = match known {
            Some(at) => at,
            None if self.0.iter().all(|place| place.get().is_some()) => return Err(Status::InternalFailure),
            None => {
                let mut fresh = Some((arguments.to_vec(), make()?));
                // Of workers that make one at the same time each takes the first place that is left, or its own.
                let mut taken = |place: &OnceLock<One>| {
                    fresh = fresh.take().and_then(|limiter| place.set(limiter).err());
                    is(place)
                };
                self.0.iter().position(&mut taken).ok_or(Status::InternalFailure)?
            }
        };
        u32::try_from(at).map_err(|_| Status::InternalFailure)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plugin_contract::{
        encode,
        ratelimit::{Decision, State},
    };

    use super::{Checked, MOST, Made, RateLimit};
    use crate::{Status, ratelimit::Verdict};

    struct Never;

    impl RateLimit for Never {
        fn check(&self, _: &str, _: u32) -> Checked {
            Checked::Now(Verdict { allowed: false, windows: Vec::new().into() })
        }
    }

    #[test]
    fn the_same_limiter_made_twice_is_one() {
        let made = Made::default();
        let make = |name: u8| made.number(&[name], || Ok(Arc::new(Never) as Arc<dyn RateLimit>));
        assert_eq!((make(1), make(2), make(1), make(2)), (Ok(0), Ok(1), Ok(0), Ok(1)));
        assert!(made.get(1).is_some() && made.get(2).is_none() && made.get(u32::MAX).is_none());
        assert_eq!(made.number(&[9], || Err(Status::BadArgument)), Err(Status::BadArgument));
        let numbers: Vec<_> = (0..=100).map(make).collect();
        assert_eq!(numbers.iter().filter(|number| number.is_ok()).count(), MOST);
        assert_eq!(numbers.last(), Some(&Err(Status::InternalFailure)));
    }

    #[test]
    fn limiters_made_at_the_same_time_have_one_number_each() {
        let made = Made::default();
        let all = std::thread::scope(|scope| {
            let make = |name: u8| made.number(&[name % 4], || Ok(Arc::new(Never) as Arc<dyn RateLimit>));
            let threads: Vec<_> = (0..16).map(|name| scope.spawn(move || (name % 4, make(name)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (name, number) in &all {
            assert!(number.is_ok_and(|number| number < 4));
            assert!(all.iter().all(|(other, that)| (name == other) == (number == that)), "{all:?}");
        }
    }

    #[test]
    fn a_verdict_is_written_as_a_decision() {
        let state = |remaining| State { limit: 300, remaining, reset: 12 };
        let windows = vec![state(5), state(200)];
        let verdict = Verdict { allowed: true, windows: windows.clone().into() };
        let bytes = |value: &_| encode(value, Vec::new()).unwrap();
        let decision = Decision { allowed: true, windows };
        assert_eq!(encode(&Some(verdict), Vec::new()).unwrap(), bytes(&Some(decision)));
    }
}
