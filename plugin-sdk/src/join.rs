//! Two things at a time.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Waits for two things at a time, as two callouts: it takes as long as the longer one.
///
/// ```no_run
/// # use plugin_sdk::prelude::*;
/// # async fn doc() -> Result<(), Error> {
/// let (user, quota) = join(Callout::get("users", "/7").send(), Callout::get("quotas", "/7").send()).await;
/// let allowed = user?.status() == 200 && quota?.status() == 200;
/// # Ok(())
/// # }
/// ```
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(move |cx| {
        if first.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(cx)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(cx)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}
