//! A gateway behind its own server.

use std::net::SocketAddr;

use gateway_core::{
    Gateway,
    config::{Config, Plugin as PluginEntity, Route},
    plugin::Registry,
    server::{Certificates, Running, Server, Settings},
};

use super::{Client, Ends, Upstream};

/// A gateway behind its own server.
pub struct Edge {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub tls: Option<SocketAddr>,
    pub running: Running,
    pub ends: Ends,
}

/// What an [`Edge`] is made of.
pub struct Setup {
    pub config: Config,
    pub registry: Registry,
    pub node: gateway_core::Settings,
    pub server: Settings,
    pub certificates: Option<Certificates>,
}

impl Setup {
    pub fn new(config: Config) -> Self {
        let mut server = Settings::default();
        server.workers = 2;
        let mut node = gateway_core::Settings::default();
        node.shards = 2;
        node.reason_header = true;
        Self { config, registry: gateway_core::plugins::bundled(), node, server, certificates: None }
    }

    pub fn start(self) -> Edge {
        let ends = Ends::default();
        let config = self.config.with(PluginEntity::new("ends", serde_json::json!({})));
        let gateway = Gateway::builder()
            .config(config)
            .plugins(self.registry.with(ends.clone()))
            .settings(self.node)
            .build()
            .unwrap();
        let mut server = Server::new(self.server).listen(([127, 0, 0, 1], 0).into());
        if let Some(certificates) = &self.certificates {
            server = server.listen_tls(([127, 0, 0, 1], 0).into(), certificates);
        }
        let bound = server.bind().unwrap();
        let (address, tls) = (bound.addresses()[0], bound.addresses().get(1).copied());
        let serving = gateway.clone();
        let running = bound.start(move |worker| serving.serve(worker)).unwrap();
        Edge { gateway, address, tls, running, ends }
    }
}

impl Edge {
    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }
}

/// A route for every path that leads to `upstream`, and `/stream` that does not wait for bodies.
pub fn everything_to(upstream: &Upstream) -> Config {
    let service = upstream.service("all");
    let mut all = Route::new("all").to(&service);
    all.paths = Some(vec!["/".into()]);
    all.strip_path = false;
    let mut stream = Route::new("stream").to(&service);
    stream.paths = Some(vec!["/stream".into()]);
    stream.strip_path = false;
    stream.request_buffering = false;
    Config::default().with(service).with(all).with(stream)
}
