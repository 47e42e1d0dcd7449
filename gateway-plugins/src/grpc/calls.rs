//! The calls of an instance that are under way.

use bytes::Bytes;
use tokio::task::AbortHandle;

use super::{Sending, Shape};
use crate::{abi::Status, by_id::ById, event::Received};

/// The calls under way, by their tokens.
#[derive(Default)]
pub(crate) struct Calls(ById<Call>);

/// A call under way. It is given up when this goes.
pub(crate) struct Call {
    /// The context that made it.
    pub(crate) context: u32,
    pub(crate) root: u32,
    pub(crate) shape: Shape,
    /// The guest's half of a stream, until it ends that.
    pub(crate) sending: Option<Sending>,
    /// None where nothing leaves the instance.
    pub(crate) task: Option<AbortHandle>,
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Calls {
    pub(crate) fn add(&mut self, token: u32, call: Call) {
        self.0.insert(token, call);
    }

    /// Whether the guest is still to be told of what a call has brought. With the last of that the call is over.
    pub(crate) fn take_note(&mut self, token: u32, received: &Received) -> bool {
        let Some(call) = self.0.get(&token) else { return false };
        let last = match received {
            Received::Closed(..) => true,
            Received::Message(_) => matches!(call.shape, Shape::Unary(_)),
            Received::Initial(_) | Received::Trailing(_) => false,
        };
        if last {
            self.0.remove(&token);
        }
        true
    }

    /// Sends a message into a stream of this root's, and perhaps ends the guest's half.
    pub(crate) fn send(
        &mut self,
        token: u32,
        root: u32,
        message: Option<Bytes>,
        (ends, most): (bool, usize),
    ) -> Result<(), Status> {
        let call = self.find(token, root)?;
        let sending = call.sending.as_ref().ok_or(Status::BadArgument)?;
        if !message.is_none_or(|message| sending.send(message, most)) {
            return Err(Status::BadArgument);
        }
        if ends {
            call.sending = None;
        }
        Ok(())
    }

    /// Ends the guest's half of a stream; a call of one message is given up.
    pub(crate) fn close(&mut self, token: u32, root: u32) -> Result<(), Status> {
        let call = self.find(token, root)?;
        match call.shape {
            Shape::Unary(_) => self.cancel(token, root)?,
            Shape::Stream => call.sending = None,
        }
        Ok(())
    }

    /// Gives a call up: the guest hears no more of it.
    pub(crate) fn cancel(&mut self, token: u32, root: u32) -> Result<(), Status> {
        self.find(token, root)?;
        self.0.remove(&token);
        Ok(())
    }

    fn find(&mut self, token: u32, root: u32) -> Result<&mut Call, Status> {
        self.0.get_mut(&token).filter(|call| call.root == root).ok_or(Status::NotFound)
    }

    /// Gives up all that a context has made, or that belongs to a root.
    pub(crate) fn forget(&mut self, context: u32) {
        if !self.0.is_empty() {
            self.0.retain(|_, call| call.context != context && call.root != context);
        }
    }
}
