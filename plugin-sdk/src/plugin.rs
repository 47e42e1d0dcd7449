//! What `#[plugin]` makes of a type.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::{Chunk, Flow, Log, Outcome, Request, Response, manifest::Manifest, table::Record};

/// A plugin with its configuration. `#[plugin]` implements it from the methods of a block: those that are not there
/// are never called.
pub trait Plugin: Sized + 'static {
    /// Its configuration.
    type Config: DeserializeOwned + Record + 'static;
    /// What it is.
    const MANIFEST: Manifest;

    /// A plugin of a configuration.
    ///
    /// # Errors
    /// What the table of fields cannot say, for whoever wrote the configuration. It names the field.
    fn configure(config: Self::Config) -> Result<Self, String>;

    /// The head of a request has come.
    #[doc(hidden)]
    fn on_request(self: Rc<Self>, message: Request) -> Outcome {
        let _ = message;
        Outcome::now(())
    }

    /// Part of a request's body has come.
    #[doc(hidden)]
    fn on_request_body(&self, message: &mut Request, body: &mut Chunk) -> Flow {
        let _ = (message, body);
        Flow::Continue
    }

    /// The head of the answer has come.
    #[doc(hidden)]
    fn on_response(self: Rc<Self>, message: Response) -> Outcome {
        let _ = message;
        Outcome::now(())
    }

    /// Part of the answer's body has come.
    #[doc(hidden)]
    fn on_response_body(&self, message: &mut Response, body: &mut Chunk) -> Flow {
        let _ = (message, body);
        Flow::Continue
    }

    /// The request is over.
    #[doc(hidden)]
    fn on_log(&self, log: &Log) {
        let _ = log;
    }

    /// The time of a tick.
    #[doc(hidden)]
    fn on_tick(&self) {}
}
