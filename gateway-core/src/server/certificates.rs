//! Certificates by server name, swapped while connections go on.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, SignatureAlgorithm,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{Accept, TlsAcceptor};
use tracing::warn;
use uuid::Uuid;

use super::tls::{provider, server_config};
use crate::{
    config::{Certificate, Config, Sni},
    upstream::flaw,
};

/// The certificates that TLS listeners present; clones are the same store. A change is used by the
/// next handshake, connections that are open stay as they are.
///
/// Looked up as Kong does: the name itself, `*.` in place of its first label, `.*` in place of its last,
/// `*`, and then the default, if one was set. A name without any is refused with an alert.
///
/// Spoken are TLS 1.2 and 1.3, and `h2` and `http/1.1` by ALPN. Early data is not taken, as it can be replayed.
///
/// ```
/// use gateway_core::{config::Config, server::Certificates};
///
/// let certificates = Certificates::new(&Config::default()).unwrap();
/// assert!(certificates.is_empty());
/// ```
#[derive(Clone)]
pub struct Certificates {
    resolver: Arc<Resolver>,
    acceptor: TlsAcceptor,
}

/// A certificate or a name that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{entity}: {problem}")]
pub struct CertificateError {
    /// The entity and its field, `certificates[<id>].key`.
    pub entity: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The chains of one certificate entity, by preference: those of the cheaper key first.
type Chains = Vec<Arc<CertifiedKey>>;

#[derive(Debug, Default)]
struct Names {
    by_name: HashMap<Box<str>, Arc<Chains>, foldhash::fast::RandomState>,
    default: Option<Arc<Chains>>,
}

#[derive(Debug)]
struct Resolver {
    names: ArcSwap<Names>,
    /// Whether it was already said that a name has no certificate, since the last change.
    warned: AtomicBool,
}

impl Certificates {
    /// The certificates and names of `config`.
    ///
    /// # Errors
    /// Every entity that cannot be used, with what is wrong.
    pub fn new(config: &Config) -> Result<Self, Vec<CertificateError>> {
        let resolver = Arc::new(Resolver {
            names: ArcSwap::from_pointee(Names::read(config, None)?),
            warned: AtomicBool::new(false),
        });
        let acceptor = server_config(resolver.clone(), WebPkiClientVerifier::no_client_auth())
            .map_err(|error| vec![CertificateError { entity: "tls".into(), problem: error.to_string() }])?;
        Ok(Self { resolver, acceptor: TlsAcceptor::from(Arc::new(acceptor)) })
    }

    /// Puts those of `config` in place of all but the default.
    ///
    /// # Errors
    /// As for [`new`](Self::new); then what was there before goes on.
    pub fn replace(&self, config: &Config) -> Result<(), Vec<CertificateError>> {
        let default = self.resolver.names.load().default.clone();
        self.put(Names::read(config, default)?);
        Ok(())
    }

    /// Sets what is presented where no name matches, and to clients that send none: a chain, leaf first,
    /// and its key, both PEM.
    ///
    /// # Errors
    /// What is wrong with them; then nothing changes.
    pub fn set_default(&self, cert: &str, key: &str) -> Result<(), CertificateError> {
        let chain = chain("default certificate", ("cert", cert), ("key", key), &provider())?;
        let by_name = self.resolver.names.load().by_name.clone();
        self.put(Names { by_name, default: Some(Arc::new(vec![Arc::new(chain)])) });
        Ok(())
    }

    /// The same certificates for a listener that only those reach who show a certificate from one of these anchors (PEM).
    /// Others fail in the handshake.
    ///
    /// # Errors
    /// What is wrong with the anchors.
    pub fn for_clients_of(&self, anchors: &str) -> Result<Self, CertificateError> {
        let wrong = |problem: String| CertificateError { entity: "client anchors".into(), problem };
        let mut roots = RootCertStore::empty();
        for anchor in CertificateDer::pem_slice_iter(anchors.as_bytes()) {
            let anchor = anchor.map_err(|error| wrong(error.to_string()))?;
            roots.add(anchor).map_err(|error| wrong(error.to_string()))?;
        }
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider().into()).build();
        let clients = clients.map_err(|error| wrong(error.to_string()))?;
        let acceptor =
            server_config(self.resolver.clone(), clients).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { resolver: Arc::clone(&self.resolver), acceptor: TlsAcceptor::from(Arc::new(acceptor)) })
    }

    /// Whether every handshake would be refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let names = self.resolver.names.load();
        names.by_name.is_empty() && names.default.is_none()
    }

    fn put(&self, names: Names) {
        self.resolver.names.store(Arc::new(names));
        self.resolver.warned.store(false, Ordering::Relaxed);
    }

    pub(super) fn accept<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I) -> Accept<I> {
        self.acceptor.accept(io)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.resolver.names.load();
        f.debug_struct("Certificates")
            .field("names", &names.by_name.keys())
            .field("default", &names.default.is_some())
            .finish_non_exhaustive()
    }
}

