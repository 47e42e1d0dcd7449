//! From fields that are right to typed entities.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::config::{
    CaCertificate, Certificate, Config, Consumer, ConsumerGroup, Credential, CredentialKind, Entity, Key,
    KeySet, Plugin, Reference, Route, Service, Sni, Target, Upstream, Vault, schema::EntityKind,
};

/// Puts the entity of these fields into `config`.
///
/// # Errors
/// A table allows what its type does not.
pub(super) fn put(
    config: &mut Config,
    kind: EntityKind,
    id: Uuid,
    mut fields: Map<String, Value>,
) -> serde_json::Result<()> {
    fields.insert("id".to_owned(), id.to_string().into());
    match kind {
        EntityKind::Vaults => entity::<Vault>(config, fields),
        EntityKind::Certificates => entity::<Certificate>(config, fields),
        EntityKind::CaCertificates => entity::<CaCertificate>(config, fields),
        EntityKind::Snis => entity::<Sni>(config, fields),
        EntityKind::Upstreams => entity::<Upstream>(config, fields),
        EntityKind::Targets => entity::<Target>(config, fields),
        EntityKind::Services => entity::<Service>(config, fields),
        EntityKind::Routes => entity::<Route>(config, fields),
        EntityKind::ConsumerGroups => entity::<ConsumerGroup>(config, fields),
        EntityKind::Consumers => entity::<Consumer>(config, fields),
        EntityKind::Plugins => entity::<Plugin>(config, fields),
        EntityKind::KeySets => entity::<KeySet>(config, fields),
        EntityKind::Keys => entity::<Key>(config, fields),
        EntityKind::Acls => credential(config, id, CredentialKind::Acls, fields),
        EntityKind::BasicauthCredentials => {
            credential(config, id, CredentialKind::BasicauthCredentials, fields)
        }
        EntityKind::HmacauthCredentials => {
            credential(config, id, CredentialKind::HmacauthCredentials, fields)
        }
        EntityKind::JwtSecrets => credential(config, id, CredentialKind::JwtSecrets, fields),
        EntityKind::KeyauthCredentials => credential(config, id, CredentialKind::KeyauthCredentials, fields),
        EntityKind::Oauth2Credentials => credential(config, id, CredentialKind::Oauth2Credentials, fields),
    }
}

fn entity<T: DeserializeOwned + Entity>(
    config: &mut Config,
    fields: Map<String, Value>,
) -> serde_json::Result<()> {
    serde_json::from_value::<T>(Value::Object(fields)).map(|entity| entity.put(config))
}

fn credential(
    config: &mut Config,
    id: Uuid,
    kind: CredentialKind,
    mut fields: Map<String, Value>,
) -> serde_json::Result<()> {
    let consumer: Reference = serde_json::from_value(fields.remove("consumer").unwrap_or_default())?;
    fields.remove("id");
    Credential { id, kind, consumer, fields }.put(config);
    Ok(())
}
