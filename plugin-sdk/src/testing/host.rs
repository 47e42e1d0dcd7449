//! The host's calls on the world around a plugin.

use std::time::Duration;

use super::{
    clock::What,
    exchange::Reply,
    fields::{Fields, frames},
    functions,
    request::Received,
    world::{World, number},
};
use crate::host::{Buffer, Host, Level, Map, Metric, Side, Status};

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
        functions::call(self, name, arguments)
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

impl World {
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
