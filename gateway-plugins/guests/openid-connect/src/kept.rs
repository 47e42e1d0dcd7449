//! What is kept beside cookies: in this process, or on a server for all nodes.

use std::rc::Rc;

use plugin_sdk::{
    kv::{self, Only, Outcome, Server},
    prelude::*,
};

use crate::{random, sealed::Keys};

/// Values under keys, by their namespaces.
#[derive(Debug)]
pub(crate) enum Kept {
    /// In this process. Nothing waits.
    Here,
    /// On a server, which learns nothing from it: values are sealed, each for its place, and keys are digests.
    There(Server, Rc<Keys>),
}

const PURPOSE: &str = "openid-connect kept 1";

impl Kept {
    /// A value and its version.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the server cannot be asked; so for all of these.
    pub(crate) async fn get(&self, namespace: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, Error> {
        let Self::There(server, keys) = self else { return kv::get(namespace, key) };
        let key = random::digest(key)?;
        let Some((sealed, version)) = server.get(namespace, &key).await? else { return Ok(None) };
        // What nobody here has put there is none.
        let opened = keys.open_kept(PURPOSE, &place(namespace, &key), &sealed)?;
        Ok(opened.map(|bytes| (bytes, version)))
    }

    pub(crate) async fn set(
        &self,
        namespace: &str,
        key: &str,
        value: &[u8],
        seconds: u32,
        only: Only,
    ) -> Result<Outcome, Error> {
        let Self::There(server, keys) = self else {
            return kv::set(namespace, key, value, Some(seconds), only);
        };
        let key = random::digest(key)?;
        let sealed = keys.seal_kept(PURPOSE, &place(namespace, &key), value)?;
        server.set(namespace, &key, &sealed, Some(seconds), only).await
    }

    pub(crate) async fn delete(&self, namespace: &str, key: &str, only: Only) -> Result<bool, Error> {
        match self {
            Self::Here => kv::delete(namespace, key, only),
            Self::There(server, _) => server.delete(namespace, &random::digest(key)?, only).await,
        }
    }
}

/// Where a value belongs: it is none in another place.
fn place(namespace: &str, key: &str) -> String {
    format!("{namespace} {key}")
}
