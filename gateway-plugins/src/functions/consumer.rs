//! Who calls.

use std::sync::Arc;

use gateway_core::{
    config::{Consumer, Credential, CredentialKind},
    identity::{As, Identity},
    plugin::Exchange,
};
use plugin_contract::consumer::{
    self as contract, Admit, Authenticate, Current, Field, Find, Groups, Kind, Who,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{Call, Consumers, Function, Reply, Status, function::serve, services::Services};

/// The consumers of the configuration that the request is served by.
#[derive(Clone, Copy, Debug, Default)]
pub struct FromConfig;

impl Consumers for FromConfig {
    fn by_key<'a>(
        &'a self,
        exchange: &'a Exchange,
        kind: CredentialKind,
        key: &str,
    ) -> Option<&'a Arc<Identity>> {
        exchange.identities.as_deref()?.by_key(kind, key)
    }

    fn by_credential<'a>(&'a self, exchange: &'a Exchange, id: Uuid) -> Option<&'a Arc<Identity>> {
        exchange.identities.as_deref()?.by_credential(id)
    }

    fn named<'a>(&'a self, exchange: &'a Exchange, name: &str) -> Option<&'a Arc<Identity>> {
        exchange.identities.as_deref()?.consumer_named(name)
    }

    fn with_custom_id<'a>(&'a self, exchange: &'a Exchange, id: &str) -> Option<&'a Arc<Identity>> {
        exchange.identities.as_deref()?.consumer_with_custom_id(id)
    }
}

/// Registers the functions of the area.
pub(super) fn register(services: &mut Services) {
    serve(services, Authenticating);
    serve(services, Admitting);
    serve(services, Finding);
    serve(services, OfCredential);
    serve(services, Currently);
    serve(services, Grouped);
}

struct Authenticating;

impl Function for Authenticating {
    type Arguments<'a> = Authenticate<'a>;

    fn call<'a>(
        &'a self,
        Authenticate { who }: Authenticate<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<Option<contract::Identity<'a>>>, Status> {
        let found = authenticate(who, call)?;
        Ok(Reply::Now(found.map(|identity| told(identity.consumer(), identity.credential()))))
    }
}

struct Admitting;

impl Function for Admitting {
    type Arguments<'a> = Admit<'a>;

    fn call<'a>(&'a self, Admit { who }: Admit<'a>, call: &'a mut Call<'_>) -> Result<Reply<bool>, Status> {
        authenticate(who, call).map(|found| Reply::Now(found.is_some()))
    }
}

/// Makes somebody the request's consumer. Only while its head is at hand can the upstream be told.
fn authenticate<'a>(who: Who<'_>, call: &mut Call<'a>) -> Result<Option<&'a Arc<Identity>>, Status> {
    let consumers = &call.sources.consumers;
    let (Some(request), Some(effects), Some(exchange)) =
        (call.request.as_deref_mut(), call.effects.as_deref_mut(), call.exchange)
    else {
        return Err(Status::BadArgument);
    };
    let found = match who {
        Who::Key { kind, key } => consumers.by_key(exchange, kind_of(kind), key),
        Who::Credential(id) => consumers.by_credential(exchange, Uuid::from_bytes(id)),
        Who::Anonymous(name) | Who::Consumer(name) => consumers.named(exchange, name),
        Who::CustomId(id) => consumers.with_custom_id(exchange, id),
    };
    let Some(identity) = found else { return Ok(None) };
    let how = if matches!(who, Who::Anonymous(_)) { As::Anonymous } else { As::Known };
    identity.write(how, request.headers_mut());
    effects.identify(Arc::clone(identity));
    Ok(Some(identity))
}

struct Finding;

impl Function for Finding {
    type Arguments<'a> = Find<'a>;

    fn call<'a>(
        &'a self,
        Find { kind, key }: Find<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<Option<contract::Identity<'a>>>, Status> {
        let exchange = call.exchange.ok_or(Status::BadArgument)?;
        let found = call.sources.consumers.by_key(exchange, kind_of(kind), key);
        Ok(Reply::Now(found.map(|identity| told(identity.consumer(), identity.credential()))))
    }
}

struct OfCredential;

impl Function for OfCredential {
    type Arguments<'a> = Field<'a>;

    fn call<'a>(
        &'a self,
        Field { credential, name }: Field<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<Option<&'a str>>, Status> {
        let exchange = call.exchange.ok_or(Status::BadArgument)?;
        let identity = call.sources.consumers.by_credential(exchange, Uuid::from_bytes(credential));
        let credential = identity.and_then(|identity| identity.credential());
        Ok(Reply::Now(credential.and_then(|credential| open_field(credential, name))))
    }
}

struct Currently;

impl Function for Currently {
    type Arguments<'a> = Current;

    fn call<'a>(
        &'a self,
        _: Current,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<Option<contract::Identity<'a>>>, Status> {
        let found = call.effects.as_deref().and_then(|effects| effects.identity());
        let found = found.map(|identity| told(identity.consumer(), identity.credential()));
        Ok(Reply::Now(found.or_else(|| {
            let exchange = call.exchange?;
            Some(told(exchange.consumer.as_ref()?, exchange.credential.as_ref()))
        })))
    }
}

struct Grouped;

impl Function for Grouped {
    type Arguments<'a> = Groups;

    fn call<'a>(&'a self, _: Groups, call: &'a mut Call<'_>) -> Result<Reply<Vec<&'a str>>, Status> {
        let found = call.effects.as_deref().and_then(|effects| effects.identity());
        let identity = found.or_else(|| call.exchange?.identity());
        let groups =
            identity.map_or_else(Vec::new, |identity| identity.groups().iter().map(|it| &**it).collect());
        Ok(Reply::Now(groups))
    }
}

/// What of somebody the contract tells.
fn told<'a>(consumer: &'a Arc<Consumer>, credential: Option<&Arc<Credential>>) -> contract::Identity<'a> {
    contract::Identity {
        consumer: consumer.id.into_bytes(),
        username: consumer.username.as_deref(),
        custom_id: consumer.custom_id.as_deref(),
        credential: credential.map(|credential| credential.id.into_bytes()),
    }
}

/// A field that is no secret, and nothing else: of a key there is none.
fn open_field<'a>(credential: &'a Credential, name: &str) -> Option<&'a str> {
    let open: &[&str] = match credential.kind {
        CredentialKind::BasicauthCredentials | CredentialKind::HmacauthCredentials => &["username"],
        CredentialKind::JwtSecrets => &["key", "algorithm", "rsa_public_key"],
        CredentialKind::Oauth2Credentials => &["client_id", "name", "client_type"],
        _ => &[],
    };
    open.contains(&name).then(|| credential.fields.get(name).and_then(Value::as_str))?
}

const fn kind_of(kind: Kind) -> CredentialKind {
    match kind {
        Kind::Key => CredentialKind::KeyauthCredentials,
        Kind::Basic => CredentialKind::BasicauthCredentials,
        Kind::Hmac => CredentialKind::HmacauthCredentials,
        Kind::Jwt => CredentialKind::JwtSecrets,
        Kind::Oauth2 => CredentialKind::Oauth2Credentials,
    }
}
