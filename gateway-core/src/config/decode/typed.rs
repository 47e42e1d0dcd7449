//! From rows that are right to typed entities.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Row;
use crate::config::{
    CaCertificate, Certificate, Config, Consumer, ConsumerGroup, Credential, CredentialKind, Entity, Key,
    KeySet, Plugin, Reference, Route, Service, Sni, Target, Upstream, Vault, problem::Problem,
    schema::EntityKind,
};

/// The configuration that the rows make.
///
/// # Errors
/// A table that allows what its type does not: a mistake of this library, told as a problem.
pub(super) fn config(rows: Vec<Row<'_>>) -> Result<Config, Box<Problem>> {
    let mut config = Config::default();
    for mut row in rows {
        row.fields.insert("id".to_owned(), row.id.to_string().into());
        let fields = std::mem::take(&mut row.fields);
        let put = match row.kind {
            EntityKind::Vaults => put::<Vault>(&mut config, fields),
            EntityKind::Certificates => put::<Certificate>(&mut config, fields),
            EntityKind::CaCertificates => put::<CaCertificate>(&mut config, fields),
            EntityKind::Snis => put::<Sni>(&mut config, fields),
            EntityKind::Upstreams => put::<Upstream>(&mut config, fields),
            EntityKind::Targets => put::<Target>(&mut config, fields),
            EntityKind::Services => put::<Service>(&mut config, fields),
            EntityKind::Routes => put::<Route>(&mut config, fields),
            EntityKind::ConsumerGroups => put::<ConsumerGroup>(&mut config, fields),
            EntityKind::Consumers => put::<Consumer>(&mut config, fields),
            EntityKind::Plugins => put::<Plugin>(&mut config, fields),
            EntityKind::KeySets => put::<KeySet>(&mut config, fields),
            EntityKind::Keys => put::<Key>(&mut config, fields),
            EntityKind::Acls => credential(&mut config, row.id, CredentialKind::Acls, fields),
            EntityKind::BasicauthCredentials => {
                credential(&mut config, row.id, CredentialKind::BasicauthCredentials, fields)
            }
            EntityKind::HmacauthCredentials => {
                credential(&mut config, row.id, CredentialKind::HmacauthCredentials, fields)
            }
            EntityKind::JwtSecrets => credential(&mut config, row.id, CredentialKind::JwtSecrets, fields),
            EntityKind::KeyauthCredentials => {
                credential(&mut config, row.id, CredentialKind::KeyauthCredentials, fields)
            }
            EntityKind::Oauth2Credentials => {
                credential(&mut config, row.id, CredentialKind::Oauth2Credentials, fields)
            }
        };
        put.map_err(|error| refuse(&row, &error))?;
    }
    Ok(config)
}

fn refuse(row: &Row<'_>, error: &serde_json::Error) -> Box<Problem> {
    let mut problem = Problem::new(row.path.clone(), row.node.span, error.to_string());
    problem.subject = Some(std::sync::Arc::new(row.subject()));
    Box::new(problem)
}

fn put<T: DeserializeOwned + Entity>(
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
