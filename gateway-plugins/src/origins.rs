//! Callouts to addresses that no service of the configuration stands for: `https://login.example.com`.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gateway_core::{
    Body, BoxError, ConnectInfo,
    config::{Protocol, Service},
    plugin::Exchange,
    upstream::{
        Backend, Dns, Group, HostPolicy, PoolLimits, Resolve, Resolving, TlsSettings, Transport, Upstream,
    },
};
use http::{HeaderValue, Request, Uri, Version, header::HOST, uri::Scheme};
use tokio::task::spawn_blocking;

use crate::sources::{Calling, Reach};

/// How origins are spoken to: with a pool of connections each, TLS that is verified, and no redirects. HTTP callouts go by
/// HTTP/1.1, calls of gRPC by HTTP/2: in clear where the scheme is `http` (RFC 9113 section 3.3), else as ALPN agrees.
#[derive(Clone, Default)]
pub(crate) struct Origins(Arc<Shared>);

#[derive(Default)]
struct Shared {
    tls: TlsSettings,
    known: Mutex<HashMap<Key, Arc<Backend>>>,
}

type Key = (String, Reach, Speaks);

/// Origins that are kept at a time.
const MOST: usize = 256;

impl Origins {
    pub(crate) fn new(tls: TlsSettings) -> Self {
        Self(Arc::new(Shared { tls, known: Mutex::default() }))
    }

    /// Sends `request` to `origin`; none where that is no origin, or nothing that may be reached.
    pub(crate) fn call(&self, origin: &str, mut request: Request<Body>) -> Option<Calling> {
        let reach = request.extensions().get::<Reach>().copied().unwrap_or(Reach::Public);
        let host = HeaderValue::from_str(origin.split_once("://")?.1).ok()?;
        request.headers_mut().insert(HOST, host);
        let key = (origin.to_owned(), reach, Speaks::of(&request));
        let known = self.0.known().get(&key).map(Arc::clone);
        if known.is_none() {
            checked(origin, Reaches::of(reach)).inspect_err(|error| warn(origin, error)).ok()?;
        }
        let shared = Arc::clone(&self.0);
        Some(Box::pin(async move {
            let backend = match known {
                Some(backend) => backend,
                // The first one with TLS reads the system's anchors. A guest has no time for that, nor has a worker.
                None => spawn_blocking(move || shared.make(key)).await??,
            };
            let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
            Ok(backend.forward(&mut request, HostPolicy::Client, 0, &mut exchange).await?)
        }))
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, HashMap<Key, Arc<Backend>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, key: Key) -> Result<Arc<Backend>, BoxError> {
        let (origin, reach, speaks) = &key;
        let made = made(origin, Reaches::of(*reach), *speaks, &self.tls);
        let made = Arc::new(made.inspect_err(|error| warn(origin, error))?);
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        // Who was first has connections already.
        Ok(Arc::clone(known.entry(key).or_insert(made)))
    }
}

fn warn(origin: &str, error: &BoxError) {
    tracing::warn!(origin, %error, "no such origin");
}

/// By which version an origin is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

impl Speaks {
    fn of(request: &Request<Body>) -> Self {
        if request.version() == Version::HTTP_2 { Self::Http2 } else { Self::Http1 }
    }

    fn transport(self, tls: Option<&TlsSettings>) -> Result<Transport, BoxError> {
        match (self, tls) {
            (Self::Http1, None) => Ok(Transport::clear()),
            (Self::Http1, Some(tls)) => Transport::tls(tls),
            (Self::Http2, None) => Ok(Transport::clear_http2()),
            (Self::Http2, Some(tls)) => Transport::tls_http2(tls),
        }
    }
}

/// Which addresses a name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaches {
    All,
    /// None of this machine or beside it.
    Elsewhere,
    Public,
}

impl Reaches {
    const fn of(reach: Reach) -> Self {
        match reach {
            Reach::Named => Self::All,
            Reach::Public => Self::Public,
        }
    }

    fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Elsewhere => !is_here(address),
            Self::Public => is_public(address),
        }
    }
}

/// What leads to an origin.
pub(crate) fn made(
    origin: &str,
    reach: Reaches,
    speaks: Speaks,
    anchors: &TlsSettings,
) -> Result<Backend, BoxError> {
    let uri = checked(origin, reach)?;
    let mut service = Service::new(origin, host(&uri));
    let tls = uri.scheme() == Some(&Scheme::HTTPS);
    service.protocol = if tls { Protocol::Https } else { Protocol::Http };
    service.port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
    service.retries = 0;
    let transport = speaks.transport(tls.then_some(anchors))?;
    let resolver: Arc<dyn Resolve> = match reach {
        Reaches::All => Arc::new(Dns::system()),
        reach => Arc::new(Only(reach, Dns::system())),
    };
    let upstream = Upstream::new(Group::of_service(&service), None, resolver, 1, PoolLimits::default());
    Ok(Backend::new(&service, upstream, transport))
}

