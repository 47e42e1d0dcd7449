//! The Admin API of this node: where, for whom, and over what.

use std::net::SocketAddr;

use gateway_control::admin::{Access, Admin};
use gateway_core::{config::Config, server::Certificates};
use tracing::warn;

use crate::{failure::Failure, settings::Settings, text};

/// The Admin API for those whom the settings let in.
pub(crate) fn bind(address: SocketAddr, settings: &Settings) -> Result<Admin, Failure> {
    let tokens = settings.admin_tokens.iter().map(|(name, token)| (name.as_str(), token.as_str()));
    let tokens: Vec<_> =
        settings.admin_token.iter().map(|token| ("admin", token.as_str())).chain(tokens).collect();
    if tokens.is_empty() && settings.admin_client_ca.is_none() && !address.ip().is_loopback() {
        warn!(%address, "the Admin API is open to everybody who reaches it: bind it to loopback, or set admin_token");
    }
    let access =
        tokens.into_iter().fold(Access::default(), |access, (name, token)| access.token(name, token));
    let access = settings.admin_hosts.iter().flatten().fold(access, |access, host| access.host(host));
    let access =
        settings.admin_origins.iter().flatten().fold(access, |access, origin| access.origin(&origin.0));
    let admin = match admin_certificates(settings)? {
        Some(certificates) => Admin::bind_tls(address, &certificates)?,
        None => Admin::bind(address)?,
    };
    Ok(admin.access(access))
}

/// What the Admin API shows, and to whom, where it speaks TLS.
fn admin_certificates(settings: &Settings) -> Result<Option<Certificates>, Failure> {
    let Settings { admin_tls_cert, admin_tls_key, admin_client_ca, .. } = settings;
    let (cert, key) = match (admin_tls_cert, admin_tls_key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) if admin_client_ca.is_none() => return Ok(None),
        _ => {
            return Err(Failure::new(
                "admin_tls_cert and admin_tls_key belong together, and admin_client_ca needs both",
            ));
        }
    };
    // A configuration without certificates has none that is wrong.
    let none = |_| Failure::new("the Admin API has no TLS");
    let certificates = Certificates::new(&Config::default()).map_err(none)?;
    certificates.set_default(&text::read(cert)?, &text::read(key)?)?;
    let Some(anchors) = admin_client_ca else { return Ok(Some(certificates)) };
    Ok(Some(certificates.for_clients_of(&text::read(anchors)?)?))
}
