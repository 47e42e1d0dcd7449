//! A consumer, and the credential it is known by.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    config::{Consumer, Credential, CredentialKind},
    sanitize::names::{
        X_ANONYMOUS_CONSUMER, X_CONSUMER_CUSTOM_ID, X_CONSUMER_ID, X_CONSUMER_USERNAME,
        X_CREDENTIAL_IDENTIFIER,
    },
};

/// A consumer, the credential it is known by, and what the upstream is told of both.
#[derive(Clone, Debug)]
pub struct Identity {
    caller: Arc<Caller>,
    credential: Option<Arc<Credential>>,
    /// What `X-Credential-Identifier` says.
    identifier: Option<HeaderValue>,
    /// Unix seconds from which on the credential does not count.
    expires: Option<u64>,
}

/// A consumer, with what all its credentials have in common.
#[derive(Debug)]
struct Caller {
    consumer: Arc<Consumer>,
    groups: Box<[Arc<str>]>,
    id: HeaderValue,
    custom_id: Option<HeaderValue>,
    username: Option<HeaderValue>,
}

/// As what somebody is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Who was found.
    Known,
    /// Nobody in particular: this consumer stands in.
    Anonymous,
}

impl Identity {
    /// A consumer that is known by other means than a credential, in these groups.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gateway_core::{config::Consumer, identity::Identity};
    ///
    /// let alice = Identity::new(&Arc::new(Consumer::new("alice")), ["staff".into(), "admin".into()]);
    /// assert_eq!(&*alice.groups()[0], "admin");
    /// ```
    pub fn new(consumer: &Arc<Consumer>, groups: impl IntoIterator<Item = Arc<str>>) -> Self {
        let caller = Arc::new(Caller::new(consumer, groups.into_iter().collect()));
        Self { caller, credential: None, identifier: None, expires: None }
    }

    /// Whose request it is.
    #[must_use]
    pub fn consumer(&self) -> &Arc<Consumer> {
        &self.caller.consumer
    }

    /// What it is known by; none where a plugin found it by other means.
    #[must_use]
    pub const fn credential(&self) -> Option<&Arc<Credential>> {
        self.credential.as_ref()
    }

    /// The groups of its `acls`, in the order of their names.
    #[must_use]
    pub fn groups(&self) -> &[Arc<str>] {
        &self.caller.groups
    }

    /// Tells the upstream who calls, in place of whatever `headers` say of it (compat P17, P21).
    pub fn write(&self, how: As, headers: &mut HeaderMap) {
        let caller = &*self.caller;
        let anonymous = (how == As::Anonymous).then(|| HeaderValue::from_static("true"));
        let told = [
            (X_CONSUMER_ID, Some(&caller.id)),
            (X_CONSUMER_CUSTOM_ID, caller.custom_id.as_ref()),
            (X_CONSUMER_USERNAME, caller.username.as_ref()),
            (X_CREDENTIAL_IDENTIFIER, self.identifier.as_ref()),
            (X_ANONYMOUS_CONSUMER, anonymous.as_ref()),
        ];
        // Few requests have been told of anybody: one look at all names costs less than one for each that is not said.
        let before = headers.keys().any(may_tell);
        for (name, value) in told {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None if before => drop(headers.remove(name)),
                None => {}
            }
        }
    }

    /// The same consumer, known by this credential of its.
    #[must_use]
    pub fn by(&self, credential: &Arc<Credential>) -> Self {
        let identifier = match credential.kind {
            CredentialKind::KeyauthCredentials => HeaderValue::from_str(&credential.id.to_string()).ok(),
            kind => text(credential, key_field(kind)).and_then(value),
        };
        Self {
            caller: Arc::clone(&self.caller),
            credential: Some(Arc::clone(credential)),
            identifier,
            expires: credential.expires(),
        }
    }

    /// What the credential is looked up by.
    pub(super) fn key(&self) -> Option<(CredentialKind, &str)> {
        let credential = self.credential.as_deref()?;
        Some((credential.kind, text(credential, key_field(credential.kind))?))
    }

    /// Whether the credential does not count any more.
    pub(super) fn expired(&self, now: impl FnOnce() -> u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now())
    }
}

impl Caller {
    /// `groups` in any order.
    fn new(consumer: &Arc<Consumer>, mut groups: Vec<Arc<str>>) -> Self {
        groups.sort_unstable();
        groups.dedup();
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        let id = consumer.id.hyphenated().encode_lower(&mut id);
        Self {
            groups: groups.into(),
            // The digits of an id always are one.
            id: value(id).unwrap_or_else(|| HeaderValue::from_static("")),
            custom_id: consumer.custom_id.as_deref().and_then(value),
            username: consumer.username.as_deref().and_then(value),
            consumer: Arc::clone(consumer),
        }
    }
}

/// The field that a credential of this kind is looked up by.
const fn key_field(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::BasicauthCredentials | CredentialKind::HmacauthCredentials => "username",
        CredentialKind::JwtSecrets | CredentialKind::KeyauthCredentials => "key",
        CredentialKind::Oauth2Credentials => "client_id",
        // Nobody is known by a group.
        CredentialKind::Acls => "",
    }
}

/// A credential has few fields: a look at each costs less than a hash.
fn text<'a>(credential: &'a Credential, field: &str) -> Option<&'a str> {
    credential.fields.iter().find(|(name, _)| *name == field)?.1.as_str()
}

/// A text as a field; one with control characters is left out, as no field could carry it.
fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

/// Whether a field may be one of those that tell who calls.
fn may_tell(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-c") || *name == X_ANONYMOUS_CONSUMER
}