/// An origin, as far as what it says itself goes: written as origins are, and no address that may not be asked.
fn checked(origin: &str, reach: Reaches) -> Result<Uri, BoxError> {
    let own =
        self::origin(origin).filter(|own| own == origin).ok_or("this is not how an origin is written")?;
    let uri = own.parse::<Uri>()?;
    if host(&uri).parse::<IpAddr>().is_ok_and(|address| !reach.allows(address)) {
        return Err("the address is not public".into());
    }
    Ok(uri)
}

fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// The origin of a URL (RFC 6454, section 4), as grants and callouts write it: `https://example.com`, the port only where
/// it is not the scheme's own. None where the URL has another scheme, or says who logs in.
pub(crate) fn origin(url: &str) -> Option<String> {
    let uri = url.parse::<Uri>().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let own = if scheme == "https" { 443 } else { 80 };
    let port = authority.port_u16().filter(|port| *port != own);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{}{port}", authority.host().to_ascii_lowercase()))
}

/// Names that stand for such addresses, and for those alone: what a document of somebody else names must not lead
/// into the operator's own network. Connections go to the addresses that were looked at.
#[derive(Debug)]
struct Only(Reaches, Dns);

impl Resolve for Only {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let mut found = self.1.resolve(name).await?;
            found.addresses.retain(|found| self.0.allows(found.ip));
            if found.addresses.is_empty() { Err("no address of it may be asked".into()) } else { Ok(found) }
        })
    }
}

/// Whether an address is this machine's own, or one that only its neighbours have: what answers there (an admin API, a
/// cloud's metadata) trusts whoever asks.
pub(crate) fn is_here(address: IpAddr) -> bool {
    let here =
        |address: Ipv4Addr| address.is_loopback() || address.is_link_local() || address.octets()[0] == 0;
    match address {
        IpAddr::V4(address) => here(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => here(address),
            None => address.is_loopback() || address.is_unspecified() || address.is_unicast_link_local(),
        },
    }
}

/// Whether an address is one of the internet's (RFC 6890 and its registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

/// 2000::/3 without what carries an IPv4 address or is for examples: 2001::/23, 2001:db8::/32, 2002::/16, 3fff::/20.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff));
    a & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::{Origins, Reach, Reaches, Speaks, is_here, is_public, made, origin};
    use gateway_core::{Body, upstream::TlsSettings};
    use http::{Request, Version};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    #[test]
    fn an_origin_is_written_in_one_way() {
        for (url, own) in [
            ("https://Login.Example.com/realms/a?b", Some("https://login.example.com")),
            ("https://a:443/", Some("https://a")),
            ("http://a:8080", Some("http://a:8080")),
            ("https://[::1]:8443/x", Some("https://[::1]:8443")),
            ("https://user@a/", None),
            ("ftp://a/", None),
            ("/only/a/path", None),
            ("a", None),
        ] {
            assert_eq!(origin(url).as_deref(), own, "{url}");
        }
        assert!(
            made("https://A", Reaches::All, Speaks::Http1, &TlsSettings::default()).is_err(),
            "not as an origin is written"
        );
    }

    #[test]
    fn what_is_not_public_is_not_reached_unless_the_operator_names_it() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "203.0.113.9",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for here in ["127.9.9.9", "169.254.169.254", "0.0.0.0", "::1", "::", "fe80::1", "::ffff:127.0.0.1"] {
            assert!(is_here(here.parse().unwrap()), "{here}");
        }
        assert!(!is_here("10.0.0.1".parse().unwrap()) && !is_here("fd00::1".parse().unwrap()));
        for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2001:4860:4860::8888"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let origins = Origins::default();
        for (host, version) in [
            ("127.0.0.1", Version::HTTP_11),
            ("[::1]", Version::HTTP_2),
            ("169.254.169.254", Version::HTTP_11),
            ("169.254.169.254", Version::HTTP_2),
        ] {
            let request = || Request::builder().version(version).body(Body::empty()).unwrap();
            assert!(origins.call(&format!("https://{host}"), request()).is_none(), "{host}");
            let mut named = request();
            named.extensions_mut().insert(Reach::Named);
            assert!(origins.call(&format!("https://{host}"), named).is_some(), "{host}");
        }
    }

    /// Answers one request.
    async fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            assert!(String::from_utf8_lossy(&head[..read]).contains(&format!("ost: localhost:{port}\r\n")));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        });
        port
    }

    #[tokio::test]
    async fn a_name_leads_to_addresses_that_may_be_reached() {
        let (origins, port) = (Origins::default(), server().await);
        let call = |reach| {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(reach);
            origins.call(&format!("http://localhost:{port}"), request).unwrap()
        };
        assert!(call(Reach::Public).await.is_err(), "the address is this machine's");
        assert_eq!(call(Reach::Named).await.unwrap().status(), 200);
    }
}
