//! Where a module comes from, and what it must be.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use http::Uri;

use super::{Digest, FetchError};
use crate::origins::{is_here, origin};

/// Where a module comes from, and what it must be.
///
/// ```
/// use gateway_plugins::{FetchError, Source};
///
/// let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let source = Source::pinned("https://plugins.example.com/geo-1.4.0.wasm", Some(hash))?;
/// assert_eq!(source.to_string(), "https://plugins.example.com/geo-1.4.0.wasm");
/// // A reference to an artifact may have the hash of its manifest in it.
/// Source::pinned(&format!("oci://ghcr.io/example/geo:1.4.0@sha256:{hash}"), None)?;
/// // What anybody can exchange is refused.
/// assert!(matches!(Source::pinned("oci://ghcr.io/example/geo:1.4.0", None), Err(FetchError::Unpinned)));
/// assert!(matches!(Source::pinned("http://example.com/geo.wasm", Some(hash)), Err(FetchError::InClear(_))));
/// # Ok::<_, FetchError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub(super) place: Place,
    /// Of the module.
    pub(super) sha256: Option<Digest>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File(PathBuf),
    Web(String),
    Registry(Reference),
}

/// An artifact in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Its host, with a port where it has one.
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) tag: Option<String>,
    /// Of its manifest.
    pub(super) digest: Option<Digest>,
}

impl Source {
    /// A source whose bytes are known: `sha256` is the hash of the module. Only an artifact whose reference has a hash, and a
    /// file, may do without.
    ///
    /// # Errors
    /// What is no source, none that can be trusted, and one whose bytes nobody knows.
    pub fn pinned(text: &str, sha256: Option<&str>) -> Result<Self, FetchError> {
        let sha256 = sha256.map(str::parse).transpose()?;
        let source = Self { sha256, ..Self::whatever(text)? };
        match &source.place {
            Place::File(_) | Place::Registry(Reference { digest: Some(_), .. }) => Ok(source),
            _ if source.sha256.is_some() => Ok(source),
            _ => Err(FetchError::Unpinned),
        }
    }

    /// A source whose bytes may be any: to be looked at, not to be run.
    ///
    /// # Errors
    /// What is no source, or none that can be trusted.
    pub fn whatever(text: &str) -> Result<Self, FetchError> {
        let place = match text.split_once(':') {
            Some(("oci", _)) => Reference::parse(text).map(Place::Registry),
            Some(("file", path)) => {
                Some(Place::File(path.strip_prefix("//").unwrap_or(path).into())).filter(|_| !path.is_empty())
            }
            Some(("https" | "http", _)) => {
                check_address(text)?;
                Some(Place::Web(text.to_owned()))
            }
            _ => None,
        };
        let place = place.ok_or_else(|| FetchError::Source(text.to_owned()))?;
        Ok(Self { place, sha256: None })
    }

    /// The same, with a path of a file taken from `folder`.
    #[must_use]
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        if let Place::File(path) = &mut self.place {
            *path = folder.join(&*path);
        }
        self
    }
}

/// An address that nobody on the way can answer for.
pub(super) fn check_address(url: &str) -> Result<(), FetchError> {
    let no = || FetchError::Source(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| no())?;
    let own = origin(url).ok_or_else(no)?;
    if own.starts_with("https:") || is_loopback(uri.host().unwrap_or_default()) {
        return Ok(());
    }
    Err(FetchError::InClear(own))
}

/// The same, where somebody at `from` says that it be asked: nothing on this machine or beside it, unless `from` is.
/// A server elsewhere must not lead to what listens here alone.
pub(super) fn check_next(from: &str, url: &str) -> Result<(), FetchError> {
    check_address(url)?;
    let uri: Uri = url.parse().map_err(|_| FetchError::Source(url.to_owned()))?;
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = is_loopback(host) || bare.parse().is_ok_and(is_here);
    if here && !is_own(from) { Err(FetchError::Source(url.to_owned())) } else { Ok(()) }
}

