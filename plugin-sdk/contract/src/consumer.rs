//! Who calls.

use serde::{Deserialize, Serialize};

use crate::{Call, Id};

/// Makes somebody the consumer of the request. Plugins of lower priority run with the configurations of that
/// consumer, and what is forwarded says who it is: `X-Consumer-ID`, `X-Consumer-Custom-ID`, `X-Consumer-Username`,
/// `X-Credential-Identifier`, `X-Anonymous-Consumer`, in place of what the client sent under these names.
///
/// The answer is nothing where there is no such credential or consumer; then nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticate<'a> {
    /// By what.
    #[serde(borrow)]
    pub who: Who<'a>,
}

impl Call for Authenticate<'_> {
    const NAME: &'static str = "gateway.consumer.authenticate";
    type Answer<'a> = Option<Identity<'a>>;
}

/// As [`Authenticate`], for who does not want to know more than whether somebody was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit<'a> {
    /// By what.
    #[serde(borrow)]
    pub who: Who<'a>,
}

impl Call for Admit<'_> {
    const NAME: &'static str = "gateway.consumer.admit";
    type Answer<'a> = bool;
}

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who<'a> {
    /// The owner of the credential with this key.
    Key {
        /// What kind of credential.
        kind: Kind,
        /// What it is looked up by.
        key: &'a str,
    },
    /// The owner of the credential with this id.
    Credential(Id),
    /// Nobody in particular: the consumer with this id or username stands in.
    Anonymous(&'a str),
    /// A consumer who was found by other means, with this id or username.
    Consumer(&'a str),
    /// The same, with this id in another system: its `custom_id`.
    CustomId(&'a str),
}

/// Looks a credential up and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find<'a> {
    /// What kind of credential.
    pub kind: Kind,
    /// What it is looked up by.
    pub key: &'a str,
}

impl Call for Find<'_> {
    const NAME: &'static str = "gateway.consumer.find";
    type Answer<'a> = Option<Identity<'a>>;
}

/// Who the request's consumer is, if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current;

impl Call for Current {
    const NAME: &'static str = "gateway.consumer.current";
    type Answer<'a> = Option<Identity<'a>>;
}

/// The groups of the request's consumer for access control, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups;

impl Call for Groups {
    const NAME: &'static str = "gateway.consumer.groups";
    type Answer<'a> = Vec<&'a str>;
}

/// A field of a credential that is no secret: a JWT credential's `algorithm`. Secrets stay with the gateway: what is
/// done with them is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field<'a> {
    /// Which credential.
    pub credential: Id,
    /// Which field.
    pub name: &'a str,
}

impl Call for Field<'_> {
    const NAME: &'static str = "gateway.consumer.field";
    type Answer<'a> = Option<&'a str>;
}

/// A kind of credential, by what it is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An API key: `key` of a `keyauth_credentials`.
    Key,
    /// A user name: `username` of a `basicauth_credentials`.
    Basic,
    /// A user name: `username` of a `hmacauth_credentials`.
    Hmac,
    /// An issuer: `key` of a `jwt_secrets`.
    Jwt,
    /// A client: `client_id` of an `oauth2_credentials`.
    Oauth2,
}

/// A consumer, and the credential it is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity<'a> {
    /// The consumer's id.
    pub consumer: Id,
    /// Its user name.
    #[serde(borrow)]
    pub username: Option<&'a str>,
    /// Its id in another system.
    pub custom_id: Option<&'a str>,
    /// The credential, if there is one.
    pub credential: Option<Id>,
}
