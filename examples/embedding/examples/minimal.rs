//! A gateway in fifteen lines: everything below `/users` goes to port 9000.
//!
//! Run: cargo run -p embedding --example minimal
//! Then: curl -i http://127.0.0.1:8000/users/

use std::error::Error;

use gateway_core::{
    Gateway,
    config::{Config, Route, Service},
    server::{Server, Settings},
};

pub(crate) fn gateway(port: u16) -> Result<Gateway, Box<dyn Error>> {
    let mut service = Service::new("users", "127.0.0.1");
    service.port = port;
    let mut route = Route::new("users").to(&service);
    route.paths = Some(vec!["/users".to_owned()]);
    Ok(Gateway::builder().config(Config::default().with(service).with(route)).build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = gateway(9000)?;
    let server = Server::new(Settings::default()).listen("127.0.0.1:8000".parse()?).bind()?;
    let running = server.start(move |worker| gateway.serve(worker))?;
    running.run(async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
