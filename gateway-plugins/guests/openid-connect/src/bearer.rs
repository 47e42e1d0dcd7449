//! Access tokens that programs bring (RFC 6750): JWTs by the provider's keys, others by its word (RFC 7662).

use std::rc::Rc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plugin_sdk::{
    Only as Field, form,
    jwt::{Judged, Refusal},
    kv::{self, Only},
    prelude::*,
    serde_json::{self, Value},
};

use crate::{
    Openid, config::Config, cookies::Jar, id_token::word, identity::Identity, known::Known, random,
    refusal::Refused,
};

/// Where access tokens stand, and how they are judged.
#[derive(Debug)]
pub(crate) struct Bearer {
    /// Whether JWTs are taken.
    jwt: bool,
    /// Whether the provider is asked.
    introspection: bool,
    introspect_jwt: bool,
    header: bool,
    query: bool,
    cookie: Option<String>,
    hide: bool,
    cache: Option<u32>,
    /// What tokens came to that were good.
    known: Known<Identity>,
}

/// What there is of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    None,
    One(String),
    Several,
}

/// Namespace of what the provider said of tokens.
const SAID: &str = "introspected";
/// Seconds for which a token is known not to be good.
const BAD: u32 = 5;
/// The argument of a query (RFC 6750, section 2.3).
const ARGUMENT: &str = "access_token";

impl Bearer {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let method = |name: &str| config.auth_methods.iter().any(|own| own == name);
        let place = |name: &str| config.bearer_token_param_type.iter().any(|own| own == name);
        let cookie = config.bearer_token_cookie_name.clone().filter(|_| place("cookie"));
        if place("cookie") && cookie.is_none() {
            return Err("bearer_token_cookie_name: required for cookie".to_owned());
        }
        Ok(Self {
            jwt: method("bearer"),
            introspection: method("introspection"),
            introspect_jwt: config.introspect_jwt_tokens,
            header: place("header"),
            query: place("query"),
            cookie,
            hide: config.hide_credentials,
            cache: config.cache_introspection.then_some(config.cache_ttl),
            known: Known::default(),
        })
    }

    /// The token of a request.
    pub(crate) fn token(&self, request: &Request, jar: &Jar<'_>) -> Token {
        if !self.jwt && !self.introspection {
            return Token::None;
        }
        let mut token = Token::None;
        if self.header {
            token = match request.only_header("authorization") {
                Field::None => token,
                Field::One(value) => after_bearer(&value).map_or(token, |text| Token::One(text.to_owned())),
                Field::Several => return Token::Several,
            };
        }
        if self.query {
            let query = request.query();
            let values = form::pairs(&query).filter(|(name, _)| name == ARGUMENT);
            token = values.fold(token, |token, (_, value)| token.and(&value.unwrap_or_default()));
        }
        if let Some(name) = &self.cookie {
            let values = jar.iter().filter(|(own, _)| own == name);
            token = values.fold(token, |token, (_, value)| token.and(value));
        }
        token
    }

    /// Whether a cookie has a token that is taken off.
    pub(crate) fn hides_cookie(&self, name: &str) -> bool {
        self.hide && self.cookie.as_deref() == Some(name)
    }

    /// Takes the token off a request that goes upstream, but for one in a cookie.
    pub(crate) fn hide(&self, request: &mut Request) {
        if !self.hide {
            return;
        }
        if self.header {
            request.remove_header("authorization");
        }
        let query = request.query();
        if self.query
            && let Some(left) = form::without(&query, ARGUMENT)
        {
            let path = request.path();
            let mark = if left.is_empty() { "" } else { "?" };
            request.set_path_and_query(&format!("{path}{mark}{left}"));
        }
    }
}

