//! Sessions that stay with the endpoint that began them.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::{Endpoint, hashing::cookie};
use crate::balance::hash;

/// A cookie that names the endpoint of a session: whatever the algorithm, and whoever comes or goes beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    name: Arc<str>,
    path: Arc<str>,
}

/// The digits of what a cookie calls an endpoint.
const DIGITS: usize = 8;

impl Sticky {
    /// A cookie with this name, for paths below `path`.
    #[must_use]
    pub fn new(name: &str, path: &str) -> Self {
        Self { name: name.into(), path: path.into() }
    }

    /// The endpoint that a request names, if it names any.
    pub(super) fn named(&self, headers: &HeaderMap) -> Option<u32> {
        let value = cookie(headers, &self.name).filter(|value| value.iter().all(u8::is_ascii_hexdigit))?;
        let value = std::str::from_utf8(value).ok().filter(|value| value.len() == DIGITS)?;
        u32::from_str_radix(value, 16).ok()
    }

    /// What the client gets so that it comes back to this endpoint; nothing where it names it already.
    pub(super) fn cookie(&self, endpoint: &Endpoint, named: Option<u32>) -> Option<HeaderValue> {
        let id = id(endpoint);
        if named == Some(id) {
            return None;
        }
        let cookie = format!("{}={id:08x}; Path={}; SameSite=Lax; HttpOnly", self.name, self.path);
        HeaderValue::try_from(cookie).ok()
    }
}

/// What a cookie calls an endpoint: the same on every node and after every restart, and no address.
fn id(endpoint: &Endpoint) -> u32 {
    hash(format!("{}|{}", endpoint.name(), endpoint.address()).as_bytes())
}

/// Where endpoints are by what cookies call them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<[(u32, usize)]>);

impl Sessions {
    pub(super) fn of(endpoints: &[Arc<Endpoint>]) -> Self {
        let mut all: Vec<_> =
            endpoints.iter().enumerate().map(|(index, endpoint)| (id(endpoint), index)).collect();
        all.sort_unstable();
        Self(all.into())
    }

    /// The index of the one that is called so.
    pub(super) fn find(&self, id: u32) -> Option<usize> {
        let at = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.0.get(at).map(|(_, index)| *index)
    }
}
