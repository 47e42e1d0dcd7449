//! Sends crawlers away by what they call themselves.

mod known;
mod seen;

use std::cell::RefCell;

use plugin_sdk::prelude::*;
use regex_lite::Regex;

use crate::seen::Seen;

/// The configuration.
#[config]
pub struct Config {
    /// Regular expressions of a `User-Agent` that may come in, whatever else it says.
    #[field(default = [], format = "regex")]
    allow: Vec<String>,
    /// Regular expressions of a `User-Agent` that may not come in, beside the crawlers that are known.
    #[field(default = [], format = "regex")]
    deny: Vec<String>,
}

/// The plugin.
pub struct BotDetection {
    allow: Vec<Regex>,
    deny: Vec<Regex>,
    seen: RefCell<Seen>,
}

#[plugin(name = "bot-detection", priority = 2500, protocols = ["grpc", "grpcs", "http", "https"], no_consumer)]
impl BotDetection {
    fn configure(config: Config) -> Result<Self, String> {
        let Config { allow, deny } = config;
        Ok(Self { allow: compiled(&allow)?, deny: compiled(&deny)?, seen: RefCell::default() })
    }

    fn on_request(&self, request: &mut Request) -> Flow {
        let Some(agent) = request.header("user-agent") else { return Flow::Continue };
        if request.header_values("user-agent").len() > 1 {
            return Reply::refuse(400, "Only one User-Agent header allowed").into();
        }
        let agent = agent.trim();
        if self.seen.borrow_mut().judge(agent, |agent| self.is_refused(agent)) {
            return Reply::refuse(403, "Forbidden").into();
        }
        Flow::Continue
    }
}

impl BotDetection {
    fn is_refused(&self, agent: &str) -> bool {
        let found = |list: &[Regex]| list.iter().any(|regex| regex.is_match(agent));
        !found(&self.allow) && (found(&self.deny) || known::is_crawler(agent))
    }
}

fn compiled(list: &[String]) -> Result<Vec<Regex>, String> {
    let compile = |pattern: &String| Regex::new(pattern).map_err(|_| format!("not a valid regex: {pattern}"));
    list.iter().map(compile).collect()
}
