//! Artifacts in a registry (OCI Distribution Specification 1.1, "Pull"): the manifest names the layer that is the module.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use super::{
    Digest, FetchError,
    challenge::Challenge,
    client::{Client, Get},
    credentials::{Credentials, secret},
    error::shown,
    kept::Kept,
    source::{Reference, check_next},
};
use crate::origins::origin;

/// One repository, for the time of one fetch.
pub(super) struct Repository<'a, 'c> {
    pub(super) client: &'a mut Client<'c>,
    pub(super) reference: &'a Reference,
    pub(super) credentials: Option<&'a Credentials>,
    pub(super) kept: &'a Kept,
    /// Bytes of a module.
    pub(super) most: usize,
    /// What the registry wanted to see.
    pub(super) authorization: Option<HeaderValue>,
}

/// The part of a manifest that matters.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

/// A descriptor.
#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
    size: u64,
}

/// What a token service gives.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Bytes of a manifest, and of an answer with a token.
const MANIFEST: usize = 1 << 20;
const TOKEN: usize = 64 << 10;
const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

impl Repository<'_, '_> {
    /// The module, which has the hash `pinned` where there is one.
    pub(super) async fn module(&mut self, pinned: Option<Digest>) -> Result<Bytes, FetchError> {
        let layer = self.layer().await?;
        let digest: Digest =
            layer.digest.parse().map_err(|error: FetchError| self.wrong(&error.to_string()))?;
        if let Some(expected) = pinned.filter(|pinned| *pinned != digest) {
            return Err(FetchError::Digest { expected, found: digest });
        }
        let path = format!("blobs/{digest}");
        if usize::try_from(layer.size).is_ok_and(|size| size > self.most) {
            return Err(FetchError::TooLarge { url: self.reference.url(&path), limit: self.most });
        }
        self.get(&path, "*/*", self.most, Some(digest)).await
    }

    /// What the manifest says of the module.
    async fn layer(&mut self) -> Result<Layer, FetchError> {
        let path = format!("manifests/{}", self.reference.name());
        let text = self.get(&path, MANIFESTS, MANIFEST, self.reference.digest).await?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| self.wrong(&format!("no manifest: {error}")))?;
        let kinds: Vec<_> = manifest.layers.iter().map(|layer| layer.media_type.clone()).collect();
        let mut modules = manifest.layers.into_iter().filter(|layer| is_module(&layer.media_type));
        match (modules.next(), modules.next()) {
            (Some(layer), None) => Ok(layer),
            _ => {
                let found = if kinds.is_empty() { "no layers".to_owned() } else { kinds.join(", ") };
                Err(self.wrong(&format!(
                    "the artifact must have one layer of type application/wasm or \
                     application/vnd.wasm.content.layer.v1+wasm, it has: {found}"
                )))
            }
        }
    }

    /// What lies at `path`: from the folder, where its hash is known and it is there.
    async fn get(
        &mut self,
        path: &str,
        accept: &'static str,
        most: usize,
        digest: Option<Digest>,
    ) -> Result<Bytes, FetchError> {
        if let Some(bytes) = digest.and_then(|digest| self.kept.get(&digest, most)) {
            return Ok(bytes.into());
        }
        let url = self.reference.url(path);
        let authorization = self.authorization.clone();
        let mut got = self.client.get(Get { url: &url, accept, authorization, most }).await?;
        if got.status == StatusCode::UNAUTHORIZED
            && self.authorization.is_none()
            // Whoever it led to is not who the credentials are for.
            && origin(&got.url) == origin(&url)
            && let Some(challenge) = Challenge::of(&got.headers)
        {
            self.authorization = self.authorized(challenge).await?;
            let authorization = self.authorization.clone();
            got = self.client.get(Get { url: &url, accept, authorization, most }).await?;
        }
        let bytes = got.found(&url)?;
        if let Some(digest) = digest {
            digest.check(&bytes)?;
            self.kept.put(&digest, &bytes);
        }
        Ok(bytes)
    }

    /// What the registry wants to see; none where nobody has it.
    async fn authorized(&mut self, challenge: Challenge) -> Result<Option<HeaderValue>, FetchError> {
        let basic = self.credentials.and_then(Credentials::basic);
        let Challenge::Bearer { realm, service, .. } = challenge else { return Ok(basic) };
        check_next(&self.reference.url(""), &realm)
            .map_err(|_| self.wrong(&format!("'{realm}' gives tokens, and is not asked")))?;
        // Its own words, not the registry's: no more than this is ever needed.
        let scope = format!("repository:{}:pull", self.reference.repository);
        let url = Challenge::address(&realm, service.as_deref(), &scope);
        let get = Get { url: &url, accept: "application/json", authorization: basic, most: TOKEN };
        let answer = self.client.get(get).await?.found(&realm)?;
        let token: Token =
            serde_json::from_slice(&answer).map_err(|error| self.wrong(&format!("no token: {error}")))?;
        let token = token.token.or(token.access_token).ok_or_else(|| self.wrong("no token"))?;
        secret(format!("Bearer {token}")).map(Some).ok_or_else(|| self.wrong("no token"))
    }

    fn wrong(&self, problem: &str) -> FetchError {
        FetchError::Registry { registry: self.reference.registry.clone(), problem: shown(problem) }
    }
}

/// Whether a layer is a module as it is: `application/wasm`, the type that the CNCF's working group chose, and those of
/// tools that came before it.
fn is_module(media_type: &str) -> bool {
    media_type == "application/wasm"
        || media_type.starts_with("application/") && media_type.ends_with("+wasm")
}
