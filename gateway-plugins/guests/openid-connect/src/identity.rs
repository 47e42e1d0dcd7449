//! What claims mean for a request: who calls, whether that is enough, and what the upstream is told.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::{Engine, engine::general_purpose::STANDARD};
use plugin_sdk::{
    prelude::*,
    serde_json::{self, Value},
};
use serde::{Deserialize, Serialize};

use crate::{
    claims::{self, Wanted},
    config::Config,
    refusal::Refused,
};

/// What is wanted of claims, and what is told of them.
#[derive(Debug)]
pub(crate) struct Rules {
    audience: Option<Wanted>,
    scopes: Option<Wanted>,
    /// Groups and roles.
    others: Vec<Wanted>,
    /// Header fields and the claims that they tell.
    headers: Vec<(String, String)>,
    consumer: Option<Naming>,
    /// The path of the claim that has the groups for access control.
    groups: Option<Vec<String>>,
    /// The fields that tokens go into.
    access_token: Option<(String, &'static str)>,
    id_token: Option<String>,
    user_info: Option<String>,
    /// Changes when any of this does.
    mark: u64,
}

/// The claim that names a consumer, and how.
#[derive(Debug)]
struct Naming {
    claim: Vec<String>,
    username: bool,
    custom_id: bool,
    id: bool,
    optional: bool,
}

/// What claims come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// What is told: by each header field, in the order of the rules, and empty where it tells nothing; last the groups, a JSON
    /// list, where the rules want them.
    told: Vec<String>,
    /// What names the consumer.
    consumer: Option<String>,
    /// By which rules.
    mark: u64,
}

/// The tokens of a session, for the upstream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'s> {
    pub(crate) access_token: &'s str,
    pub(crate) id_token: &'s str,
}

/// The variable that `acl` reads.
const GROUPS: &str = "authenticated_groups";

impl Rules {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let (names, told) = (&config.upstream_headers_names, &config.upstream_headers_claims);
        if names.len() != told.len() {
            return Err("upstream_headers_names: expected as many as upstream_headers_claims".to_owned());
        }
        let by = |word: &str| config.consumer_by.iter().any(|own| own == word);
        let consumer = config.consumer_claim.clone().map(|claim| Naming {
            claim,
            username: by("username"),
            custom_id: by("custom_id"),
            id: by("id"),
            optional: config.consumer_optional,
        });
        let groups = Wanted::new(&config.groups_claim, config.groups_required.as_deref(), true);
        let roles = Wanted::new(&config.roles_claim, config.roles_required.as_deref(), true);
        let mut rules = Self {
            audience: Wanted::new(&config.audience_claim, config.audience_required.as_deref(), false),
            scopes: Wanted::new(&config.scopes_claim, config.scopes_required.as_deref(), true),
            others: groups.into_iter().chain(roles).collect(),
            headers: names.iter().cloned().zip(told.iter().cloned()).collect(),
            consumer,
            groups: config.authenticated_groups_claim.clone(),
            access_token: token_header(&config.upstream_access_token_header),
            id_token: config.upstream_id_token_header.clone(),
            user_info: config.upstream_user_info_header.clone(),
            mark: 0,
        };
        let mut hasher = DefaultHasher::new();
        format!("{rules:?}").hash(&mut hasher);
        rules.mark = hasher.finish();
        Ok(rules)
    }

    /// Judges what a token says of itself, and takes what is told from it.
    pub(crate) fn judge_token(&self, claims: &Value) -> Result<Identity, Refused> {
        if self.audience.as_ref().is_some_and(|wanted| !wanted.is_met_by(claims::find(claims, &wanted.path)))
        {
            info!("audience_mismatch: a token is for somebody else");
            return Err(Refused::Token);
        }
        self.permit(&[claims])?;
        Ok(self.tell(&[claims], None))
    }

    /// Judges a login: by the access token where that can be read, the ID token and what the provider says of the user.
    pub(crate) fn judge_login(
        &self,
        access: &Value,
        id: &Value,
        user: Option<&Value>,
    ) -> Result<Identity, Refused> {
        let user_value = user.unwrap_or(&Value::Null);
        let sources = [access, id, user_value];
        if let Some(wanted) = &self.audience
            && !sources.iter().any(|claims| wanted.is_met_by(claims::find(claims, &wanted.path)))
        {
            info!("audience_mismatch: the tokens of a login are for somebody else");
            return Err(Refused::Forbidden(None));
        }
        self.permit(&sources)?;
        Ok(self.tell(&[id, user_value, access], user))
    }

    fn permit(&self, sources: &[&Value]) -> Result<(), Refused> {
        // The first source that has the claim says what it is.
        let met = |wanted: &Wanted| {
            let mut found = sources.iter().filter_map(|claims| claims::find(claims, &wanted.path));
            wanted.is_met_by(found.next())
        };
        if let Some(scopes) = self.scopes.as_ref().filter(|wanted| !met(wanted)) {
            return Err(Refused::Forbidden(Some(scopes.told())));
        }
        if self.others.iter().all(met) { Ok(()) } else { Err(Refused::Forbidden(None)) }
    }

    fn tell(&self, sources: &[&Value], user: Option<&Value>) -> Identity {
        let find = |path: &[String]| sources.iter().find_map(|claims| claims::find(claims, path));
        let told =
            |claim: &String| find(std::slice::from_ref(claim)).and_then(claims::text).unwrap_or_default();
        let mut all: Vec<_> = self.headers.iter().map(|(_, claim)| told(claim)).collect();
        if self.user_info.is_some() {
            let user = user.and_then(|user| serde_json::to_vec(user).ok());
            all.push(user.map(|user| STANDARD.encode(user)).unwrap_or_default());
        }
        if let Some(path) = &self.groups {
            all.push(Value::from(find(path).map(claims::words).unwrap_or_default()).to_string());
        }
        let named = |naming: &Naming| find(&naming.claim).and_then(claims::text);
        Identity { told: all, consumer: self.consumer.as_ref().and_then(named), mark: self.mark }
    }

    /// Whether that was judged by these rules.
    pub(crate) fn are_those_of(&self, identity: &Identity) -> bool {
        identity.mark == self.mark
    }

    /// Lets the upstream know, and nobody else say it: every field is written or taken away.
    pub(crate) fn admit(
        &self,
        request: &mut Request,
        identity: &Identity,
        shown: Option<Shown<'_>>,
    ) -> Result<(), Refused> {
        let names = self.headers.iter().map(|(name, _)| name).chain(&self.user_info);
        for (name, value) in names.zip(&identity.told) {
            write(request, name, value);
        }
        self.tell_groups(identity)?;
        if let Some(Shown { access_token, id_token }) = shown {
            if let Some((name, scheme)) = &self.access_token {
                request.set_header(name, &format!("{scheme}{access_token}"));
            }
            self.id_token.iter().for_each(|name| write(request, name, id_token));
        } else {
            self.id_token.iter().for_each(|name| request.remove_header(name));
        }
        self.consumer.as_ref().map_or(Ok(()), |naming| naming.admit(identity.consumer.as_deref()))
    }

    /// Lets those who control access know, and nobody in whose groups have no room: a group may be one that is kept out.
    fn tell_groups(&self, identity: &Identity) -> Result<(), Refused> {
        let Some(groups) = self.groups.as_ref().and(identity.told.last()) else { return Ok(()) };
        if var::set(GROUPS, groups.as_bytes()) == Ok(true) {
            return Ok(());
        }
        warn!("groups_too_large: the groups of a user cannot be told, {} bytes", groups.len());
        Err(Refused::Forbidden(None))
    }

    /// Takes away what only this plugin says.
    pub(crate) fn clear(&self, request: &mut Request) {
        let own = self
            .access_token
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !name.eq_ignore_ascii_case("authorization"));
        let names = self.headers.iter().map(|(name, _)| name).chain(&self.user_info).chain(&self.id_token);
        names.chain(own).for_each(|name| request.remove_header(name));
    }
}

