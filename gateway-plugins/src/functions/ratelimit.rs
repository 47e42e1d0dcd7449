//! How often something may happen.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use plugin_contract::{
    Call as _, NOW, encode,
    ratelimit::{Check, Key, Limiter},
};
use uuid::{Uuid, fmt::Simple};

use super::{kept::Kept, read};
use crate::{
    Call, Effects, Function, Reply, Returned, Status,
    function::serve,
    ratelimit::{Checked, RateLimit, Scope},
    services::Services,
};

/// Those of one configuration.
type Limiters = Kept<Arc<dyn RateLimit>>;

pub(super) fn register(services: &mut Services) {
    serve(services, Make);
    services.add(Check::NAME, Arc::new(check));
}

struct Make;

impl Function for Make {
    type Arguments<'a> = Limiter<'a>;

    fn call<'a>(&'a self, limiter: Limiter<'a>, call: &'a mut Call<'_>) -> Result<Reply<u32>, Status> {
        let limiters: &Limiters = call.configuration.kept().ok_or(Status::InternalFailure)?;
        let bytes = encode(&limiter, Vec::new()).map_err(|_| Status::SerializationFailure)?;
        let scope = Scope { plugin: call.plugin, entity: &call.configuration.entity };
        limiters.number(&bytes, || call.sources.rate_limits.limiter(&limiter, scope)).map(Reply::Now)
    }
}

/// It is called for every request, so its answer needs no memory of its own.
fn check(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    match checked(read(arguments)?, call)? {
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

/// What the limiter says.
pub(super) fn checked(check: Check<'_>, call: &Call<'_>) -> Result<Checked, Status> {
    let limiters: &Limiters = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let limiter = limiters.get(check.limiter).ok_or(Status::BadArgument)?;
    let (mut digits, address);
    let key = match check.key {
        Key::Text(text) => text,
        by => match id(by, call) {
            Some(id) => {
                digits = [0; Simple::LENGTH];
                &*id.simple().encode_lower(&mut digits)
            }
            None => {
                address = client(call.exchange.ok_or(Status::BadArgument)?.client.ip);
                &address
            }
        },
    };
    Ok(limiter.check(key, check.cost))
}

/// A client by its address; by its network of 64 bits in IPv6, as each client has all addresses of one (RFC 6177, section 2).
fn client(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
    }
}

/// The bits of an address that say which network it is of.
const NETWORK: u128 = !(u64::MAX as u128);

/// The id of whoever calls, if it is known and asked for.
fn id(by: Key<'_>, call: &Call<'_>) -> Option<Uuid> {
    let identity = call.effects.as_deref().and_then(Effects::identity);
    match by {
        Key::Consumer => {
            let consumer = identity.map(|identity| identity.consumer());
            Some(consumer.or(call.exchange?.consumer.as_ref())?.id)
        }
        Key::Credential => {
            let credential = identity.and_then(|identity| identity.credential());
            Some(credential.or(call.exchange?.credential.as_ref())?.id)
        }
        Key::Text(_) | Key::Address => None,
    }
}

#[cfg(test)]
mod tests {
    use plugin_contract::{
        encode,
        ratelimit::{Decision, State},
    };

    use crate::ratelimit::Verdict;

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one_client() {
        for (address, key) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(super::client(address.parse().unwrap()), key);
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
