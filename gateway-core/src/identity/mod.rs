//! Who calls: consumers and their credentials, as a plugin that authenticates looks them up.
//!
//! [`Identities`] is an index of a configuration, kept from change to change. A plugin finds an [`Identity`] in it and
//! makes it that of the request:
//!
//! ```
//! use gateway_core::{Body, identity::As, plugin::{Exchange, Flow, Handler}, config::CredentialKind};
//! use http::Request;
//!
//! struct ByKey;
//!
//! impl Handler for ByKey {
//!     fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
//!         let key = request.headers().get("apikey").and_then(|key| key.to_str().ok());
//!         let key = key.zip(exchange.identities.as_deref());
//!         let known = key.and_then(|(key, known)| known.by_key(CredentialKind::KeyauthCredentials, key)).cloned();
//!         if let Some(identity) = known {
//!             exchange.authenticate(&identity, As::Known, request.headers_mut());
//!         }
//!         Flow::Continue
//!     }
//! }
//! ```

mod caller;
mod identities;
mod keys;

pub use caller::{As, Identity};
pub use identities::Identities;
