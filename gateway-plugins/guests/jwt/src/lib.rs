//! Admits requests that carry a token of a known consumer (compat P22).

mod places;
mod refusal;

use auth::{Challenge, Otherwise, passes_preflight, unexpected};
use plugin_sdk::{
    jwt::{Algorithm, Demand, Judged, Keys, Scheme, Spec, Verifier},
    prelude::*,
};

use crate::{
    places::{Places, Token},
    refusal::Refused,
};

/// The configuration.
#[config]
pub struct Config {
    /// Query arguments that carry a token.
    #[field(default = ["jwt"], set)]
    uri_param_names: Vec<String>,
    /// Cookies that carry a token.
    #[field(default = [], set)]
    cookie_names: Vec<String>,
    /// Header fields that carry a token, after `Bearer`.
    #[field(default = ["authorization"], set)]
    header_names: Vec<String>,
    /// The claim whose value is the `key` of a credential; where it is not there, the header field of that name.
    #[field(default = "iss")]
    key_claim_name: String,
    /// Whether secrets of credentials are written in base64.
    #[field(default = false)]
    secret_is_base64: bool,
    /// Claims that must be there and be right.
    #[field(set, one_of = ["exp", "nbf"])]
    claims_to_verify: Option<Vec<String>>,
    /// Seconds from now that `exp` may be away, at most; 0: any. `exp` must be among the claims to verify.
    #[field(default = 0, between = (0, 31_536_000))]
    maximum_expiration: f64,
    /// The consumer, by id or username, that stands in where no token is good. Without it such requests are refused.
    anonymous: Option<String>,
    /// Whether `OPTIONS` requests need a token.
    #[field(default = true)]
    run_on_preflight: bool,
    /// The realm that refusals name.
    realm: Option<String>,
}

/// The plugin.
pub struct Jwt {
    places: Places,
    claim: String,
    verifier: Verifier,
    run_on_preflight: bool,
    /// Of those who bring no token.
    challenge: Challenge,
    otherwise: Otherwise,
}

#[plugin(name = "jwt", priority = 1450, no_consumer, capabilities = ["consumer", "jwt", "response"])]
impl Jwt {
    fn configure(config: Config) -> Result<Self, String> {
        let verifier = verifier(&config)?;
        Ok(Self {
            verifier,
            challenge: Challenge::new("Bearer", config.realm.as_deref())?,
            otherwise: Otherwise::new(config.anonymous),
            run_on_preflight: config.run_on_preflight,
            claim: config.key_claim_name,
            places: Places::new(config.uri_param_names, config.cookie_names, config.header_names),
        })
    }

    fn on_request(&self, request: &mut Request) -> Flow {
        if passes_preflight(self.run_on_preflight, request) {
            return Flow::Continue;
        }
        self.otherwise.settle(|| self.admit(request))
    }
}

impl Jwt {
    fn admit(&self, request: &Request) -> Result<(), Reply> {
        let token = match self.places.token(request) {
            Token::One(token) => token,
            Token::None => {
                let reply = Reply::new(401).header("www-authenticate", self.challenge.value());
                return Err(reply.message("Unauthorized"));
            }
            Token::Several => return Err(self.refuse(Refused::Said("Multiple tokens provided".into()))),
            Token::Other => return Err(self.refuse(Refused::Said("Unrecognizable token".into()))),
        };
        let credential = self.verifier.verify_now(&token, |judged| self.judge(judged));
        let credential = credential.map_err(unexpected)?.map_err(|refused| self.refuse(refused))?;
        match credential.map(consumer::admit_credential).transpose().map_err(unexpected)? {
            Some(true) => Ok(()),
            _ => Err(self.refuse(Refused::unknown(&self.claim))),
        }
    }

    /// Whose token it is.
    fn judge(&self, judged: Judged<'_>) -> Result<Option<consumer::Id>, Refused> {
        judged.map(|good| good.credential).map_err(|refusal| Refused::of(&refusal, &self.claim))
    }

    /// Kong says no more than this, whatever form the client asks for.
    fn refuse(&self, refused: Refused) -> Reply {
        if refused == Refused::Unavailable {
            return unexpected(Error::Failed);
        }
        let asked = format!("{} error=\"invalid_token\"", self.challenge.value());
        let reply = Reply::new(401).header("www-authenticate", asked);
        match refused {
            Refused::Claims(claims) => reply.with_body("application/json; charset=utf-8", claims),
            Refused::Said(message) => reply.message(&message),
            Refused::Unavailable => reply,
        }
    }
}

/// What tokens are verified by. What a credential is for is said by the credential alone.
fn verifier(config: &Config) -> Result<Verifier, String> {
    let demand = |claim: &str| {
        let verified = config.claims_to_verify.iter().flatten().any(|own| own == claim);
        if verified { Demand::Required } else { Demand::Ignored }
    };
    if config.maximum_expiration > 0.0 && demand("exp") == Demand::Ignored {
        return Err("claims_to_verify: expected to contain: exp".to_owned());
    }
    let spec = Spec {
        algorithms: ALGORITHMS.to_vec(),
        keys: Keys::Credentials { claim: &config.key_claim_name, base64: config.secret_is_base64 },
        expires: demand("exp"),
        begins: demand("nbf"),
        leeway: 0,
        longest: seconds(config.maximum_expiration),
        issuers: Vec::new(),
        audiences: Vec::new(),
        types: Vec::new(),
    };
    Verifier::new(&spec).map_err(|error| format!("tokens cannot be verified: {error}"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and a year")]
fn seconds(number: f64) -> u64 {
    number.ceil() as u64
}

const ALGORITHMS: [Algorithm; 13] = [
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
    Algorithm::Signed(Scheme::Rs256),
    Algorithm::Signed(Scheme::Rs384),
    Algorithm::Signed(Scheme::Rs512),
    Algorithm::Signed(Scheme::Es256),
    Algorithm::Signed(Scheme::Es384),
    Algorithm::Signed(Scheme::Es512),
    Algorithm::Signed(Scheme::Ps256),
    Algorithm::Signed(Scheme::Ps384),
    Algorithm::Signed(Scheme::Ps512),
    Algorithm::Signed(Scheme::EdDsa),
];
