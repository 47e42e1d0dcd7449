//! A Tower layer of one's own in the chain of plugins, under a name: `kong.yml` switches it on where it is
//! wanted, and its priority says what it wraps.
//!
//! Run: cargo run -p embedding --example own_layer
//! Then: curl -i http://127.0.0.1:8000/users/

use std::error::Error;

use gateway_core::{
    Body, Gateway,
    config::Config,
    plugin::LayerPlugin,
    plugins,
    server::{Server, Settings},
};
use http::{HeaderValue, Response};
use tower::util::MapResponseLayer;

pub(crate) fn gateway(port: u16) -> Result<Gateway, Box<dyn Error>> {
    // Any `tower::Layer`. This one wraps every plugin below priority 500, and the forwarder.
    let audit = MapResponseLayer::new(|mut response: Response<Body>| {
        println!("audit: {}", response.status());
        response.headers_mut().insert("x-audited", HeaderValue::from_static("yes"));
        response
    });
    let registry = plugins::bundled().with(LayerPlugin::new("audit", 500, audit));
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
    - name: audit
  - name: public
    paths: [/public]
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
