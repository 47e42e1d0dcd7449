//! A gateway with one plugin in it.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use gateway_core::{
    Body, ConnectInfo, Gateway,
    config::{Checked, Problem, Problems},
    plugin::Registry,
};
use gateway_plugins::{
    Area, Builder, Calling, Engine, GatewayUpstreams, KeyValueStore, Limits, MetricValue, Module, Upstreams,
    Watch,
};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http_body_util::BodyExt;
use plugin_sdk::testing::wire::{Refused, Request, Response, Start, Tell};
use serde_json::{Value, json};

use crate::{
    body::{body, fields, headers},
    link::Link,
    modules::Modules,
    relay::Relay,
    services::serve,
};

type Failure = Box<dyn Error + Send + Sync>;

/// A gateway with one plugin in it.
pub(crate) struct Bed {
    gateway: Gateway,
    watch: Watch,
    link: Arc<Link>,
}

impl Bed {
    pub(crate) async fn new(start: Start, modules: &Modules, link: &Arc<Link>) -> Result<Self, Refused> {
        let failed = |error: Failure| Refused::Configuration(error.to_string());
        let described = modules.get(&start.plugin).ok_or(Refused::Unknown)?;
        let (builder, module) = described.map_err(|error| failed(error.into()))?;
        Self::build(start, builder, (&modules.engine, module), link).await.map_err(failed)
    }

    async fn build(
        start: Start,
        builder: Builder,
        (engine, module): (&Engine, &Module),
        link: &Arc<Link>,
    ) -> Result<Self, Failure> {
        let upstreams = Arc::new(GatewayUpstreams::default());
        let allowed = start.services.iter().map(String::as_str);
        let through = Arc::new(ByServices(Arc::clone(&upstreams)));
        // What it keeps is its own, too.
        let values = Arc::new(KeyValueStore::default());
        let builder = builder.limits(limits()).grant(Area::ALL).key_values(values);
        let mut builder = builder.upstreams(through, allowed);
        for name in &start.functions {
            builder = builder.function(name, Relay { name: name.clone(), link: Arc::clone(link) });
        }
        let plugin = builder.module(engine, module);
        let watch = plugin.watch();
        let registry = Registry::empty().with(plugin);
        let text = config(start, link).await?.to_string();
        let checked = Checked::parse(&text, &registry).map_err(|problems| told(&problems))?;
        let gateway = Gateway::builder().plugins(registry).checked(checked).build();
        let gateway = gateway.map_err(|problems| told(&problems))?;
        upstreams.connect(&gateway);
        Ok(Self { gateway: gateway.for_worker(0), watch, link: Arc::clone(link) })
    }

    /// Answers a request, and tells the test what came of it.
    pub(crate) async fn send(self: Arc<Self>, request: Request) {
        let before = self.watch.stats().traps;
        let answer = self.answer(request).await;
        if self.watch.stats().traps > before {
            self.link.tell(&Tell::Trapped);
        }
        self.link.tell(&Tell::Answered(Some(answer.unwrap_or_else(|error| Response {
            status: 400,
            fields: Vec::new(),
            pieces: vec![error.to_string().into_bytes()],
        }))));
    }

    async fn answer(&self, request: Request) -> Result<Response, Failure> {
        let peer = SocketAddr::new(request.client_ip.parse()?, 40_000);
        let connection = Arc::new(ConnectInfo::new(peer, ([127, 0, 0, 1], 8_000).into()));
        let response = self.gateway.handle(&connection, message(request)?).await;
        let (head, incoming) = response.into_parts();
        // An answer that breaks off ends where it does.
        let mut whole = Vec::new();
        let mut incoming = std::pin::pin!(incoming);
        while let Some(Ok(frame)) = incoming.frame().await {
            whole.extend(frame.into_data().unwrap_or_default());
        }
        let (status, fields) = (head.status.as_u16(), fields(&head.headers));
        Ok(Response { status, fields, pieces: vec![whole] })
    }

    pub(crate) fn metrics(&self) -> Vec<(String, u64)> {
        let value = |value: &MetricValue| match value {
            MetricValue::Counter(value) | MetricValue::Gauge(value) => *value,
            MetricValue::Histogram { count, .. } => *count,
            _ => 0,
        };
        self.watch.metrics().iter().map(|metric| (metric.name.clone(), value(&metric.value))).collect()
    }
}

/// Sends what is for an origin (`https://login.example.com`) to the service that the test answers for.
struct ByServices(Arc<GatewayUpstreams>);

impl Upstreams for ByServices {
    fn call(&self, name: &str, request: http::Request<Body>, shard: usize) -> Option<Calling> {
        self.0.call(&service_named(name), request, shard)
    }
}

/// A service's name has no room for `://`.
fn service_named(name: &str) -> String {
    name.replace("://", "--").replace([':', '[', ']'], "-")
}

/// The request as a listener would hand it over.
fn message(request: Request) -> Result<http::Request<Body>, Failure> {
    let mut headers = headers(&request.fields);
    match request.pieces.last() {
        None => {}
        Some(last) if last.is_empty() => drop(headers.insert(TRANSFER_ENCODING, "chunked".parse()?)),
        Some(_) => {
            let length: usize = request.pieces.iter().map(Vec::len).sum();
            headers.insert(CONTENT_LENGTH, length.into());
        }
    }
    let message = http::Request::builder().method(request.method.as_str()).uri(request.target);
    let mut message = message.body(Body::new(body(request.pieces)))?;
    *message.headers_mut() = headers;
    Ok(message)
}

/// One route to the upstream, and a service for each that may be called.
async fn config(start: Start, link: &Arc<Link>) -> Result<Value, Failure> {
    let mut services = Vec::new();
    for name in start.services {
        let port = serve(name.clone(), Arc::clone(link)).await?;
        services
            .push(json!({ "name": service_named(&name), "host": "127.0.0.1", "port": port, "retries": 0 }));
    }
    let port = serve(String::new(), Arc::clone(link)).await?;
    let route = json!({ "name": "all", "paths": ["/"], "strip_path": false, "preserve_host": true });
    let upstream = json!({
        "name": "the-upstream", "host": "127.0.0.1", "port": port, "retries": 0, "routes": [route],
    });
    services.push(upstream);
    Ok(json!({
        "_format_version": "3.0",
        "services": services,
        "consumers": start.consumers,
        "plugins": [{ "name": start.plugin, "config": start.config }],
    }))
}

/// Problems as a plugin's test sees them: from the plugin's configuration on.
fn told(problems: &Problems) -> String {
    let line = |problem: &Problem| match problem.field() {
        field if field.is_empty() => problem.message.clone(),
        field => format!("{field}: {}", problem.message),
    };
    problems.essential().map(line).collect::<Vec<_>>().join("\n")
}

/// A test may stop to think, and one trap after the other is what some tests want.
fn limits() -> Limits {
    let mut limits = Limits::default();
    let long = Duration::from_secs(60);
    (limits.entry_cpu, limits.entry_wall) = (Duration::from_secs(5), long);
    (limits.configure_cpu, limits.configure_wall) = (Duration::from_secs(5), long);
    limits.traps = u32::MAX;
    limits
}
