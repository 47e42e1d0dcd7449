//! What a guest may use at most.

use std::time::Duration;

/// Bounds of one plugin. Each has a default that suits a filter; what is over a bound is refused with a status, or
/// ends the instance where a guest cannot be told.
///
/// ```
/// use gateway_plugins::Limits;
///
/// let mut limits = Limits::default();
/// limits.memory = 32 << 20;
/// assert_eq!(limits.entry_cpu.as_millis(), 4);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a module. Default 16 MiB.
    pub module: usize,
    /// Bytes of an instance's memory. Growing beyond it fails for the guest. Default 16 MiB.
    pub memory: usize,
    /// Elements of each table. Default 65,536.
    pub table: usize,
    /// Processor time of one callback; over it the instance ends. It is looked at every 2 ms, and what ran before the
    /// first look counts as 2 ms: a callback gets up to 2 ms less than this. What is under 4 ms ends at the second look.
    /// Default 4 ms.
    pub entry_cpu: Duration,
    /// Time of one callback by the wall clock. Default 100 ms.
    pub entry_wall: Duration,
    /// Processor time to start an instance, and to take one configuration. Default 50 ms.
    pub configure_cpu: Duration,
    /// Time of the same by the wall clock. Default 500 ms.
    pub configure_wall: Duration,
    /// Bytes of a body held for a guest that pauses it: more is answered 413 on the way up and cuts the answer on
    /// the way down. Default 1 MiB.
    pub body: usize,
    /// The longest a message is held without anything happening to it: no answer that the guest waits for, nothing more of a
    /// body that it reads. Then the error policy says what becomes of it, as after a trap. Default 5 min, as Envoy's
    /// `stream_idle_timeout`.
    pub pause: Duration,
    /// Bytes of one value that a guest hands over, and of a local reply's body. Default 1 MiB.
    pub value: usize,
    /// Callouts under way in one instance. Default 256.
    pub callouts: usize,
    /// Late answers of the gateway that one instance waits for: those of its functions, and of time. Default 4,096.
    pub waits: usize,
    /// Callouts and late results that one request may ask for, all in all. Default 1,000.
    pub request_calls: u32,
    /// Bytes of a callout's answer. Default 1 MiB.
    pub callout_answer: usize,
    /// The longest a callout may take, whatever the guest asks for. Default 60 s.
    pub callout_time: Duration,
    /// Lines a guest may log in one callback. Default 64.
    pub log_lines: u32,
    /// Lines of an instance within a second, of those that the log's level lets through. Default 1,000.
    pub log_rate: u32,
    /// Bytes of one such line; the rest of it is cut. Default 4 KiB.
    pub log_line: usize,
    /// Instances that serve one route or one request ([`Isolation`](crate::Isolation)), over all workers. An engine has
    /// 500 for all its plugins. Default 100.
    pub instances: usize,
    /// Requests that an instance may have contexts for at a time. Default 100,000.
    pub contexts: usize,
    /// Traps within [`trap_window`](Self::trap_window) that quarantine the plugin. Default 5.
    pub traps: u32,
    /// See [`traps`](Self::traps). Default 10 s.
    pub trap_window: Duration,
    /// The first quarantine; each that follows soon is twice as long. Default 1 s.
    pub quarantine: Duration,
    /// The longest quarantine. Default 60 s.
    pub quarantine_most: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            module: 16 << 20,
            memory: 16 << 20,
            table: 65_536,
            entry_cpu: Duration::from_millis(4),
            entry_wall: Duration::from_millis(100),
            configure_cpu: Duration::from_millis(50),
            configure_wall: Duration::from_millis(500),
            body: 1 << 20,
            pause: Duration::from_secs(300),
            value: 1 << 20,
            callouts: 256,
            waits: 4_096,
            request_calls: 1_000,
            callout_answer: 1 << 20,
            callout_time: Duration::from_secs(60),
            log_lines: 64,
            log_rate: 1_000,
            log_line: 4 << 10,
            instances: 100,
            contexts: 100_000,
            traps: 5,
            trap_window: Duration::from_secs(10),
            quarantine: Duration::from_secs(1),
            quarantine_most: Duration::from_secs(60),
        }
    }
}
