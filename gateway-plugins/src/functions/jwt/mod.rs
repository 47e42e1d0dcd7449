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
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use plugin_contract::{
    Call as _, encode,
    jwt::{Refusal, Verified, Verifier as Spec, Verify},
};

use super::{kept::Kept, now, read};
use crate::{Call, Returned, Status, services::Services};
use token::Good;
use verifier::{Judged, Verifier};

pub(super) fn register(services: &mut Services) {
    services.add(Spec::NAME, Arc::new(make));
    services.add(Verify::NAME, Arc::new(verify));
}

/// Those of one configuration.
type Verifiers = Kept<Arc<Verifier>>;

fn make(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let spec: Spec<'_> = read(arguments)?;
    let verifiers: &Verifiers = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let number = verifiers.number(arguments, || Verifier::new(&spec, call).map(Arc::new))?;
    now::<Spec<'_>>(call, number)
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
