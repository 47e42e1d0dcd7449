//! What a log shows of a request beside its exchange.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderMap, Request, StatusCode, Uri};

use super::Exchange;
use crate::Body;

/// Heads and tries of a request. It stands in [`Exchange::extensions`] once a plugin has called
/// [`Exchange::record`]; the requests that no log asks for carry none.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recorded {
    /// The fields of the request as they were when the last log plugin saw it.
    pub request: HeaderMap,
    /// What the service is asked for.
    pub upstream_uri: Option<Uri>,
    /// The fields of the response as they go to the client.
    pub response: HeaderMap,
    /// The tries in their order.
    pub tries: Vec<Try>,
}

/// One try to have a request answered by an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Try {
    /// Whom it went to.
    pub endpoint: SocketAddr,
    /// When it began, from [`Exchange::started`].
    pub begun: Duration,
    /// The status of the answer; after a failure that which the gateway would answer with. None: under way.
    pub status: Option<StatusCode>,
    /// Whether there was no answer.
    pub failed: bool,
}

/// What logs keep.
impl Exchange {
    /// Keeps the head of `request` for the log, and from here on the tries and the head of the response.
    pub fn record(&mut self, request: &Request<Body>) {
        let recorded = self.extensions.get_or_insert_default::<Recorded>();
        recorded.request.clone_from(request.headers());
        recorded.upstream_uri = Some(request.uri().clone());
    }

    /// Notes that a try begins.
    pub(crate) fn begin_try(&mut self, endpoint: SocketAddr) {
        self.endpoint = Some(endpoint);
        self.tries += 1;
        if let Some(recorded) = self.extensions.get_mut::<Recorded>() {
            let begun = self.started.elapsed();
            recorded.tries.push(Try { endpoint, begun, status: None, failed: false });
        }
    }

    /// Notes that the try under way was none.
    pub(crate) fn withdraw_try(&mut self) {
        self.tries -= 1;
        if let Some(recorded) = self.extensions.get_mut::<Recorded>() {
            recorded.tries.pop();
        }
    }

    /// Of two tries under way the first one, at this endpoint, has ended: what follows is about it.
    pub(crate) fn first_try_ended(&mut self, endpoint: SocketAddr) {
        self.endpoint = Some(endpoint);
        if let Some(recorded) = self.extensions.get_mut::<Recorded>()
            && let [.., first, second] = recorded.tries.as_mut_slice()
        {
            std::mem::swap(first, second);
        }
    }

    /// Notes the answer to the try under way.
    pub(crate) fn end_try(&mut self, status: StatusCode) {
        self.conclude_try(status, false);
    }

    /// Notes that the try under way failed, and what the gateway says of that.
    pub(crate) fn fail_try(&mut self, status: StatusCode) {
        self.conclude_try(status, true);
    }

    fn conclude_try(&mut self, status: StatusCode, failed: bool) {
        let recorded = self.extensions.get_mut::<Recorded>();
        if let Some(attempt) = recorded.and_then(|recorded| recorded.tries.last_mut()) {
            (attempt.status, attempt.failed) = (Some(status), failed);
        }
    }

    /// Notes the fields that go to the client.
    pub(crate) fn record_response(&mut self, headers: &HeaderMap) {
        if let Some(recorded) = self.extensions.get_mut::<Recorded>() {
            recorded.response.clone_from(headers);
        }
    }
}
