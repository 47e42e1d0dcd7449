//! Texts that only this gateway can read and write: what cookies hold.

use std::cell::OnceCell;

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

/// What keys are derived from.
struct Secret {
    from: Source,
    /// What its texts begin with, once that is known.
    id: OnceCell<Id>,
}

enum Source {
    Bytes(Vec<u8>),
    /// A secret that does not enter the plugin.
    Reference(String),
    /// One of this process, made when it is first needed.
    Process(OnceCell<Vec<u8>>),
}

/// A text's beginning says by which key it is sealed.
type Id = [u8; 3];

impl Keys {
    pub(crate) fn new(secret: Option<String>, previous: Vec<String>, client: String) -> Self {
        let of = |text: String| match text.starts_with('{') {
            true => Source::Reference(text),
            false => Source::Bytes(text.into_bytes()),
        };
        let secret = secret.map_or_else(|| Source::Process(OnceCell::new()), of);
        let all = std::iter::once(secret).chain(previous.into_iter().map(of));
        Self { secrets: all.map(|from| Secret { from, id: OnceCell::new() }).collect(), client }
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
        Ok(URL_SAFE_NO_PAD.encode(self.seal_bytes(purpose, self.client.as_bytes(), plain)?))
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
        self.open_bytes(purpose, self.client.as_bytes(), &bytes, read)
    }

    /// As [`seal`](Self::seal), in bytes that are good in one place only.
    pub(crate) fn seal_kept(&self, purpose: &str, place: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal_bytes(purpose, format!("{} {place}", self.client).as_bytes(), plain)
    }

    /// Opens such bytes.
    pub(crate) fn open_kept(
        &self,
        purpose: &str,
        place: &str,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        let beside = format!("{} {place}", self.client);
        self.open_bytes(purpose, beside.as_bytes(), sealed, |plain| Some(plain.to_vec()))
    }

    fn seal_bytes(&self, purpose: &str, beside: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let secret = self.secrets.first().ok_or(Error::Failed)?;
        let sealed = crypto::seal(secret.key()?, purpose, plain, beside)?;
        Ok([&secret.id()?, &*sealed.ok_or(Error::Failed)?].concat())
    }

    fn open_bytes<R>(
        &self,
        purpose: &str,
        beside: &[u8],
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Result<Option<R>, Error> {
        let Some((id, sealed)) = bytes.split_first_chunk() else { return Ok(None) };
        for secret in &self.secrets {
            if secret.id()? == *id {
                return crypto::open(secret.key()?, purpose, sealed, beside, |plain| read(plain?));
            }
        }
        Ok(None)
    }
}

impl Secret {
    fn key(&self) -> Result<Key<'_>, Error> {
        Ok(match &self.from {
            Source::Bytes(bytes) => Key::Bytes(bytes),
            Source::Reference(reference) => Key::Secret(reference),
            Source::Process(known) => match known.get() {
                Some(bytes) => Key::Bytes(bytes),
                None => {
                    let bytes = of_process()?;
                    Key::Bytes(known.get_or_init(|| bytes))
                }
            },
        })
    }

    /// The beginning of a code that the key makes: it tells keys apart, and nothing of them.
    fn id(&self) -> Result<Id, Error> {
        if let Some(id) = self.id.get() {
            return Ok(*id);
        }
        let code = crypto::mac(Hash::Sha256, self.key()?, b"openid-connect: the id of this key")?;
        let id = *code.as_deref().and_then(<[u8]>::first_chunk).ok_or(Error::Failed)?;
        Ok(*self.id.get_or_init(|| id))
    }
}

/// A key is not shown, not even to whoever looks for a mistake.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
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
