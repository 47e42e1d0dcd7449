//! TLS towards the Admin API of a running gateway.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use clap::{Args, builder::BoolishValueParser};
use gateway_core::{
    config::{CaCertificate, Certificate},
    upstream::TlsSettings,
};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::place::Place;
use crate::{failure::Failure, text};

/// How it is spoken to, and by whom it has to be signed.
#[derive(Clone, Debug, Args)]
pub(super) struct TlsArgs {
    /// Speak TLS to it, and trust the anchors of the system [default: in clear]
    #[arg(long, env = "GATEWAY_ADMIN_TLS", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    admin_tls: Option<bool>,

    /// Speak TLS to it, and trust these anchors (PEM) alone
    #[arg(long, value_name = "PATH", env = "GATEWAY_ADMIN_CA")]
    admin_ca: Option<PathBuf>,

    /// The certificate chain (PEM) that is shown to it, where it asks for one
    #[arg(long, value_name = "PATH", env = "GATEWAY_ADMIN_CERT", requires = "admin_key")]
    admin_cert: Option<PathBuf>,

    /// The key (PEM) of --admin-cert
    #[arg(long, value_name = "PATH", env = "GATEWAY_ADMIN_KEY", requires = "admin_cert")]
    admin_key: Option<PathBuf>,

    /// The name that its certificate is for [default: its address]
    #[arg(long, value_name = "NAME", env = "GATEWAY_ADMIN_NAME")]
    admin_name: Option<String>,
}

/// TLS that is spoken, and to whom.
pub(super) struct Tls {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

impl TlsArgs {
    /// None: in clear.
    pub(super) fn towards(&self, place: &Place, address: IpAddr) -> Result<Option<Tls>, Failure> {
        let Self { admin_tls, admin_ca, admin_cert, admin_key, admin_name } = self;
        let is_meant = admin_ca.is_some() || admin_cert.is_some() || admin_name.is_some();
        // Either may come from a variable; what is in clear is in clear by all of them.
        let is_tls = match place.is_tls() {
            Some(true) => true,
            Some(false) => admin_tls.unwrap_or(false),
            None => admin_tls.unwrap_or(is_meant),
        };
        if !is_tls {
            return Ok(None);
        }
        let mut settings = TlsSettings::default();
        if let Some(path) = admin_ca {
            settings.anchors = CaCertificate::bundle(&text::read(path)?).into_iter().map(Arc::new).collect();
            if settings.anchors.is_empty() {
                return Err(Failure::new(format!("{}: no certificate (PEM) in it", path.display())));
            }
        }
        if let (Some(cert), Some(key)) = (admin_cert, admin_key) {
            settings.client = Some(Arc::new(Certificate::new(&text::read(cert)?, &text::read(key)?)));
        }
        let wrong = |error| Failure::new(format!("certificates for the Admin API: {error}"));
        let config = settings.client_config().map_err(wrong)?;
        let name = match admin_name {
            Some(name) => ServerName::try_from(name.clone())?,
            None => place.name(address)?,
        };
        Ok(Some(Tls { connector: TlsConnector::from(Arc::new(config)), name }))
    }
}
