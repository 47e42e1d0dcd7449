//! Functions of the contract: typed on the inside, bytes on the outside.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use plugin_contract::{NOW, decode, encode};
use serde::{Deserialize, Serialize};

use crate::{
    Status,
    call::Call,
    services::{ForeignFunction, Returned, Services},
};

/// A function whose arguments and answers are those of a [`plugin_contract::Call`]. It is registered with
/// [`Builder::serve`](crate::Builder::serve); the bytes, and the one that says whether an answer is there already, are
/// read and written around it.
///
/// ```
/// use gateway_plugins::{Call, Function, Reply, Status};
/// use plugin_contract::var::Get;
///
/// /// Nothing is ever set.
/// struct Forgets;
///
/// impl Function for Forgets {
///     type Arguments<'a> = Get<'a>;
///
///     fn call<'a>(&'a self, get: Get<'a>, _: &'a mut Call<'_>) -> Result<Reply<Option<&'a [u8]>>, Status> {
///         if get.name.is_empty() { Err(Status::BadArgument) } else { Ok(Reply::Now(None)) }
///     }
/// }
/// ```
pub trait Function: Send + Sync + 'static {
    /// The arguments, with the name and the answer that belong to them.
    type Arguments<'a>: plugin_contract::Call + Deserialize<'a>;

    /// Answers a call. It must not block. [`Call::answer`] is not at hand: the answer is what it returns.
    ///
    /// # Errors
    /// What the guest is told.
    fn call<'a>(
        &'a self,
        arguments: Self::Arguments<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<Answer<'a, Self>>, Status>;
}

/// What a function answers.
pub type Answer<'a, F> = <<F as Function>::Arguments<'a> as plugin_contract::Call>::Answer<'a>;

/// An answer of a [`Function`].
#[non_exhaustive]
pub enum Reply<A> {
    /// The answer.
    Now(A),
    /// The answer, later: its bytes. [`Reply::later`] makes them.
    Later(Pin<Box<dyn Future<Output = Bytes> + Send>>),
}

impl<A> Reply<A> {
    /// An answer that comes later. It must be of the same type as one that is there at once.
    pub fn later<T: Serialize>(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(async move {
            // What cannot be encoded is not part of the contract.
            encode(&answer.await, Vec::new()).unwrap_or_default().into()
        }))
    }
}

/// Registers a function under the name that the contract has for it.
pub(crate) fn serve<F: Function>(services: &mut Services, function: F) {
    services.add(<F::Arguments<'static> as plugin_contract::Call>::NAME, Arc::new(Typed(function)));
}

/// A function as the host calls it.
struct Typed<F>(F);

impl<F: Function> ForeignFunction for Typed<F> {
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        let arguments = decode::<F::Arguments<'_>>(arguments).ok_or(Status::BadArgument)?;
        // The answer may point into all that is lent, so its bytes stand apart meanwhile.
        let mut answer = std::mem::take(call.answer);
        answer.push(NOW);
        let returned = match self.0.call(arguments, call)? {
            Reply::Now(value) => {
                answer = encode(&value, answer).map_err(|_| Status::SerializationFailure)?;
                Returned::Written
            }
            Reply::Later(late) => Returned::Later(late),
        };
        *call.answer = answer;
        Ok(returned)
    }
}