impl Naming {
    fn admit(&self, name: Option<&str>) -> Result<(), Refused> {
        let known = |name: &str| {
            // Ids and names are looked up alike: a user who is called like an id is not that consumer.
            let allowed = if is_id(name) { self.id } else { self.username };
            Ok(allowed && consumer::by_name(name)?.is_some()
                || self.custom_id && consumer::by_custom_id(name)?.is_some())
        };
        match name.map_or(Ok(false), known) {
            Ok(true) => Ok(()),
            Ok(false) if self.optional => Ok(()),
            Ok(false) => {
                info!("consumer_unknown: there is no consumer for a user");
                Err(Refused::Forbidden(None))
            }
            Err(error) => {
                let error: Error = error;
                error!("{error}");
                Err(Refused::Unexpected)
            }
        }
    }
}

fn write(request: &mut Request, name: &str, value: &str) {
    if value.is_empty() { request.remove_header(name) } else { request.set_header(name, value) }
}

/// Whether this is how ids are written.
fn is_id(name: &str) -> bool {
    name.len() == 36 && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// `name`, or `name:bearer`; nothing for an empty text.
fn token_header(text: &str) -> Option<(String, &'static str)> {
    match text.split_once(':') {
        _ if text.is_empty() => None,
        Some((name, scheme)) if scheme.eq_ignore_ascii_case("bearer") => Some((name.to_owned(), "Bearer ")),
        _ => Some((text.to_owned(), "")),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_id, token_header};

    #[test]
    fn a_token_goes_into_a_field_as_it_is_or_as_a_bearer() {
        assert_eq!(token_header("authorization:bearer"), Some(("authorization".to_owned(), "Bearer ")));
        assert_eq!(token_header("x-token"), Some(("x-token".to_owned(), "")));
        assert_eq!(token_header(""), None);
        assert!(is_id("11111111-2222-3333-4444-555555555555") && !is_id("alice"));
    }
}
