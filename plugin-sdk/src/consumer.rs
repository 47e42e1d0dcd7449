//! Who calls.
//!
//! ```no_run
//! # use plugin_sdk::prelude::*;
//! # fn doc(request: &mut Request) -> Flow {
//! match consumer::by_key(consumer::Kind::Key, "abc") {
//!     Ok(Some(_)) => Flow::Continue,
//!     _ => Reply::refuse(401, "Unauthorized").into(),
//! }
//! # }
//! ```

use plugin_contract::consumer::{Admit, Authenticate, Current, Field, Find, Groups, Who};

use crate::{
    Error, call,
    host::{self, Map},
};

pub use plugin_contract::{Id, consumer::Kind};

/// A consumer, and the credential it is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The consumer's id.
    pub consumer: Id,
    /// Its user name.
    pub username: Option<String>,
    /// Its id in another system.
    pub custom_id: Option<String>,
    /// The credential, if there is one.
    pub credential: Option<Id>,
}

impl From<plugin_contract::consumer::Identity<'_>> for Identity {
    fn from(identity: plugin_contract::consumer::Identity<'_>) -> Self {
        Self {
            consumer: identity.consumer,
            username: identity.username.map(str::to_owned),
            custom_id: identity.custom_id.map(str::to_owned),
            credential: identity.credential,
        }
    }
}

/// Makes the owner of a credential the request's consumer: `None` where there is no such credential.
///
/// What is forwarded then says who it is (`X-Consumer-Username` and its like), and plugins of lower priority run with
/// that consumer's configurations.
///
/// # Errors
/// A host that knows no consumers.
pub fn by_key(kind: Kind, key: &str) -> Result<Option<Identity>, Error> {
    authenticate(Who::Key { kind, key })
}

/// The same by the id of a credential that [`find`] gave.
///
/// # Errors
/// As for [`by_key`].
pub fn by_credential(credential: Id) -> Result<Option<Identity>, Error> {
    authenticate(Who::Credential(credential))
}

/// The same for a consumer that was found by other means, by id or username.
///
/// # Errors
/// As for [`by_key`].
pub fn by_name(consumer: &str) -> Result<Option<Identity>, Error> {
    authenticate(Who::Consumer(consumer))
}

/// The same by its id in another system: its `custom_id`.
///
/// # Errors
/// As for [`by_key`].
pub fn by_custom_id(id: &str) -> Result<Option<Identity>, Error> {
    authenticate(Who::CustomId(id))
}

/// Lets the consumer with this id or username stand in for nobody in particular.
///
/// # Errors
/// As for [`by_key`].
pub fn anonymous(consumer: &str) -> Result<Option<Identity>, Error> {
    authenticate(Who::Anonymous(consumer))
}

/// Whether the key belongs to a credential, whose owner then is the request's consumer: [`by_key`] for those who do
/// not want to know who it is.
///
/// # Errors
/// As for [`by_key`].
#[inline]
pub fn admit(kind: Kind, key: &str) -> Result<bool, Error> {
    call::now(&Admit { who: Who::Key { kind, key } }, |found| found)
}

/// Lets the consumer with this id or username stand in for nobody in particular, and says whether there is one:
/// [`anonymous`] for those who do not want to know more.
///
/// # Errors
/// As for [`by_key`].
pub fn stand_in(consumer: &str) -> Result<bool, Error> {
    call::now(&Admit { who: Who::Anonymous(consumer) }, |found| found)
}

/// Makes the owner of the credential that [`find`] gave the request's consumer, and says whether there is one:
/// [`by_credential`] for those who do not want to know more.
///
/// # Errors
/// As for [`by_key`].
pub fn admit_credential(credential: Id) -> Result<bool, Error> {
    call::now(&Admit { who: Who::Credential(credential) }, |found| found)
}

/// The id of the credential with this key; nothing changes.
///
/// # Errors
/// As for [`by_key`].
pub fn credential(kind: Kind, key: &str) -> Result<Option<Id>, Error> {
    call::now(&Find { kind, key }, |found| found.and_then(|identity| identity.credential))
}

/// The owner of a credential; nothing changes.
///
/// # Errors
/// As for [`by_key`].
pub fn find(kind: Kind, key: &str) -> Result<Option<Identity>, Error> {
    call::now(&Find { kind, key }, |found| found.map(Identity::from))
}

/// The request's consumer, once a plugin has found out.
///
/// # Errors
/// As for [`by_key`].
pub fn current() -> Result<Option<Identity>, Error> {
    call::now(&Current, |found| found.map(Identity::from))
}

/// How far it is known who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No plugin has found out.
    Unknown,
    /// A consumer stands in for nobody in particular.
    Anonymous,
    /// A consumer who has shown who it is.
    Known,
}

/// How far it is known who calls: [`current`] for those who do not want to know who it is.
///
/// # Errors
/// As for [`by_key`].
pub fn caller() -> Result<Caller, Error> {
    let credential = call::now(&Current, |found| found.map(|identity| identity.credential.is_some()))?;
    Ok(match credential {
        None => Caller::Unknown,
        Some(true) => Caller::Known,
        // Who was found by other means than a credential has none, either.
        Some(false) if host::header(Map::Request, "x-anonymous-consumer").is_none() => Caller::Known,
        Some(false) => Caller::Anonymous,
    })
}

/// The groups of the request's consumer for access control.
///
/// # Errors
/// As for [`by_key`].
pub fn groups() -> Result<Vec<String>, Error> {
    with_groups(|groups| groups.iter().copied().map(str::to_owned).collect())
}

/// The same, read where they lie.
///
/// # Errors
/// As for [`by_key`].
pub fn with_groups<R>(read: impl FnOnce(&[&str]) -> R) -> Result<R, Error> {
    call::now(&Groups, |groups| read(&groups))
}

/// A field of a credential that is no secret.
///
/// # Errors
/// As for [`by_key`], and for a field that is one.
pub fn field(credential: Id, name: &str) -> Result<Option<String>, Error> {
    call::now(&Field { credential, name }, |value| value.map(str::to_owned))
}

fn authenticate(who: Who<'_>) -> Result<Option<Identity>, Error> {
    call::now(&Authenticate { who }, |found| found.map(Identity::from))
}
