//! A plugin with all phases, and something of everything: for the tests of the testing kit and of the testbed.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic fails the test")]

use std::time::Duration;

use plugin_sdk::{
    metrics::Counter,
    prelude::*,
    ratelimit::{Algorithm, Limiter, Period, Store, Window},
};

/// Everything that a test may want to see.
#[config(mutually_exclusive = ["minute", "redis"])]
pub struct Config {
    /// Requests a minute.
    #[field(between = (1, 10))]
    minute: Option<u64>,
    /// The same, counted elsewhere.
    #[field(greater_than = 0)]
    redis: Option<u64>,
    /// A group.
    group: Option<String>,
    /// Seconds between ticks.
    #[field(default = 0)]
    tick: u64,
}

/// The plugin.
pub struct Front {
    config: Config,
    limiter: Option<Limiter>,
    seen: Counter,
}

#[plugin(name = "front", priority = 900)]
impl Front {
    fn configure(config: Config) -> Result<Self, String> {
        let window = |limit| vec![Window { period: Period::Minute, limit }];
        let limiter = |limit, store| Limiter::new("requests", Algorithm::Fixed, window(limit), store);
        let redis = plugin_sdk::ratelimit::Redis {
            host: "redis",
            port: 6379,
            timeout: 1000,
            username: None,
            password: None,
            database: 0,
            tls: false,
            verify: true,
            server_name: None,
            sync: None,
        };
        let limiter = match (config.minute, config.redis) {
            (Some(limit), _) => Some(limiter(limit, Store::Local).map_err(|error| error.to_string())?),
            (_, Some(limit)) => Some(limiter(limit, Store::Redis(redis)).map_err(|error| error.to_string())?),
            _ => None,
        };
        if config.group.as_deref() == Some("nobody") {
            return Err("group: nobody is in it".to_owned());
        }
        if config.tick > 0 {
            time::tick_every(Duration::from_secs(config.tick));
        }
        Ok(Self { config, limiter, seen: Counter::new("seen").map_err(|error| error.to_string())? })
    }

    async fn on_request(&self, request: &mut Request) -> Result<(), Reply> {
        self.seen.increment();
        request.remove_header("x-internal");
        request.set_header("content-length", "9");
        let key = request.header("apikey").unwrap_or_default();
        let known = consumer::by_key(consumer::Kind::Key, &key).unwrap();
        if let Some(group) = &self.config.group
            && !consumer::groups().unwrap().contains(group)
        {
            let status = if known.is_some() { 403 } else { 401 };
            return Err(Reply::refuse(status, "You cannot consume this service").header("x-why", "acl"));
        }
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let decision = limiter.check(&request.client_ip(), 1).await.unwrap().unwrap();
        let window = decision.windows[0];
        request.set_response_header("ratelimit-remaining", &window.remaining.to_string());
        if !decision.allowed {
            let reset = window.reset.to_string();
            return Err(Reply::refuse(429, "API rate limit exceeded").header("retry-after", reset));
        }
        Ok(())
    }

    fn on_request_body(&self, _: &mut Request, body: &mut Chunk) -> Flow {
        if !body.is_end() {
            return Flow::Hold;
        }
        let upper = body.bytes().to_ascii_uppercase();
        if upper.is_empty() {
            return Reply::new(411).into();
        }
        body.replace(&upper);
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response) {
        response.add_header("x-front", "seen");
        let _ = var::set("status", response.status().to_string().as_bytes());
    }

    fn on_response_body(&self, _: &mut Response, body: &mut Chunk) {
        body.replace(&body.bytes().to_ascii_uppercase());
    }

    fn on_log(&self, log: &Log) {
        let status = String::from_utf8(var::get("status").unwrap().unwrap()).unwrap();
        info!("{} {status} {}", log.request_header(":path").unwrap(), log.status());
    }

    fn on_tick(&self) {
        info!("tick");
    }
}
