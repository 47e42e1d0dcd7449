//! What is around a plugin in a test, and the host's calls on it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use super::{
    clock::{Clock, What},
    consumers::Consumer,
    exchange::{Exchange, Reply},
    fields::{Fields, frames},
    functions::Scripted,
    limiter::Limiters,
    request::Received,
    response::Response,
    server::Server,
    store::Store,
};
use crate::host::{Buffer, Host, Level, Map, Metric, Side, Status};

/// What answers for a service.
pub(super) type Service = Box<dyn FnMut(&Received) -> Response>;

/// What is around a plugin in a test.
#[derive(Default)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) consumers: RefCell<Vec<Consumer>>,
    pub(super) services: RefCell<BTreeMap<String, Service>>,
    pub(super) functions: RefCell<BTreeMap<&'static str, Scripted>>,
    pub(super) limiters: RefCell<Limiters>,
    /// The address of the client whose request a testbed has.
    pub(super) client: RefCell<Option<String>>,
    /// Lists of header fields.
    pub(super) lists: RefCell<Vec<List>>,
    pub(super) store: RefCell<Store>,
    /// What nodes keep together, and the prefixes of the stores there, by their numbers.
    pub(super) server: RefCell<Server>,
    pub(super) prefixes: RefCell<Vec<String>>,
    pub(super) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(super) lines: RefCell<Vec<(Level, String)>>,
    pub(super) metrics: RefCell<Vec<(String, Metric, u64)>>,
    pub(super) exchanges: RefCell<BTreeMap<u32, Exchange>>,
    /// The root of the running callback.
    pub(super) root: Cell<u32>,
    /// The context that the host's calls are about.
    pub(super) effective: Cell<u32>,
    pub(super) hand: RefCell<Hand>,
}

/// Header fields: names, and the values that are always the same.
type List = Vec<(String, Option<String>)>;

/// What is at hand in some callbacks only.
#[derive(Default)]
pub(super) struct Hand {
    pub(super) configuration: Vec<u8>,
    pub(super) called: Option<Response>,
    pub(super) arguments: Vec<u8>,
}

/// A number that no context and no token of this process has: plugins of one thread share what goes on between their
/// callbacks.
pub(super) fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl World {
    /// The exchange of the effective context; nothing where that is none.
    pub(super) fn with<R>(&self, read: impl FnOnce(&mut Exchange) -> R) -> Option<R> {
        self.exchanges.borrow_mut().get_mut(&self.effective.get()).map(read)
    }

    /// Asks a service.
    pub(super) fn ask(&self, service: &str, received: &Received) -> Option<Response> {
        // It may have a hand in this world itself: nothing is borrowed meanwhile.
        let (name, mut script) = self.services.borrow_mut().remove_entry(service)?;
        let response = script(received);
        self.services.borrow_mut().entry(name).or_insert(script);
        Some(response)
    }

    fn fields<R>(&self, map: Map, read: impl FnOnce(&mut Fields) -> R) -> Option<R> {
        match map {
            Map::Request => self.with(|exchange| read(&mut exchange.request)),
            Map::Response => self.with(|exchange| Some(read(&mut exchange.response.as_mut()?.1))).flatten(),
            Map::Called => Some(read(&mut self.hand.borrow_mut().called.as_mut()?.fields)),
        }
    }

    fn pseudo(&self, map: Map, name: &str) -> Option<String> {
        match (map, name) {
            (Map::Request, ":method") => self.with(|exchange| exchange.method.clone()),
            (Map::Request, ":path") => self.with(|exchange| exchange.target.clone()),
            (Map::Request, ":scheme") => self.with(|exchange| exchange.scheme.to_owned()),
            (Map::Request, ":authority") => {
                self.fields(map, |fields| fields.get("host").map(str::to_owned))?
            }
            (Map::Response, ":status") => {
                self.with(|exchange| exchange.response.as_ref().map(|(status, _)| status.to_string()))?
            }
            (Map::Called, ":status") => {
                self.hand.borrow().called.as_ref().map(|response| response.status.to_string())
            }
            _ => None,
        }
    }

    fn set_pseudo(&self, map: Map, name: &str, value: &str) {
        self.with(|exchange| match (map, name) {
            (Map::Request, ":method") => value.clone_into(&mut exchange.method),
            (Map::Request, ":path") => value.clone_into(&mut exchange.target),
            (Map::Request, ":authority") => exchange.request.set("host", value),
            (Map::Response, ":status") => {
                if let (Some((status, _)), Ok(value)) = (&mut exchange.response, value.parse()) {
                    *status = value;
                }
            }
            _ => {}
        });
    }

    /// Sends a callout, and says when its answer will be there.
    fn call(&self, upstream: &str, received: Received, patience: Duration) -> Result<u32, Status> {
        let response = self.ask(upstream, &received).ok_or(Status::BAD_ARGUMENT)?;
        self.with(|exchange| exchange.callouts.push((upstream.to_owned(), received)));
        let (token, late) = (number(), response.after > patience);
        let delay = response.after.min(patience);
        let answered = (!late && !response.fails()).then_some(response);
        self.clock.later(delay, token, What::Called(answered));
        Ok(token)
    }
}

impl Host for World {
    fn root(&self) -> u32 {
        self.root.get()
    }

    fn effective_context(&self, context: u32) {
        self.effective.set(context);
    }

