//! Admits requests that carry the key of a known consumer (compat P16, P17).

mod body;
mod found;

use std::rc::Rc;

use auth::{Challenge, Otherwise, passes_preflight, unexpected};
use plugin_sdk::{Outcome, form, prelude::*};

use crate::{
    body::{Body, Kind},
    found::Found,
};

/// The configuration.
#[config]
pub struct Config {
    /// Names of the header fields, query arguments and body fields that carry the key.
    #[field(default = ["apikey"])]
    key_names: Vec<String>,
    /// Whether keys are looked for in header fields.
    #[field(default = true)]
    key_in_header: bool,
    /// Whether keys are looked for in the query.
    #[field(default = true)]
    key_in_query: bool,
    /// Whether keys are looked for in the body, a form or JSON, which is read for it.
    #[field(default = false)]
    key_in_body: bool,
    /// Whether the key is taken out of what goes upstream.
    #[field(default = false)]
    hide_credentials: bool,
    /// The consumer, by id or username, that stands in where no key is good. Without it such requests are refused.
    anonymous: Option<String>,
    /// Whether `OPTIONS` requests need a key.
    #[field(default = true)]
    run_on_preflight: bool,
    /// The realm that refusals name.
    realm: Option<String>,
}

/// The plugin.
pub struct KeyAuth {
    config: Config,
    names: Vec<Name>,
    challenge: Challenge,
    otherwise: Otherwise,
}

/// The name of a key.
struct Name {
    /// In small letters, as header fields are compared.
    field: String,
    /// As it is written.
    argument: String,
}

#[plugin(name = "key-auth", priority = 1250, reads_body, no_consumer, capabilities = ["consumer", "request", "response"])]
impl KeyAuth {
    fn configure(mut config: Config) -> Result<Self, String> {
        let names = std::mem::take(&mut config.key_names)
            .into_iter()
            .enumerate()
            .map(name)
            .collect::<Result<_, _>>()?;
        let challenge = Challenge::new("Key", config.realm.as_deref())?;
        let otherwise = Otherwise::new(config.anonymous.take());
        Ok(Self { config, names, challenge, otherwise })
    }

    fn on_request(self: Rc<Self>, mut request: Request) -> Outcome {
        if passes_preflight(self.config.run_on_preflight, &request) {
            return Outcome::now(Flow::Continue);
        }
        let Some(kind) = self.body_to_read(&request) else {
            return Outcome::now(self.otherwise.settle(|| self.admit(&mut request, None)));
        };
        Outcome::later(async move {
            let admit = async {
                let body = Body::of(kind, request.body().await);
                self.admit(&mut request, body.as_ref())
            };
            self.otherwise.settle_later(admit).await
        })
    }
}

impl KeyAuth {
    /// What kind of body must be read before anything else, if one must.
    fn body_to_read(&self, request: &Request) -> Option<Kind> {
        if !self.config.key_in_body || request.is_end() {
            return None;
        }
        Kind::of(&request.header("content-type")?)
    }

    fn admit(&self, request: &mut Request, body: Option<&Body>) -> Result<(), Reply> {
        let key = self.key(request, body)?;
        if key.is_empty() {
            return Err(self.challenge.unauthorized("No API key found in request"));
        }
        match consumer::admit(consumer::Kind::Key, &key) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.challenge.unauthorized("Unauthorized")),
            Err(error) => Err(unexpected(error)),
        }
    }

    /// The first key, by the order of the names; of one name the header field counts before the query, and that before
    /// the body. Where there is none it is empty, which is as good as none.
    fn key(&self, request: &mut Request, body: Option<&Body>) -> Result<Text, Reply> {
        for name in &self.names {
            match self.find(name, request, body) {
                Found::One(key) => {
                    self.hide(name, request, body);
                    return Ok(key);
                }
                Found::Several => {
                    self.hide(name, request, body);
                    return Err(self.challenge.unauthorized("Duplicate API key found"));
                }
                Found::None | Found::Other => {}
            }
        }
        Ok(Text::default())
    }

    fn find(&self, name: &Name, request: &Request, body: Option<&Body>) -> Found {
        let mut found = Found::None;
        if self.config.key_in_header {
            found = request.only_header(&name.field).into();
        }
        if found == Found::None && self.config.key_in_query {
            found = Found::among(&request.query(), &name.argument);
        }
        match body {
            Some(body) if found == Found::None => body.find(&name.argument),
            _ => found,
        }
    }

    /// Takes a key out of what goes upstream, wherever it stands.
    fn hide(&self, name: &Name, request: &mut Request, body: Option<&Body>) {
        if !self.config.hide_credentials {
            return;
        }
        request.remove_header(&name.field);
        hide_argument(&name.argument, request);
        if let Some(body) = body.and_then(|body| body.without(&name.argument)) {
            request.set_body(&body);
        }
    }
}

fn hide_argument(name: &str, request: &mut Request) {
    let target = request.upstream_path_and_query();
    let Some((path, query)) = target.split_once('?') else { return };
    if let Some(left) = form::without(query, name) {
        let parted = if left.is_empty() { "" } else { "?" };
        request.set_path_and_query(&format!("{path}{parted}{left}"));
    }
}

fn name((at, argument): (usize, String)) -> Result<Name, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if argument.is_empty() || !argument.bytes().all(fits) {
        let allowed = "allowed characters are A-Z, a-z, 0-9, '_', and '-'";
        return Err(format!("key_names[{at}]: bad header name '{argument}', {allowed}"));
    }
    Ok(Name { field: argument.to_ascii_lowercase(), argument })
}
