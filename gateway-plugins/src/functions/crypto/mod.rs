//! Cryptography, with keys that stay here.

mod seal;
mod sign;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, hmac, rand};
use md5::{Digest as _, Md5};
use plugin_contract::{
    Call as _,
    crypto::{Digest, Equal, Hash, Key, Mac, Open, Random, Seal, Sign, Verify, VerifyMac, VerifyPassword},
};

use self::{
    seal::{open, seal},
    sign::{sign, verify},
};
use super::{now, password, read, secret};
use crate::{Call, Returned, Status, services::Services};

pub(super) fn register(services: &mut Services) {
    services.add(Digest::NAME, Arc::new(hash));
    services.add(Mac::NAME, Arc::new(mac));
    services.add(VerifyMac::NAME, Arc::new(verify_mac));
    services.add(Equal::NAME, Arc::new(equal));
    services.add(Random::NAME, Arc::new(random));
    services.add(Sign::NAME, Arc::new(sign));
    services.add(Verify::NAME, Arc::new(verify));
    services.add(Seal::NAME, Arc::new(seal));
    services.add(Open::NAME, Arc::new(open));
    services.add(VerifyPassword::NAME, Arc::new(password::verify));
}

fn hash(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Digest { hash, data } = read(arguments)?;
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
        Hash::Md5 => return now::<Digest<'_>>(call, &Md5::digest(data)),
    };
    now::<Digest<'_>>(call, digest::digest(algorithm, data).as_ref())
}

fn mac(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Mac { hash, key, data } = read(arguments)?;
    let tag = mac_key(hash, key, call)?.map(|key| hmac::sign(&key, data));
    now::<Mac<'_>>(call, tag.as_ref().map(AsRef::as_ref))
}

fn verify_mac(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let VerifyMac { hash, key, data, mac } = read(arguments)?;
    let key = mac_key(hash, key, call)?;
    now::<VerifyMac<'_>>(call, key.is_some_and(|key| hmac::verify(&key, data, mac).is_ok()))
}

fn mac_key(hash: Hash, key: Key<'_>, call: &Call<'_>) -> Result<Option<hmac::Key>, Status> {
    let algorithm = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
        Hash::Md5 => return Err(Status::BadArgument),
    };
    Ok(secret::key(key, call)?.map(|key| hmac::Key::new(algorithm, &key)))
}

fn equal(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Equal { a, b } = read(arguments)?;
    now::<Equal<'_>>(call, verify_slices_are_equal(a, b).is_ok())
}

/// Random bytes of one call.
const RANDOM: usize = 1024;

fn random(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Random { length } = read(arguments)?;
    let mut bytes = [0; RANDOM];
    let length = usize::try_from(length).map_err(|_| Status::BadArgument)?;
    let bytes = bytes.get_mut(..length).filter(|bytes| !bytes.is_empty()).ok_or(Status::BadArgument)?;
    rand::fill(bytes).map_err(|_| Status::InternalFailure)?;
    now::<Random>(call, bytes)
}
