//! Sends crawlers away by what they call themselves.

mod known;
mod seen;

use std::cell::RefCell;

use plugin_sdk::prelude::*;
use regex_lite::{Regex, RegexBuilder};

use crate::seen::Seen;

/// Bytes of a `User-Agent` that are looked at. Browsers and crawlers write 100 to 300.
const LONGEST: usize = 512;

/// The largest expression, bytes once compiled: some hundred states.
const LARGEST: usize = 16 << 10;

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

#[plugin(
    name = "bot-detection",
    priority = 2500,
    protocols = ["grpc", "grpcs", "http", "https"],
    no_consumer,
    capabilities = ["response"]
)]
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
        let agent = beginning(agent.trim());
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
    list.iter().map(|pattern| compile(pattern)).collect()
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let sized = |bytes| RegexBuilder::new(pattern).size_limit(bytes).build();
    let wrong = |_| match Regex::new(pattern) {
        Ok(_) => format!("regex takes too long to match: {pattern}"),
        Err(_) => format!("not a valid regex: {pattern}"),
    };
    sized(LARGEST).map_err(wrong)
}

/// As much of `agent` as is looked at: bytes times the states of an expression is what a request costs.
fn beginning(agent: &str) -> &str {
    agent.get(..agent.floor_char_boundary(LONGEST)).unwrap_or(agent)
}
