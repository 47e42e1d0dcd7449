//! What decides whether a token is good.

use std::{borrow::Cow, sync::Arc};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use gateway_core::config::{Credential, CredentialKind};
use plugin_contract::jwt::{Algorithm, Keys, Refusal, Verifier as Spec};
use serde_json::Value;

use super::{
    Refused,
    cache::Cache,
    claims::Wanted,
    jwk::{self, From},
    keys::{Set, Uses},
    remote::{Fetching, Look, Remote},
    token::{self, Good, Token, algorithm},
};
use crate::{
    Call, Status,
    functions::{kept::Kept, secret},
};

/// Which tokens are good.
pub(super) struct Verifier {
    algorithms: Vec<Algorithm>,
    types: Vec<String>,
    wanted: Wanted,
    source: Source,
    cache: Cache,
}

/// Where keys come from.
enum Source {
    One(Uses),
    Set(Arc<Set>),
    Remote(Arc<Remote>),
    Credentials { claim: String, base64: bool },
}

/// The keys at addresses that one configuration knows.
type Remotes = Kept<Arc<Remote>>;

/// What becomes of a token.
pub(super) enum Judged {
    Good(Arc<Good>),
    Refused(Refused),
    /// That depends on keys which are not there yet.
    Later(Fetching),
}

/// Seconds by which clocks may differ.
const LEEWAY: u32 = 60;

impl Verifier {
    /// # Errors
    /// What cannot be one: keys that are none, or for none of the algorithms; an upstream that is not granted.
    pub(super) fn new(spec: &Spec<'_>, call: &Call<'_>) -> Result<Self, Status> {
        if spec.algorithms.is_empty() || spec.leeway > LEEWAY {
            return Err(Status::BadArgument);
        }
        Ok(Self {
            source: Source::of(spec, call)?,
            algorithms: spec.algorithms.clone(),
            types: spec.types.iter().map(|name| (*name).to_owned()).collect(),
            wanted: Wanted::of(spec),
            cache: Cache::new(),
        })
    }

    /// Judges a token by what is known now.
    pub(super) fn judge(&self, token: &str, now: u64, call: &Call<'_>) -> Judged {
        if token.len() > token::MOST {
            return Judged::Refused(Refusal::TooLong);
        }
        let set = match &self.source {
            Source::Remote(remote) => match remote.look() {
                Look::Here(set) => Some(set),
                none => {
                    return match (self.plausible(token, now), none) {
                        (Err(refusal), _) => Judged::Refused(refusal),
                        (Ok(()), Look::Fetch) => Judged::Later(remote.fetch()),
                        (Ok(()), _) => Judged::Refused(Refusal::Unavailable),
                    };
                }
            },
            Source::Set(set) => Some(Arc::clone(set)),
            Source::One(_) | Source::Credentials { .. } => None,
        };
        if let Some(good) = self.remembered(token, set.as_deref(), call) {
            return match self.wanted.check(good.times, now) {
                Ok(()) => Judged::Good(good),
                Err(problems) => Judged::Refused(Refusal::Claims(problems)),
            };
        }
        match (self.fresh(token, now, set.as_deref(), Some(call)), &self.source) {
            (Err(Refusal::NoKey), Source::Remote(remote)) if remote.may_fetch() => {
                Judged::Later(remote.fetch())
            }
            (Ok(good), _) => Judged::Good(good),
            (Err(refusal), _) => Judged::Refused(refusal),
        }
    }

    /// Judges a token by keys that were fetched.
    pub(super) fn judge_by(
        &self,
        token: &str,
        now: u64,
        set: Option<Arc<Set>>,
    ) -> Result<Arc<Good>, Refused> {
        let set = set.ok_or(Refusal::Unavailable)?;
        self.fresh(token, now, Some(&set), None)
    }

    /// What is known of a token that was good, by keys that still count.
    fn remembered(&self, token: &str, set: Option<&Set>, call: &Call<'_>) -> Option<Arc<Good>> {
        let good = self.cache.get(token)?;
        let same_keys = set.is_none_or(|set| set.generation == good.generation);
        let same_credential = good.credential.as_ref().is_none_or(|before| {
            let consumers = &call.sources.consumers;
            let now = call.exchange.and_then(|exchange| consumers.by_credential(exchange, before.id));
            now.and_then(|identity| identity.credential()).is_some_and(|now| Arc::ptr_eq(now, before))
        });
        (same_keys && same_credential).then_some(good)
    }

    /// A token that nothing is known of.
    fn fresh(
        &self,
        text: &str,
        now: u64,
        set: Option<&Set>,
        call: Option<&Call<'_>>,
    ) -> Result<Arc<Good>, Refused> {
        let token = Token::parse(text)?;
        self.check_type(&token)?;
        let mut credential = None;
        match (&self.source, set) {
            (Source::One(uses), _) => {
                uses.get(token.algorithm).ok_or(Refusal::Algorithm)?.verify(&token)?;
            }
            (Source::Credentials { claim, base64 }, _) => {
                let found = named(&token, claim, call)?;
                self.verify_by(&found, *base64, &token)?;
                credential = Some(found);
            }
            (_, Some(set)) => {
                self.check_algorithm(token.algorithm)?;
                set.find(token.key_id()?, token.algorithm)?.verify(&token)?;
            }
            (_, None) => return Err(Refusal::Unavailable),
        }
        let times = self.wanted.read(&token.claims).map_err(Refusal::Claims)?;
        self.wanted.check(times, now).map_err(Refusal::Claims)?;
        let generation = set.map_or(0, |set| set.generation);
        let (header, claims) = (token.header_text.into(), token.claims_text.into());
        let good = Arc::new(Good { header, claims, times, credential, generation });
        self.cache.put(text, &good);
        Ok(good)
    }

