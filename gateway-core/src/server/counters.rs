//! What happened to connections, counted per worker with plain atomics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Declares an enum of causes with its words, so that a counter for each can be kept in an array.
macro_rules! causes {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$case_doc])* $case,)* }

        impl $name {
            /// Every cause, in the order of the documentation.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$case),*];

            /// The word of logs and metrics.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$case => $word,)* }
            }
        }
    };
}

causes! {
    /// Why a connection got no service at all, or a request was refused before the service saw it.
    Refusal {
        /// More connections than `max_connections`.
        OverLimit = "over_limit",
        /// The parser answered 400.
        BadRequest = "bad_request",
        /// The parser answered 414 or 431.
        TooLarge = "too_large",
        /// HTTP/2: the peer broke the protocol.
        Http2 = "http2_error",
        /// HTTP/2: too many streams cancelled before an answer.
        RapidReset = "rapid_reset",
        /// HTTP/2: too many frames that carry no request.
        ControlFlood = "control_flood",
        /// TLS: no certificate for the name that was asked for.
        NoCertificate = "tls_no_certificate",
        /// TLS: no version, cipher suite or application protocol in common.
        Incompatible = "tls_incompatible",
        /// TLS: the client sent an alert, say because it does not trust the certificate.
        ClientAlert = "tls_client_alert",
        /// TLS: the client closed during the handshake.
        HandshakeClosed = "tls_closed",
        /// TLS: what came is not a handshake.
        BadHandshake = "tls_bad_handshake",
        /// PROXY protocol: the peer is not trusted to say whom it speaks for.
        ProxyUntrusted = "proxy_untrusted",
        /// PROXY protocol: what came is not a head of it.
        BadProxyHead = "proxy_bad_head",
    }
}

causes! {
    /// Which patience with a client ended.
    Timeout {
        /// The head of the PROXY protocol.
        ProxyHead = "proxy_head",
        /// The TLS handshake.
        Handshake = "handshake",
        /// Nothing, or no whole request, after the connection was made.
        Silence = "silence",
        /// An incomplete head.
        Head = "head",
        /// Idle between requests.
        KeepAlive = "keep_alive",
        /// A request body too slow or stalled.
        Body = "body",
        /// An answer that is not taken.
        Write = "write",
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) active: AtomicU64,
    pub(super) handled: AtomicU64,
    pub(super) requests: AtomicU64,
    /// Connections with a request in progress.
    pub(super) busy: AtomicU64,
    /// Open connections that have had a request.
    pub(super) greeted: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    refusals: [AtomicU64; Refusal::ALL.len()],
    timeouts: [AtomicU64; Timeout::ALL.len()],
}

/// The counters at one moment; of one worker, or of several added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections open now, tunnels included.
    pub active: u64,
    /// Connections that were given a place, as nginx counts: those accepted less those over the limit.
    pub handled: u64,
    /// Requests that reached the service since the start.
    pub requests: u64,
    /// Open connections that have not had a whole request yet.
    pub reading: u64,
    /// Open connections with a request in progress.
    pub writing: u64,
    /// Open connections between two requests.
    pub waiting: u64,
    /// Requests whose service panicked; each was answered with 500 or cut.
    pub panics: u64,
    /// Failed accepts, out of descriptors for the most part.
    pub accept_errors: u64,
    refusals: [u64; Refusal::ALL.len()],
    timeouts: [u64; Timeout::ALL.len()],
}

impl Counters {
    pub(super) fn refuse(&self, refusal: Refusal) {
        add(&self.refusals, refusal as usize, 1);
    }

    pub(super) fn time_out(&self, timeout: Timeout, times: u64) {
        add(&self.timeouts, timeout as usize, times);
    }

    /// Their values now. Each is right by itself; together they may be apart by what happens meanwhile.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let [active, greeted, writing] =
            [&self.active, &self.greeted, &self.busy].map(|gauge| gauge.load(Relaxed));
        Snapshot {
            accepted: self.accepted.load(Relaxed),
            active,
            handled: self.handled.load(Relaxed),
            requests: self.requests.load(Relaxed),
            reading: active.saturating_sub(greeted),
            writing,
            waiting: greeted.saturating_sub(writing),
            panics: self.panics.load(Relaxed),
            accept_errors: self.accept_errors.load(Relaxed),
            refusals: std::array::from_fn(|i| load(&self.refusals, i)),
            timeouts: std::array::from_fn(|i| load(&self.timeouts, i)),
        }
    }
}

impl Snapshot {
    /// How often this was the cause of a refusal.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refusals.get(refusal as usize).copied().unwrap_or_default()
    }

    /// How often this patience ended.
    #[must_use]
    pub fn timed_out(&self, timeout: Timeout) -> u64 {
        self.timeouts.get(timeout as usize).copied().unwrap_or_default()
    }
}

impl std::iter::Sum for Snapshot {
    fn sum<I: Iterator<Item = Self>>(snapshots: I) -> Self {
        snapshots.fold(Self::default(), |a, b| Self {
            accepted: a.accepted + b.accepted,
            active: a.active + b.active,
            handled: a.handled + b.handled,
            requests: a.requests + b.requests,
            reading: a.reading + b.reading,
            writing: a.writing + b.writing,
            waiting: a.waiting + b.waiting,
            panics: a.panics + b.panics,
            accept_errors: a.accept_errors + b.accept_errors,
            refusals: added(a.refusals, b.refusals),
            timeouts: added(a.timeouts, b.timeouts),
        })
    }
}

fn added<const N: usize>(mut sum: [u64; N], more: [u64; N]) -> [u64; N] {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    sum
}

fn add(counters: &[AtomicU64], index: usize, times: u64) {
    if let Some(counter) = counters.get(index) {
        counter.fetch_add(times, Relaxed);
    }
}

fn load(counters: &[AtomicU64], index: usize) -> u64 {
    counters.get(index).map_or(0, |counter| counter.load(Relaxed))
}

#[cfg(test)]
mod tests {
    use super::{Counters, Refusal, Snapshot, Timeout};
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn workers_add_up() {
        let (a, b) = (Counters::default(), Counters::default());
        a.refuse(Refusal::TooLarge);
        b.refuse(Refusal::TooLarge);
        b.time_out(Timeout::Head, 1);
        a.active.store(5, Relaxed);
        a.greeted.store(3, Relaxed);
        a.busy.store(1, Relaxed);
        let sum: Snapshot = [&a, &b].map(Counters::snapshot).into_iter().sum();
        assert_eq!((sum.refused(Refusal::TooLarge), sum.timed_out(Timeout::Head)), (2, 1));
        assert_eq!((sum.reading, sum.writing, sum.waiting), (2, 1, 2));
    }
}
