//! The end of a runtime's turn.

use std::{
    cell::RefCell,
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

/// Most streams that wait for the end of a turn: more do not save more, and the first would wait longer.
const MOST: usize = 32;

thread_local! {
    /// That of the runtime that runs on this thread.
    static HERE: RefCell<Option<(Id, Weak<Turn>)>> = const { RefCell::new(None) };
}

/// A stream that holds bytes back.
pub(super) trait Holding: fmt::Debug + Send + Sync {
    /// Sends what it holds, and gives back the memory if nothing is left in it.
    fn send_held(self: Arc<Self>) -> Option<Vec<u8>>;
}

/// The streams of a runtime of one thread that hold bytes back. A task sends them: it is woken by the first of them, so
/// its turn comes once the tasks that were ready by then have had theirs.
#[derive(Debug)]
pub(super) struct Turn {
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Arc<dyn Holding>>,
    /// Memory for what streams hold.
    spare: Vec<Vec<u8>>,
    task: Option<Waker>,
    /// There are no more turns.
    over: bool,
}

/// The task. Once the runtime has dropped it nobody would send what waits, and the streams that wait would keep the
/// runtime's parts alive, as those keep them.
struct Ending(Arc<Turn>);

impl Future for Ending {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.lock().task.get_or_insert_with(|| cx.waker().clone());
        self.0.end();
        Poll::Pending
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        {
            let mut state = self.0.lock();
            (state.over, state.task) = (true, None);
        }
        self.0.end();
    }
}

impl Turn {
    /// That of the present runtime, if it has one thread.
    pub(super) fn here() -> Option<Arc<Self>> {
        let runtime = Handle::try_current().ok()?;
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        HERE.with_borrow_mut(|here| {
            let known =
                here.as_ref().filter(|(id, _)| *id == runtime.id()).and_then(|(_, turn)| turn.upgrade());
            Some(known.unwrap_or_else(|| {
                let turn = Self::start(runtime);
                *here = Some((turn.runtime.id(), Arc::downgrade(&turn)));
                turn
            }))
        })
    }

    /// The task lives as long as the runtime.
    fn start(runtime: Handle) -> Arc<Self> {
        let turn = Arc::new(Self { runtime, state: Mutex::default() });
        turn.spawn(Ending(Arc::clone(&turn)));
        turn
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// `stream` is about to hold something, in this memory. Whether the turn ends with that.
    pub(super) fn enter(&self, stream: Arc<dyn Holding>, held: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        if held.capacity() == 0 {
            *held = state.spare.pop().unwrap_or_default();
        }
        state.waiting.push(stream);
        if let ([_], Some(task)) = (&*state.waiting, &state.task) {
            task.wake_by_ref();
        }
        state.over || state.waiting.len() >= MOST
    }

    /// Sends what the streams hold.
    pub(super) fn end(&self) {
        let (mut waiting, mut spare) = {
            let mut state = self.lock();
            (mem::take(&mut state.waiting), mem::take(&mut state.spare))
        };
        spare.extend(waiting.drain(..).filter_map(Holding::send_held));
        spare.truncate(MOST);
        let mut state = self.lock();
        state.spare = spare;
        if state.waiting.is_empty() {
            state.waiting = waiting;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
