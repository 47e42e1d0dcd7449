//! A function of the gateway that a test answers.

use std::sync::Arc;

use gateway_plugins::{Call, ForeignFunction, Returned, Status};

use crate::link::{self, Link};

/// A function of the gateway that a test answers.
pub(crate) struct Relay {
    pub(crate) name: String,
    pub(crate) link: Arc<Link>,
}

impl ForeignFunction for Relay {
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        match self.link.call(&self.name, arguments) {
            link::Returned::Now(bytes) => {
                call.answer.extend(bytes);
                Ok(Returned::Written)
            }
            link::Returned::Later(late) => {
                Ok(Returned::Later(Box::pin(async { late.await.unwrap_or_default().into() })))
            }
            link::Returned::Failed(1) => Err(Status::NotFound),
            link::Returned::Failed(2) => Err(Status::BadArgument),
            link::Returned::Failed(_) => Err(Status::InternalFailure),
        }
    }
}
