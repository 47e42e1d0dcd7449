//! From callbacks of Proxy-Wasm to phases of a plugin.

use std::{any::TypeId, cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    Chunk, Flow, Log, Plugin, Request, Response,
    flow::Outcome,
    host::{self, Buffer, Level, Side},
    scene::{self, Action, Answer},
    table,
};

/// The configurations of a plugin in this instance. `#[plugin]` makes it, with the callbacks that lead here.
pub struct Runtime<P> {
    /// By root context.
    plugins: RefCell<Vec<(u32, Rc<P>)>>,
    /// The root of each request, where the host tells of requests and does not say the root with each callback.
    requests: RefCell<BTreeMap<u32, u32>>,
}

impl<P> Default for Runtime<P> {
    fn default() -> Self {
        Self { plugins: RefCell::default(), requests: RefCell::default() }
    }
}

/// The callbacks.
impl<P: Plugin> Runtime<P> {
    /// `proxy_on_context_create`
    pub fn on_context_create(&self, context: u32, parent: u32) {
        if parent != 0 {
            self.requests.borrow_mut().insert(context, parent);
        }
    }

    /// `proxy_on_configure`
    pub fn on_configure(&self, root: u32, size: usize) -> bool {
        let text = host::bytes(Buffer::Configuration, 0, size);
        match configured(&text) {
            Ok(plugin) => {
                let mut plugins = self.plugins.borrow_mut();
                plugins.retain(|(own, _)| *own != root);
                plugins.push((root, Rc::new(plugin)));
                true
            }
            Err(message) => {
                host::log(Level::Error, &message);
                false
            }
        }
    }

    /// `proxy_on_request_headers`
    pub fn on_request_headers(&self, context: u32, end: bool) -> Action {
        self.run(context, Side::Request, |plugin| plugin.on_request(Request::new(context, end)))
    }

    /// `proxy_on_response_headers`
    pub fn on_response_headers(&self, context: u32, end: bool) -> Action {
        self.run(context, Side::Response, |plugin| plugin.on_response(Response::new(context, end)))
    }

    /// `proxy_on_request_body`
    pub fn on_request_body(&self, context: u32, size: usize, end: bool) -> Action {
        if scene::wants_body(context) {
            if end {
                scene::body_here(context, host::bytes(Buffer::RequestBody, 0, size));
            }
            // The phase that waits for the body lets it go.
            return Action::Pause;
        }
        if end && P::MANIFEST.reads_body {
            scene::body_unread(context);
        }
        let mut chunk = Chunk::new(Buffer::RequestBody, size, end);
        self.run(context, Side::Request, |plugin| {
            Outcome::now(plugin.on_request_body(&mut Request::new(context, end), &mut chunk))
        })
    }

    /// `proxy_on_response_body`
    pub fn on_response_body(&self, context: u32, size: usize, end: bool) -> Action {
        let mut chunk = Chunk::new(Buffer::ResponseBody, size, end);
        self.run(context, Side::Response, |plugin| {
            Outcome::now(plugin.on_response_body(&mut Response::new(context, end), &mut chunk))
        })
    }

    /// `proxy_on_log`
    pub fn on_log(&self, context: u32) {
        if let Some(plugin) = self.plugin(context) {
            plugin.on_log(&Log::new(context));
        }
    }

    /// `proxy_on_tick`
    pub fn on_tick(&self, root: u32) {
        if let Some(plugin) = self.configured(root) {
            plugin.on_tick();
        }
    }

    /// `proxy_on_delete`, for requests and configurations.
    pub fn on_delete(&self, context: u32) {
        let plugin = {
            let mut plugins = self.plugins.borrow_mut();
            plugins.iter().position(|(root, _)| *root == context).map(|at| plugins.swap_remove(at))
        };
        drop(plugin);
        self.requests.borrow_mut().remove(&context);
        scene::forget(context);
    }

    /// `proxy_on_http_call_response`
    pub fn on_http_call_response(&self, token: u32, fields: u32, body: usize) {
        scene::answered(token, Answer::Called(crate::Answer::in_hand(fields, body)));
    }

    /// `proxy_on_foreign_function`
    pub fn on_foreign_function(&self, token: u32, size: usize) {
        scene::answered(token, Answer::Foreign(host::bytes(Buffer::Arguments, 0, size)));
    }

    fn run(&self, context: u32, side: Side, phase: impl FnOnce(Rc<P>) -> Outcome) -> Action {
        match self.plugin(context) {
            Some(plugin) => scene::run(context, side, || phase(plugin)),
            None => {
                // A host that does not configure its plugins first: nothing goes through unseen.
                host::log(Level::Error, "a request came before the configuration");
                scene::decide(Flow::Reply(crate::Reply::new(500)))
            }
        }
    }

    #[inline]
    fn plugin(&self, context: u32) -> Option<Rc<P>> {
        match host::root() {
            0 => self.configured(*self.requests.borrow().get(&context)?),
            root => self.configured(root),
        }
    }

    #[inline]
    fn configured(&self, root: u32) -> Option<Rc<P>> {
        let plugins = self.plugins.borrow();
        plugins.iter().find(|(own, _)| *own == root).map(|(_, plugin)| Rc::clone(plugin))
    }
}

fn configured<P: Plugin>(text: &[u8]) -> Result<P, String> {
    let text = if text.is_empty() { b"{}" } else { text };
    let value =
        serde_json::from_slice(text).map_err(|error| format!("the configuration is no JSON: {error}"))?;
    let value = match table::filled(&P::MANIFEST.config, value) {
        // Nothing is the configuration of a plugin without one.
        serde_json::Value::Object(fields) if is_unit::<P>() && fields.is_empty() => serde_json::Value::Null,
        value => value,
    };
    P::configure(serde_json::from_value(value).map_err(|error| error.to_string())?)
}

fn is_unit<P: Plugin>() -> bool {
    TypeId::of::<P::Config>() == TypeId::of::<()>()
}
