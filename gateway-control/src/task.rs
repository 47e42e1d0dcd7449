//! A task on a thread of its own.

use std::{
    io,
    thread::{self, JoinHandle},
};

use tokio::{runtime::Builder, sync::oneshot};

/// A task on a thread of its own, until it ends or this is dropped. It may block the thread, which does nothing else; that
/// it is to stop is heard where it waits.
#[derive(Debug)]
pub(crate) struct Task {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Task {
    /// Begins with what `begin` makes on the thread, which is named `name`.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(crate) fn spawn<F: Future<Output = ()>>(
        name: &str,
        begin: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = begin() => {}
                }
            });
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
