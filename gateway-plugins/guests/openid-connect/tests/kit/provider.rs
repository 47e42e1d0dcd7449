//! A provider that does what it is told.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer};
use plugin_sdk::{
    Query,
    serde_json::Value,
    testing::{Received, Response, json},
};
use sha2::{Digest, Sha256};

use super::{CALLBACK, CLIENT, ISSUER, SECRET, arguments};

/// A change of something that the provider says.
type Change = Box<dyn Fn(&mut Value)>;
/// What an endpoint answers in place of itself.
type Instead = Box<dyn Fn(&Received) -> Response>;

/// A provider. What it says can be changed, and it counts what it is asked.
#[derive(Default)]
pub struct Provider {
    pub clock: Cell<u64>,
    codes: RefCell<BTreeMap<String, Asked>>,
    refresh_tokens: RefCell<Vec<String>>,
    counter: Cell<u32>,
    /// By path.
    pub instead: RefCell<BTreeMap<&'static str, Instead>>,
    pub asked: RefCell<BTreeMap<String, u32>>,
    pub discovery: RefCell<Option<Change>>,
    pub header: RefCell<Option<Change>>,
    pub claims: RefCell<Option<Change>>,
    pub tokens: RefCell<Option<Change>>,
    pub lifetime: Cell<u64>,
    /// Whether ID tokens are signed by a key that is not the provider's.
    pub forges: Cell<bool>,
    pub down: Cell<bool>,
}

/// What a code is for.
struct Asked {
    redirect_uri: String,
    challenge: String,
    nonce: String,
}

pub const PATH: &str = "/.well-known/openid-configuration";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn answer(value: &Value) -> Response {
    Response::new(200).header("content-type", "application/json").body(value.to_string())
}

impl Provider {
    pub fn new() -> Rc<Self> {
        let provider = Self { lifetime: Cell::new(300), ..Self::default() };
        Rc::new(provider)
    }

