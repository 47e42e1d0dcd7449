//! Texts that only this gateway can read and write: what cookies hold.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plugin_sdk::{
    crypto::{self, Hash, Key},
    kv::{self, Only},
    prelude::*,
};

/// The keys that texts are sealed by, and those that they may still be sealed by.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The first one seals.
    secrets: Vec<Secret>,
    /// What texts are for, beside their purpose: those of one client are nothing to another one.
    client: String,
}

#[derive(Debug)]
enum Secret {
    Bytes(Vec<u8>),
    /// One that does not enter the plugin.
    Reference(String),
    /// One of this process, made when it is first needed.
    Process,
}

/// A text's beginning says by which key it is sealed.
const ID: usize = 3;

impl Keys {
    pub(crate) fn new(secret: Option<String>, previous: Vec<String>, client: String) -> Self {
        let secret = secret.map_or(Secret::Process, Secret::of);
        Self {
            secrets: std::iter::once(secret).chain(previous.into_iter().map(Secret::of)).collect(),
            client,
        }
    }

    /// The client that texts are of.
    pub(crate) fn client(&self) -> &str {
        &self.client
    }

    /// Seals a text for a purpose.
    ///
    /// # Errors
    /// A secret that is not there, not granted, or too short.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> Result<String, Error> {
        let secret = self.secrets.first().ok_or(Error::Failed)?;
        secret.with(|key| {
            let sealed = crypto::seal(key, purpose, plain, self.client.as_bytes())?.ok_or(Error::Failed)?;
            Ok(URL_SAFE_NO_PAD.encode([id(key)?, sealed].concat()))
        })
    }

    /// Opens a text, and shows what is in it; none where it is no such text.
    ///
    /// # Errors
    /// A gateway without cryptography.
    pub(crate) fn open<R>(
        &self,
        purpose: &str,
        text: &str,
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Result<Option<R>, Error> {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return Ok(None) };
        let Some((named, sealed)) = bytes.split_at_checked(ID) else { return Ok(None) };
        for secret in &self.secrets {
            if secret.with(|key| Ok(id(key)? == named))? {
                let beside = self.client.as_bytes();
                return secret.with(|key| crypto::open(key, purpose, sealed, beside, |plain| read(plain?)));
            }
        }
        Ok(None)
    }
}

impl Secret {
    fn of(text: String) -> Self {
        if text.starts_with('{') { Self::Reference(text) } else { Self::Bytes(text.into_bytes()) }
    }

    fn with<R>(&self, run: impl FnOnce(Key<'_>) -> Result<R, Error>) -> Result<R, Error> {
        match self {
            Self::Bytes(bytes) => run(Key::Bytes(bytes)),
            Self::Reference(reference) => run(Key::Secret(reference)),
            Self::Process => run(Key::Bytes(&of_process()?)),
        }
    }
}

/// The beginning of a code that the key makes: it tells keys apart, and nothing of them.
fn id(key: Key<'_>) -> Result<Vec<u8>, Error> {
    let code = crypto::mac(Hash::Sha256, key, b"openid-connect: the id of this key")?;
    let mut id = code.ok_or(Error::Failed)?;
    id.truncate(ID);
    Ok(id)
}

/// The secret of this process, the same for all its workers.
fn of_process() -> Result<Vec<u8>, Error> {
    if let Some((secret, _)) = kv::get("keys", "session")? {
        return Ok(secret);
    }
    // Whoever comes second takes the first one's.
    let _ = kv::set("keys", "session", &crypto::random(32)?, None, Only::Absent)?;
    Ok(kv::get("keys", "session")?.ok_or(Error::Failed)?.0)
}
