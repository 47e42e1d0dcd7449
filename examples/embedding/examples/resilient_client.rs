//! A client of another service, without any gateway: of two endpoints the less busy one is asked, each has a circuit
//! breaker, and what fails is tried again within a budget.
//!
//! Run: python3 -m http.server 9000 &
//! Then: cargo run -p embedding --example resilient_client

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use gateway_core::{
    Body, ConnectInfo,
    balance::{Balancer, LeastConnections, Load, Pick},
    breaker,
    config::Service as ServiceEntity,
    layers::{BreakerError, BreakerLayer, Failed, RetryError, RetryLayer},
    plugin::Exchange,
    retry,
    upstream::{Backend, Dns, Group, HostPolicy, Member, PoolLimits, Transport, Upstream},
};
use http::{Request, Response};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};

/// Why an endpoint has no response: its breaker is open, or it failed.
type Refused = BreakerError<gateway_core::Error>;
type Endpoint = BoxCloneSyncService<Request<Body>, Response<Body>, Refused>;
type Client = BoxCloneSyncService<Request<Body>, Response<Body>, RetryError<Refused>>;

/// Asks the service that listens on these ports.
pub(crate) fn client(ports: [u16; 2]) -> Client {
    let mut settings = retry::Settings::default();
    (settings.retries, settings.per_try) = (Some(3), Some(Duration::from_millis(500)));
    // Of two endpoints one may be gone: then every other request meets its breaker first.
    let share = retry::Share { percent: 100, per_second: 10 };
    let retry = RetryLayer::new(settings, share).judge(|error: &Refused| match error {
        // It was not asked: any request may go to the other one.
        BreakerError::Open(_) => Failed::Unsent,
        BreakerError::Inner(_) => Failed::Unknown,
    });
    Client::new(ServiceBuilder::new().layer(retry).service(Balanced::new(ports.map(endpoint))))
}

/// One endpoint behind its breaker. Any client would do in place of the crate's own.
fn endpoint(port: u16) -> Endpoint {
    let group = Group::new("users", [Member::new("127.0.0.1", port)]);
    let upstream = Upstream::new(group, None, Arc::new(Dns::system()), 1, PoolLimits::default());
    let mut service = ServiceEntity::new("users", "users");
    service.retries = 0;
    let backend = Arc::new(Backend::new(&service, upstream, Transport::clear()));
    let asked = service_fn(move |mut request: Request<Body>| {
        let backend = Arc::clone(&backend);
        async move {
            let mut exchange = Exchange::new(Arc::new(ConnectInfo::unknown()));
            backend.forward(&mut request, HostPolicy::Endpoint, 0, &mut exchange).await
        }
    });
    let mut settings = breaker::Settings::default();
    settings.consecutive = 3;
    Endpoint::new(ServiceBuilder::new().layer(BreakerLayer::new(settings)).service(asked))
}

/// Of two endpoints the one with fewer requests under way.
#[derive(Clone)]
struct Balanced {
    endpoints: [(Endpoint, Arc<Load>); 2],
    balancer: Arc<LeastConnections<Load>>,
}

impl Balanced {
    fn new(endpoints: [Endpoint; 2]) -> Self {
        let endpoints = endpoints.map(|endpoint| (endpoint, Arc::default()));
        let loads: Vec<Arc<Load>> = endpoints.iter().map(|(_, load)| Arc::clone(load)).collect();
        Self { endpoints, balancer: Arc::new(LeastConnections::new(&loads, &[1, 1], 1)) }
    }
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<Body>;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Refused>> + Send>>;

    /// Clients that open connections as they need them are always ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let [first, second] = &self.endpoints;
        let picked = self.balancer.pick(&Pick::any(0).drawing(lot()));
        let (endpoint, load) = if picked == Some(1) { second.clone() } else { first.clone() };
        Box::pin(async move {
            let _under_way = UnderWay::of(&load);
            endpoint.oneshot(request).await
        })
    }
}

/// Any number will do that differs from call to call.
fn lot() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}

/// Counts a request for as long as it is there, also where it is given up.
struct UnderWay(Arc<Load>);

impl UnderWay {
    fn of(load: &Arc<Load>) -> Self {
        load.enter();
        Self(Arc::clone(load))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Nothing listens on the second port: its breaker opens, and the first one answers.
    let client = client([9000, 9001]);
    for number in 1..=5 {
        let response = client.clone().oneshot(Request::get("/").body(Body::empty())?).await?;
        println!("{number}: {}", response.status());
    }
    Ok(())
}
