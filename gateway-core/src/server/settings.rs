//! What a server may be told: how many, how big, how long.

use std::{num::NonZeroUsize, time::Duration};

/// The settings of a server. The defaults are meant for the open internet.
///
/// ```
/// use gateway_core::server::Settings;
///
/// let mut settings = Settings::default();
/// settings.workers = 2;
/// settings.timeouts.keep_alive = std::time::Duration::from_secs(75);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Worker threads, each with a runtime and listeners of its own. Default: one a processor.
    pub workers: usize,
    /// The stack of a worker thread, bytes. Default: 2 MiB, enough for plugins that recurse.
    pub stack_size: usize,
    /// Connections that the kernel may hold for us until they are accepted, per listener. Default: 4096.
    pub backlog: u32,
    /// Connections open at once, over all workers; more are answered with 503 (in clear) or closed (TLS).
    /// Default: 80 % of the limit of open files at start, halved, as each may need one to an upstream.
    pub max_connections: usize,
    /// Whether another process may listen on the same address too (`SO_REUSEPORT` lets processes of one
    /// user do that). Default: [`PortUse::Exclusive`].
    pub port_use: PortUse,
    /// After how much silence the kernel asks whether the peer is still there; it gives up after three
    /// unanswered questions. Finds dead peers of tunnels and streams, for which silence is no fault.
    /// Default: 60 s.
    pub tcp_keep_alive: Duration,
    /// How long running requests and tunnels may go on after a stop is asked for. Default: 30 s.
    pub grace: Duration,
    /// Limits of one connection.
    pub limits: Limits,
    /// Timeouts of one connection.
    pub timeouts: Timeouts,
}

/// Who may listen on an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortUse {
    /// This server alone: a port in use is an error.
    #[default]
    Exclusive,
    /// Another process that also shares it, say the old one during an upgrade.
    Shared,
}

/// Limits of one connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// An HTTP/1 head, bytes, at least 8192; more is answered with 431. Default: 32 KiB.
    pub head: usize,
    /// Fields in an HTTP/1 head; more is answered with 431. Default: 100.
    pub fields: usize,
    /// An HTTP/2 head, bytes as RFC 9113 6.5.2 counts them; more is answered with 431. Default: 32 KiB.
    pub header_list: u32,
    /// Whether a `Content-Length` that hyper has removed beside a `Transfer-Encoding` is put back, for a service that
    /// refuses both in one head as [`sanitize`](crate::sanitize) does. It costs a copy of what HTTP/1 clients send.
    /// Default: off.
    pub keep_length: bool,
    /// HTTP/2 streams open at once. Default: 128.
    pub streams: u32,
    /// Streams that the peer may make us reset for its own faults, before the connection is closed.
    /// Default: 256.
    pub local_resets: usize,
    /// Streams that the peer reset before we looked at them, held at once. Default: 20.
    pub pending_resets: usize,
    /// Bytes of answers held for one HTTP/2 stream that the peer does not take. Default: 128 KiB.
    pub send_buffer: usize,
    /// After how many HTTP/2 streams their cancellations are looked at: when half of them or more were
    /// cancelled before an answer, the connection is closed (rapid reset, CVE-2023-44487). Default: 500.
    pub cancel_window: u32,
    /// HTTP/2 frames that carry no request (SETTINGS, PING, PRIORITY, RST_STREAM, WINDOW_UPDATE, unknown
    /// ones, DATA of a few bytes) that may come at once. Default: 1,000. Answers earn more: 8 a request, 4 a chunk.
    pub control_burst: u32,
    /// Such frames a second beyond that. Default: 100.
    pub control_rate: u32,
}

/// Timeouts of one connection. Each ends the connection within a second of its time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// The head of the PROXY protocol, where a listener asks for one. Default: 1 s.
    pub proxy_head: Duration,
    /// A TLS handshake. Default: 5 s.
    pub handshake: Duration,
    /// From accept to the first byte of a request (HTTP/2: to the first request). Default: 10 s.
    pub silence: Duration,
    /// An HTTP/1 head, from its first byte to its last; answered with 408. Default: 10 s.
    pub head: Duration,
    /// Between two requests. Default: 60 s.
    pub keep_alive: Duration,
    /// A request body of which nothing comes while the service waits for it. Default: 30 s.
    pub body_idle: Duration,
    /// An answer of which the peer takes nothing. Default: 30 s.
    pub write_idle: Duration,
    /// The least bytes a second over the time spent waiting for the peer: of a request body after
    /// [`rate_grace`](Self::rate_grace) of waiting, of an answer after
    /// [`write_idle`](Self::write_idle) of it. Default: 240; 0 is off.
    pub min_rate: u32,
    /// Waiting for a request body before the rate counts. Default: 5 s.
    pub rate_grace: Duration,
    /// How long a connection that was told to go may take to do so; one that goes on sending is read for up to ten
    /// times as long, so that it sees its last answer (RFC 9112 section 9.6). Default: 500 ms.
    pub linger: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            stack_size: 2 << 20,
            backlog: 4096,
            max_connections: default_connections(),
            port_use: PortUse::default(),
            tcp_keep_alive: Duration::from_secs(60),
            grace: Duration::from_secs(30),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: 32 << 10,
            fields: 100,
            header_list: 32 << 10,
            keep_length: false,
            streams: 128,
            local_resets: 256,
            pending_resets: 20,
            send_buffer: 128 << 10,
            cancel_window: 500,
            control_burst: 1_000,
            control_rate: 100,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            proxy_head: Duration::from_secs(1),
            handshake: Duration::from_secs(5),
            silence: Duration::from_secs(10),
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            body_idle: Duration::from_secs(30),
            write_idle: Duration::from_secs(30),
            min_rate: 240,
            rate_grace: Duration::from_secs(5),
            linger: Duration::from_millis(500),
        }
    }
}

/// Descriptors for clients and their upstreams must fit in the limit, with a fifth to spare.
fn default_connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1 << 20);
    (limit / 5 * 4 / 2).max(16)
}
