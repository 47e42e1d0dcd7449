//! What goes on beside the requests of an upstream: looking names up, and probing.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Upstream, lookup::keep_resolved, probing::keep_probed, task::Task};

impl Upstream {
    /// Begins its work on `runtime`: looking names up, and probing. Otherwise the first request begins it.
    pub fn start(self: &Arc<Self>, runtime: &Handle) {
        self.tasks.get_or_init(|| {
            let resolving = self.named.then(|| runtime.spawn(keep_resolved(Arc::downgrade(self))));
            let prober = self.watch.as_ref().and_then(|watch| watch.prober.as_ref());
            let probing =
                prober.map(|prober| runtime.spawn(keep_probed(Arc::downgrade(self), Arc::clone(prober))));
            let tasks = resolving.into_iter().chain(probing);
            tasks.map(|task| Task(task.abort_handle())).collect()
        });
    }

    /// The same where it is probed: that does not wait for a request.
    pub(crate) fn start_probes(self: &Arc<Self>, runtime: &Handle) {
        if self.watch.as_ref().is_some_and(|watch| watch.prober.is_some()) {
            self.start(runtime);
        }
    }
}
