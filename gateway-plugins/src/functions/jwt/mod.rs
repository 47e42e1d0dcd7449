//! JSON Web Tokens: `token` and `claims` read and judge one, `jwk` and `keys` hold what verifies them, `remote` fetches
//! that, `cache` remembers what was good, `verifier` puts them together.

mod cache;
mod claims;
mod jwk;
mod keys;
mod remote;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

use std::{
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use plugin_contract::{
    Call as _, encode,
    jwt::{Refusal, Verified, Verifier as Spec, Verify},
};

use super::{now, read};
use crate::{Call, Returned, Status, services::Services};
use token::Good;
use verifier::{Judged, Verifier};

pub(super) fn register(services: &mut Services) {
    services.add(Spec::NAME, Arc::new(make));
    services.add(Verify::NAME, Arc::new(verify));
}

/// Verifiers of one configuration.
const VERIFIERS: usize = 64;

/// The verifiers of a configuration, each by what it was made of. A slot once taken stays: looking takes no lock.
struct Verifiers([OnceLock<Made>; VERIFIERS]);

/// A verifier, and the bytes that it is made of.
type Made = (Box<[u8]>, Arc<Verifier>);

impl Default for Verifiers {
    fn default() -> Self {
        Self([const { OnceLock::new() }; VERIFIERS])
    }
}

impl Verifiers {
    /// The number of the verifier that is made of these bytes; none where there are too many.
    fn number(&self, of: &[u8], verifier: &Arc<Verifier>) -> Option<usize> {
        let made = || (of.into(), Arc::clone(verifier));
        self.0.iter().position(|slot| *slot.get_or_init(made).0 == *of)
    }

    fn get(&self, number: u32) -> Option<&Arc<Verifier>> {
        let slot = self.0.get(usize::try_from(number).ok()?)?;
        slot.get().map(|(_, verifier)| verifier)
    }
}

fn make(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let spec: Spec<'_> = read(arguments)?;
    let verifiers: &Verifiers = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let verifier = Arc::new(Verifier::new(&spec, call)?);
    let number = verifiers.number(arguments, &verifier).ok_or(Status::InternalFailure)?;
    now::<Spec<'_>>(call, u32::try_from(number).map_err(|_| Status::InternalFailure)?)
}

fn verify(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Verify { verifier, token } = read(arguments)?;
    let verifiers: &Verifiers = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let verifier = verifiers.get(verifier).ok_or(Status::BadArgument)?;
    match verifier.judge(token, seconds(), call) {
        Judged::Good(good) => now::<Verify<'_>>(call, Ok(told(&good))),
        Judged::Refused(refusal) => now::<Verify<'_>>(call, Err(refusal)),
        Judged::Later(keys) => {
            let (verifier, token) = (Arc::clone(verifier), token.to_owned());
            Ok(Returned::Later(Box::pin(async move {
                let keys = keys.await;
                let good = verifier.judge_by(&token, seconds(), keys);
                let answer: <Verify<'_> as plugin_contract::Call>::Answer<'_> = match &good {
                    Ok(good) => Ok(told(good)),
                    Err(refusal) => Err(refusal.clone()),
                };
                Bytes::from(encode(&answer, Vec::new()).unwrap_or_default())
            })))
        }
    }
}

fn told(good: &Good) -> Verified<'_> {
    Verified { header: &good.header, claims: &good.claims, credential: good.credential_id() }
}

/// A refusal that points nowhere.
type Refused = Refusal<'static>;

/// Seconds since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
