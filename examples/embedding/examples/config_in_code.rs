//! A configuration built in code: an upstream with two targets, a plugin, and a change while it runs.
//!
//! Run: cargo run -p embedding --example config_in_code
//! Then: curl -i http://127.0.0.1:8000/users/, and again ten seconds later

use std::{error::Error, time::Duration};

use gateway_core::{
    Gateway,
    config::{Config, Plugin, Problems, Route, Service, Target, Upstream},
    server::{Server, Settings},
};
use serde_json::json;

/// All that is served below `path`, spread over two ports, one of them with three times the share.
fn config(path: &str, ports: [u16; 2]) -> Config {
    let upstream = Upstream::new("pool");
    let target = |port, weight| {
        let mut target = Target::new(&upstream, &format!("127.0.0.1:{port}"));
        target.weight = weight;
        target
    };
    let [large, small] = ports;
    let (large, small) = (target(large, 300), target(small, 100));
    // A service's host may be the name of an upstream.
    let service = Service::new("users", "pool");
    let mut route = Route::new("users").to(&service);
    route.paths = Some(vec![path.to_owned()]);
    let id = Plugin::new("correlation-id", json!({ "header_name": "X-Id", "echo_downstream": true }));
    Config::default()
        .with(id.on_route(&route))
        .with(route)
        .with(service)
        .with(large)
        .with(small)
        .with(upstream)
}

pub(crate) fn gateway(ports: [u16; 2]) -> Result<Gateway, Problems> {
    Gateway::builder().config(config("/users", ports)).build()
}

/// Serves the same below another path from now on. Requests under way go on as they began; the
/// connections to the targets stay open.
pub(crate) fn move_to(gateway: &Gateway, path: &str, ports: [u16; 2]) -> Result<(), Problems> {
    let change = gateway.reload(&config(path, ports))?;
    println!("{} routes changed", change.routes.len());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let ports = [9000, 9001];
    let gateway = gateway(ports)?;
    let server = Server::new(Settings::default()).listen("127.0.0.1:8000".parse()?).bind()?;
    let serving = gateway.clone();
    let running = server.start(move |worker| serving.serve(worker))?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    move_to(&gateway, "/people", ports)?;
    running.run(async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
