//! A gateway beside an axum application's own routes: what the application does not know, the gateway
//! forwards.
//!
//! Run: cargo run -p embedding --example in_axum
//! Then: curl -i http://127.0.0.1:8000/healthz; curl -i http://127.0.0.1:8000/users/

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo as Peer, Request},
    routing::get,
};
use gateway_core::{
    ConnectInfo, Gateway,
    config::{Config, Route, Service},
};
use tokio::net::TcpListener;
use tower::util::MapRequestLayer;

pub(crate) fn gateway(port: u16) -> Result<Gateway, Box<dyn Error>> {
    let mut service = Service::new("users", "127.0.0.1");
    service.port = port;
    let mut route = Route::new("users").to(&service);
    route.paths = Some(vec!["/users".to_owned()]);
    Ok(Gateway::builder().config(Config::default().with(service).with(route)).build()?)
}

/// The application. `local` is where it listens, which the gateway tells its upstreams.
fn app(gateway: Gateway, local: SocketAddr) -> Router {
    // Without this the gateway does not know who asks, and says so in `X-Forwarded-For`.
    let connection = MapRequestLayer::new(move |mut request: Request| {
        if let Some(Peer(peer)) = request.extensions().get::<Peer<SocketAddr>>() {
            let info = Arc::new(ConnectInfo::new(*peer, local));
            request.extensions_mut().insert(info);
        }
        request
    });
    Router::new().route("/healthz", get(async || "ok\n")).fallback_service(gateway).layer(connection)
}

pub(crate) async fn serve(listener: TcpListener, gateway: Gateway) -> Result<(), Box<dyn Error>> {
    let app = app(gateway, listener.local_addr()?);
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(TcpListener::bind("127.0.0.1:8000").await?, gateway(9000)?).await
}
