//! Holds requests back that come too often.

mod by;
mod config;
mod shown;

use std::rc::Rc;

use plugin_sdk::{
    prelude::*,
    ratelimit::{Algorithm, Decision, Limiter, Report},
};

pub use config::Config;

use crate::{by::By, config::Policy, shown::shown};

/// The plugin: its configuration, ready to be used.
pub struct RateLimiting {
    limiter: Limiter,
    by: By,
    /// Whether each decision is asked of a server.
    waits: bool,
    /// What clients are told of their limits, which may be nothing.
    report: Report,
    fault_tolerant: bool,
    status: u16,
    message: Rc<str>,
}

#[plugin(
    name = "rate-limiting",
    priority = 910,
    protocols = ["grpc", "grpcs", "http", "https"],
    capabilities = ["consumer", "ratelimit", "response"]
)]
impl RateLimiting {
    fn configure(config: Config) -> Result<Self, String> {
        let windows = config.windows()?;
        let report = match config.hide_client_headers {
            true => Report::new(&[], &[]),
            false => shown(windows.iter().map(|(name, window)| (*name, window.limit))),
        };
        let windows = windows.into_iter().map(|(_, window)| window).collect();
        let limiter = Limiter::new("", Algorithm::Fixed, windows, config.store());
        Ok(Self {
            limiter: limiter.map_err(|error| format!("the limiter: {error}"))?,
            by: By::of(&config),
            waits: config.policy == Policy::Redis && config.sync().is_none(),
            report: report.map_err(|error| format!("the header fields: {error}"))?,
            fault_tolerant: config.fault_tolerant,
            status: config.error_code as u16,
            message: config.error_message.into(),
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "a phase that chooses whether it waits has this form")]
    fn on_request(self: Rc<Self>, request: Request) -> Outcome {
        let who = self.by.who(&request);
        if !self.waits {
            return Outcome::now(self.judge(self.limiter.allow(who.key(), 1, self.report)));
        }
        Outcome::later(async move {
            let decision = self.limiter.check(who.key(), 1).await;
            self.judge(decision.map(|decision| decision.map(|decision| self.told(decision))))
        })
    }
}

impl RateLimiting {
    /// Tells the client of a decision, and says whether it lets the request through.
    fn told(&self, decision: Decision) -> bool {
        let allowed = decision.allowed;
        self.report.tell(decision);
        allowed
    }

    fn judge(&self, allowed: Result<Option<bool>, Error>) -> Flow {
        match allowed {
            Ok(Some(true)) => Flow::Continue,
            Ok(Some(false)) => self.refusal(),
            Ok(None) | Err(_) => self.uncounted(),
        }
    }

    /// Nothing could be counted.
    fn uncounted(&self) -> Flow {
        if self.fault_tolerant { Flow::Continue } else { unexpected() }
    }

    fn refusal(&self) -> Flow {
        match self.status {
            400..=599 => Reply::refuse(self.status, self.message.to_string()).into(),
            // No refusal has such a status: Kong fails on it, too.
            _ => unexpected(),
        }
    }
}

fn unexpected() -> Flow {
    Reply::refuse(500, "An unexpected error occurred").into()
}
