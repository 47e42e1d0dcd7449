//! An identity provider that counts, and whose upstream says what it is told.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A provider on a port of its own. It goes on until the test's process ends.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    key: EcdsaKeyPair,
    state: Mutex<State>,
}

/// What it knows, and what has happened.
#[derive(Default)]
pub(crate) struct State {
    /// Of the login under way.
    pub(crate) nonce: String,
    /// Seconds that access tokens are good for.
    pub(crate) lifetime: u32,
    pub(crate) down: bool,
    /// How long a refresh takes.
    pub(crate) slow: Duration,
    /// How often each path was asked for.
    pub(crate) asked: HashMap<String, u32>,
    pub(crate) refreshes: u32,
    /// Refresh tokens that came once more, after they were used.
    replayed: u32,
    /// Further claims of tokens.
    pub(crate) claims: Value,
    grants: u32,
    good: Vec<String>,
}

impl State {
    /// How often a refresh was asked for, and how often with a token that was used before.
    pub(crate) fn refreshed(&self) -> (u32, u32) {
        (self.refreshes, self.replayed)
    }

    /// Makes a refresh token good again.
    pub(crate) fn give_back(&mut self, token: &str) {
        self.good.push(token.to_owned());
    }
}

impl Provider {
    pub(crate) fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let state = Mutex::new(State { lifetime: 300, ..State::default() });
        let provider = Arc::new(Self { address: listener.local_addr().unwrap(), key, state });
        let own = Arc::clone(&provider);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = Arc::clone(&own);
                let serve = move || while own.serve(&stream).is_some() {};
                thread::Builder::new().stack_size(128 << 10).spawn(serve).unwrap();
            }
        });
        provider
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token with these claims beside the usual ones.
    pub(crate) fn token(&self, more: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({ "iss": self.issuer(), "sub": "alice", "iat": now, "exp": now + 300 });
        for more in [&self.state().claims, more] {
            let more = more.as_object().into_iter().flatten();
            more.for_each(|(name, value)| claims[name.as_str()] = value.clone());
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": "1" })), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut fields = HashMap::new();
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = fields.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (status, text) = self.answer(&path, &fields, &String::from_utf8(body).unwrap());
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", text.len());
        stream.write_all(format!("{head}Content-Type: application/json\r\n\r\n{text}").as_bytes()).ok()
    }

    fn answer(&self, path: &str, fields: &HashMap<String, String>, form: &str) -> (u16, String) {
        // The upstream.
        if let Some(rest) = path.strip_prefix("/upstream") {
            return (200, json!({ "path": rest, "fields": fields }).to_string());
        }
        *self.state().asked.entry(path.to_owned()).or_default() += 1;
        if self.state().down {
            return (503, String::new());
        }
        let at = |path: &str| format!("{}{path}", self.issuer());
        match path {
            "/.well-known/openid-configuration" => {
                let said = json!({
                    "issuer": self.issuer(), "authorization_endpoint": at("/authorize"), "jwks_uri": at("/jwks"),
                    "token_endpoint": at("/token"), "userinfo_endpoint": at("/userinfo"),
                });
                (200, said.to_string())
            }
            "/jwks" => {
                let point = self.key.public_key().as_ref();
                let part = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
                let key = json!({ "kty": "EC", "crv": "P-256", "kid": "1", "x": part(1), "y": part(33) });
                (200, json!({ "keys": [key] }).to_string())
            }
            "/userinfo" => (200, json!({ "sub": "alice", "email": "alice@example.com" }).to_string()),
            "/token" => self.grant(form),
            _ => (404, String::new()),
        }
    }

    fn grant(&self, form: &str) -> (u16, String) {
        let used = form.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
        if let Some(used) = used {
            let (slow, good) = {
                let mut state = self.state();
                state.refreshes += 1;
                let good = state.good.iter().position(|own| own == used);
                // Each is good for one time.
                let good = good.map(|at| state.good.remove(at)).is_some();
                state.replayed += u32::from(!good);
                (state.slow, good)
            };
            thread::sleep(slow);
            if !good {
                return (400, json!({ "error": "invalid_grant" }).to_string());
            }
        }
        let (grant, lifetime, nonce) = {
            let mut state = self.state();
            state.grants += 1;
            let refresh = format!("refresh-{}", state.grants);
            state.good.push(refresh);
            (state.grants, state.lifetime, state.nonce.clone())
        };
        let id_token = self.token(&json!({ "aud": "shop", "nonce": nonce }));
        let tokens = json!({
            "access_token": format!("access-{grant}"), "refresh_token": format!("refresh-{grant}"),
            "token_type": "Bearer", "expires_in": lifetime, "id_token": id_token,
        });
        (200, tokens.to_string())
    }
}