impl Names {
    fn read(config: &Config, default: Option<Arc<Chains>>) -> Result<Self, Vec<CertificateError>> {
        let (mut problems, mut chains) = (Vec::new(), HashMap::new());
        let provider = provider();
        for certificate in config.certificates.values() {
            match read_certificate(certificate, &provider) {
                Ok(read) => drop(chains.insert(certificate.id, Arc::new(read))),
                Err(problem) => problems.push(problem),
            }
        }
        let mut by_name = HashMap::default();
        for sni in config.snis.values() {
            match chains.get(&sni.certificate.id) {
                Some(chains) => drop(by_name.insert(canonical(&sni.name), Arc::clone(chains))),
                // Its own problem is in the list already.
                None if config.certificates.contains_key(&sni.certificate.id) => {}
                None => problems.push(dangling(sni)),
            }
        }
        if problems.is_empty() { Ok(Self { by_name, default }) } else { Err(problems) }
    }

    fn find(&self, name: Option<&str>) -> Option<&Arc<Chains>> {
        let named = name.and_then(|name| {
            let get = |name: &str| self.by_name.get(name);
            let suffix = || get(&format!("*{}", name.get(name.find('.')?..)?));
            let prefix = || get(&format!("{}*", name.get(..=name.rfind('.')?)?));
            get(name).or_else(suffix).or_else(prefix)
        });
        named.or_else(|| self.by_name.get("*")).or(self.default.as_ref())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(canonical);
        let names = self.names.load();
        let Some(chains) = names.find(name.as_deref()) else {
            if !self.warned.swap(true, Ordering::Relaxed) {
                warn!(
                    sni = name.as_deref(),
                    "TLS handshakes are refused: no certificate for this name, and no default"
                );
            }
            return None;
        };
        let fits = |chain: &&Arc<CertifiedKey>| chain.key.choose_scheme(hello.signature_schemes()).is_some();
        chains.iter().find(fits).or_else(|| chains.first()).cloned()
    }
}

fn canonical(name: &str) -> Box<str> {
    name.trim_end_matches('.').to_ascii_lowercase().into()
}

fn read_certificate(
    certificate: &Certificate,
    provider: &CryptoProvider,
) -> Result<Chains, CertificateError> {
    let entity = entity("certificates", certificate.id);
    let Certificate { cert, key, cert_alt, key_alt, .. } = certificate;
    let mut chains = vec![chain(&entity, ("cert", cert), ("key", key), provider)?];
    match (cert_alt, key_alt) {
        (Some(cert), Some(key)) => {
            chains.push(chain(&entity, ("cert_alt", cert), ("key_alt", key), provider)?);
        }
        (None, None) => {}
        (Some(_), None) => return Err(problem(&entity, "key_alt", "missing, but cert_alt is given")),
        (None, Some(_)) => return Err(problem(&entity, "cert_alt", "missing, but key_alt is given")),
    }
    // An RSA signature costs about twenty of the others.
    chains.sort_by_key(|chain| chain.key.algorithm() == SignatureAlgorithm::RSA);
    Ok(chains.into_iter().map(Arc::new).collect())
}

fn chain(
    entity: &str,
    (cert_field, cert): (&str, &str),
    (key_field, key): (&str, &str),
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
    let certs = certs.map_err(|error| problem(entity, cert_field, format!("not PEM: {error}")))?;
    if certs.is_empty() {
        return Err(problem(entity, cert_field, "holds no PEM certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| problem(entity, key_field, format!("holds no PEM private key: {error}")))?;
    CertifiedKey::from_der(certs, private, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            problem(entity, key_field, format!("does not belong to the first certificate of {cert_field}"))
        }
        rustls::Error::InvalidCertificate(error) => {
            problem(entity, cert_field, format!("cannot be read: {}", flaw(&error)))
        }
        error => problem(entity, key_field, format!("cannot be used: {error}")),
    })
}

fn entity(kind: &str, id: Uuid) -> String {
    format!("{kind}[{id}]")
}

fn problem(entity: &str, field: &str, problem: impl Into<String>) -> CertificateError {
    CertificateError { entity: format!("{entity}.{field}"), problem: problem.into() }
}

fn dangling(sni: &Sni) -> CertificateError {
    let entity = format!("{} \"{}\"", entity("snis", sni.id), sni.name);
    problem(&entity, "certificate", format!("there is no certificate {}", sni.certificate.id))
}

#[cfg(test)]
mod tests;
