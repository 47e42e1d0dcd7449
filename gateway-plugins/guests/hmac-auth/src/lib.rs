//! Admits requests that a known consumer has signed (compat P23).

mod algorithm;
mod parameters;

use std::rc::Rc;

use auth::{Challenge, Otherwise, unexpected};
use base64::{Engine, engine::general_purpose::STANDARD};
use plugin_sdk::{
    Only, Outcome,
    consumer::{Id, Kind},
    crypto::{self, Hash, Key},
    prelude::*,
};

use crate::{algorithm::Algorithm, parameters::Parameters};

/// The configuration.
#[config]
pub struct Config {
    /// Whether the signature is taken out of what goes upstream.
    #[field(default = false)]
    hide_credentials: bool,
    /// Seconds by which the date of a request may differ from now.
    #[field(default = 300, greater_than = 0)]
    clock_skew: f64,
    /// The consumer, by id or username, that stands in where no signature is good. Without it such requests are
    /// refused.
    anonymous: Option<String>,
    /// Whether the body must fit the field `Digest`, and is read for it.
    #[field(default = false)]
    validate_request_body: bool,
    /// Header fields that a signature must be of.
    #[field(default = [])]
    enforce_headers: Vec<String>,
    /// Algorithms that signatures may be made by.
    #[field(
        default = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"],
        one_of = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"]
    )]
    algorithms: Vec<String>,
    /// The realm that refusals name.
    realm: Option<String>,
}

/// The plugin.
pub struct HmacAuth {
    config: Config,
    algorithms: Vec<Algorithm>,
    challenge: Challenge,
    otherwise: Otherwise,
}

/// Fields that say when a request was made.
const DATES: [&str; 2] = ["x-date", "date"];
const NO_DATE: &str =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
const NOT_VALID: &str = "HMAC signature cannot be verified";
const NOT_SAME: &str = "HMAC signature does not match";

/// Where a signature may stand, in the order in which it counts.
const FIELDS: [&str; 2] = ["proxy-authorization", "authorization"];

#[plugin(
    name = "hmac-auth",
    priority = 1030,
    reads_body,
    no_consumer,
    capabilities = ["consumer", "crypto", "request", "response"]
)]
impl HmacAuth {
    fn configure(mut config: Config) -> Result<Self, String> {
        let algorithms = config.algorithms.iter().filter_map(|name| Algorithm::named(name)).collect();
        let challenge = Challenge::new("hmac", config.realm.as_deref())?;
        let otherwise = Otherwise::new(config.anonymous.take());
        Ok(Self { config, algorithms, challenge, otherwise })
    }

    fn on_request(self: Rc<Self>, mut request: Request) -> Outcome {
        if !self.config.validate_request_body || request.is_end() {
            return Outcome::now(self.otherwise.settle(|| {
                let credential = self.signer(&mut request)?;
                self.check_body(&request, &[])?;
                self.admit(credential)
            }));
        }
        Outcome::later(async move {
            let admit = async {
                // Nobody's body is read whose head is not signed.
                let credential = self.signer(&mut request)?;
                let body = request.body().await;
                self.check_body(&request, &body)?;
                self.admit(credential)
            };
            self.otherwise.settle_later(admit).await
        })
    }
}

impl HmacAuth {
    /// The credential that the request is signed with.
    fn signer(&self, request: &mut Request) -> Result<Id, Reply> {
        if FIELDS.iter().all(|field| request.header(field).is_none()) {
            return Err(self.challenge.unauthorized("Unauthorized"));
        }
        if !DATES.iter().any(|field| self.is_recent(request, field)) {
            return Err(self.challenge.unauthorized(NO_DATE));
        }
        let not_valid = || self.challenge.unauthorized(NOT_VALID);
        let parameters = self.parameters(request).ok_or_else(not_valid)?;
        // A date that was signed counts alone: one beside it may have been put in by whoever replays the request.
        let mut dates = DATES
            .iter()
            .filter(|field| parameters.headers.iter().any(|own| own.eq_ignore_ascii_case(field)))
            .peekable();
        if dates.peek().is_some() && !dates.any(|field| self.is_recent(request, field)) {
            return Err(self.challenge.unauthorized(NO_DATE));
        }
        let algorithm = self.algorithms.iter().find(|known| known.name() == parameters.algorithm);
        let algorithm = algorithm.filter(|_| self.is_enough(&parameters.headers)).ok_or_else(not_valid)?;
        let credential = consumer::credential(Kind::Hmac, &parameters.username).map_err(unexpected)?;
        let credential = credential.ok_or_else(not_valid)?;
        let text = signed(request, &parameters.headers);
        let key = Key::Credential { id: credential, field: "secret" };
        let same = STANDARD.decode(&parameters.signature).map_or(Ok(false), |signature| {
            crypto::verify_mac(algorithm.hash(), key, text.as_bytes(), &signature)
        });
        if same.map_err(unexpected)? { Ok(credential) } else { Err(self.challenge.unauthorized(NOT_SAME)) }
    }

