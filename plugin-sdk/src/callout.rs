//! Calls of other services.

use std::time::Duration;

use crate::{Error, answer::Answer, host, scene};

/// A request to another service, through the gateway's client: by the name of a service that the plugin may call.
///
/// ```no_run
/// # use plugin_sdk::prelude::*;
/// # async fn doc() -> Result<(), Error> {
/// let answer = Callout::get("auth", "/verify").header("x-token", "abc").send().await?;
/// if answer.status() == 200 { /* ... */ }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Callout {
    upstream: String,
    method: String,
    path: String,
    authority: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Duration,
}

impl Callout {
    /// With this method, to a path (and query) of the service `upstream`. It waits a second for the whole answer.
    pub fn new(method: &str, upstream: &str, path: &str) -> Self {
        Self {
            upstream: upstream.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            authority: upstream.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(1),
        }
    }

    /// A GET.
    pub fn get(upstream: &str, path: &str) -> Self {
        Self::new("GET", upstream, path)
    }

    /// A POST.
    pub fn post(upstream: &str, path: &str) -> Self {
        Self::new("POST", upstream, path)
    }

    /// With one more header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// For this host, where that is not the upstream's name.
    pub fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits so long for the whole answer; the gateway has a bound of its own.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it, and waits for the answer.
    ///
    /// # Errors
    /// A call that is not allowed, or that is not answered in time.
    pub async fn send(self) -> Result<Answer, Error> {
        let pseudo = [(":method", &self.method), (":path", &self.path), (":authority", &self.authority)];
        let pseudo = pseudo.into_iter().map(|(name, value)| (name, value.as_str()));
        let plain = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = pseudo.chain(plain).collect();
        let milliseconds = u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX);
        let token = host::http_call(&self.upstream, &headers, &self.body, milliseconds)?;
        match scene::wait(token).await {
            scene::Answer::Called(Some(answer)) => Ok(answer),
            scene::Answer::Called(None) | scene::Answer::Foreign(_) => Err(Error::Failed),
        }
    }
}
