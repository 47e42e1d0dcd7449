//! Functions that guests call beyond the ABI, given by whoever registers the plugin.

use std::{collections::HashMap, fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::{Status, call::Call, sources::Sources};

/// A function that guests call by name with `proxy_call_foreign_function`. One whose arguments and answers are types
/// of the contract is rather a [`Function`](crate::Function).
///
/// ```
/// use gateway_plugins::{Call, ForeignFunction, Returned, Status};
///
/// struct Reverse;
///
/// impl ForeignFunction for Reverse {
///     fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
///         call.answer.extend(arguments.iter().rev());
///         Ok(Returned::Written)
///     }
/// }
/// ```
pub trait ForeignFunction: Send + Sync + 'static {
    /// Answers a call. The arguments are the guest's memory. It must not block.
    ///
    /// # Errors
    /// What the guest is told.
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status>;
}

impl<F> ForeignFunction for F
where
    F: Fn(&[u8], &mut Call<'_>) -> Result<Returned, Status> + Send + Sync + 'static,
{
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        self(arguments, call)
    }
}

/// What a foreign function gives.
#[non_exhaustive]
pub enum Returned {
    /// Its result, which stands in [`Call::answer`].
    Written,
    /// Its result.
    Now(Bytes),
    /// Its result, later: the call returns a byte 1 and a token, 32 bits and little-endian, and
    /// `proxy_on_foreign_function` brings the result under that number.
    Later(Pin<Box<dyn Future<Output = Bytes> + Send>>),
}

/// What answers the calls of one plugin.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) sources: Sources,
    functions: HashMap<Box<[u8]>, Arc<dyn ForeignFunction>, RandomState>,
}

impl Services {
    pub(crate) fn new(sources: Sources) -> Self {
        Self { sources, functions: HashMap::default() }
    }

    pub(crate) fn add(&mut self, name: &str, function: Arc<dyn ForeignFunction>) {
        self.functions.insert(name.as_bytes().into(), function);
    }

    pub(crate) fn shared(&self, name: &str) -> Option<Arc<dyn ForeignFunction>> {
        self.functions.get(name.as_bytes()).cloned()
    }

    pub(crate) fn function(&self, name: &[u8]) -> Option<&dyn ForeignFunction> {
        self.functions.get(name).map(AsRef::as_ref)
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.functions.keys().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>();
        f.debug_struct("Services").field("functions", &names).finish_non_exhaustive()
    }
}