    fn admit(&self, credential: Id) -> Result<(), Reply> {
        let admitted = consumer::admit_credential(credential).map_err(unexpected)?;
        if admitted { Ok(()) } else { Err(self.challenge.unauthorized(NOT_VALID)) }
    }

    /// Whether the date in this field is about now.
    fn is_recent(&self, request: &Request, field: &str) -> bool {
        let date = request.header(field).and_then(|date| httpdate::parse_http_date(&date).ok());
        let since = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
        since.is_some_and(|since| since.abs_diff(time::now()).as_secs_f64() <= self.config.clock_skew)
    }

    /// What the request says of its signature; the field is taken out where signatures are hidden.
    fn parameters(&self, request: &mut Request) -> Option<Parameters> {
        // Of two the upstream might go by the other one (RFC 9110 section 5.3).
        let [proxy, own] = FIELDS.map(|field| match request.only_header(field) {
            Only::One(value) => Some(value),
            Only::None | Only::Several => None,
        });
        let (field, parameters) = match proxy.as_deref().and_then(Parameters::of) {
            Some(parameters) => ("proxy-authorization", Some(parameters)),
            None => ("authorization", own.as_deref().and_then(Parameters::of)),
        };
        if self.config.hide_credentials {
            request.remove_header(field);
        }
        parameters
    }

    /// Whether all is signed that must be.
    fn is_enough(&self, headers: &[String]) -> bool {
        self.config.enforce_headers.iter().all(|enforced| headers.contains(enforced))
    }

    /// Whether a body is the one that the request's `Digest` is of, where that matters. A digest that is no part of the
    /// signature proves nothing: `enforce_headers` can name it.
    fn check_body(&self, request: &Request, body: &[u8]) -> Result<(), Reply> {
        if !self.config.validate_request_body {
            return Ok(());
        }
        let fits = match request.header("digest") {
            None => body.is_empty(),
            Some(digest) => {
                let hash = crypto::digest(Hash::Sha256, body).map_err(unexpected)?;
                digest == *format!("SHA-256={}", STANDARD.encode(hash))
            }
        };
        if fits { Ok(()) } else { Err(self.challenge.unauthorized(NOT_SAME)) }
    }
}

/// What a signature is of: a line for each header field, as the client lists them.
fn signed(request: &Request, headers: &[String]) -> String {
    let lines: Vec<_> = headers.iter().map(|header| line(request, header)).collect();
    lines.join("\n")
}

fn line(request: &Request, header: &str) -> String {
    // No field has a name that begins with a colon.
    let value = if header.starts_with(':') { None } else { request.header(header) };
    match (value, header) {
        (Some(value), _) => format!("{header}: {value}"),
        (None, "@request-target") => {
            let method = request.method().to_ascii_lowercase();
            format!("{header}: {method} {}", request.received_path_and_query())
        }
        (None, "request-line") => {
            format!("{} {} {}", request.method(), request.received_path_and_query(), version(request))
        }
        (None, _) => format!("{header}:"),
    }
}

/// The version of HTTP, always with a fraction.
fn version(request: &Request) -> &'static str {
    match request.property(&["request", "protocol"]).as_deref() {
        Some(b"HTTP/1.0") => "HTTP/1.0",
        Some(b"HTTP/2") => "HTTP/2.0",
        Some(b"HTTP/3") => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}
