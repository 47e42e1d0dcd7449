//! What a guest has begun and does not wait for within its callback: callouts, and other work. It ends with the instance.

use std::{future::Future, time::Duration};

use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
};

use crate::{
    abi::Status,
    event::Event,
    grpc::{Shape, Teller, run},
    home::{Home, deliver},
    host::Host,
    sources::Calling,
};

impl Host {
    /// Sends a callout, which brings the effective context an event in the end.
    pub(crate) fn spawn_callout(
        &mut self,
        work: impl Future<Output = Event> + Send + 'static,
    ) -> Result<(), Status> {
        let Some(work) = self.eventful(work)? else { return Ok(()) };
        spawn(&mut self.callouts, self.runtime.limits.callouts, work).map(drop)
    }

    /// Makes a call of gRPC, which brings the effective context one event after the other. None where that is of no
    /// worker.
    pub(crate) fn spawn_grpc(
        &mut self,
        calling: Calling,
        token: u32,
        shape: Shape,
    ) -> Result<Option<AbortHandle>, Status> {
        let Home::Worker(worker, life) = self.home.clone() else { return Ok(None) };
        let (context, root) = self.count_call()?;
        let limits = &self.runtime.limits;
        let teller = Teller { worker, life, context, root, token };
        let work = run(calling, shape, limits.callout_answer, teller);
        spawn(&mut self.callouts, limits.callouts, work).map(Some)
    }

    /// Does work beside the callback, which brings the effective context an event in the end.
    pub(crate) fn spawn_event(
        &mut self,
        work: impl Future<Output = Event> + Send + 'static,
    ) -> Result<(), Status> {
        let Some(work) = self.eventful(work)? else { return Ok(()) };
        self.spawn(work)
    }

    /// Does work beside the callback. It ends with the instance.
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) -> Result<(), Status> {
        spawn(&mut self.tasks, self.runtime.limits.waits, work).map(drop)
    }

    /// Work whose event is brought to the effective context; none where that is of no worker. It counts as one more that
    /// the request has asked for, or that is owed for a root.
    fn eventful<W: Future<Output = Event> + Send + 'static>(
        &mut self,
        work: W,
    ) -> Result<Option<impl Future<Output = ()> + Send + use<W>>, Status> {
        let Home::Worker(worker, life) = self.home.clone() else { return Ok(None) };
        let asked = self.count_call()?;
        Ok(Some(async move { deliver(worker, life, asked, work.await).await }))
    }

    /// Counts one more that the effective context has asked for; that, and its root.
    fn count_call(&mut self) -> Result<(u32, u32), Status> {
        let context = self.effective;
        let root = self.root_of(context).ok_or(Status::BadArgument)?;
        match self.streams.get_mut(context) {
            Some(stream) if stream.calls >= self.runtime.limits.request_calls => {
                return Err(Status::InternalFailure);
            }
            Some(stream) => stream.calls += 1,
            None => self.owed += CALL,
        }
        Ok((context, root))
    }
}

/// What a call costs that no request makes: each is asked to wait for so much of the plugin's share.
const CALL: Duration = Duration::from_micros(100);

/// Adds to what is under way, as long as that is less than `most`.
fn spawn(
    tasks: &mut JoinSet<()>,
    most: usize,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<AbortHandle, Status> {
    while tasks.try_join_next().is_some() {}
    let runtime = Handle::try_current().map_err(|_| Status::InternalFailure)?;
    if tasks.len() >= most {
        return Err(Status::InternalFailure);
    }
    Ok(tasks.spawn_on(work, &runtime))
}