    fn header(&self, map: Map, name: &str) -> Option<Vec<u8>> {
        let value = match name.starts_with(':') {
            true => self.pseudo(map, name),
            false => self.fields(map, |fields| fields.get(name).map(str::to_owned)).flatten(),
        };
        value.map(String::into_bytes)
    }

    fn headers(&self, map: Map) -> Vec<(String, String)> {
        let pseudo = [":authority", ":path", ":method", ":scheme", ":status"].into_iter();
        let pseudo = pseudo.filter_map(|name| Some((name.to_owned(), self.pseudo(map, name)?)));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let plain = self.fields(map, |fields| fields.iter().map(owned).collect::<Vec<_>>());
        pseudo.chain(plain.unwrap_or_default()).collect()
    }

    fn set_header(&self, map: Map, name: &str, value: &str) {
        if name.starts_with(':') {
            self.set_pseudo(map, name, value);
        } else if !frames(name) {
            self.fields(map, |fields| fields.set(name, value));
        }
    }

    fn add_header(&self, map: Map, name: &str, value: &str) {
        if name.starts_with(':') {
            self.set_pseudo(map, name, value);
        } else if !frames(name) {
            self.fields(map, |fields| fields.add(name, value));
        }
    }

    fn remove_header(&self, map: Map, name: &str) {
        if name.eq_ignore_ascii_case("content-length") || !frames(name) {
            self.fields(map, |fields| fields.remove(name));
        }
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let set = self.properties.borrow().get(&path.join(".")).cloned();
        set.or_else(|| self.with(|exchange| exchange.property(path)).flatten())
    }

    fn bytes(&self, buffer: Buffer, start: usize, most: usize) -> Vec<u8> {
        let part = |bytes: &[u8]| bytes.iter().skip(start).take(most).copied().collect();
        let hand = self.hand.borrow();
        match buffer {
            Buffer::RequestBody | Buffer::ResponseBody => {
                self.with(|exchange| part(&exchange.body)).unwrap_or_default()
            }
            Buffer::CalledBody => {
                hand.called.as_ref().map(|response| part(&response.pieces.concat())).unwrap_or_default()
            }
            Buffer::Configuration => part(&hand.configuration),
            Buffer::Arguments => part(&hand.arguments),
        }
    }

    fn set_bytes(&self, buffer: Buffer, start: usize, most: usize, bytes: &[u8]) {
        if matches!(buffer, Buffer::RequestBody | Buffer::ResponseBody) {
            self.with(|exchange| {
                let length = exchange.body.len();
                let start = start.min(length);
                let end = start.saturating_add(most).min(length);
                exchange.body.splice(start..end, bytes.iter().copied());
            });
        }
    }

    fn reply(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let mut fields = Fields::default();
        headers.iter().for_each(|(name, value)| fields.add(name, value));
        let reply = Reply { status, fields, body: body.to_vec() };
        self.with(|exchange| exchange.reply = Some(reply));
    }

    fn resume(&self, _side: Side) {
        self.with(|exchange| exchange.resumed = true);
    }

    fn http_call(
        &self,
        upstream: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        milliseconds: u32,
    ) -> Result<u32, Status> {
        let mut fields = Fields::default();
        let pseudo = |name| {
            let found = headers.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned()).ok_or(Status::BAD_ARGUMENT)
        };
        fields.add("host", &pseudo(":authority")?);
        let plain = headers.iter().filter(|(name, _)| !name.starts_with(':'));
        plain.for_each(|(name, value)| fields.add(name, value));
        let (method, target) = (pseudo(":method")?, pseudo(":path")?);
        let received = Received { method, target, fields, body: body.to_vec() };
        self.call(upstream, received, Duration::from_millis(milliseconds.into()))
    }

    fn foreign(&self, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Status> {
        super::functions::call(self, name, arguments)
    }

    fn log(&self, level: Level, text: &str) {
        self.lines.borrow_mut().push((level, text.to_owned()));
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX)
    }

    fn tick_every(&self, milliseconds: u32) {
        // Not more often than the gateway would.
        self.clock.tick_every(Duration::from_millis(u64::from(milliseconds).max(10)));
    }

    fn define_metric(&self, kind: Metric, name: &str) -> Result<u32, Status> {
        let mut metrics = self.metrics.borrow_mut();
        let at = metrics.iter().position(|(own, ..)| own == name).unwrap_or_else(|| {
            metrics.push((name.to_owned(), kind, 0));
            metrics.len() - 1
        });
        match metrics.get(at) {
            Some((_, own, _)) if *own == kind => u32::try_from(at).map_err(|_| Status::BAD_ARGUMENT),
            _ => Err(Status::BAD_ARGUMENT),
        }
    }

    fn increment_metric(&self, metric: u32, by: i64) {
        let mut metrics = self.metrics.borrow_mut();
        let metric = usize::try_from(metric).ok().and_then(|at| metrics.get_mut(at));
        metric.into_iter().for_each(|(_, _, value)| *value = value.saturating_add_signed(by));
    }

    /// A gauge stands at the value; of a histogram the number of values is kept.
    fn record_metric(&self, metric: u32, value: u64) {
        let mut metrics = self.metrics.borrow_mut();
        match usize::try_from(metric).ok().and_then(|at| metrics.get_mut(at)) {
            Some((_, Metric::Histogram, count)) => *count += 1,
            Some((_, _, own)) => *own = value,
            None => {}
        }
    }
}
