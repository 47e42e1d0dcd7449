//! Plugins of one's own: `stamp`, with a table of fields and two phases, and `teapot`, made of a closure.
//!
//! Run: cargo run -p embedding --example own_plugin
//! Then: curl -i http://127.0.0.1:8000/users/; curl -i http://127.0.0.1:8000/tea

use std::{error::Error, sync::Arc};

use gateway_core::{
    Body, Gateway,
    config::{
        Config,
        schema::{Field, Record},
    },
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
    plugins,
    server::{Server, Settings},
};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::Value;

/// The plugin: its name, its place in the order, and what its `config` takes.
struct Stamp {
    schema: Record,
}

impl Stamp {
    fn new() -> Self {
        let text = Field::string("text").required().default("hello").doc("What is stamped.");
        Self { schema: Record::new(vec![text]) }
    }
}

impl Plugin for Stamp {
    fn name(&self) -> &str {
        "stamp"
    }

    fn priority(&self) -> i32 {
        700
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    /// Once for each `config`; the table has checked it and filled in the defaults.
    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let text = config["text"].as_str().unwrap_or_default();
        let value = HeaderValue::from_str(text).map_err(|_| "text: cannot stand in a header field")?;
        Ok(Configured::handler(Stamped { value }))
    }
}

/// A `stamp` that is configured: it sees many requests at once.
struct Stamped {
    value: HeaderValue,
}

impl Handler for Stamped {
    fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        request.headers_mut().insert("x-stamp", self.value.clone());
        Flow::Continue
    }

    fn on_response(&self, response: &mut Response<Body>, _: &mut Exchange) -> Flow<Response<Body>> {
        response.headers_mut().insert("x-stamped", self.value.clone());
        Flow::Continue
    }
}

/// A plugin without fields, made of a closure that sees each request.
struct OnRequest<F> {
    name: &'static str,
    schema: Record,
    act: Arc<F>,
}

impl<F> OnRequest<F>
where
    F: Fn(&mut Request<Body>) -> Flow<Request<Body>> + Send + Sync + 'static,
{
    fn new(name: &'static str, act: F) -> Self {
        Self { name, schema: Record::default(), act: Arc::new(act) }
    }
}

impl<F> Plugin for OnRequest<F>
where
    F: Fn(&mut Request<Body>) -> Flow<Request<Body>> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i32 {
        100
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, _: &Value) -> Result<Configured, String> {
        Ok(Configured::handler(Act(Arc::clone(&self.act))))
    }
}

struct Act<F>(Arc<F>);

impl<F> Handler for Act<F>
where
    F: Fn(&mut Request<Body>) -> Flow<Request<Body>> + Send + Sync + 'static,
{
    fn on_request(&self, request: &mut Request<Body>, _: &mut Exchange) -> Flow<Request<Body>> {
        (self.0)(request)
    }
}

fn teapot(_: &mut Request<Body>) -> Flow<Request<Body>> {
    let mut response = Response::new(Body::from("short and stout\n"));
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    Flow::reply(response)
}

pub(crate) fn gateway(port: u16) -> Result<Gateway, Box<dyn Error>> {
    let registry = plugins::bundled().with(Stamp::new()).with(OnRequest::new("teapot", teapot));
    let text = format!(
        "
_format_version: '3.0'
services:
- name: users
  url: http://127.0.0.1:{port}
  routes:
  - name: users
    paths: [/users]
    plugins:
    - name: stamp
      config: {{text: seen}}
routes:
- name: tea
  paths: [/tea]
  plugins:
  - name: stamp
  - name: teapot
"
    );
    let config = Config::parse(&text, &registry)?;
    Ok(Gateway::builder().plugins(registry).config(config).build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = gateway(9000)?;
    let server = Server::new(Settings::default()).listen("127.0.0.1:8000".parse()?).bind()?;
    let running = server.start(move |worker| gateway.serve(worker))?;
    running.run(async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
