//! Which metrics of a route are shown.

/// Which metrics of a route are shown: the switches of Kong's plugin `prometheus`, for the routes that a
/// configuration of it applies to.
///
/// ```
/// use gateway_core::plugin::Series;
///
/// let latencies = Series { latencies: true, ..Series::default() };
/// assert!(!latencies.status_codes);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Requests by status: `status_code_metrics`.
    pub status_codes: bool,
    /// Bytes in and out: `bandwidth_metrics`.
    pub bandwidth: bool,
    /// The three histograms: `latency_metrics`.
    pub latencies: bool,
    /// The health of all targets of the node: `upstream_health_metrics`.
    pub upstream_health: bool,
    /// Requests and bytes by consumer, too: `per_consumer`.
    pub per_consumer: bool,
}