/// Whether an address leads to this machine.
pub(super) fn is_own(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| is_loopback(uri.host().unwrap_or_default()))
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Reference {
    /// `oci://REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST]`, with one of the two.
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("oci://")?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.strip_prefix("sha256:")?.parse().ok()?)),
            None => (rest, None),
        };
        let (registry, path) = rest.split_once('/')?;
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let named = tag.is_none_or(is_tag) && (tag.is_some() || digest.is_some());
        let host = origin(&format!("https://{registry}")).is_some_and(|own| own != "https://");
        (named && host && is_repository(repository)).then(|| Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// The address of what `path` names in its repository. A registry on this machine is asked in clear.
    pub(super) fn url(&self, path: &str) -> String {
        let Self { registry, repository, .. } = self;
        let host = registry.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let scheme = if is_loopback(host.as_deref().unwrap_or(registry)) { "http" } else { "https" };
        format!("{scheme}://{registry}/v2/{repository}/{path}")
    }

    /// What names its manifest: the hash, where there is one.
    pub(super) fn name(&self) -> String {
        let digest = self.digest.map(|digest| digest.to_string());
        digest.or_else(|| self.tag.clone()).unwrap_or_default()
    }
}

/// Names of repositories (OCI Distribution Specification, "Pulling manifests"), a little wider.
fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = part.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte);
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    name.len() <= 255 && name.split('/').all(part)
}

/// Tags, by the same page.
fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Web(url) => f.write_str(url),
            Place::Registry(Reference { registry, repository, tag, digest }) => {
                write!(f, "oci://{registry}/{repository}")?;
                tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
                digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Source, check_next};

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_read_and_written_alike_and_lead_to_their_registry() {
        let digest = format!("@sha256:{HASH}");
        for (text, name, base) in [
            ("oci://ghcr.io/a/b:1.0", "1.0", "https://ghcr.io/v2/a/b/"),
            ("oci://127.0.0.1:5000/a:v_1-x", "v_1-x", "http://127.0.0.1:5000/v2/a/"),
            ("oci://localhost:5000/a:1", "1", "http://localhost:5000/v2/a/"),
            ("oci://[::1]:5000/a:1", "1", "http://[::1]:5000/v2/a/"),
            ("oci://localhost.example.com/a:1", "1", "https://localhost.example.com/v2/a/"),
            (
                &format!("oci://r.example/a.b/c-d__e{digest}"),
                &digest[1..],
                "https://r.example/v2/a.b/c-d__e/",
            ),
            (&format!("oci://r.example/a:1{digest}"), &digest[1..], "https://r.example/v2/a/"),
        ] {
            let source = Source::whatever(text).unwrap();
            assert_eq!(source.to_string(), text);
            let Place::Registry(reference) = source.place else { panic!("{text}") };
            assert_eq!((reference.name().as_str(), reference.url("").as_str()), (name, base));
        }
    }

    #[test]
    fn a_server_elsewhere_leads_to_nothing_that_listens_here_alone() {
        let elsewhere = "https://registry.example.com/v2/";
        for url in [
            "http://127.0.0.1:8001/token",
            "https://127.0.0.1/token",
            "https://localhost:8443/token",
            "https://[::1]/token",
            "https://169.254.169.254/token",
            "https://0.0.0.0/token",
            "http://example.com/token",
        ] {
            assert!(check_next(elsewhere, url).is_err(), "{url}");
        }
        assert!(check_next(elsewhere, "https://auth.example.com/token").is_ok());
        assert!(
            check_next("http://localhost:5000/v2/", "http://127.0.0.1:5001/token").is_ok(),
            "one of here may"
        );
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_is_one() {
        for text in [
            "geo.wasm",
            "",
            "file:",
            "ftp://a/b",
            "https://",
            "https://user:word@a/b",
            "oci://ghcr.io/a",
            "oci://ghcr.io/a:",
            "oci://ghcr.io/../a:1",
            "oci://ghcr.io/A:1",
            "oci://ghcr.io/a//b:1",
            "oci://user@ghcr.io/a:1",
            "oci:///a:1",
            "oci://a:1",
            "oci://ghcr.io/a@sha512:00",
            "oci://ghcr.io/a:1@sha256:00",
            "oci://ghcr.io/a:1/../b",
        ] {
            let refused = Source::whatever(text).unwrap_err().to_string();
            assert!(refused.contains("is no source"), "{text}: {refused}");
        }
        for clear in ["http://a.example/b.wasm", "http://10.0.0.1/b", "http://localhost.example.com/b"] {
            assert!(Source::whatever(clear).unwrap_err().to_string().contains("in clear"), "{clear}");
        }
        for own in ["http://localhost:1/b", "http://127.0.0.1/b", "http://[::1]:8/b"] {
            assert!(Source::whatever(own).is_ok(), "{own}");
        }
    }
}