impl Token {
    fn and(self, text: &str) -> Self {
        match self {
            one if text.is_empty() => one,
            Self::None => Self::One(text.to_owned()),
            // Not in two ways at a time (RFC 6750, section 2), even if they agree.
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

/// The token after `Bearer`, whose case does not matter (RFC 9110, section 11.1).
fn after_bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl Openid {
    /// Whom a token is of, where that can be said at once: a JWT by keys that are at hand.
    pub(crate) fn bearer_now(&self, token: &str) -> Option<Result<Rc<Identity>, Refused>> {
        if !self.is_jwt(token) {
            return None;
        }
        let provider = self.discovery.fresh()?;
        let judged = provider.access_tokens.verify_now(token, |judged| self.judged(token, judged));
        match judged {
            Ok(judged) => Some(judged),
            Err(Error::Late) => None,
            Err(error) => {
                error!("{error}");
                Some(Err(Refused::Unexpected))
            }
        }
    }

    /// The same where somebody has to be asked.
    pub(crate) async fn bearer(&self, token: &str) -> Result<Rc<Identity>, Refused> {
        let Some(provider) = self.discovery.provider().await else {
            // What nobody's word makes good is not good while nobody can be asked either.
            return Err(if self.is_jwt(token) && !is_signed(token) {
                Refused::Token
            } else {
                Refused::Unavailable
            });
        };
        if self.is_jwt(token) {
            let judged = provider.access_tokens.verify(token, |judged| self.judged(token, judged));
            return judged.await.map_err(|error| {
                error!("{error}");
                Refused::Unexpected
            })?;
        }
        let Some(client) = self.client.as_ref().filter(|_| self.bearer.introspection) else {
            return Err(Refused::Token);
        };
        let known = |_| Refused::Unexpected;
        // What one provider says to one client is nothing to another one.
        let key = random::digest(&format!("{} {token}", self.keys.client())).map_err(known)?;
        let claims = match kv::get(SAID, &key).map_err(known)? {
            Some((said, _)) => serde_json::from_slice(&said).map_err(|_| Refused::Token)?,
            None => {
                let claims = client.introspect(&provider, token).await.map_err(|_| Refused::Unavailable)?;
                self.note(&key, &claims).map_err(known)?;
                claims
            }
        };
        if !self.is_active(&claims, &provider.metadata.issuer) {
            info!("token_refused: inactive");
            return Err(Refused::Token);
        }
        Ok(Rc::new(self.rules.judge_token(&claims)?))
    }

    fn is_jwt(&self, token: &str) -> bool {
        self.bearer.jwt
            && !self.bearer.introspect_jwt
            && token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    fn judged(&self, token: &str, judged: Judged<'_>) -> Result<Rc<Identity>, Refused> {
        match judged {
            Ok(good) => {
                if let Some(known) = self.bearer.known.get(token) {
                    return Ok(known);
                }
                let claims: Value = serde_json::from_str(good.claims).map_err(|_| Refused::Token)?;
                let identity = Rc::new(self.rules.judge_token(&claims)?);
                self.bearer.known.put(token, &identity);
                Ok(identity)
            }
            Err(Refusal::Unavailable) => Err(Refused::Unavailable),
            Err(refusal) => {
                info!("token_refused: {}", word(&refusal));
                Err(Refused::Token)
            }
        }
    }

    /// Remembers what the provider said: no longer than the token is good, and a bad one for a moment only.
    fn note(&self, key: &str, claims: &Value) -> Result<(), Error> {
        let Some(most) = self.bearer.cache else { return Ok(()) };
        let now = time::now().as_secs();
        let left = claims.get("exp").and_then(Value::as_u64).map(|end| end.saturating_sub(now));
        let left = left.map_or(most, |left| u32::try_from(left).unwrap_or(u32::MAX).min(most));
        let active = claims.get("active") == Some(&Value::Bool(true));
        let seconds = if active && left > 0 { left } else { BAD.min(most) };
        kv::set(SAID, key, claims.to_string().as_bytes(), Some(seconds), Only::Always).map(drop)
    }

    /// Whether what the provider said of a token makes it good now.
    fn is_active(&self, claims: &Value, issuer: &str) -> bool {
        let now = time::now().as_secs();
        let time = |name: &str| match claims.get(name) {
            None | Some(Value::Null) => Some(None),
            // A time that is none makes no token good.
            Some(value) => Some(Some(value.as_f64()?)),
        };
        let (Some(end), Some(begin)) = (time("exp"), time("nbf")) else { return false };
        #[expect(clippy::cast_precision_loss, reason = "times are far from there")]
        let (now, leeway) = (now as f64, f64::from(self.leeway));
        claims.get("active") == Some(&Value::Bool(true))
            && claims.get("iss").is_none_or(|own| own.as_str() == Some(issuer))
            && end.is_none_or(|end| now < end + leeway)
            && begin.is_none_or(|begin| now + leeway >= begin)
    }
}

/// Whether a JWT says that it is signed by a key of the provider's.
fn is_signed(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header: Option<Value> = header.and_then(|header| serde_json::from_slice(&header).ok());
    let algorithm = header.as_ref().and_then(|header| header.get("alg")?.as_str());
    algorithm.is_some_and(|name| ["RS", "PS", "ES", "Ed"].iter().any(|kind| name.starts_with(kind)))
}

#[cfg(test)]
mod tests {
    use super::{Token, after_bearer};

    #[test]
    fn a_token_stands_after_its_scheme_and_in_one_place() {
        for (value, token) in
            [("Bearer a.b.c", Some("a.b.c")), ("bEARER  x ", Some("x")), ("Bearer ", None), ("Basic a", None)]
        {
            assert_eq!(after_bearer(value), token);
        }
        let one = || Token::None.and("a");
        assert_eq!((one(), one().and(""), one().and("a")), (Token::One("a".into()), one(), Token::Several));
    }
}
