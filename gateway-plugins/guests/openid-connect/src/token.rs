//! What the client asks the provider for by itself: tokens, what tokens mean, what it will ask a browser to bring.

use std::{rc::Rc, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use plugin_sdk::{
    crypto::{self, Key, Scheme},
    prelude::*,
    serde_json::{Value, json},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    config::Config,
    provider::{Provider, call},
    random,
    reach::Reach,
};

/// The client, and how it shows that it is.
pub(crate) struct Client {
    pub(crate) id: String,
    auth: Auth,
    timeout: Duration,
    reach: Rc<Reach>,
}

enum Auth {
    None,
    Basic(String),
    Post(String),
    Key { key: String, id: Option<String>, algorithm: String, scheme: Scheme },
}

/// What the provider gives for a code or a refresh token.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Value,
    pub(crate) refresh_token: Option<String>,
    pub(crate) id_token: Option<String>,
    pub(crate) scope: Option<String>,
}

/// Why the provider gives nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It says no.
    Refused,
    /// It says nothing that makes sense.
    Unavailable,
    /// It says nothing, or a proxy in front of it says so.
    Unreachable,
}

impl Client {
    /// None where nothing of the configuration needs one.
    pub(crate) fn new(config: &Config, reach: &Rc<Reach>) -> Result<Option<Self>, String> {
        let first = |list: &Option<Vec<String>>| list.as_ref().and_then(|list| list.first().cloned());
        let Some(id) = first(&config.client_id) else { return Ok(None) };
        let secret = first(&config.client_secret);
        let how = first(&config.client_auth);
        let how = how.as_deref().unwrap_or(if secret.is_some() { "client_secret_basic" } else { "none" });
        let needed = || secret.ok_or(format!("client_secret: required for {how}"));
        let auth = match how {
            "client_secret_basic" => Auth::Basic(needed()?),
            "client_secret_post" => Auth::Post(needed()?),
            "private_key_jwt" => {
                let key = config.client_private_key.clone();
                let scheme = match config.client_alg.as_str() {
                    "PS256" => Scheme::Ps256,
                    "ES256" => Scheme::Es256,
                    "EdDSA" => Scheme::EdDsa,
                    _ => Scheme::Rs256,
                };
                let key = key.ok_or("client_private_key: required for private_key_jwt")?;
                Auth::Key {
                    key,
                    id: config.client_key_id.clone(),
                    algorithm: config.client_alg.clone(),
                    scheme,
                }
            }
            _ => Auth::None,
        };
        let (timeout, reach) = (Duration::from_millis(config.timeout.into()), Rc::clone(reach));
        Ok(Some(Self { id, auth, timeout, reach }))
    }

    /// Tokens for a code or a refresh token.
    pub(crate) async fn tokens(&self, provider: &Provider, grant: &[(&str, &str)]) -> Result<Tokens, Failed> {
        let url = provider.metadata.token_endpoint.as_deref();
        let since = time::now().as_secs();
        let tokens: Result<Tokens, _> = self.post(provider, url, grant).await;
        if let Err(Failed::Unreachable) = tokens {
            self.reach.failed(since);
        }
        let tokens = tokens?;
        if !tokens.token_type.eq_ignore_ascii_case("bearer") {
            warn!("token_response: tokens of another type than Bearer");
            return Err(Failed::Refused);
        }
        Ok(tokens)
    }

    /// What an access token means, by the provider's own word (RFC 7662).
    pub(crate) async fn introspect(&self, provider: &Provider, token: &str) -> Result<Value, Failed> {
        let url = provider.metadata.introspection_endpoint.as_deref();
        self.post(provider, url, &[("token", token), ("token_type_hint", "access_token")]).await
    }

    /// The name of an authorization request that was pushed (RFC 9126).
    pub(crate) async fn push(&self, provider: &Provider, request: &[(&str, &str)]) -> Result<String, Failed> {
        #[derive(Deserialize)]
        struct Pushed {
            request_uri: String,
        }
        let url = provider.metadata.pushed_authorization_request_endpoint.as_deref();
        let pushed: Pushed = self.post(provider, url, request).await?;
        Ok(pushed.request_uri)
    }

    /// What the provider says of the user that an access token is of.
    pub(crate) async fn user_info(&self, provider: &Provider, access_token: &str) -> Result<Value, Failed> {
        let url = provider.metadata.userinfo_endpoint.as_deref().and_then(|url| call("GET", url));
        let callout = url.ok_or(Failed::Unavailable)?.header("accept", "application/json");
        let callout = callout.header("authorization", &format!("Bearer {access_token}"));
        answered(callout.timeout(self.timeout).send().await, "userinfo")
    }

