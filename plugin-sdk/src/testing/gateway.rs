//! A gateway for one plugin.

use std::{rc::Rc, time::Duration};

use plugin_contract::Call;
use serde::Deserialize;
use serde_json::Value;

use super::{
    answer::Answer,
    check::violations,
    consumers::Consumer,
    native::Native,
    remote::Remote,
    request::{Received, Request},
    response::Response,
    scripted::Scripted,
    server::Server,
    world::World,
};
use crate::{Plugin, host::Level, runtime::Runtime, table};

/// A gateway with one plugin in it, and a world that a test scripts around it.
///
/// Time stands still at midnight of the first day of 2026 (UTC). It goes on where the plugin waits, and as far as it
/// must; and where the test says so.
#[must_use]
pub struct Gateway {
    world: Rc<World>,
    plugin: Tested,
}

/// Where the plugin is.
enum Tested {
    /// In the test itself.
    Native(Native),
    /// In a testbed, built.
    Remote(Remote),
}

impl Gateway {
    /// With the plugin `P` in this configuration.
    ///
    /// # Errors
    /// What the gateway says of a configuration that it refuses, each problem in a line with the field's path; and
    /// what the plugin says.
    pub fn new<P: Plugin>(config: Value) -> Result<Self, String> {
        let world = Rc::new(World::default());
        if let Some(remote) = Remote::new(&world, P::MANIFEST.name, &config) {
            return Ok(Self { world, plugin: Tested::Remote(remote?) });
        }
        let config = table::filled(&P::MANIFEST.config, config);
        let problems = violations(&P::MANIFEST.config, &config);
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        let guest = Box::new(Runtime::<P>::default());
        let plugin = Tested::Native(Native::new(Rc::clone(&world), guest, P::MANIFEST, &config)?);
        Ok(Self { world, plugin })
    }

    /// Where this consumer is known: `|consumer| consumer.key("abc").group("admins")`.
    pub fn consumer(self, username: &str, with: impl FnOnce(Consumer) -> Consumer) -> Self {
        self.world.consumers.borrow_mut().push(with(Consumer::new(username)));
        self
    }

    /// Where the upstream answers so. Without it, it answers 200 with an empty body.
    pub fn upstream(self, answer: impl FnMut(&Received) -> Response + 'static) -> Self {
        self.service("", answer)
    }

    /// Where a service of this name answers the plugin's callouts so. Services without a name here may not be called.
    pub fn service(self, name: &str, answer: impl FnMut(&Received) -> Response + 'static) -> Self {
        self.world.services.borrow_mut().insert(name.to_owned(), Box::new(answer));
        self
    }

    /// Where a function of the gateway answers so, in place of what it would say.
    ///
    /// ```
    /// # use plugin_sdk::prelude::*;
    /// # struct Nothing;
    /// # #[plugin(name = "nothing")]
    /// # impl Nothing {
    /// #     fn configure((): ()) -> Result<Self, String> { Ok(Self) }
    /// #     fn on_request(&self, request: &mut Request) {
    /// #         request.set_header("x-mood", &String::from_utf8(var::get("mood").unwrap().unwrap()).unwrap());
    /// #     }
    /// # }
    /// # use plugin_sdk::testing::{self, Gateway, json};
    /// # fn main() {
    /// use plugin_sdk::contract::var::Get;
    ///
    /// let mut gateway = Gateway::new::<Nothing>(json!({})).unwrap().function(|get: Get<'static>| {
    ///     assert_eq!(get.name, "mood");
    ///     Some(&b"fine"[..])
    /// });
    /// let answer = gateway.send(testing::Request::get("/"));
    /// assert_eq!(answer.upstream().header("x-mood"), Some("fine"));
    /// # }
    /// ```
    pub fn function<C, F>(self, answer: F) -> Self
    where
        C: Call + Deserialize<'static> + 'static,
        F: FnMut(C) -> C::Answer<'static> + 'static,
    {
        self.scripted(None, answer)
    }

    /// The same for answers that take time: the plugin has to wait for them, if only for no time at all.
    pub fn slow_function<C, F>(self, delay: Duration, answer: F) -> Self
    where
        C: Call + Deserialize<'static> + 'static,
        F: FnMut(C) -> C::Answer<'static> + 'static,
    {
        self.scripted(Some(delay), answer)
    }

    fn scripted<C, F>(self, delay: Option<Duration>, answer: F) -> Self
    where
        C: Call + Deserialize<'static> + 'static,
        F: FnMut(C) -> C::Answer<'static> + 'static,
    {
        self.world.functions.borrow_mut().insert(C::NAME, Scripted::new(delay, answer));
        self
    }

    /// Where values on a server lie on this one. Without it, the gateway has one of its own.
    pub fn server(self, server: &Server) -> Self {
        *self.world.server.borrow_mut() = server.clone();
        self
    }

    /// Where a property has this value: `["upstream", "address"]`.
    pub fn property(self, path: &[&str], value: impl Into<Vec<u8>>) -> Self {
        self.world.properties.borrow_mut().insert(path.join("."), value.into());
        self
    }

    /// At this time, in seconds since 1970.
    pub fn at(self, seconds: u64) -> Self {
        self.world.clock.set(Duration::from_secs(seconds));
        self
    }

    /// Sends a request, and gives what came of it.
    ///
    /// # Panics
    /// Where the plugin panics, and where it waits for what will never come.
    pub fn send(&mut self, request: Request) -> Answer {
        match &self.plugin {
            Tested::Native(native) => native.send(request),
            Tested::Remote(remote) => remote.send(request),
        }
    }

    /// Sends a request whose client goes away as soon as the plugin waits for something. Says whether it ever did.
    pub fn abandon(&mut self, request: Request) -> bool {
        match &self.plugin {
            Tested::Native(native) => native.abandon(request),
            Tested::Remote(remote) => remote.abandon(request),
        }
    }

    /// Lets time pass: ticks, and answers that nobody waits for any more, come when they are due.
    pub fn pass(&mut self, duration: Duration) {
        match &self.plugin {
            Tested::Native(native) => native.pass(duration),
            Tested::Remote(remote) => remote.pass(duration),
        }
    }

    /// How long ago 1970 began, on the test's clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.clock.now()
    }

    /// The lines that the plugin has written so far.
    #[must_use]
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.world.lines.borrow().clone()
    }

    /// A metric of the plugin's: a counter, where a gauge stands, or how many values a histogram has.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        if let Tested::Remote(remote) = &self.plugin {
            return remote.metric(name);
        }
        let metrics = self.world.metrics.borrow();
        metrics.iter().find(|(own, ..)| own == name).map(|(.., value)| *value)
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("now", &self.now()).finish_non_exhaustive()
    }
}
