//! A session: what a browser's cookie stands for.

use std::rc::Rc;

use plugin_sdk::{
    contract,
    serde_json::{Value, json},
};
use serde::{Deserialize, Serialize};

use crate::{Openid, id_token, identity::Identity, refusal::Refused, token::Tokens};

/// A session, read where its bytes lie. Times are seconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session<'s> {
    /// What it is known by when it is over before its time.
    pub(crate) name: &'s str,
    /// When the user logged in.
    pub(crate) begun: u64,
    /// When it was last written.
    pub(crate) used: u64,
    /// When the access token is no longer used; 0 where its end is not known.
    pub(crate) expires: u64,
    pub(crate) subject: &'s str,
    /// The provider's own session; empty where it does not say.
    pub(crate) provider_session: &'s str,
    pub(crate) id_token: &'s str,
    pub(crate) access_token: &'s str,
    /// Empty where there is none.
    pub(crate) refresh_token: &'s str,
    /// The scopes of the access token, as the provider said beside it.
    pub(crate) scope: &'s str,
    /// What the provider says of the user: JSON, or empty.
    pub(crate) user_info: &'s str,
    pub(crate) identity: Identity,
}

/// The bytes of a session that is there.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) bytes: Rc<[u8]>,
    /// Where it is kept: the digest of the cookie's value, and which version it is; none where it is in the cookie.
    pub(crate) kept: Option<(String, u64)>,
}

impl Found {
    pub(crate) fn session(&self) -> Option<Session<'_>> {
        contract::decode(&self.bytes)
    }
}

/// What a session begins with.
pub(crate) struct Begun<'b> {
    pub(crate) name: &'b str,
    pub(crate) begun: u64,
    pub(crate) used: u64,
    pub(crate) subject: &'b str,
    pub(crate) id_token: &'b str,
}

/// Seconds by which a refresh comes before the end, at most.
const AHEAD: u64 = 10;

impl Openid {
    /// The bytes of a session, if its user may have one. `before` is the refresh token so far.
    pub(crate) fn session(
        &self,
        begun: &Begun<'_>,
        tokens: &Tokens,
        claims: &Value,
        user: Option<&Value>,
        before: &str,
    ) -> Result<Vec<u8>, Refused> {
        let identity = self.judge(&tokens.access_token, tokens.scope.as_deref(), claims, user)?;
        let lifetime = tokens.lifetime();
        let refresh_token = tokens.refresh_token.as_deref().unwrap_or(before);
        // A little ahead, so that no token ends on its way; some providers end refresh tokens with access tokens.
        let ahead = if refresh_token.is_empty() { 0 } else { (lifetime / 5).min(AHEAD) };
        let user = user.map(ToString::to_string).unwrap_or_default();
        let session = Session {
            name: begun.name,
            begun: begun.begun,
            used: begun.used,
            expires: if lifetime == 0 { 0 } else { begun.used + lifetime - ahead },
            subject: begun.subject,
            provider_session: claims.get("sid").and_then(Value::as_str).unwrap_or_default(),
            id_token: begun.id_token,
            access_token: &tokens.access_token,
            refresh_token,
            scope: tokens.scope.as_deref().unwrap_or_default(),
            user_info: &user,
            identity,
        };
        contract::encode(&session, Vec::new()).map_err(|_| Refused::Unexpected)
    }

    /// Judges the tokens of a login. Where an access token cannot be read, its scopes are those that came with it.
    pub(crate) fn judge(
        &self,
        access_token: &str,
        scope: Option<&str>,
        claims: &Value,
        user: Option<&Value>,
    ) -> Result<Identity, Refused> {
        let mut access = id_token::said(access_token);
        if !access.is_object() {
            access = json!({});
        }
        if let (Some(access), Some(scope)) = (access.as_object_mut(), scope) {
            access.entry("scope").or_insert_with(|| scope.into());
        }
        self.rules.judge_login(&access, claims, user)
    }
}