    async fn post<T: DeserializeOwned>(
        &self,
        provider: &Provider,
        url: Option<&str>,
        fields: &[(&str, &str)],
    ) -> Result<T, Failed> {
        let Some(callout) = url.and_then(|url| call("POST", url)) else {
            warn!("endpoint_missing: the provider has no such endpoint");
            return Err(Failed::Unavailable);
        };
        let mut callout = callout.header("accept", "application/json").timeout(self.timeout);
        callout = callout.header("content-type", "application/x-www-form-urlencoded");
        let mut form = form(fields);
        // Once: an argument that stands twice makes a request none (RFC 6749, section 3.2).
        if !matches!(self.auth, Auth::Basic(_)) && !fields.iter().any(|(name, _)| *name == "client_id") {
            append(&mut form, "client_id", &self.id);
        }
        match &self.auth {
            Auth::None => {}
            Auth::Basic(secret) => {
                // Both are written as in a form first (RFC 6749, section 2.3.1).
                let pair = format!("{}:{}", encoded(&self.id), encoded(secret));
                callout = callout.header("authorization", &format!("Basic {}", STANDARD.encode(pair)));
            }
            Auth::Post(secret) => append(&mut form, "client_secret", secret),
            Auth::Key { .. } => {
                let assertion = self.assertion(provider).await.map_err(|error| {
                    error!("client_assertion: {error}");
                    Failed::Unavailable
                })?;
                append(&mut form, "client_assertion_type", ASSERTION);
                append(&mut form, "client_assertion", &assertion);
            }
        }
        answered(callout.body(form).send().await, url.unwrap_or_default())
    }

    /// A token by which the client shows who it is (RFC 7523, section 3).
    async fn assertion(&self, provider: &Provider) -> Result<String, Error> {
        let Auth::Key { key, id, algorithm, scheme } = &self.auth else { return Err(Error::Failed) };
        let now = time::now().as_secs();
        let audience = provider.metadata.token_endpoint.as_deref().unwrap_or(&provider.metadata.issuer);
        let mut header = json!({ "alg": algorithm, "typ": "JWT" });
        if let (Some(id), Some(header)) = (id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.as_str().into());
        }
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": audience, "jti": random::text()?, "iat": now, "exp": now + 60,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let key = if key.starts_with('{') { Key::Secret(key) } else { Key::Bytes(key.as_bytes()) };
        let signature = crypto::sign(*scheme, key, text.as_bytes()).await?.ok_or(Error::Failed)?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Tokens {
    /// Seconds that the access token is good for; 0 where the provider does not say.
    pub(crate) fn lifetime(&self) -> u64 {
        let seconds = self.expires_in.as_u64().or_else(|| self.expires_in.as_str()?.parse().ok());
        seconds.unwrap_or_default()
    }
}

/// What an endpoint answered. What it says when it refuses is not shown: it may have what was asked in it.
fn answered<T: DeserializeOwned>(answer: Result<plugin_sdk::Answer, Error>, of: &str) -> Result<T, Failed> {
    let answer = answer.map_err(|error| {
        warn!("provider_unreachable: {of}: {error}");
        Failed::Unreachable
    })?;
    match answer.status() {
        200 | 201 => answer.json().map_err(|_| {
            warn!("provider_answer: {of}: not the JSON that is expected");
            Failed::Unavailable
        }),
        status => {
            #[derive(Deserialize)]
            struct Problem {
                error: String,
            }
            let problem = answer.json::<Problem>().map(|problem| problem.error).unwrap_or_default();
            warn!("provider_refused: {of}: status {status} {}", word(&problem));
            Err(match status {
                429 => Failed::Unavailable,
                400..500 => Failed::Refused,
                502..=504 => Failed::Unreachable,
                _ => Failed::Unavailable,
            })
        }
    }
}

/// An error code of the provider's (RFC 6749, section 5.2), where it is one.
pub(crate) fn word(error: &str) -> &str {
    let plain = error.len() <= 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if plain { error } else { "(no code)" }
}

/// RFC 3986, section 2.3.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &ESCAPED).to_string()
}

/// Names and values as a form, or a query.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let mut form = String::new();
    fields.iter().for_each(|(name, value)| append(&mut form, name, value));
    form
}

fn append(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(&encoded(name));
    form.push('=');
    form.extend(utf8_percent_encode(value, &ESCAPED));
}

/// The address of an endpoint with these arguments beside its own.
pub(crate) fn with_query(url: &str, fields: &[(&str, &str)]) -> String {
    format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, form(fields))
}

#[cfg(test)]
mod tests {
    use super::{with_query, word};

    #[test]
    fn arguments_cannot_become_others() {
        let url = with_query("https://a/x?own=1", &[("state", "a&b=c d\r\n#"), ("n", "\u{e9}")]);
        assert_eq!(url, "https://a/x?own=1&state=a%26b%3Dc%20d%0D%0A%23&n=%C3%A9");
        assert_eq!(
            (word("invalid_grant"), word("<script>"), word("a b")),
            ("invalid_grant", "(no code)", "(no code)")
        );
    }
}
