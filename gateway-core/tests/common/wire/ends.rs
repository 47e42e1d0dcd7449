//! How exchanges ended, as a plugin that sees all of them heard it.

use std::sync::{Arc, Mutex};

use gateway_core::{
    Reason,
    config::schema::Record,
    plugin::{Configured, Exchange, Handler, Plugin, Source},
};

/// How one exchange ended, as a plugin that sees all of them heard it.
#[derive(Clone, Debug)]
pub struct End {
    pub path: String,
    pub status: u16,
    pub reason: Option<Reason>,
    pub source: Source,
}

/// The ends of all exchanges that found a route.
#[derive(Clone, Default)]
pub struct Ends(Arc<Mutex<Vec<End>>>, Record);

impl Ends {
    pub fn take(&self) -> Vec<End> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Handler for Ends {
    fn on_log(&self, exchange: &Exchange) {
        self.0.lock().unwrap().push(End {
            path: exchange.uri.path().to_owned(),
            status: exchange.status.as_u16(),
            reason: exchange.reason,
            source: exchange.source,
        });
    }
}

impl Plugin for Ends {
    fn name(&self) -> &'static str {
        "ends"
    }

    fn priority(&self) -> i32 {
        1
    }

    fn schema(&self) -> &Record {
        &self.1
    }

    fn configure(&self, _: &serde_json::Value) -> Result<Configured, String> {
        Ok(Configured::handler(self.clone()))
    }
}