    /// Whether a token may be good by some keys: nobody is asked for keys otherwise, or told that there are none.
    fn plausible(&self, text: &str, now: u64) -> Result<(), Refused> {
        let token = Token::parse(text)?;
        self.check_type(&token)?;
        self.check_algorithm(token.algorithm)?;
        let times = self.wanted.read(&token.claims).map_err(Refusal::Claims)?;
        self.wanted.check(times, now).map_err(Refusal::Claims)
    }

    /// By the credential's own algorithm and key: which key a token is verified by does not depend on its header.
    fn verify_by(&self, credential: &Credential, base64: bool, token: &Token<'_>) -> Result<(), Refused> {
        let text = |name| credential.fields.get(name).and_then(Value::as_str);
        let own = text("algorithm").map_or(Some(Algorithm::Hs256), algorithm);
        self.check_algorithm(token.algorithm)?;
        if own != Some(token.algorithm) {
            return Err(Refusal::Algorithm);
        }
        let uses = match token.algorithm {
            Algorithm::Signed(_) => {
                Uses::public(text("rsa_public_key").unwrap_or_default().as_bytes(), &[token.algorithm])
            }
            _ => {
                let secret = text("secret").unwrap_or_default();
                let secret =
                    if base64 { Cow::Owned(decoded(secret)?) } else { Cow::Borrowed(secret.as_bytes()) };
                Uses::shared(&secret, &[token.algorithm])
            }
        };
        uses.get(token.algorithm).ok_or(Refusal::Key)?.verify(token)
    }

    fn check_algorithm(&self, algorithm: Algorithm) -> Result<(), Refused> {
        if self.algorithms.contains(&algorithm) { Ok(()) } else { Err(Refusal::Algorithm) }
    }

    fn check_type(&self, token: &Token<'_>) -> Result<(), Refused> {
        let known = |name: &str| match self.types.is_empty() {
            true => name.eq_ignore_ascii_case("JWT"),
            false => self.types.iter().any(|own| own.eq_ignore_ascii_case(name)),
        };
        match token.header.get("typ") {
            None if self.types.is_empty() || self.types.iter().any(String::is_empty) => Ok(()),
            Some(Value::String(name)) if known(name) => Ok(()),
            _ => Err(Refusal::Type),
        }
    }
}

impl Source {
    fn of(spec: &Spec<'_>, call: &Call<'_>) -> Result<Self, Status> {
        let algorithms = &spec.algorithms[..];
        let one = |uses: Uses| if uses.is_empty() { Err(Status::BadArgument) } else { Ok(Self::One(uses)) };
        match &spec.keys {
            Keys::Pem(pem) => one(Uses::public(pem.as_bytes(), algorithms)),
            Keys::Shared(key) => {
                let key = secret::key(*key, call)?.ok_or(Status::BadArgument)?;
                one(Uses::shared(&key, algorithms))
            }
            Keys::Set(json) => {
                let set = jwk::set(json.as_bytes(), algorithms, From::Operator);
                let set = set.filter(|set| !set.keys.is_empty()).ok_or(Status::BadArgument)?;
                Ok(Self::Set(Arc::new(set)))
            }
            Keys::Address { upstream, url, fresh } => {
                let reach = call.grants.reach(upstream).ok_or(Status::BadArgument)?;
                let upstreams = call.sources.upstreams.clone().ok_or(Status::BadArgument)?;
                let through = (upstreams, call.shard.unwrap_or_default());
                let make = || {
                    let remote = Remote::new((upstream, url, reach), *fresh, algorithms, through);
                    remote.map(Arc::new).ok_or(Status::BadArgument)
                };
                // Whatever a configuration verifies by the keys at an address, it knows them once.
                let remotes: &Remotes = call.configuration.kept().ok_or(Status::InternalFailure)?;
                let number =
                    remotes.number(format!("{upstream} {url} {fresh} {algorithms:?}").as_bytes(), make)?;
                remotes.get(number).map(Arc::clone).map(Self::Remote).ok_or(Status::InternalFailure)
            }
            Keys::Credentials { claim, base64 } => {
                Ok(Self::Credentials { claim: (*claim).to_owned(), base64: *base64 })
            }
        }
    }
}

/// The credential that a token names.
fn named(token: &Token<'_>, claim: &str, call: Option<&Call<'_>>) -> Result<Arc<Credential>, Refused> {
    let value = token.claims.get(claim).or_else(|| token.header.get(claim));
    let key = match value {
        None | Some(Value::Null) => return Err(Refusal::NoClaim),
        Some(Value::String(key)) if !key.is_empty() => key,
        Some(_) => return Err(Refusal::Claim),
    };
    let call = call.ok_or(Refusal::NoCredential)?;
    let consumers = &call.sources.consumers;
    let found = call.exchange.and_then(|it| consumers.by_key(it, CredentialKind::JwtSecrets, key));
    found.and_then(|identity| identity.credential()).cloned().ok_or(Refusal::NoCredential)
}

/// A secret that is written in base64, of either alphabet, with or without padding: as Kong reads it.
fn decoded(secret: &str) -> Result<Vec<u8>, Refused> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(secret.replace('-', "+").replace('_', "/")).map_err(|_| Refusal::Key)
}
