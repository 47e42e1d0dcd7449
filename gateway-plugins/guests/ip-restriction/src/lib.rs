//! Admits clients by their address.

mod range;

use std::net::IpAddr;

use plugin_sdk::prelude::*;

use crate::range::Range;

/// The configuration.
#[config(at_least_one_of = ["allow", "deny"])]
pub struct Config {
    /// Addresses and ranges (CIDR) that may come in; all others may not.
    #[field(format = "ip-or-cidr")]
    allow: Option<Vec<String>>,
    /// Addresses and ranges (CIDR) that may not come in, even where they are allowed.
    #[field(format = "ip-or-cidr")]
    deny: Option<Vec<String>>,
    /// The status of refusals; 403 where none is given.
    status: Option<f64>,
    /// What refusals say; the address where none is given.
    message: Option<String>,
}

/// The plugin.
pub struct IpRestriction {
    allow: Vec<Range>,
    deny: Vec<Range>,
    status: u16,
    message: Option<String>,
}

#[plugin(
    name = "ip-restriction",
    priority = 990,
    protocols = ["grpc", "grpcs", "http", "https", "tcp", "tls"],
    capabilities = ["response"]
)]
impl IpRestriction {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self {
            allow: range::list(config.allow)?,
            deny: range::list(config.deny)?,
            status: config.status.map_or(403, |status| status as u16),
            message: config.message,
        })
    }

    fn on_request(&self, request: &mut Request) -> Flow {
        let text = request.client_ip();
        let Ok(address) = text.parse::<IpAddr>() else {
            let message = "Cannot identify the client IP address, unix domain sockets are not supported.";
            return Reply::refuse(403, message).into();
        };
        let within = |ranges: &[Range]| ranges.iter().any(|range| range.holds(address));
        if within(&self.deny) || !self.allow.is_empty() && !within(&self.allow) {
            return self.refusal(&text);
        }
        Flow::Continue
    }
}

impl IpRestriction {
    fn refusal(&self, address: &str) -> Flow {
        match self.status {
            400..=599 => {
                let message = self.message.clone();
                let message = message.unwrap_or_else(|| format!("IP address not allowed: {address}"));
                Reply::refuse(self.status, message).into()
            }
            // No refusal has such a status: Kong fails on it, too.
            _ => Reply::refuse(500, "An unexpected error occurred").into(),
        }
    }
}
