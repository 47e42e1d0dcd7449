//! Where the time of a request went, as Kong splits it.

use std::time::Duration;

use crate::plugin::Timings;

/// Kong's three latencies and the time the answer took to arrive (compat A 1.14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latencies {
    /// What the gateway took: until it forwarded, or for the whole of an answer of its own.
    pub gateway: Duration,
    /// What the upstream took until the head of its response; none where it gave none.
    pub upstream: Option<Duration>,
    /// From the head of the upstream's response to the last byte that went to the client.
    pub receive: Duration,
    /// From the request's head to the last byte that went to the client.
    pub request: Duration,
}

impl From<Timings> for Latencies {
    fn from(timings: Timings) -> Self {
        let request = timings.finished.or(timings.responded).or(timings.forwarded).unwrap_or_default();
        let upstream = timings.responded.map(|at| at.saturating_sub(timings.forwarded.unwrap_or_default()));
        Self {
            gateway: timings.forwarded.unwrap_or(request),
            upstream,
            receive: timings.responded.map_or(Duration::ZERO, |at| request.saturating_sub(at)),
            request,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latencies;
    use crate::plugin::Timings;

    #[test]
    fn an_own_answer_is_all_the_gateways_time() {
        let millis = |millis| Some(Duration::from_millis(millis));
        let mut timings = Timings { finished: millis(4), ..Timings::default() };
        let own = Latencies::from(timings);
        assert_eq!((own.gateway, own.upstream, own.request), (Duration::from_millis(4), None, own.gateway));
        timings.forwarded = millis(1);
        timings.responded = millis(3);
        let proxied = Latencies::from(timings);
        assert_eq!((proxied.gateway, proxied.upstream), (Duration::from_millis(1), millis(2)));
        assert_eq!((proxied.receive, proxied.request), (Duration::from_millis(1), Duration::from_millis(4)));
    }
}
