//! Holds requests back that come too often.

mod by;
mod config;
mod shown;

use std::rc::Rc;

use plugin_sdk::{
    prelude::*,
    ratelimit::{Algorithm, Decision, Limiter},
};

pub use config::Config;

use crate::{by::By, config::Policy, shown::Shown};

/// The plugin: its configuration, ready to be used.
pub struct RateLimiting {
    limiter: Limiter,
    by: By,
    /// Whether each decision is asked of a server.
    waits: bool,
    /// What clients are told of each window; nothing where they are told nothing.
    shown: Option<Shown>,
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
        let shown = || Shown::new(windows.iter().map(|(name, window)| (*name, window.limit)));
        let shown = (!config.hide_client_headers).then(shown).transpose();
        let windows = windows.into_iter().map(|(_, window)| window).collect();
        let limiter = Limiter::new("requests", Algorithm::Fixed, windows, config.store());
        Ok(Self {
            limiter: limiter.map_err(|error| format!("the limiter: {error}"))?,
            by: By::of(&config),
            waits: config.policy == Policy::Redis && config.sync().is_none(),
            shown: shown.map_err(|error| format!("the header fields: {error}"))?,
            fault_tolerant: config.fault_tolerant,
            status: config.error_code as u16,
            message: config.error_message.into(),
        })
    }

    fn on_request(self: Rc<Self>, mut request: Request) -> Outcome {
        let who = self.by.who(&request);
        if !self.waits {
            return Outcome::now(self.judge(&mut request, self.limiter.check_now(who.key(), 1)));
        }
        Outcome::later(async move {
            let decision = self.limiter.check(who.key(), 1).await;
            self.judge(&mut request, decision)
        })
    }
}

impl RateLimiting {
    fn judge(&self, request: &mut Request, decision: Result<Option<Decision>, Error>) -> Flow {
        let Ok(Some(decision)) = decision else { return self.uncounted() };
        if let Some(shown) = &self.shown {
            shown.tell(request, &decision.windows, decision.allowed);
        }
        if decision.allowed { Flow::Continue } else { self.refusal() }
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
