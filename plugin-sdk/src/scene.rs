//! What goes on between callbacks: phases that wait, what they wait for, and what plugins keep for a request.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::{
    Flow, Reply, ask,
    flow::{Later, Outcome, Stage},
    host::{self, Buffer, Side},
};

/// What a callback returns (`proxy_action_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[doc(hidden)]
pub enum Action {
    Continue = 0,
    Pause = 1,
}

/// What comes in the end of a call that was not answered at once.
pub(crate) enum Answer {
    /// A callout's; none where it failed.
    Called(Option<crate::Answer>),
    /// A foreign function's.
    Foreign(Vec<u8>),
}

/// A phase that waits.
struct Task {
    side: Side,
    phase: Later,
}

/// A body that a phase waits for.
enum Body {
    Wanted,
    Here(Vec<u8>),
    /// It came whole before anybody wanted it: the gateway has it at hand while the head is held.
    Unread,
}

#[derive(Default)]
struct Scene {
    /// The context of the running callback.
    current: Cell<u32>,
    tasks: RefCell<BTreeMap<u32, Task>>,
    /// Which request waits for a token.
    owners: RefCell<BTreeMap<u32, u32>>,
    answers: RefCell<BTreeMap<u32, Answer>>,
    bodies: RefCell<BTreeMap<u32, Body>>,
    kept: RefCell<BTreeMap<u32, Vec<Box<dyn Any>>>>,
}

#[cfg(test)]
impl Scene {
    /// How much is kept, of all kinds.
    fn len(&self) -> usize {
        let answers = self.owners.borrow().len() + self.answers.borrow().len();
        self.tasks.borrow().len() + answers + self.bodies.borrow().len() + self.kept.borrow().len()
    }
}

thread_local! {
    static SCENE: Scene = Scene::default();
}

/// Runs a phase of a request as far as it goes.
#[inline]
pub(crate) fn run(context: u32, side: Side, phase: impl FnOnce() -> Outcome) -> Action {
    SCENE.with(|scene| scene.current.set(context));
    match phase().0 {
        Stage::Now(flow) => decide(flow),
        Stage::Later(phase) => proceed(context, Task { side, phase }).map_or(Action::Pause, decide),
    }
}

/// An answer has come for whoever waits for it.
pub(crate) fn answered(token: u32, answer: Answer) {
    let Some(context) = SCENE.with(|scene| scene.owners.borrow_mut().remove(&token)) else { return };
    SCENE.with(|scene| scene.answers.borrow_mut().insert(token, answer));
    wake(context);
}

/// Whether a phase waits for the body.
pub(crate) fn wants_body(context: u32) -> bool {
    SCENE.with(|scene| matches!(scene.bodies.borrow().get(&context), Some(Body::Wanted)))
}

/// A body has come whole, and whoever may want it waits for something else.
pub(crate) fn body_unread(context: u32) {
    SCENE.with(|scene| {
        if scene.tasks.borrow().contains_key(&context) {
            scene.bodies.borrow_mut().insert(context, Body::Unread);
        }
    });
}

/// A body has come whole for the phase that waits for it.
pub(crate) fn body_here(context: u32, body: Vec<u8>) {
    SCENE.with(|scene| scene.bodies.borrow_mut().insert(context, Body::Here(body)));
    wake(context);
}

/// A request is over.
pub(crate) fn forget(context: u32) {
    SCENE.with(|scene| {
        // What is dropped may look at the scene: nothing of it is borrowed then.
        let task = scene.tasks.borrow_mut().remove(&context);
        drop(task);
        let kept = scene.kept.borrow_mut().remove(&context);
        drop(kept);
        scene.bodies.borrow_mut().remove(&context);
        scene.owners.borrow_mut().retain(|_, owner| *owner != context);
    });
}

/// Waits for the answer to a call.
pub(crate) async fn wait(token: u32) -> Answer {
    let context = SCENE.with(|scene| scene.current.get());
    SCENE.with(|scene| scene.owners.borrow_mut().insert(token, context));
    let awaited = Awaited(token);
    poll_fn(move |_| awaited.take().map_or(Poll::Pending, Poll::Ready)).await
}

/// Waits for the body of a request.
pub(crate) async fn body(context: u32) -> Vec<u8> {
    let before = SCENE.with(|scene| scene.bodies.borrow_mut().insert(context, Body::Wanted));
    if matches!(before, Some(Body::Unread)) {
        SCENE.with(|scene| scene.bodies.borrow_mut().remove(&context));
        return host::bytes(Buffer::RequestBody, 0, usize::MAX);
    }
    poll_fn(|_| {
        SCENE.with(|scene| {
            let mut bodies = scene.bodies.borrow_mut();
            match bodies.remove(&context) {
                Some(Body::Here(body)) => return Poll::Ready(body),
                Some(waiting) => drop(bodies.insert(context, waiting)),
                None => {}
            }
            Poll::Pending
        })
    })
    .await
}

/// Keeps a value for a request.
pub(crate) fn keep(context: u32, value: Box<dyn Any>) {
    host::keeps();
    SCENE.with(|scene| scene.kept.borrow_mut().entry(context).or_default().push(value));
}

/// Takes the value of this type that is kept for a request.
pub(crate) fn kept<T: Any>(context: u32) -> Option<T> {
    SCENE.with(|scene| {
        let mut kept = scene.kept.borrow_mut();
        let values = kept.get_mut(&context)?;
        let at = values.iter().position(|value| value.is::<T>())?;
        values.swap_remove(at).downcast().ok().map(|value| *value)
    })
}

/// An answer that somebody waits for: nobody does once this is gone.
struct Awaited(u32);

impl Awaited {
    fn take(&self) -> Option<Answer> {
        SCENE.with(|scene| scene.answers.borrow_mut().remove(&self.0))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        SCENE.with(|scene| {
            scene.owners.borrow_mut().remove(&self.0);
            scene.answers.borrow_mut().remove(&self.0);
        });
    }
}

/// Lets a phase that waits go on, for the request it belongs to.
fn wake(context: u32) {
    let Some(task) = SCENE.with(|scene| scene.tasks.borrow_mut().remove(&context)) else { return };
    let side = task.side;
    SCENE.with(|scene| scene.current.set(context));
    host::effective_context(context);
    if let Some(flow) = proceed(context, task)
        && decide(flow) == Action::Continue
    {
        host::resume(side);
    }
}

/// Polls a phase; it is kept where it waits.
fn proceed(context: u32, mut task: Task) -> Option<Flow> {
    match Pin::new(&mut task.phase).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(flow) => Some(flow),
        Poll::Pending => {
            host::keeps();
            SCENE.with(|scene| scene.tasks.borrow_mut().insert(context, task));
            None
        }
    }
}

#[inline]
pub(crate) fn decide(flow: Flow) -> Action {
    match flow {
        Flow::Continue => Action::Continue,
        Flow::Hold => Action::Pause,
        Flow::Reply(reply) => {
            send(&reply);
            Action::Pause
        }
    }
}

fn send(reply: &Reply) {
    let headers: Vec<_> = reply.headers().collect();
    if let Some(message) = reply.refusal() {
        let call = plugin_contract::response::Refuse { status: reply.status(), message, headers };
        if ask::now(&call, |()| ()).is_ok() {
            return;
        }
        let plain = reply.clone().message(message);
        let headers: Vec<_> = plain.headers().collect();
        return host::reply(plain.status(), &headers, plain.body());
    }
    host::reply(reply.status(), &headers, reply.body());
}

#[cfg(test)]
mod tests;
