//! The thread that lets running guests notice that time passes.

use std::{
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{Builder, Thread, park, sleep},
};

use wasmtime::{Engine, EngineWeak};

use crate::deadline::TICK;

/// Ticks without an entry, and without a guest that still runs, after which the thread rests.
const IDLE_TICKS: u32 = 500;

/// Moves an engine's epoch every [`TICK`], as long as guests are entered: an idle process is not woken. It is
/// a thread of its own, because a guest that does not return holds up the runtime's. It ends with the engine.
#[derive(Debug)]
pub(crate) struct Ticker {
    wanted: Arc<AtomicBool>,
    thread: Thread,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let wanted = Arc::new(AtomicBool::new(false));
        let (flag, engine) = (Arc::downgrade(&wanted), engine.weak());
        let thread = Builder::new().name("plugin-ticks".into()).spawn(move || run(&engine, &flag))?;
        Ok(Self { wanted, thread: thread.thread().clone() })
    }

    /// Says that a guest is about to be entered, or still runs. A load, nearly always.
    pub(crate) fn want(&self) {
        if !self.wanted.load(SeqCst) {
            self.wanted.store(true, SeqCst);
            self.thread.unpark();
        }
    }
}

/// The thread holds no handle to the flag, and sees that it is gone.
impl Drop for Ticker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

fn run(engine: &EngineWeak, wanted: &Weak<AtomicBool>) {
    loop {
        for _ in 0..IDLE_TICKS {
            sleep(TICK);
            let (Some(engine), true) = (engine.upgrade(), wanted.strong_count() > 0) else { return };
            engine.increment_epoch();
        }
        let Some(wanted) = wanted.upgrade() else { return };
        let rest = !wanted.swap(false, SeqCst);
        drop(wanted);
        // A token to unpark is kept, so a wish that comes in between is not lost.
        if rest {
            park();
        }
    }
}
