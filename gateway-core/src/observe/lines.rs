//! Lines of text: encoded on the worker, written on a thread of their own.

use std::{
    fmt, io, mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::sink::{Open, Sink};

/// A worker with this much to write wakes the writer, bytes.
const WAKE_AT: usize = 64 * 1024;

/// A worker that the writer has left with this much drops lines, bytes.
pub(super) const FULL_AT: usize = 1024 * 1024;

/// How often the writer comes by itself.
const EVERY: Duration = Duration::from_millis(100);

/// How long the end of the log waits for a sink that does not take anything.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Lines on their way to a [`Sink`].
///
/// A worker encodes into a buffer of its own; one thread takes the buffers every 100 ms, or when one has
/// 64 KiB. A request never waits for the sink: when a buffer holds 1 MiB, further lines are dropped, counted
/// and told. Dropping it writes what is left and ends the thread; a sink that takes nothing for 2 s is given up.
///
/// ```
/// use gateway_core::observe::{Lines, Sink};
///
/// let lines = Lines::start("audit", Sink::Stderr, 1)?;
/// lines.push(0, |line| line.extend_from_slice(b"hello\n"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Lines {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    ended: Mutex<mpsc::Receiver<()>>,
}

struct Shared {
    shards: Box<[Shard]>,
    reopen: AtomicBool,
    stop: AtomicBool,
    dropped: AtomicU64,
}

/// The lines of one worker. The lock is only ever contended for by the writer, which swaps the buffer
/// for an empty one and lets go.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    lines: Mutex<Vec<u8>>,
}

impl Lines {
    /// Opens the sink and starts the writer, for as many workers as `shards`, at least one. `name` is that of the
    /// thread, and of the log in messages about it.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn start(name: &'static str, sink: Sink, shards: usize) -> io::Result<Self> {
        let sink = sink.open()?;
        let shared = Arc::new(Shared {
            shards: (0..shards.max(1)).map(|_| Shard::default()).collect(),
            reopen: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        });
        let (end, ended) = mpsc::channel();
        let of_writer = Arc::clone(&shared);
        let writer = thread::Builder::new().name(name.to_owned()).spawn(move || {
            Writer { name, shared: of_writer, sink, spare: Vec::new(), failing: false, told: 0 }.run();
            end.send(()).ok();
        })?;
        Ok(Self { shared, writer: Some(writer), ended: Mutex::new(ended) })
    }

    /// Adds what `encode` appends, lines with their ends, on the worker `shard`.
    pub fn push(&self, shard: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let shards = &self.shared.shards;
        let Some(shard) = shards.get(shard).or_else(|| shards.get(shard % shards.len())) else { return };
        let mut lines = shard.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let before = lines.len();
        if before >= FULL_AT {
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        encode(&mut lines);
        let wake = before < WAKE_AT && lines.len() >= WAKE_AT;
        drop(lines);
        if wake {
            self.wake();
        }
    }

    /// Opens a file sink anew before the next lines are written, for log rotation.
    pub fn reopen(&self) {
        self.reopen_next();
        self.wake();
    }

    /// The same, when the writer comes by itself.
    pub fn reopen_next(&self) {
        self.shared.reopen.store(true, Release);
    }

    /// How many lines were dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    fn wake(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.shared.stop.store(true, Release);
        self.wake();
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A writer stuck in its sink cannot be joined: it is left to the end of the process.
        if ended.recv_timeout(LAST_WORDS) != Err(mpsc::RecvTimeoutError::Timeout)
            && let Some(writer) = self.writer.take()
        {
            writer.join().ok();
        }
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

/// The writer's side.
struct Writer {
    name: &'static str,
    shared: Arc<Shared>,
    sink: Open,
    /// Takes the place of the buffer that is being written.
    spare: Vec<u8>,
    failing: bool,
    /// Dropped lines that have been told of.
    told: u64,
}

impl Writer {
    fn run(mut self) {
        loop {
            // Read before the buffers, so that lines from before the end are seen.
            let last = self.shared.stop.load(Acquire);
            if self.shared.reopen.swap(false, Acquire)
                && let Err(error) = self.sink.reopen()
            {
                tracing::error!(log = self.name, %error, "the log cannot be reopened and goes on in the old file");
            }
            self.sweep();
            self.tell_dropped();
            if last {
                return;
            }
            thread::park_timeout(EVERY);
        }
    }

    fn sweep(&mut self) {
        let shared = Arc::clone(&self.shared);
        for shard in &shared.shards {
            {
                let mut lines = shard.lines.lock().unwrap_or_else(PoisonError::into_inner);
                mem::swap(&mut *lines, &mut self.spare);
            }
            if !self.spare.is_empty() {
                self.write();
                self.spare.clear();
            }
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Relaxed);
        if dropped > self.told {
            tracing::warn!(log = self.name, lines = dropped - self.told, "lines were dropped");
            self.told = dropped;
        }
    }

    fn write(&mut self) {
        let result = self.sink.write(&self.spare);
        if let Err(error) = &result {
            let lines = memchr::memchr_iter(b'\n', &self.spare).count();
            self.shared.dropped.fetch_add(lines as u64, Relaxed);
            if !self.failing {
                tracing::error!(log = self.name, %error, "the log cannot be written, lines are dropped");
            }
        }
        self.failing = result.is_err();
    }
}
