//! Secrets: where they come from, who may have them, and keys that stay here.

use std::{
    borrow::Cow,
    collections::HashMap,
    env, fs,
    path::{Component, Path},
    sync::{Arc, Mutex, PoisonError},
};

use plugin_contract::{crypto::Key, secret::Get};
use serde_json::Value;
use uuid::Uuid;

use super::{now, read};
use crate::{Call, Returned, Secrets, Status};

/// Environment variables, as `{vault://env/name}` of a configuration reads them, and files: `{file:///path}`, 64 KiB
/// at most, without a line end at their end.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeSecrets;

/// Bytes of a secret.
const MOST: u64 = 64 << 10;

impl Secrets for NodeSecrets {
    fn get(&self, reference: &str) -> Option<Vec<u8>> {
        match reference.split_once("://")? {
            ("vault", path) => variable(path.strip_prefix("env/")?),
            ("file", path) => file(Path::new(path)),
            _ => None,
        }
    }
}

/// The variable of this name, or a field of the JSON object in it.
fn variable(path: &str) -> Option<Vec<u8>> {
    let (name, field) = path.split_once('/').map_or((path, None), |(name, field)| (name, Some(field)));
    let value = env::var(name.to_uppercase().replace('-', "_")).ok()?;
    let Some(field) = field else { return Some(value.into_bytes()) };
    let object: Value = serde_json::from_str(&value).ok()?;
    match object.get(field)? {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string().into_bytes()),
    }
}

fn file(path: &Path) -> Option<Vec<u8>> {
    let plain = path.is_absolute() && path.components().all(|part| part != Component::ParentDir);
    let small = plain && fs::metadata(path).is_ok_and(|data| data.is_file() && data.len() <= MOST);
    let mut bytes = small.then(|| fs::read(path).ok())??;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        bytes.pop_if(|last| *last == b'\r');
    }
    Some(bytes)
}

/// What was read for a configuration: files are not read for each request.
type Known = Mutex<HashMap<Box<str>, Arc<[u8]>>>;

/// Secrets of one configuration.
const SECRETS: usize = 64;

pub(super) fn get(arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
    let Get { reference } = read(arguments)?;
    let secret = granted(reference, call)?;
    now::<Get<'_>>(call, secret.as_deref())
}

/// A secret that the calling plugin may have.
fn granted(reference: &str, call: &Call<'_>) -> Result<Option<Arc<[u8]>>, Status> {
    let bare = bare(reference);
    if !call.grants.secrets.iter().any(|pattern| covers(self::bare(pattern), bare)) {
        tracing::debug!(plugin = call.plugin, reference, "a plugin may not read this secret");
        return Err(Status::BadArgument);
    }
    let known: &Known = call.configuration.kept().ok_or(Status::InternalFailure)?;
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(secret) = known.get(bare) {
        return Ok(Some(Arc::clone(secret)));
    }
    let Some(secret) = call.sources.secrets.get(bare).map(Arc::<[u8]>::from) else { return Ok(None) };
    if known.len() < SECRETS {
        known.insert(bare.into(), Arc::clone(&secret));
    }
    Ok(Some(secret))
}

/// Without the braces that a configuration writes around it.
fn bare(reference: &str) -> &str {
    reference.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(reference)
}

/// Whether a pattern of the operator's grants a reference: it is the same, or begins with what stands before a `*`.
fn covers(pattern: &str, reference: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => reference.starts_with(start) && !reference.split('/').any(|part| part == ".."),
        None => pattern == reference,
    }
}

/// The bytes of a key; nothing where there is none.
///
/// # Errors
/// One that the plugin may not use.
pub(super) fn key<'a>(key: Key<'a>, call: &Call<'a>) -> Result<Option<Cow<'a, [u8]>>, Status> {
    Ok(match key {
        Key::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
        Key::Credential { id, field } => {
            credential(id, field, call).map(|text| Cow::Borrowed(text.as_bytes()))
        }
        Key::Secret(reference) => granted(reference, call)?.map(|secret| Cow::Owned(secret.to_vec())),
    })
}

/// A field of a credential, whatever it is.
fn credential<'a>(id: [u8; 16], field: &str, call: &Call<'a>) -> Option<&'a str> {
    let identity = call.sources.consumers.by_credential(call.exchange?, Uuid::from_bytes(id))?;
    identity.credential()?.fields.get(field)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::{NodeSecrets, bare, covers};
    use crate::Secrets;

    #[test]
    fn a_grant_covers_what_it_says_and_no_way_out_of_it() {
        assert_eq!(bare("{vault://env/a}"), "vault://env/a");
        assert!(covers("vault://env/a", "vault://env/a") && !covers("vault://env/a", "vault://env/ab"));
        assert!(covers("file:///run/secrets/*", "file:///run/secrets/key"));
        assert!(!covers("file:///run/secrets/*", "file:///run/secrets/../../etc/passwd"));
        assert!(!covers("file:///run/secrets/*", "file:///run/secret"));
    }

    #[test]
    fn variables_and_files_are_read() {
        let path = std::env::temp_dir().join(format!("gateway-secret-{}", std::process::id()));
        std::fs::write(&path, "two\nlines\r\n").unwrap();
        let reference = format!("file://{}", path.display());
        assert_eq!(NodeSecrets.get(&reference).unwrap(), b"two\nlines");
        std::fs::write(&path, vec![0; 70_000]).unwrap();
        assert_eq!(NodeSecrets.get(&reference), None, "too large");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(NodeSecrets.get(&reference), None);
        assert!(NodeSecrets.get("vault://env/path").is_some());
        for none in ["vault://env/no-such-variable-here", "vault://other/path", "file://relative", "x", ""] {
            assert_eq!(NodeSecrets.get(none), None, "{none}");
        }
    }
}
