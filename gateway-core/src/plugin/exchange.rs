//! One request under way: what the gateway knows of it beside the message itself.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Extensions, HeaderValue, Method, StatusCode, Uri, Version};

use crate::{
    ConnectInfo,
    config::{Consumer, Credential, Protocol, Route, Service},
    error::Reason,
};

/// A request under way, as plugins, metrics and the access log see it.
#[derive(Debug)]
pub struct Exchange {
    /// The connection it came on.
    pub connection: Arc<ConnectInfo>,
    /// Its id, in the log, in `X-Kong-Request-Id` and in error bodies.
    pub request_id: RequestId,
    /// When its head had been read.
    pub started: Instant,
    /// The method as received.
    pub method: Method,
    /// The target as received.
    pub uri: Uri,
    /// The `Host` field as received.
    pub host: Option<HeaderValue>,
    /// The HTTP version as received.
    pub version: Version,
    /// The client's address: the peer, or what a trusted peer says of it.
    pub client_ip: IpAddr,
    /// `http` or `https`, from the connection or a trusted peer.
    pub scheme: Protocol,
    /// The route that matched and its service.
    pub matched: Option<Arc<Matched>>,
    /// Who calls, once a plugin has found out.
    pub consumer: Option<Arc<Consumer>>,
    /// By which credential.
    pub credential: Option<Arc<Credential>>,
    /// Why the gateway answered by itself, or the answer was cut.
    pub reason: Option<Reason>,
    /// Who made the answer.
    pub source: Source,
    /// The status sent to the client.
    pub status: StatusCode,
    /// What took how long.
    pub timings: Timings,
    /// The endpoint that was tried last.
    pub endpoint: Option<std::net::SocketAddr>,
    /// Tries made, 0 where nothing was forwarded.
    pub tries: u32,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// Free room for plugins to talk to each other within the request.
    pub extensions: Extensions,
}

/// A route and its service, as one shared value.
#[derive(Debug)]
pub struct Matched {
    /// The route.
    pub route: Arc<Route>,
    /// Its service.
    pub service: Option<Arc<Service>>,
}

/// Who made the answer, as Kong's log serializer says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A plugin, or the gateway where no upstream was involved.
    #[default]
    Exit,
    /// The gateway, because the upstream failed.
    Error,
    /// The upstream.
    Service,
}

impl Source {
    /// The word of the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Error => "error",
            Self::Service => "service",
        }
    }
}

/// What took how long, measured from [`Exchange::started`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Timings {
    /// Until the request was handed to the first endpoint.
    pub forwarded: Option<Duration>,
    /// Until the head of the upstream's response was there.
    pub responded: Option<Duration>,
    /// Until the last byte of the response was handed to the connection.
    pub finished: Option<Duration>,
}

impl Exchange {
    /// An exchange that begins now.
    #[must_use]
    pub fn new(connection: Arc<ConnectInfo>) -> Self {
        Self {
            client_ip: connection.peer().ip(),
            scheme: connection.scheme(),
            connection,
            request_id: RequestId::random(),
            started: Instant::now(),
            method: Method::GET,
            uri: Uri::default(),
            host: None,
            version: Version::HTTP_11,
            matched: None,
            consumer: None,
            credential: None,
            reason: None,
            source: Source::Exit,
            status: StatusCode::OK,
            timings: Timings::default(),
            endpoint: None,
            tries: 0,
            request_bytes: 0,
            response_bytes: 0,
            extensions: Extensions::new(),
        }
    }

    /// The route that matched.
    #[must_use]
    pub fn route(&self) -> Option<&Arc<Route>> {
        self.matched.as_ref().map(|matched| &matched.route)
    }

    /// The service behind it.
    #[must_use]
    pub fn service(&self) -> Option<&Arc<Service>> {
        self.matched.as_ref().and_then(|matched| matched.service.as_ref())
    }
}

/// A request's id: 128 random bits, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// A new id. It is unique, not secret: the generator is not cryptographic.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u128(..))
    }

    /// Its 32 digits, without an allocation.
    #[must_use]
    pub fn digits(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        digits
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