    /// A token with this header and these claims, signed by the provider's key, or by another one.
    pub fn sign(&self, header: &Value, claims: &Value, seed: u8) -> String {
        let text = format!("{}.{}", part(header), part(claims));
        let signature: Signature = key(seed).sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// An access token, with `more` among its claims; null takes one away.
    pub fn access_token(&self, more: Value) -> String {
        let now = self.clock.get();
        let mut claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": "api", "scope": "openid read", "iat": now, "exp": now + 300,
        });
        for (name, value) in more.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        self.sign(&json!({ "alg": "ES256", "kid": "1", "typ": "at+jwt" }), &claims, 1)
    }

    /// The keys that are published; none where they cannot be fetched.
    pub fn keys(&self) -> Option<Vec<(String, VerifyingKey)>> {
        if self.down.get() || self.instead.borrow().contains_key("/jwks") {
            return None;
        }
        Some(vec![("1".to_owned(), *key(1).verifying_key())])
    }

    /// The set of keys, as it is published.
    pub fn jwks(&self) -> Value {
        let point = key(1).verifying_key().to_encoded_point(false);
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (number(point.x().unwrap()), number(point.y().unwrap()));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": x, "y": y }] })
    }

    /// The user logs in: where the browser is sent then.
    pub fn authorize(&self, location: &str) -> String {
        let asked = arguments(location);
        let get = |name: &str| asked.get(name).unwrap_or_else(|| panic!("{name} of {location}")).to_owned();
        assert!(location.starts_with("https://idp.example/authorize?"), "{location}");
        assert_eq!((get("response_type"), get("client_id")), ("code".to_owned(), CLIENT.to_owned()));
        assert_eq!(
            (get("code_challenge_method"), get("redirect_uri")),
            ("S256".to_owned(), CALLBACK.to_owned())
        );
        assert!(get("scope").split(' ').any(|scope| scope == "openid"));
        let code = self.code(&asked);
        format!("/callback?code={code}&state={}&iss=https%3A%2F%2Fidp.example", get("state"))
    }

    /// A code for what was asked.
    pub fn code(&self, asked: &Query) -> String {
        let get = |name: &str| asked.get(name).unwrap_or_default().to_owned();
        let code = self.fresh("code");
        let asked = Asked {
            redirect_uri: get("redirect_uri"),
            challenge: get("code_challenge"),
            nonce: get("nonce"),
        };
        self.codes.borrow_mut().insert(code.clone(), asked);
        code
    }

    fn fresh(&self, what: &str) -> String {
        self.counter.set(self.counter.get() + 1);
        format!("{what}-{}", self.counter.get())
    }

    /// How often a path was asked for.
    pub fn count(&self, path: &str) -> u32 {
        self.asked.borrow().get(path).copied().unwrap_or_default()
    }

    pub fn set(&self, what: &RefCell<Option<Change>>, change: impl Fn(&mut Value) + 'static) {
        *what.borrow_mut() = Some(Box::new(change));
    }

    /// Has an endpoint answer something else.
    pub fn answer_instead(&self, path: &'static str, answer: impl Fn(&Received) -> Response + 'static) {
        self.instead.borrow_mut().insert(path, Box::new(answer));
    }

    /// Answers the gateway.
    pub fn answer(&self, received: &Received) -> Response {
        let path = received.path_and_query().to_owned();
        *self.asked.borrow_mut().entry(path.clone()).or_default() += 1;
        if self.down.get() {
            return Response::new(503);
        }
        if let Some(instead) = self.instead.borrow().get(path.as_str()) {
            return instead(received);
        }
        match path.as_str() {
            PATH => {
                let mut said = json!({
                    "issuer": ISSUER,
                    "authorization_endpoint": "https://idp.example/authorize",
                    "token_endpoint": "https://idp.example/token",
                    "userinfo_endpoint": "https://idp.example/userinfo",
                    "introspection_endpoint": "https://idp.example/introspect",
                    "pushed_authorization_request_endpoint": "https://idp.example/par",
                    "end_session_endpoint": "https://idp.example/end",
                    "jwks_uri": "https://idp.example/jwks",
                    "authorization_response_iss_parameter_supported": true,
                });
                self.change(&self.discovery, &mut said);
                answer(&said)
            }
            "/jwks" => answer(&self.jwks()),
            "/token" => self.token(received),
            "/introspect" => answer(&json!({ "active": false })),
            "/userinfo" => answer(&json!({ "sub": "alice", "email": "alice@example.com" })),
            _ => Response::new(404),
        }
    }

    fn change(&self, how: &RefCell<Option<Change>>, value: &mut Value) {
        if let Some(change) = &*how.borrow() {
            change(value);
        }
    }

    fn token(&self, received: &Received) -> Response {
        let form = Query::parse(received.body());
        let get = |name: &str| form.get(name).unwrap_or_default();
        let refuse =
            |error: &str| answer_with(400, &json!({ "error": error, "error_description": "a secret" }));
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{CLIENT}:{}", SECRET.replace(": ", "%3A%20").replace(' ', "%20")))
        );
        if received.header("authorization") != Some(&basic) {
            return refuse("invalid_client");
        }
        let nonce = match get("grant_type") {
            "authorization_code" => {
                let Some(asked) = self.codes.borrow_mut().remove(get("code")) else {
                    return refuse("invalid_grant");
                };
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(get("code_verifier")));
                if asked.challenge != challenge || asked.redirect_uri != get("redirect_uri") {
                    return refuse("invalid_grant");
                }
                Some(asked.nonce)
            }
            "refresh_token" => {
                let mut known = self.refresh_tokens.borrow_mut();
                let Some(at) = known.iter().position(|own| own == get("refresh_token")) else {
                    return refuse("invalid_grant");
                };
                // Each is good for one time.
                known.remove(at);
                None
            }
            _ => return refuse("unsupported_grant_type"),
        };
        answer(&self.grant(nonce.as_deref()))
    }

    fn grant(&self, nonce: Option<&str>) -> Value {
        let (now, refresh) = (self.clock.get(), self.fresh("refresh"));
        self.refresh_tokens.borrow_mut().push(refresh.clone());
        let access = self.access_token(json!({ "jti": self.fresh("token") }));
        let mut header = json!({ "alg": "ES256", "kid": "1" });
        let half = URL_SAFE_NO_PAD.encode(&Sha256::digest(&access)[..16]);
        let mut claims = json!({
            "iss": ISSUER, "sub": "alice", "aud": CLIENT, "iat": now, "exp": now + 300, "at_hash": half,
            "name": "Alice", "sid": "at-the-provider",
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        self.change(&self.header, &mut header);
        self.change(&self.claims, &mut claims);
        let id_token = self.sign(&header, &claims, if self.forges.get() { 2 } else { 1 });
        let mut tokens = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.lifetime.get(),
            "refresh_token": refresh, "id_token": id_token, "scope": "openid read",
        });
        self.change(&self.tokens, &mut tokens);
        tokens
    }
}

pub fn answer_with(status: u16, value: &Value) -> Response {
    Response::new(status).header("content-type", "application/json").body(value.to_string())
}
