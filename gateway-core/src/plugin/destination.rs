//! Where a plugin may send requests instead of to their route's own service.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{Request, Response};

use super::Exchange;
use crate::Body;

/// Another place than the route's own service: a handler names those that it may choose
/// ([`Handler::destinations`](super::Handler::destinations)) when routes are compiled, and chooses one for a request with
/// [`Exchange::send_to`].
///
/// ```
/// use gateway_core::plugin::Destination;
///
/// let next = Destination::service("users-v2");
/// let pool = Destination::host(Some("users.pool"), None);
/// assert_eq!((next.to_string(), pool.to_string()), ("users-v2".into(), "users.pool".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    to: To,
    label: Box<str>,
}

/// What a [`Destination`] is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum To {
    /// A service, by its name or id: with its endpoints, its protocol, its limits and its path.
    Service(Box<str>),
    /// An upstream by its name, or any host, spoken to as the route's own service is. What is none is that service's.
    Host(Option<Box<str>>, Option<u16>),
}

impl Destination {
    /// A service, by its name or id.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self { to: To::Service(name.into()), label: name.into() }
    }

    /// An upstream by its name, or any host, spoken to as the route's own service is. What is none is that service's.
    #[must_use]
    pub fn host(host: Option<&str>, port: Option<u16>) -> Self {
        let label = match (host, port) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, Some(port)) => format!(":{port}"),
            (None, None) => "own".to_owned(),
        };
        Self { to: To::Host(host.map(Into::into), port), label: label.into() }
    }

    /// What it is.
    #[must_use]
    pub const fn to(&self) -> &To {
        &self.to
    }

    /// What logs and reports call it: the service as it is named, or `host:port`.
    #[must_use]
    pub const fn label(&self) -> &str {
        &self.label
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// A destination, ready to be sent to.
pub trait Way: Send + Sync + 'static {
    /// Whether nobody there takes requests at this moment, as its health checks see it.
    fn is_down(&self) -> bool;

    /// Sends `request` there, for `exchange`. It is an exchange of its own: a copy of one, or a new one.
    fn send(
        &self,
        request: Request<Body>,
        exchange: Exchange,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
}

/// The destinations of a route, compiled.
#[derive(Clone, Default)]
pub struct Ways(Box<[Leading]>);

/// A destination, and the way there.
type Leading = (Arc<Destination>, Arc<dyn Way>);

impl Ways {
    /// The way to `destination`, if the route has it.
    #[must_use]
    pub fn get(&self, destination: &Arc<Destination>) -> Option<&Arc<dyn Way>> {
        // Few; and mostly the very same value, so its text is not looked at.
        self.0.iter().find(|(own, _)| own == destination).map(|(_, way)| way)
    }
}

impl FromIterator<Leading> for Ways {
    fn from_iter<I: IntoIterator<Item = Leading>>(ways: I) -> Self {
        Self(ways.into_iter().collect())
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(destination, _)| destination)).finish()
    }
}

/// Where requests go.
impl Exchange {
    /// The way of this route to `destination`, where it was named when the route was compiled.
    #[must_use]
    pub fn way(&self, destination: &Arc<Destination>) -> Option<&Arc<dyn Way>> {
        self.matched.as_ref()?.ways.get(destination)
    }

    /// Sends the request there instead of to the route's own service: all its tries, whatever becomes of them. Of
    /// several calls the last one counts. A place that the route was not compiled with is answered with
    /// [`Reason::NoService`](crate::Reason::NoService).
    pub fn send_to(&mut self, destination: &Arc<Destination>) {
        self.destination = Some(Arc::clone(destination));
    }

    /// The same where it can take requests: whether it does. A place that the configuration has switched off does not,
    /// nor, where `or_stay` says so, one that has nobody who is well; then the request goes where it would have gone.
    pub(crate) fn send_to_if_well(&mut self, destination: &Arc<Destination>, or_stay: bool) -> bool {
        let goes = self.way(destination).is_some_and(|way| !or_stay || !way.is_down());
        if goes {
            self.send_to(destination);
        }
        goes
    }

    /// A copy for a request beside this one: nothing of it is shown to who logs this one, or sees its answer.
    #[must_use]
    pub fn aside(&self) -> Self {
        let mut copy = self.clone();
        copy.upgrade = None;
        copy.expects_continue = false;
        (copy.tries, copy.timings) = (0, super::Timings::default());
        copy.forget_observers();
        copy
    }

    fn forget_observers(&mut self) {
        self.extensions.remove::<super::Recorded>();
        self.extensions.remove::<super::Tap>();
    }
}
