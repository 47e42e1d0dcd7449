//! Modules from elsewhere: by HTTPS with their hash, and out of registries. What came once is kept in a folder, so that the
//! next start needs no network.

mod challenge;
mod client;
mod credentials;
mod digest;
mod error;
mod kept;
mod pin;
mod registry;
mod source;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use gateway_core::{config::CaCertificate, upstream::TlsSettings};
use tokio::sync::watch;

use self::{
    client::{Client, Get},
    kept::Kept,
    registry::Repository,
    source::Place,
};
pub use self::{credentials::Credentials, digest::Digest, error::FetchError, source::Source};
use crate::{Limits, files};

/// Fetches modules. A fetch takes a minute at most, and a module has the size that [`Limits`] say.
///
/// ```no_run
/// use gateway_plugins::{FetchError, Fetcher, Source};
///
/// let fetcher = Fetcher::new().kept_in("/var/cache/gateway/fetched");
/// let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let source = Source::pinned("https://plugins.example.com/geo-1.4.0.wasm", Some(hash))?;
/// let module = fetcher.fetch(&source)?;
/// # Ok::<_, FetchError>(())
/// ```
#[derive(Clone)]
pub struct Fetcher {
    kept: Arc<Kept>,
    tls: TlsSettings,
    credentials: BTreeMap<String, Credentials>,
    time: Duration,
    stop: Arc<watch::Sender<bool>>,
}

impl Fetcher {
    /// Keeps nothing, knows nobody, and trusts the system's anchors.
    #[must_use]
    pub fn new() -> Self {
        Self {
            kept: Arc::default(),
            tls: TlsSettings::default(),
            credentials: BTreeMap::new(),
            time: Duration::from_secs(60),
            stop: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Keeps what was fetched in `folder`, by its hash. It is made when something comes. What lies there is hashed again
    /// whenever it is read; what nobody read for 90 days goes.
    #[must_use]
    pub fn kept_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.kept = Arc::new(Kept(Some(folder.into())));
        self
    }

    /// Trusts these certificates, PEM, in place of the system's.
    #[must_use]
    pub fn anchors<'a>(mut self, certificates: impl IntoIterator<Item = &'a str>) -> Self {
        self.tls.anchors = certificates.into_iter().map(|pem| Arc::new(CaCertificate::new(pem))).collect();
        self
    }

    /// Shows these to `host`, with a port where addresses have one, and to whoever gives tokens for it.
    #[must_use]
    pub fn credentials(mut self, host: &str, credentials: Credentials) -> Self {
        self.credentials.insert(host.to_owned(), credentials);
        self
    }

    /// Takes no longer. Default one minute.
    #[must_use]
    pub const fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// The bytes of a module; where they are pinned, those and no others. This blocks; it may be called within a runtime.
    ///
    /// # Errors
    /// Where it cannot be had, or is something else.
    pub fn fetch(&self, source: &Source) -> Result<Vec<u8>, FetchError> {
        let most = Limits::default().module;
        if let Place::File(path) = &source.place {
            return file(path, most, source.sha256);
        }
        if let Some(bytes) = source.sha256.and_then(|digest| self.kept.get(&digest, most)) {
            return Ok(bytes);
        }
        let bytes = self.block_on(self.ask(source, most))?;
        if let Some(digest) = source.sha256 {
            digest.check(&bytes)?;
            self.kept.put(&digest, &bytes);
        }
        Ok(bytes)
    }

    /// Ends what is being fetched, for good.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    async fn ask(&self, source: &Source, most: usize) -> Result<Vec<u8>, FetchError> {
        let mut client = Client::new(&self.tls);
        let bytes = match &source.place {
            Place::Registry(reference) => {
                let credentials = self.credentials.get(&reference.registry);
                let (client, kept) = (&mut client, &*self.kept);
                let mut repository =
                    Repository { client, reference, credentials, kept, most, authorization: None };
                repository.module(source.sha256).await?
            }
            Place::Web(url) => {
                let host = url.split('/').nth(2).unwrap_or_default();
                let authorization = self.credentials.get(host).and_then(Credentials::basic);
                client
                    .get(Get { url, accept: "application/wasm, */*", authorization, most })
                    .await?
                    .found(url)?
            }
            Place::File(path) => file(path, most, None)?.into(),
        };
        Ok(bytes.into())
    }

    /// On a thread of its own: whoever asks may be within a runtime.
    fn block_on<T: Send>(
        &self,
        work: impl Future<Output = Result<T, FetchError>> + Send,
    ) -> Result<T, FetchError> {
        let mut stop = self.stop.subscribe();
        let limited = async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Err(FetchError::Stopped),
                done = tokio::time::timeout(self.time, work) => done.unwrap_or(Err(FetchError::Late(self.time))),
            }
        };
        let run = || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().map(|it| it.block_on(limited))
        };
        let done = thread::scope(|scope| scope.spawn(run).join());
        // Only a defect of ours panics there, and it has been told of.
        done.unwrap_or_else(|_| Err(std::io::Error::other("the thread that fetched panicked")))
            .unwrap_or_else(|error| {
                Err(FetchError::Connection { url: "a runtime".to_owned(), source: error.into() })
            })
    }
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("kept", &self.kept.0).finish_non_exhaustive()
    }
}

/// A file, which is not kept a second time.
fn file(path: &Path, most: usize, pinned: Option<Digest>) -> Result<Vec<u8>, FetchError> {
    let failed = |source| FetchError::File { path: path.to_owned(), source };
    let bytes = files::bytes(path, most).map_err(failed)?;
    let bytes = bytes.map_err(|_| FetchError::TooLarge { url: path.display().to_string(), limit: most })?;
    pinned.map_or(Ok(()), |digest| digest.check(&bytes))?;
    Ok(bytes)
}
