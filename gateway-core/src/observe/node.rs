//! What only the node's owner can say to a scrape.

use std::time::Duration;

use super::server::ServerStatus;
use crate::plugin::Reading;

/// What of the node only its owner knows, at the moment of a scrape.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NodeState {
    /// The node's id.
    pub node_id: String,
    /// The version it shows.
    pub version: String,
    /// Connections and requests.
    pub server: ServerStatus,
    /// Whether the store answers.
    pub datastore_reachable: bool,
    /// Every target with the state of its addresses.
    pub targets: Vec<TargetState>,
    /// What plugins show ([`Snapshot::readings`](crate::Snapshot::readings)).
    pub readings: Vec<PolicyReading>,
    /// Lines the access log had to drop.
    pub access_log_dropped: u64,
}

/// A number that a plugin shows.
#[derive(Clone, Debug)]
pub struct PolicyReading {
    /// The name of the service that it is about, else its host; empty where it is about none.
    pub service: String,
    /// The configuration that it belongs to: its `instance_name`, else its id. The plugin's name where it is about all of
    /// its configurations.
    pub plugin: String,
    /// The number, with its metric.
    pub reading: Reading,
}

impl PolicyReading {
    /// What samples of one metric are ordered by.
    pub(super) fn order(&self) -> impl Ord + '_ {
        (&self.service, &self.plugin, &self.reading.labels)
    }
}

/// One address of a target.
#[derive(Clone, Debug)]
pub struct TargetState {
    /// The upstream's name.
    pub upstream: String,
    /// The target as configured, `host:port`.
    pub target: String,
    /// `ip:port`; empty where the name does not resolve.
    pub address: String,
    /// How it is.
    pub health: TargetHealth,
    /// How many probes of it have ended, and how long ago the last one did; none where none has.
    pub probed: Option<(u64, Duration)>,
}

/// The states of an address, in the order of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    /// Nobody checks.
    HealthchecksOff,
    /// Takes requests.
    Healthy,
    /// Takes none.
    Unhealthy,
    /// The name does not resolve.
    DnsError,
}

impl TargetHealth {
    pub(super) const ALL: [Self; 4] = [Self::HealthchecksOff, Self::Healthy, Self::Unhealthy, Self::DnsError];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::HealthchecksOff => "healthchecks_off",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::DnsError => "dns_error",
        }
    }
}
